/**
 * Recordings that end because the interpreter cannot go on, at a count of instructions where faults are delivered: those retire none, so that
 * the count alone does not say where it was.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { SealSession } from '../../src/replay/seal.js';
import { type SliceResult, sliceTrace } from '../../src/replay/slice.js';
import { editTrace } from '../../src/trace/edit.js';
import { TraceReader } from '../../src/trace/reader.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { addCheckpoints } from '../helpers/checkpoints.js';
import { workFolder } from '../helpers/cli.js';
import { machineOf, record, replay } from '../helpers/tape.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);

/** The stack ends at 100000h, and there is no memory beyond: SP 6 has room for one fault of real mode, SP 12 for two; SP 0 for none. */
const guestOf = (sp: number) => {
  const begin = [
    ...[0xb8, 0xff, 0xff, 0x8e, 0xd0, 0xbc, sp, 0], // mov ax,0ffffh; mov ss,ax; mov sp,…
    ...[0xb0, 0x55, 0xe6, 0x80, 0xe6, 0x80], // mov al,55h; out 80h,al; out 80h,al
  ];
  const handler = 0x7c00 + begin.length + 12;
  return Uint8Array.from([
    ...begin,
    ...[0xc7, 0x06, 0x18, 0, handler & 0xff, handler >> 8], // mov word [18h],handler: of #UD
    ...[0xc7, 0x06, 0x1a, 0, 0, 0], // mov word [1ah],0
    ...[0x0f, 0x0b], // ud2, which is its own handler
  ]);
};

describe.each([0, 6, 12])('an engine error at a count where a fault is delivered, with a stack of %d bytes', (sp) => {
  const [path, kvm] = [at(`sp-${sp}`), at(`sp-${sp}-kvm`)];
  const end = { reason: 'engine-error', position: 'count', exitCode: 1 };
  beforeAll(async () => {
    const machine = machineOf('interp', guestOf(sp), 'real', 0x7c00, { limits: { timeout: 30 } }, 0x10_0000);
    expect((await record(machine, path)).end).toMatchObject(end);
    editTrace(path, kvm, { header: (header) => ({ ...header, engine: 'kvm', counting: false }) });
  });

  it.each(['machine', 'cpu'] as const)('replays in %s mode, registers and memory compared', async (mode) => {
    expect(await replay(path, 'interp', mode)).toMatchObject({ kind: 'complete', instructions: 8, end, notes: [] });
    expect((await verifyTrace(path)).problems).toEqual([]);
  });

  it('replays from a checkpoint, and as a slice', async () => {
    expect(await addCheckpoints(path, 1, at('points'))).toEqual([1, 2]);
    for (const from of [1, 2])
      expect(await replay(at('points'), 'interp', 'machine', { from })).toMatchObject({
        kind: 'complete',
        end,
        notes: [],
      });
    const made = (await sliceTrace(path, at('part'), { first: 1, last: 1 })) as SliceResult;
    expect(made).toMatchObject({ first: 1, records: 1 });
    expect(await replay(at('part'), 'interp', 'machine')).toMatchObject({ kind: 'complete', end, notes: [] });
  });

  it('is sealed, as if KVM had recorded it', async () => {
    const session = await SealSession.open({ path: kvm, output: at('sealed'), host: realHost });
    expect(await session.run()).toMatchObject({ kind: 'sealed', isNew: true, records: 2 });
    session.close();
    expect(await replay(at('sealed'), 'interp', 'machine')).toMatchObject({ kind: 'complete' });
    const reader = new TraceReader(at('sealed'));
    const cursor = reader.cursor();
    const counts = [];
    while (cursor.next()) counts.push(cursor.record.retired);
    reader.close();
    expect(counts).toEqual([4, 5]);
  });
});

it('a recording that ended at another place of the same count, or with other registers, is a difference', async () => {
  const [AL, SP, BEFORE] = [0, 32, 6];
  for (const [index, value] of [
    [AL, 0x66],
    // Where the count is reached, before the fault: the memory is another.
    [SP, BEFORE],
  ] as const) {
    const registers = ({ registers: right }: { registers: Uint8Array }) =>
      right.map((byte, place) => (place === index ? value : byte));
    editTrace(at('sp-6'), at('wrong'), { end: (end) => ({ ...end, registers: registers(end) }) });
    for (const mode of ['machine', 'cpu'] as const)
      expect(await replay(at('wrong'), 'interp', mode)).toMatchObject({
        kind: 'divergence',
        divergence: { what: 'the registers differ at the end', instructions: 8 },
      });
  }
});

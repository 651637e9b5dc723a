/** A guest with paging outside long mode: on a KVM that has none, the interpreter executes it. Recorded so, and replayed on both engines. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { probePaging } from '../../src/record/probes/paging.js';
import { TraceReader } from '../../src/trace/reader.js';
import type { MachineOptions } from '../../src/vmm/machine-options.js';
import { imageOf, machineOf, noKvm, record, replay, Text } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-paging-'));
afterAll(() => rmSync(directory, { recursive: true }));

const LOAD_AT = 0x10_0000;
/** Offsets of prot32-user's words. */
const USES_PAE = 4;
const ASKS_TSC = 8;

function imageWith(...words: number[]): Uint8Array {
  const image = Uint8Array.from(imageOf('prot32-user'));
  for (const word of words) image[word] = 1;
  return image;
}

const isRefused = noKvm === undefined && probePaging().verdict === 'no';

function machine(image: Uint8Array, more: Partial<MachineOptions> = {}): MachineOptions {
  return machineOf('kvm', image, 'prot32', LOAD_AT, { assistsPaging: isRefused, limits: { timeout: 60 }, ...more });
}

const guests: [name: string, image: Uint8Array, needsAssist: boolean][] = [
  ['32-bit paging', imageWith(), false],
  ['PAE paging', imageWith(USES_PAE), false],
  ['32-bit paging, reading the time-stamp counter', imageWith(ASKS_TSC), true],
];

describe.skipIf(noKvm !== undefined)(`recorded on KVM (${noKvm ?? 'it is there'})`, () => {
  describe.each(guests)('%s', (name, image, needsAssist) => {
    describe.skipIf(needsAssist && !isRefused)(isRefused ? '' : '(this KVM has paging outside long mode)', () => {
      const path = join(directory, name);
      const serial = new Text();

      it('comes to its end', async () => {
        const { end } = await record(machine(image, { serial }), path);
        expect(serial.text).toMatch(/\nOK\n$/);
        expect(end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
        if (!isRefused) return;
        const assists = linesOf(path).filter((line) => / assist /.test(line));
        expect(assists.length).toBe(1);
        expect(assists[0]).toMatch(/ assist 0f 22 c0 in 32-bit code/);
      }, 90_000);

      it.each([
        ['interp', 'machine'],
        ['interp', 'cpu'],
        ['kvm', 'machine'],
      ] as const)(
        'replays on %s in %s mode, with nothing to note',
        async (engine, mode) => {
          const replayed = new Text();
          const result = await replay(path, engine, mode, { serial: replayed });
          expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
          expect(replayed.text).toBe(serial.text);
        },
        120_000,
      );
    });
  });

  it('all of it on the interpreter, where time stamps are exits from the first instruction on', async () => {
    const path = join(directory, 'all');
    const serial = new Text();
    const { end, assists } = await record(machine(imageWith(ASKS_TSC), { serial, assistsAll: true }), path);
    expect([end.exitCode, assists]).toEqual([33, 0]);
    expect(linesOf(path).some((line) => / msr-read .*0x10 /.test(line))).toBe(true);
    for (const engine of ['interp', 'kvm'] as const) {
      const replayed = new Text();
      const result = await replay(path, engine, 'machine', { serial: replayed });
      expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
      expect(replayed.text).toBe(serial.text);
    }
  }, 60_000);

  it.each([
    ['32-bit paging', imageWith()],
    ['PAE paging', imageWith(USES_PAE)],
  ])(
    'recorded on the interpreter, replays on KVM: %s',
    async (name, image) => {
      const path = join(directory, `interpreted ${name}`);
      const serial = new Text();
      await record({ ...machine(image, { serial, assistsPaging: false }), engine: 'interp' }, path);
      const replayed = new Text();
      const kvmLacks = { userEntry: false, paging: isRefused };
      const result = await replay(path, 'kvm', 'machine', { serial: replayed, kvmLacks });
      expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
      expect(replayed.text).toBe(serial.text);
    },
    60_000,
  );

  test.skipIf(!isRefused)('without the assist it shuts down where it turns paging on', async () => {
    const path = join(directory, 'without');
    const { end } = await record(machine(imageWith(), { assistsPaging: false }), path);
    expect(end.reason).toBe('shutdown');
    const reader = new TraceReader(path);
    expect(reader.header.host).not.toHaveProperty('assistsPaging');
    reader.close();
  });

  test.skipIf(!isRefused)('a MOV to CR0 that has to fault shuts the guest down', async () => {
    // xor eax,eax; mov cr0,eax; or eax,80000000h; mov cr0,eax: paging without protection.
    const image = Buffer.from('0f20c0 2cff 0d00000080 24fe 0f22c0 f4'.replaceAll(' ', ''), 'hex');
    const path = join(directory, 'faults');
    expect((await record(machine(image), path)).end.reason).toBe('shutdown');
    expect(await replay(path, 'interp', 'machine')).toMatchObject({ kind: 'complete', notes: [] });
  });
});

import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { realHost } from '../../src/base/host.js';
import type { SavedState } from '../../src/replay/checkpoint.js';
import { CheckpointFile } from '../../src/replay/checkpoint-file.js';
import type { CheckpointTaker } from '../../src/replay/options.js';
import { ReplaySession } from '../../src/replay/session.js';
import { TraceAppender } from '../../src/trace/append.js';
import { editTrace } from '../../src/trace/edit.js';
import { IndexBuilder } from '../../src/trace/frame-index.js';
import { RecordKind } from '../../src/trace/record.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { interpResumptionTable } from '../../src/vmm/cpu/interp-resumption.js';
import { consoleState } from '../../src/vmm/machine-console.js';
import { memoryRuns } from '../../src/vmm/memory.js';
import { decodeState, encodeState } from '../../src/vmm/state/codec.js';
import { addCheckpoints, checkpointsOf, endOf, recordsOf } from '../helpers/checkpoints.js';
import { guests, imageOf, machineOf, noKvm, record, replay } from '../helpers/tape.js';
import { smallEnd, smallHeader } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-checkpoint-'));
afterAll(() => rmSync(directory, { recursive: true }));

const cases = Object.keys(guests).filter((name) => name !== 'long-syscall');
describe.each(cases)('checkpoints of %s', (name) => {
  const path = join(directory, `${name}.vmtape`);
  let records: number[] = [];

  beforeAll(async () => {
    const [mode, loadAt] = guests[name] as (typeof guests)[string];
    await record(machineOf('interp', imageOf(name), mode, loadAt, { limits: { timeout: 30 } }), path);
    records = await addCheckpoints(path, 8);
  }, 60_000);

  it('are added to the trace, which stays whole', async () => {
    expect(records.length).toBeGreaterThanOrEqual(8);
    const { problems, isWhole, checkpoints } = await verifyTrace(path);
    expect({ problems, isWhole, checkpoints }).toEqual({ problems: [], isWhole: true, checkpoints: records.length });
    expect(readdirSync(directory).filter((file) => file.endsWith('.part'))).toEqual([]);
  });

  it.each(['machine', 'cpu'] as const)('lead to the same end, in %s mode', async (mode) => {
    const { start: _, ...whole } = await endOf(path, mode);
    expect((whole as { result: { kind: string } }).result.kind).toBe('complete');
    for (const from of records) expect(await endOf(path, mode, from)).toEqual({ start: from, ...whole });
  });

  it('are the states that a replay from another checkpoint comes to', async () => {
    const again = join(directory, `${name}.again.vmtape`);
    const from = records[2] as number;
    const file = new CheckpointFile(path, { every: 1, output: again });
    const session = await ReplaySession.open({ path, from, until: from + 40, checkpoints: file, host: realHost });
    try {
      expect((await session.run()).kind).toBe('stopped');
      file.finish();
    } finally {
      session.close();
      file.discard();
    }
    const made = checkpointsOf(again).filter((one) => one > from && one < (records[3] as number));
    expect(made.length).toBeGreaterThan(5);
    const { start: _, ...whole } = await endOf(path, 'machine');
    for (const one of made.slice(0, 8)) expect(await endOf(again, 'machine', one)).toEqual({ start: one, ...whole });
  });
});

describe('a checkpoint', () => {
  const path = join(directory, 'ticks.vmtape');
  const [mode, loadAt] = guests['prot32-ticks'] as (typeof guests)[string];
  beforeAll(async () => {
    await record(machineOf('interp', imageOf('prot32-ticks'), mode, loadAt, { limits: { exits: 3000 } }), path);
  }, 60_000);

  it('before a divergence is kept, and the command that shows the divergence again starts from it', async () => {
    const changed = join(directory, 'changed.vmtape');
    let wrong = 0;
    editTrace(path, changed, {
      record: (one) => {
        if (wrong === 0 && one.ordinal > 2000 && one.kind === RecordKind.IoWrite) {
          wrong = one.ordinal;
          one.data[0] = (one.data[0] as number) ^ 1;
        }
        return true;
      },
    });
    const file = new CheckpointFile(changed, { every: 500 });
    const first = await replay(changed, 'interp', 'machine', { checkpoints: file });
    file.finish();
    expect(checkpointsOf(changed)).toEqual([500, 1000, 1500, 2000]);
    const second = await replay(changed, 'interp', 'machine', { from: wrong });
    if (first.kind !== 'divergence' || second.kind !== 'divergence') throw new Error('it does not diverge');
    const { command, before, ...rest } = first.divergence;
    const { command: commandFrom, before: beforeFrom, ...restFrom } = second.divergence;
    expect(restFrom).toEqual(rest);
    expect(before.slice(-beforeFrom.length)).toEqual(beforeFrom);
    expect(commandFrom).toBe(`${command} --from record:2000`);
  });

  it('is not written twice, and what is discarded leaves the trace as it was', async () => {
    const copy = join(directory, 'copy.vmtape');
    copyFileSync(path, copy);
    await addCheckpoints(copy, 4);
    const before = readFileSync(copy);
    const file = new CheckpointFile(copy, { every: Math.floor(recordsOf(copy) / 5) });
    await replay(copy, 'interp', 'machine', { checkpoints: file });
    expect(file.count).toBe(0);
    file.discard();
    expect(readFileSync(copy).equals(before)).toBe(true);
    expect(readdirSync(directory).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('of more than 65,536 is refused before the replay begins', async () => {
    const long = join(directory, 'long.vmtape');
    const writer = new TraceWriter(long, smallHeader, { ram: [] });
    for (let record = 0; record < 0x2_0002; record++) {
      writer.records.plain(RecordKind.Halt, record);
      if (writer.records.full) writer.flush();
    }
    writer.finish({ ...smallEnd, retired: 0x2_0002 });
    const before = readFileSync(long);
    expect(() => new CheckpointFile(long, { every: 1 })).toThrow(
      /would have 131,074 checkpoints, one each 1 of its records/,
    );
    expect(readFileSync(long).equals(before)).toBe(true);
    expect(readdirSync(directory).filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(() => new CheckpointFile(long, { every: 2 })).toThrow(/would have 65,537 checkpoints/);
    new CheckpointFile(long, { every: 3 }).discard();
    // A root has room for so many, with a mebibyte of contents and a million records between them.
    const index = new IndexBuilder();
    for (let count = 1; count <= 0x1_0000; count++) {
      index.add(4, 0x10_0000, 256);
      index.add(2, 400, count);
      index.add(7, 0x2000, 0, count * 1_000_000);
      if (index.isListDue) index.add(8, 4000, 0);
    }
    expect(index.checkpoints).toHaveLength(0x1_0000);
    expect(index.root(true).length).toBeLessThan(0x10_0000);
  });

  it('has each content of memory once: many weigh little more than one', async () => {
    const [one, many] = [join(directory, 'one.vmtape'), join(directory, 'many.vmtape')];
    await addCheckpoints(path, 1, one);
    await addCheckpoints(path, 20, many);
    const [size, few, more] = [path, one, many].map((name) => statSync(name).size) as [number, number, number];
    expect(checkpointsOf(many).length).toBeGreaterThanOrEqual(20);
    expect((more - size) / 20).toBeLessThan(few - size);
  });
});

describe('a checkpoint of a stranger', () => {
  const path = join(directory, 'stranger.vmtape');
  const [mode, loadAt] = guests['long-paging'] as (typeof guests)[string];
  let state: SavedState;
  let ram: { gpa: number; bytes: Uint8Array }[];
  beforeAll(async () => {
    await record(machineOf('interp', imageOf('long-paging'), mode, loadAt, { limits: { exits: 800 } }), path);
    const checkpoints: CheckpointTaker = {
      next: 500,
      take(taken, memory) {
        state ??= taken;
        ram ??= memoryRuns(memory).map(({ gpa, bytes }) => ({ gpa, bytes: bytes.slice() }));
      },
    };
    await replay(path, 'interp', 'machine', { checkpoints });
  }, 60_000);

  /** Starts from a checkpoint that was changed; the message of the error. */
  async function messageFor(change: Partial<SavedState>, parts: Record<string, Uint8Array | undefined> = {}) {
    const changed = join(directory, 'strange.vmtape');
    copyFileSync(path, changed);
    const appender = new TraceAppender(changed);
    const all = Object.entries({ ...state.parts, ...parts }).filter((part) => part[1] !== undefined);
    appender.checkpoint({ ...state, ...change, parts: Object.fromEntries(all) as Record<string, Uint8Array> }, ram);
    appender.finish();
    const session = await ReplaySession.open({ path: changed, from: 700, host: realHost }).catch((error) => error);
    if (session instanceof VmtapeError) return `${session.code} ${session.message}`;
    session.close();
    return 'no error';
  }

  it('is restored as it was', async () => {
    expect(await messageFor({})).toBe('no error');
  });

  it('is refused when a part is missing, cut off, or of another', async () => {
    for (const name of Object.keys(state.parts)) {
      const bytes = state.parts[name] as Uint8Array;
      expect(await messageFor({}, { [name]: undefined })).toMatch(/^VMTAPE_TRACE_DAMAGED .* is missing$/);
      expect(await messageFor({}, { [name]: bytes.subarray(0, -1) })).toMatch(/^VMTAPE_TRACE_DAMAGED .* (needs|is) /);
      const other = name === 'random' ? 'clock' : 'random';
      expect(await messageFor({}, { [name]: state.parts[other] })).toMatch(/belongs to another part of the machine/);
    }
  });

  it('is refused when its count of instructions is not that of its parts', async () => {
    expect(await messageFor({ retired: state.retired + 1 })).toMatch(/interp.retired/);
  });

  it('is refused when a translation leads out of the memory, or writes to what is none', async () => {
    const resumption = decodeState(interpResumptionTable, state.parts['interp'] as Uint8Array);
    expect(resumption.tlb.length).toBeGreaterThan(3);
    for (const page of [0x400, 0xb_0000, 0xf_ffff]) {
      const tlb = resumption.tlb.map((entry, index) => (index === 1 ? { ...entry, page } : entry));
      const interp = encodeState(interpResumptionTable, { ...resumption, tlb });
      expect(await messageFor({}, { interp })).toMatch(/interp.tlb names the page/);
    }
  });

  it('is refused when the rest of a console contradicts its count', async () => {
    const serial = decodeState(consoleState, state.parts['console-serial'] as Uint8Array);
    const changed = encodeState(consoleState, { ...serial, count: serial.count + 1 });
    expect(await messageFor({}, { 'console-serial': changed })).toMatch(/console.rest/);
  });
});

describe.skipIf(noKvm !== undefined)(`checkpoints of a trace of KVM (${noKvm ?? 'KVM is there'})`, () => {
  it('are saved and restored by the interpreter', async () => {
    const path = join(directory, 'kvm.vmtape');
    const [mode, loadAt] = guests['apics'] as (typeof guests)[string];
    await record(machineOf('kvm', imageOf('apics'), mode, loadAt, { limits: { timeout: 30 } }), path);
    const records = await addCheckpoints(path, 6);
    for (const one of ['machine', 'cpu'] as const) {
      const { start: _, ...whole } = await endOf(path, one);
      for (const from of records) expect(await endOf(path, one, from)).toEqual({ start: from, ...whole });
    }
  }, 60_000);
});

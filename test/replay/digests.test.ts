/** Digests of the whole state: recorded at fixed distances, compared by replays, and telling what differs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import type { ReplayResult } from '../../src/replay/options.js';
import { ReplaySession } from '../../src/replay/session.js';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind } from '../../src/trace/record.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { vmtape } from '../helpers/cli.js';
import { guests, imageOf, machineOf, noKvm, record, replay } from '../helpers/tape.js';

/** 24 million instructions: mov ecx,8000000; 1: inc dword [esi + 12000h]; dec ecx; jnz 1b; out f4h,al. */
const LOOP = [
  ...[0x31, 0xf6, 0xb9, 0x00, 0x12, 0x7a, 0x00, 0xff, 0x86, 0x00, 0x20, 0x01, 0x00, 0x49, 0x75, 0xf7],
  ...[0xb0, 0x10, 0xe6, 0xf4],
];

let directory = '';
let path = '';
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmtape-states-'));
  path = join(directory, 'a.vmtape');
  await record(machineOf('interp', Uint8Array.from(LOOP), 'prot32', 0x10_0000), path);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Instruction counts and forms of the digests of the state. */
function statesOf(file: string): [retired: number, form: number | undefined][] {
  const reader = new TraceReader(file);
  try {
    const states: [number, number | undefined][] = [];
    const cursor = reader.cursor();
    while (cursor.next()) {
      const { kind, retired, stateDigest } = cursor.record;
      if (kind === RecordKind.Digest && stateDigest.length > 0) states.push([retired, stateDigest[0]]);
    }
    return states;
  } finally {
    reader.close();
  }
}

/** Replays, and does something to the machine behind the first instructions. */
async function disturbed(change: (session: ReplaySession) => void): Promise<ReplayResult> {
  const session = await ReplaySession.open({ path, host: realHost });
  try {
    expect(session.runSlice()).toBeUndefined();
    expect(session.vcpu.retired).toBeLessThan(10_000_000);
    change(session);
    return await session.run();
  } finally {
    session.close();
  }
}

async function differenceOf(change: (session: ReplaySession) => void): Promise<string> {
  const result = await disturbed(change);
  if (result.kind !== 'divergence') throw new Error(`the replay ended: ${result.kind}`);
  expect(result.divergence.instructions).toBe(10_000_000);
  return result.divergence.what.replace('the state differs: ', '');
}

describe('on the interpreter', () => {
  it('a recording has a digest of the state each 10 million instructions', async () => {
    expect(statesOf(path)).toEqual([
      [10_000_000, 1],
      [20_000_000, 1],
    ]);
    expect((await verifyTrace(path)).problems).toEqual([]);
  });

  it('replays compare them in either mode', async () => {
    for (const mode of ['machine', 'cpu'] as const) {
      expect(await replay(path, 'interp', mode)).toMatchObject({
        kind: 'complete',
        digests: { states: 2, passedOver: 0 },
      });
    }
  });

  it('a replay whose memory differs stops there, and names the page', async () => {
    const poke = (...addresses: number[]) =>
      differenceOf(({ guest }) => {
        for (const address of addresses) guest.memory.writeU8(address, 0x5a);
      });
    expect(await poke(0x30_0000)).toBe('the page of memory at 0x300000');
    expect(await poke(0)).toBe('the page of memory at 0x0');
    expect(await poke(0x3f_ffff, 0x3f_f000)).toBe('the page of memory at 0x3ff000');
    expect(await poke(0x20_0000, 0x30_0000)).toBe('more than one page of memory');
  });

  it('a replay whose processor differs stops there, and names the register', async () => {
    expect(await differenceOf(({ vcpu }) => vcpu.setRegister(3, 0x1234, 0))).toBe('rbx 0x1234');
    expect(await differenceOf(({ vcpu }) => vcpu.setState({ ...vcpu.getState(), cr2: 7n }))).toBe('cr2 0x7');
    const both = await differenceOf(({ vcpu, guest }) => {
      vcpu.setState({ ...vcpu.getState(), lstar: 1n, dr3: 4n });
      guest.memory.writeU8(0x5000, 1);
    });
    expect(both).toBe('debug registers, MSRs, the page of memory at 0x5000');
  });
});

describe('on KVM', () => {
  const passes = `a replay of the interpreter's recording says that it compared no states (${noKvm ?? 'KVM is there'})`;
  it.skipIf(noKvm !== undefined)(passes, { timeout: 300_000 }, async () => {
    // As LOOP, with 10,000,500 instructions: an emulating KVM takes seconds for them.
    const trace = join(directory, 'once.vmtape');
    const code = Uint8Array.from(LOOP);
    new DataView(code.buffer).setUint32(3, 3_333_500, true);
    await record(machineOf('interp', code, 'prot32', 0x10_0000), trace);
    expect(statesOf(trace)).toEqual([[10_000_000, 1]]);
    const result = await vmtape(['replay', trace, '--engine', 'kvm']);
    expect(result.code).toBe(0);
    expect(result.stderr).toMatch(
      /records are equal; its state at one place was not compared: only the interpreter finds such a place$/m,
    );
    expect((await vmtape(['replay', trace])).stderr).toMatch(/records are equal, and the whole state at one place$/m);
    const json = await vmtape(['replay', trace, '--engine', 'kvm', '--json']);
    expect(JSON.parse(json.stdout).digests).toMatchObject({ states: 0, passedOver: 1 });
  });

  const name = `a recording has some each second, behind exits, and both engines have the same (${noKvm ?? 'KVM is there'})`;
  it.skipIf(noKvm !== undefined)(name, async () => {
    const copy = join(directory, 'kvm');
    const [mode, loadAt] = guests['prot32-ticks'] ?? ['prot32', 0];
    // A host whose second is short.
    const host = { ...realHost, now: () => realHost.now() * 50 };
    await record(machineOf('kvm', imageOf('prot32-ticks'), mode, loadAt, { host }), copy);
    const states = statesOf(copy);
    expect(states.length).toBeGreaterThan(0);
    expect(states.every(([retired, form]) => Number.isNaN(retired) && form === 2)).toBe(true);
    for (const engine of ['interp', 'kvm'] as const) {
      const result = await replay(copy, engine, 'machine');
      expect(result, engine).toMatchObject({ kind: 'complete', digests: { states: states.length } });
    }
  });
});

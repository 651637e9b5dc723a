/** What an exit takes of the guest's time on the interpreter (docs/decisions/0003): in a run, in recordings, and in those that know nothing of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TraceReader } from '../../src/trace/reader.js';
import { bootGuest } from '../../src/vmm/boot/boot.js';
import { exitTimeOfTrace } from '../../src/vmm/guest-time.js';
import { Machine } from '../../src/vmm/machine.js';
import type { MachineOptions } from '../../src/vmm/machine-options.js';
import { imageOf, machineOf, noKvm, record, replay } from '../helpers/tape.js';

// mov cx, 10; L: in al, 80h; loop L; rdtsc; hlt
const polling = Uint8Array.from([0xb9, 10, 0, 0xe4, 0x80, 0xe2, 0xfc, 0x0f, 0x31, 0xf4]);
const LOAD_AT = 0x7c00;
const BEFORE_RDTSC = 1 + 10 * 2;

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmtape-exit-time-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** EAX behind the RDTSC. */
async function timestamp(options: MachineOptions): Promise<bigint> {
  const machine = await Machine.open(options);
  try {
    await machine.run();
    return machine.vcpu.getState().rax & 0xffff_ffffn;
  } finally {
    machine.close();
  }
}

describe('an exit takes a microsecond of the guest', () => {
  it('which a hooked RDTSC and a bare one see alike', async () => {
    const hooked = machineOf('interp', polling, 'real', LOAD_AT);
    expect(hooked.guest.hooks.sites.length).toBe(1);
    expect(await timestamp(hooked)).toBe(BigInt(BEFORE_RDTSC + 10 * 1000));
    const source = { kind: 'flat', image: { name: 'test', bytes: polling }, loadAt: LOAD_AT, mode: 'real' } as const;
    const bare = bootGuest({ ramSize: 0x40_0000, source, hooks: new Set() });
    expect(await timestamp({ ...hooked, guest: bare })).toBe(BigInt(BEFORE_RDTSC + 10 * 1000));
  });

  it('or what the machine is told', async () => {
    const machine = (exitTime: number) => machineOf('interp', polling, 'real', LOAD_AT, { exitTime });
    expect(await timestamp(machine(0))).toBe(BigInt(BEFORE_RDTSC));
    expect(await timestamp(machine(7))).toBe(BigInt(BEFORE_RDTSC + 10 * 7));
  });

  it.each([1000, 7, 0])(
    'and a recording at %i ns replays in both modes, and on KVM where there is one',
    async (exitTime) => {
      const path = join(directory, `${exitTime}.vmtape`);
      const { records } = await record(machineOf('interp', imageOf('clocks'), 'prot32', 0x10_0000, { exitTime }), path);
      const reader = new TraceReader(path);
      expect(exitTimeOfTrace(reader.header.host)).toBe(exitTime);
      reader.close();
      for (const mode of ['machine', 'cpu'] as const) {
        expect(await replay(path, 'interp', mode)).toMatchObject({ kind: 'complete', records });
      }
      if (noKvm === undefined)
        expect(await replay(path, 'kvm', 'machine')).toMatchObject({ kind: 'complete', records });
    },
  );

  it('and none where a header has nonsense', () => {
    for (const exitTime of [-1, 1.5, 2e6, '1000', undefined]) expect(exitTimeOfTrace({ exitTime })).toBe(0);
  });
});

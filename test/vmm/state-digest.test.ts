import { describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { InterpVcpu } from '../../src/vmm/cpu/interp.js';
import { DirtyLog } from '../../src/vmm/dirty-log.js';
import { GuestMemory } from '../../src/vmm/memory.js';
import { DigestForm, StateDigest } from '../../src/vmm/state-digest.js';

const SEED = 4711;

function machine(rom?: Uint8Array) {
  const memory = new GuestMemory({ ramSize: 0x20_0000, ...(rom && { rom }) });
  const vcpu = InterpVcpu.open(memory);
  const log = new DirtyLog(vcpu);
  return { memory, vcpu, digest: (form: DigestForm) => new StateDigest(vcpu, memory, log.reader(), form) };
}

describe('a digest of the state', () => {
  it(`that hashes what was written is that which hashes everything (seed ${SEED})`, () => {
    const random = new Prng(SEED);
    const { memory, digest } = machine(new Uint8Array(0x3000).fill(7));
    const kept = [digest(DigestForm.Exact), digest(DigestForm.Portable)];
    for (let round = 0; round < 20; round++) {
      for (let write = random.u32() % 20; write > 0; write--) {
        const address = random.u32() % 0xf_0000;
        if (random.u32() % 4 === 0) memory.fill(address, 0x2000, 0);
        else memory.writeU8(address, random.u32() & 0xff);
      }
      for (const one of kept) expect(one.take()).toEqual(digest(one.form).take());
    }
  });

  it('has pages of zeros as if they were not there', () => {
    const sums = (bytes: Uint8Array) => [...bytes.subarray(9, 25)];
    const { memory, digest } = machine();
    expect(sums(digest(DigestForm.Exact).take())).toEqual(new Array(16).fill(0));
    memory.writeU8(0x5000, 1);
    expect(sums(digest(DigestForm.Exact).take())).not.toEqual(new Array(16).fill(0));
  });

  it('finds the one page that differs, whichever it is', () => {
    const { memory, digest } = machine();
    const one = digest(DigestForm.Exact);
    memory.writeU32(0x12_3000, 5);
    const before = one.take();
    for (let page = 0; page < 0x200; page++) {
      memory.writeU8(page * 0x1000 + 7, 0x80);
      expect(one.difference(before, one.take())).toEqual([`the page of memory at 0x${(page * 0x1000).toString(16)}`]);
      memory.writeU8(page * 0x1000 + 7, 0);
    }
    expect(one.difference(before, one.take())).toBeUndefined();
  });

  it('in the portable form has neither accessed nor dirty bits, nor what engines keep differently', () => {
    const { memory, vcpu, digest } = machine();
    const [exact, portable] = [digest(DigestForm.Exact), digest(DigestForm.Portable)];
    memory.writeU64(0x8000, 0x0000_0001_0000_1003n);
    const before = [exact.take(), portable.take()] as const;
    memory.writeU64(0x8000, 0x0000_0001_0000_1063n);
    expect(exact.difference(before[0], exact.take())).toEqual(['the page of memory at 0x8000']);
    expect(portable.difference(before[1], portable.take())).toBeUndefined();
    const state = vcpu.getState();
    const fxsave = state.fxsave.slice();
    fxsave[8] = 0x55;
    vcpu.setState({ ...state, rflags: state.rflags | 0x1_0000n, cr2: 5n, fxsave });
    expect(portable.difference(before[1], portable.take())).toBeUndefined();
    fxsave[32] = 1;
    vcpu.setState({ ...state, rip: state.rip + 1n, fxsave });
    expect(portable.difference(before[1], portable.take())).toEqual(['rip 0xfff1', 'x87']);
  });
});

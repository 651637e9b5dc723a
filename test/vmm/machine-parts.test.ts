import { describe, expect, it } from 'vitest';
import { MachineClock } from '../../src/vmm/clock.js';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import { powerOnState } from '../../src/vmm/cpu/state.js';
import { ConsoleSink } from '../../src/vmm/machine-console.js';
import { cpuModel, lookUpCpuid } from '../../src/vmm/machine-cpuid.js';
import { firmwareRan, MsrStore, msrState } from '../../src/vmm/machine-msrs.js';
import { codeBits, codeBytes, translate } from '../../src/vmm/machine-walk.js';
import { GuestMemory } from '../../src/vmm/memory.js';
import { checkState } from '../../src/vmm/state/check.js';

describe('the MSR store', () => {
  const view = new DataView(new ArrayBuffer(8));

  function store(): { msrs: MsrStore; clock: MachineClock } {
    const clock = new MachineClock();
    return { msrs: new MsrStore(clock), clock };
  }

  it('reads the TSC as guest time, a tick a nanosecond, and takes a write of it', () => {
    const { msrs, clock } = store();
    clock.set(0x12_3456_789a);
    expect(msrs.read(0x10, view, 0)).toBe(true);
    expect(view.getBigUint64(0, true)).toBe(0x12_3456_789an);
    view.setBigUint64(0, 1000n, true);
    expect(msrs.write(0x10, view, 0)).toBe(true);
    clock.set(0x12_3456_789a + 5);
    expect(msrs.timestamp()).toBe(1005);
  });

  it('refuses what it does not know, and writes to what cannot be written', () => {
    const { msrs } = store();
    expect(msrs.read(0x1234_5678, view, 0)).toBe(false);
    expect(msrs.write(0x1234_5678, view, 0)).toBe(false);
    expect(msrs.write(0xfe, view, 0)).toBe(false);
    view.setBigUint64(0, 0xc06n, true);
    expect(msrs.write(0x2ff, view, 0)).toBe(true);
    view.setBigUint64(0, 1n << 40n, true);
    expect(msrs.write(0x2ff, view, 0)).toBe(false);
    expect(msrs.read(0x2ff, view, 0)).toBe(true);
    expect(view.getBigUint64(0, true)).toBe(0xc06n);
  });

  const put = (msrs: MsrStore, index: number, value: bigint): boolean => {
    view.setBigUint64(0, value, true);
    return msrs.write(index, view, 0);
  };
  const get = (msrs: MsrStore, index: number): bigint | undefined =>
    msrs.read(index, view, 0) ? view.getBigUint64(0, true) : undefined;

  it('refuses memory types and bits that MTRRs have not', () => {
    const { msrs } = store();
    // IA32_MTRR_PHYSBASE0, PHYSMASK0, DEF_TYPE: types 0, 1, 4, 5 and 6; reserved bits; 46 bits of address.
    for (const type of [0n, 1n, 4n, 5n, 6n]) {
      expect(put(msrs, 0x200, 0xf000_0000n | type)).toBe(true);
      expect(put(msrs, 0x2ff, 0xc00n | type)).toBe(true);
      expect(put(msrs, 0x250, type << 56n)).toBe(true);
    }
    for (const type of [2n, 3n, 7n, 8n, 0xffn]) {
      expect(put(msrs, 0x200, 0xf000_0000n | type)).toBe(false);
      expect(put(msrs, 0x2ff, 0xc00n | type)).toBe(false);
      for (let field = 0n; field < 8n; field++) expect(put(msrs, 0x26f, type << (field * 8n))).toBe(false);
    }
    expect(put(msrs, 0x200, 0x100n)).toBe(false);
    expect(put(msrs, 0x200, 1n << 46n)).toBe(false);
    expect(put(msrs, 0x20f, 0x3fff_ffff_f800n)).toBe(true);
    expect(put(msrs, 0x20f, 0x400n)).toBe(false);
    expect(get(msrs, 0x210)).toBeUndefined();
    expect(get(msrs, 0x200)).toBe(0xf000_0006n);
    expect(get(msrs, 0xfe)).toBe(0x508n);
  });

  it('has MTRRs off after power-on, and as a PC’s firmware leaves them for a guest that was loaded', () => {
    expect(get(store().msrs, 0x2ff)).toBe(0n);
    const msrs = new MsrStore(new MachineClock(), { firmware: true });
    expect(get(msrs, 0x2ff)).toBe(0xc06n);
    expect([get(msrs, 0x200), get(msrs, 0x201)]).toEqual([0xc000_0000n, 0x3fff_c000_0800n]);
    expect([get(msrs, 0x250), get(msrs, 0x259)]).toEqual([0x0606_0606_0606_0606n, 0n]);
    expect(firmwareRan(powerOnState())).toBe(false);
    expect(firmwareRan({ ...powerOnState(), rip: 0x7c00n })).toBe(true);
  });

  it('has five banks for machine checks, and nothing in them', () => {
    const { msrs } = store();
    const ones = 0xffff_ffff_ffff_ffffn;
    expect(get(msrs, 0x179)).toBe(0x105n);
    expect(put(msrs, 0x179, 0x105n)).toBe(false);
    expect([put(msrs, 0x17b, 0n), put(msrs, 0x17b, ones), put(msrs, 0x17b, 1n)]).toEqual([true, true, false]);
    expect([put(msrs, 0x17a, 7n), put(msrs, 0x17a, 8n)]).toEqual([true, false]);
    for (let bank = 0; bank < 5; bank++) {
      const at = 0x400 + bank * 4;
      expect([get(msrs, at), get(msrs, at + 1)]).toEqual([ones, 0n]);
      expect([put(msrs, at, 0n), put(msrs, at, ones ^ 0x400n), put(msrs, at, 5n)]).toEqual([true, true, false]);
      expect([put(msrs, at + 1, 0n), put(msrs, at + 1, 1n)]).toEqual([true, false]);
      expect([put(msrs, at + 2, 3n), put(msrs, at + 3, 4n)]).toEqual([true, true]);
      expect([get(msrs, at + 2), get(msrs, at + 3)]).toEqual([3n, 4n]);
    }
    expect(get(msrs, 0x414)).toBeUndefined();
    expect(get(msrs, 0x280)).toBeUndefined();
    // AMD's HWCR.McStatusWrEn.
    expect(put(msrs, 0xc001_0015, 1n << 18n)).toBe(true);
    expect(put(msrs, 0x401, 1n)).toBe(true);
  });

  it('has AMD’s eight performance counters, which count nothing and keep nothing', () => {
    const { msrs } = store();
    for (let index = 0xc001_0000; index <= 0xc001_0007; index++) {
      expect(put(msrs, index, 0x1234n)).toBe(true);
      expect(get(msrs, index)).toBe(0n);
    }
    expect([put(msrs, 0xc001_0008, 0n), get(msrs, 0xc001_0008)]).toEqual([false, undefined]);
  });

  it.each([
    ['mtrr', [0xfe, 0x200, 0x250, 0x2ff]],
    ['mca', [0x179, 0x17a, 0x400, 0x411]],
  ])('has the registers of %s only where CPUID has it', (feature, indices) => {
    const clock = new MachineClock();
    const shown = new MsrStore(clock, { cpuid: vmtape64Cpuid() });
    const hidden = new MsrStore(clock, { cpuid: vmtape64Cpuid([], [feature]) });
    for (const index of indices) {
      expect(get(shown, index)).toBeDefined();
      expect(get(hidden, index)).toBeUndefined();
      expect(put(hidden, index, 0n)).toBe(false);
    }
  });

  it('saves and loads all that it has', () => {
    const { msrs } = store();
    view.setBigUint64(0, 0x0606_0606_0606_0606n, true);
    msrs.write(0x250, view, 0);
    const state = msrs.saveState();
    checkState(msrState, state);
    const other = store().msrs;
    other.loadState(state);
    expect(other.saveState()).toEqual(state);
    msrs.reset();
    expect(msrs.saveState()).toEqual(store().msrs.saveState());
  });
});

describe('the console sink', () => {
  it('sees a text that begins within itself', () => {
    const sink = new ConsoleSink();
    sink.watch(['aab', 'aax']);
    for (const letter of 'xaaab') {
      expect(sink.matched).toBeUndefined();
      sink.write(letter.charCodeAt(0));
    }
    expect(sink.matched).toBe('aab');
  });

  it('digests all bytes', () => {
    const sink = new ConsoleSink();
    for (const letter of 'abc') sink.write(letter.charCodeAt(0));
    expect(sink.digest()).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(sink.digest()).toBe(sink.digest());
    expect(sink.count).toBe(3);
  });
});

describe('looking up CPUID', () => {
  const row = { index: 0, indexed: false, ebx: 0, ecx: 0, edx: 0 };
  const table = [
    { ...row, function: 0, eax: 4, ebx: 0x6874_7541, edx: 0x6974_6e65, ecx: 0x444d_4163 },
    { ...row, function: 4, eax: 0x11, indexed: true, index: 1 },
    { ...row, function: 4, eax: 0x10, indexed: true, index: 0 },
  ];
  const out = new Uint32Array(4);

  it('finds a leaf by its index, and reads the last basic leaf beyond it', () => {
    lookUpCpuid(table, 4, 1, out);
    expect(out[0]).toBe(0x11);
    lookUpCpuid(table, 0x77, 0, out);
    expect(out[0]).toBe(0x10);
    lookUpCpuid(table, 0x8000_0000, 0, out);
    expect([...out]).toEqual([0, 0, 0, 0]);
    expect(cpuModel(table)).toBe('AuthenticAMD');
  });
});

describe('walking the page tables', () => {
  const memory = new GuestMemory({ ramSize: 0x40_0000 });
  const state = powerOnState();
  state.cr0 = 0x8000_0001n;
  state.cr3 = 0x1000n;

  it('finds 4 KiB and 2 MiB pages in long mode', () => {
    state.cr4 = 0x20n;
    state.efer = 0x500n;
    memory.writeU64(0x1000 + 0x1ff * 8, 0x2003n);
    memory.writeU64(0x2000 + 0x1fe * 8, 0x3003n);
    memory.writeU64(0x3000, 0x8000_0000_0020_0083n);
    memory.writeU64(0x3008, 0x4003n);
    memory.writeU64(0x4000 + 5 * 8, 0x7003n);
    expect(translate(memory, state, 0xffff_ffff_8012_3456n)).toBe(0x32_3456n);
    expect(translate(memory, state, 0xffff_ffff_8020_5abcn)).toBe(0x7abcn);
    expect(translate(memory, state, 0xffff_ffff_8020_6000n)).toBeUndefined();
    expect(translate(memory, state, 0n)).toBeUndefined();
  });

  it('finds 4 KiB and 4 MiB pages in 32-bit paging', () => {
    state.cr4 = 0x10n;
    state.efer = 0n;
    memory.writeU32(0x1000, 0x2003);
    memory.writeU32(0x2000 + 7 * 4, 0x9003);
    memory.writeU32(0x1004, 0x83);
    expect(translate(memory, state, 0x7123n)).toBe(0x9123n);
    expect(translate(memory, state, 0x41_2345n)).toBe(0x1_2345n);
    expect(translate(memory, state, 0x80_0000n)).toBeUndefined();
  });

  it('reads code at CS:RIP with the width of its segment', () => {
    const real = powerOnState();
    real.cs = { ...real.cs, selector: 0x100, base: 0x1000n };
    real.rip = 0x20n;
    memory.write(0x1020, Uint8Array.of(0xf3, 0x6c, 0x90));
    expect([...codeBytes(memory, real, 3)]).toEqual([0xf3, 0x6c, 0x90]);
    expect(codeBits(real)).toBe(16);
    real.cs.attributes |= 1 << 14;
    expect(codeBits(real)).toBe(32);
  });
});

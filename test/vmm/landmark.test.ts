/** Landmarks: what is hashed, and what page tables are. */
import { describe, expect, it } from 'vitest';
import { InterpVcpu } from '../../src/vmm/cpu/interp.js';
import { type CpuState, powerOnState } from '../../src/vmm/cpu/state.js';
import { ExitReason, REGISTERS_SIZE } from '../../src/vmm/cpu/vcpu.js';
import { DirtyLog } from '../../src/vmm/dirty-log.js';
import { LandmarkComparison, LandmarkTaker } from '../../src/vmm/landmark.js';
import { GuestMemory } from '../../src/vmm/memory.js';
import { MemoryHash, TABLE_MASK_4, TABLE_MASK_8 } from '../../src/vmm/memory-hash.js';
import { pageTablesOf } from '../../src/vmm/page-tables.js';

const RAM = 0x40_0000;
const FLAT = { selector: 8, base: 0n, limit: 0xffff_ffff, attributes: 0xc09b };
const DATA = { selector: 16, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 };

function machine(): { memory: GuestMemory; hash: MemoryHash } {
  const memory = new GuestMemory({ ramSize: RAM });
  return { memory, hash: new MemoryHash(memory) };
}

/** 64-bit mode with page tables from 0x10_0000 on: page n of the first 2 MiB is where table entry n says. */
function longMode(memory: GuestMemory): CpuState {
  const state = powerOnState();
  Object.assign(state, { cr0: 0x8001_0011n, cr3: 0x10_0000n, cr4: 0x620n, efer: 0xd00n });
  Object.assign(state, { cs: { ...FLAT, attributes: 0xa09b }, ss: DATA, ds: DATA, es: DATA, fs: DATA, gs: DATA });
  for (const [at, entry] of [
    [0x10_0000, 0x10_1003n],
    [0x10_1000, 0x10_2003n],
    [0x10_2000, 0x10_3003n],
    [0x10_2008, 0x20_0083n],
  ] as const) {
    memory.writeU64(at, entry);
  }
  for (let page = 0; page < 512; page++) memory.writeU64(0x10_3000 + page * 8, BigInt(page * 0x1000) + 3n);
  return state;
}

describe('the hash of a page', () => {
  it('changes with every single bit of it', () => {
    const { memory, hash } = machine();
    memory.fill(0x3000, 0x1000, 0x5a);
    const seen = new Set([Buffer.from(hash.page(3)).toString('hex')]);
    for (let bit = 0; bit < 0x8000; bit += 1) {
      const at = 0x3000 + (bit >> 3);
      memory.writeU8(at, 0x5a ^ (1 << (bit & 7)));
      seen.add(Buffer.from(hash.page(3)).toString('hex'));
      memory.writeU8(at, 0x5a);
    }
    expect(seen.size).toBe(0x8001);
  });

  it('does not change with masked bits', () => {
    const { memory, hash } = machine();
    memory.writeU64(0x3008, 0x1234_5067n);
    const table = hash.page(3, TABLE_MASK_8).slice();
    memory.writeU64(0x3008, 0x1234_5007n);
    expect(hash.page(3, TABLE_MASK_8)).toEqual(table);
    memory.writeU64(0x3008, 0x1234_5087n);
    expect(hash.page(3, TABLE_MASK_8)).not.toEqual(table);
    memory.writeU64(0x3008, 0x60_0000_0000n);
    const upper = hash.page(3, TABLE_MASK_8).slice();
    const narrow = hash.page(3, TABLE_MASK_4).slice();
    memory.writeU64(0x3008, 0n);
    expect(hash.page(3, TABLE_MASK_8)).not.toEqual(upper);
    expect(hash.page(3, TABLE_MASK_4)).toEqual(narrow);
  });
});

describe('the hash of the rest of the CPU', () => {
  it('is the one that the interpreter looks for, in every mode', () => {
    const { memory, hash } = machine();
    const vcpu = InterpVcpu.open(memory);
    const states = [powerOnState(), longMode(memory)];
    for (const state of states) {
      for (let index = 0; index < 512; index++) {
        const isState = index < 5 || (index >= 32 && index < 160 ? index % 16 < 10 : index >= 160 && index < 416);
        if (isState) state.fxsave[index] = (index * 37 + 11) & 0xff;
      }
      state.kernelGsBase = 0xffff_8000_1234_5678n;
      vcpu.setState(state);
      const registers = new Uint8Array(REGISTERS_SIZE);
      vcpu.readRegisters(registers);
      vcpu.seeker.begin(registers, hash.cpu(vcpu.getState()).slice());
      expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
      expect(vcpu.retired).toBe(0);
      vcpu.seeker.end();
    }
    vcpu.close();
  });

  it('leaves out the last x87 instruction, and has XMM registers, MXCSR, CR3, CPL and, in long mode, the base of GS', () => {
    const { memory, hash } = machine();
    const state = longMode(memory);
    const before = hash.cpu(state).slice();
    state.fxsave.fill(0x77, 6, 24);
    expect(hash.cpu(state)).toEqual(before);
    const changes: ((state: CpuState) => void)[] = [
      (one) => one.fxsave.set([1], 415),
      (one) => one.fxsave.set([0x81], 24),
      (one) => Object.assign(one, { cr3: 0x20_0000n }),
      (one) => Object.assign(one, { ss: { ...DATA, selector: 0x23 } }),
      (one) => Object.assign(one, { gs: { ...DATA, base: 0x1000n } }),
    ];
    const hashes = changes.map((change) => {
      const other = longMode(memory);
      change(other);
      return Buffer.from(hash.cpu(other)).toString('hex');
    });
    expect(new Set([...hashes, Buffer.from(before).toString('hex')]).size).toBe(changes.length + 1);
  });
});

describe('page tables', () => {
  it('are those of four levels, without the pages that they map', () => {
    const { memory } = machine();
    const { pages, mask } = pageTablesOf(memory, longMode(memory));
    const tables = Array.from({ length: RAM / 0x1000 }, (_, page) => page).filter((page) => pages.has(page));
    expect(tables).toEqual([0x100, 0x101, 0x102, 0x103]);
    expect(mask).toBe(0xffff_ffff_ffff_ff9fn);
  });

  it('may be mapped into themselves', () => {
    const { memory } = machine();
    const state = longMode(memory);
    memory.writeU64(0x10_0ff8, 0x10_0003n);
    const { pages } = pageTablesOf(memory, state);
    expect([0x100, 0x103].every((page) => pages.has(page))).toBe(true);
  });

  it('are two levels of 4-byte entries without PAE, and none without paging', () => {
    const { memory } = machine();
    const state = powerOnState();
    expect(pageTablesOf(memory, state).pages.has(0)).toBe(false);
    Object.assign(state, { cr0: 0x8000_0011n, cr3: 0x20_0000n, cr4: 0x10n });
    memory.writeU32(0x20_0000, 0x20_1003);
    memory.writeU32(0x20_0004, 0x0040_0083);
    memory.writeU32(0x20_1000, 0x0005_0003);
    const { pages, mask } = pageTablesOf(memory, state);
    expect([0x200, 0x201, 0x50, 0x400].map((page) => pages.has(page))).toEqual([true, true, false, false]);
    expect(mask).toBe(0xffff_ff9f_ffff_ff9fn);
  });
});

describe('comparing memory with a landmark', () => {
  it('names the page that differs; accessed and dirty bits of page tables make no difference', () => {
    const { memory, hash } = machine();
    const vcpu = InterpVcpu.open(memory);
    vcpu.setState(longMode(memory));
    memory.writeU8(0x5000, 1);
    const pages = [5 * 2, 6 * 2, 0x103 * 2 + 1];
    const hashes = new Uint8Array(24);
    hashes.set(hash.page(5), 0);
    hashes.set(hash.page(6), 8);
    hashes.set(hash.page(0x103, TABLE_MASK_8), 16);
    const comparison = new LandmarkComparison(vcpu, memory, { cpuHash: new Uint8Array(8), pages, hashes }, hash);
    expect(comparison.difference()).toBeUndefined();
    memory.writeU64(0x10_3010, memory.readU64(0x10_3010) | 0x60n);
    expect(comparison.difference()).toBeUndefined();
    memory.writeU8(0x6fff, 1);
    expect(comparison.difference()).toEqual({ page: 6, hash: hashes.subarray(8, 16) });
    memory.writeU8(0x6fff, 0);
    memory.writeU64(0x10_3010, 0x7003n);
    expect(comparison.difference()).toEqual({ page: 0x103, hash: undefined });
    vcpu.close();
  });
});

describe('where no interrupt may be landed', () => {
  const cases: [string, number[], bigint, bigint, boolean][] = [
    ['at any other instruction', [0x90], 2n, 5n, true],
    ['within REP MOVSB', [0xf3, 0xa4], 0x1_0002n, 5n, true],
    ['in front of REP MOVSB with a count of zero', [0xf3, 0xa4], 2n, 0n, true],
    ['within REP MOVSB that has none left', [0xf3, 0xa4], 0x1_0002n, 0n, false],
    ['within REP MOVSB of ECX that has none left', [0x67, 0xf3, 0xa4], 0x1_0002n, 0x1_0000_0000n, false],
    ['at REP OUTSB', [0xf3, 0x6e], 2n, 5n, false],
    ['under TF', [0x90], 0x102n, 5n, false],
  ];
  it.each(cases)('%s', (_name, code, rflags, rcx, isPlace) => {
    const { memory } = machine();
    const vcpu = InterpVcpu.open(memory);
    vcpu.setState({ ...longMode(memory), rip: 0x8000n, rflags, rcx });
    memory.write(0x8000, Uint8Array.from(code));
    expect(new LandmarkTaker(vcpu, memory, new DirtyLog(vcpu).reader()).take() !== undefined).toBe(isPlace);
    vcpu.close();
  });

  it('where more than 384 MiB were written since an exit, until there is another', () => {
    const memory = new GuestMemory({ ramSize: RAM });
    const vcpu = InterpVcpu.open(memory);
    vcpu.setState({ ...longMode(memory), rip: 0x8000n });
    let written = Uint32Array.from({ length: 98_305 }, (_, index) => index);
    let asked = 0;
    const reader = {
      take() {
        asked++;
        const all = written;
        written = Uint32Array.of(3);
        return all;
      },
      count: () => written.length,
    };
    const taker = new LandmarkTaker(vcpu, memory, reader);
    expect(taker.take()).toBeUndefined();
    expect(taker.take()).toBeUndefined();
    expect(asked).toBe(1);
    taker.forget();
    written = Uint32Array.of(3);
    expect(taker.take()?.pages).toEqual([6]);
    vcpu.close();
  });

  it.each([
    [512, 0x4000],
    [384, Number.POSITIVE_INFINITY],
  ])('a waypoint is wanted before that, of a guest with %i MiB at %d pages', (size, pages) => {
    const memory = new GuestMemory({ ramSize: size * 0x10_0000 });
    const vcpu = InterpVcpu.open(memory);
    vcpu.setState({ ...longMode(memory), rip: 0x8000n });
    const log = new DirtyLog(vcpu);
    const [taker, other] = [new LandmarkTaker(vcpu, memory, log.reader()), log.reader()];
    expect(taker.waypointPages).toBe(pages);
    taker.forget();
    for (let page = 0; page < 0x3fff; page++) memory.writeU8(0x10_0000 + page * 0x1000, 1);
    expect(taker.wantsWaypoint).toBe(false);
    memory.writeU8(0x9000, 1);
    expect(taker.wantsWaypoint).toBe(pages < Number.POSITIVE_INFINITY);
    expect(taker.take()?.pages).toHaveLength(0x4000);
    expect(taker.wantsWaypoint).toBe(false);
    expect(other.take().length).toBeGreaterThanOrEqual(0x4000);
    vcpu.close();
  });

  it('at a REP that makes MMIO exits', () => {
    const { memory } = machine();
    const vcpu = InterpVcpu.open(memory);
    vcpu.setState({ ...longMode(memory), rip: 0x8000n, rcx: 5n });
    memory.write(0x8000, Uint8Array.of(0xf3, 0xa4));
    const taker = new LandmarkTaker(vcpu, memory, new DirtyLog(vcpu).reader());
    taker.noteAccess();
    expect(taker.take()).toBeUndefined();
    vcpu.setRip(0x9000, 0);
    expect(taker.take()).toBeDefined();
    vcpu.close();
  });
});

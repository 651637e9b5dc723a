/** Page tables of every form, rights, fault codes, accessed and dirty bits (SDM vol. 3A, chapter 4; interp/paging.ts). */
import { afterEach, describe, expect, test } from 'vitest';
import type { CpuState } from '../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { type GuestMode, loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
const HANDLER = 0x1_1000;
const IDT = 0x1_2000;
/** Page tables of the test's own. */
const ROOT = 0x2_0000;
const TABLE = 0x2_1000;
const TABLE_2 = 0x2_2000;
const TABLE_3 = 0x2_3000;
/** Where the pages of the tests lie in physical memory. */
const DATA = 0x80_0000;
const PG = 0x8000_0000n;
const WP = 0x1_0000n;
const PSE = 0x10n;
const PAE = 0x20n;
const SMEP = 0x10_0000n;
const SMAP = 0x20_0000n;
const NXE = 0x800n;
const NX = 1n << 63n;
const [P, W, U, A, D, PS] = [1n, 2n, 4n, 0x20n, 0x40n, 0x80n] as const;
const HLT = 0xf4;
/** mov eax, [rsi]; hlt — mov [rsi], eax; hlt — jmp rsi */
const READ = [0x8b, 0x06, HLT];
const WRITE = [0x89, 0x06, HLT];
const JUMP = [0xff, 0xe6];

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

/** Loads code, with #PF and #GP handlers that pop the error code into (R/E)AX and halt with the vector in BL. */
async function start(mode: GuestMode, code: readonly number[], address: number, change: Partial<CpuState> = {}) {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from(code), mode, BASE));
  for (const vector of [13, 14]) {
    const handler = HANDLER + vector * 16;
    memory.write(handler, Uint8Array.from([0x58, 0xb3, vector, HLT]));
    const at = IDT + vector * (mode === 'long64' ? 16 : 8);
    memory.writeU32(at, (0x10 << 16) | (handler & 0xffff));
    memory.writeU32(at + 4, 0x0001_8e00);
  }
  const state = vcpu.getState();
  vcpu.setState({ ...state, idtr: { base: BigInt(IDT), limit: 0xfff }, ...change });
  vcpu.setRegister(6, address >>> 0, Math.floor(address / 2 ** 32));
}

function register(index: number): number {
  const bytes = new Uint8Array(144);
  vcpu.readRegisters(bytes);
  return new DataView(bytes.buffer).getUint32(index * 8, true);
}

/** Runs to HLT: the vector of the fault with its error code, or the value read. */
function outcome(): string {
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  const vector = register(3) & 0xff;
  return vector === 0 ? `read ${register(0).toString(16)}` : `#${vector} ${register(0).toString(16)}`;
}

/** 4-level: the identity map of the first 4 GiB stays; linear 0x80_0000_0000 (PML4 entry 1) is mapped by `entry` of the last level. */
function map4Level(entry: bigint, upper = P | W | U): void {
  const pml4 = Number(vcpu.getState().cr3);
  memory.writeU64(pml4 + 8, BigInt(ROOT) | upper);
  memory.writeU64(ROOT, BigInt(TABLE) | upper);
  memory.writeU64(TABLE, BigInt(TABLE_2) | upper);
  memory.writeU64(TABLE_2, entry);
}
const HIGH = 0x80_0000_0000;

describe('4-level paging', () => {
  test('translates and sets accessed and dirty bits', async () => {
    await start('long64', READ, HIGH + 0x10);
    map4Level(BigInt(DATA) | P | W);
    memory.writeU32(DATA + 0x10, 0xabcd);
    expect(outcome()).toBe('read abcd');
    expect(memory.readU64(TABLE_2)).toBe(BigInt(DATA) | P | W | A);
    expect(memory.readU64(ROOT) & (A | D)).toBe(A);

    await start('long64', WRITE, HIGH);
    map4Level(BigInt(DATA) | P | W);
    outcome();
    expect(memory.readU64(TABLE_2)).toBe(BigInt(DATA) | P | W | A | D);
    expect(memory.readU64(TABLE) & (A | D)).toBe(A);
  });

  test('pages of 2 MiB and of 1 GiB', async () => {
    await start('long64', READ, HIGH + 0x12_3450);
    map4Level(0n);
    memory.writeU64(TABLE, BigInt(DATA) | P | W | PS);
    memory.writeU32(DATA + 0x12_3450, 0x1234);
    expect(outcome()).toBe('read 1234');

    await start('long64', READ, HIGH + DATA);
    map4Level(0n);
    memory.writeU64(ROOT, P | W | PS);
    memory.writeU32(DATA, 0x5678);
    vcpu.setCpuid([
      { function: 0x8000_0001, index: 0, indexed: false, eax: 0, ebx: 0, ecx: 0, edx: 0x0400_0000 },
      { function: 0x8000_0008, index: 0, indexed: false, eax: 40, ebx: 0, ecx: 0, edx: 0 },
    ]);
    expect(outcome()).toBe('read 5678');
  });

  // Bit 0 present, 1 write, 2 user, 3 reserved, 4 fetch (figure 4-12).
  test.each([
    ['a read of nothing', READ, 0n, {}, '#14 0'],
    ['a write to nothing', WRITE, 0n, {}, '#14 2'],
    ['a write to a read-only page without WP', WRITE, P, {}, 'read 0'],
    ['a write to a read-only page with WP', WRITE, P, { cr0: PG | WP | 0x11n }, '#14 3'],
    ['a reserved address bit', READ, P | (1n << 45n), {}, '#14 9'],
    ['NX without NXE', READ, P | NX, {}, '#14 9'],
    ['a read of an NX page', READ, P | NX, { efer: 0x500n | NXE }, 'read 0'],
    ['a fetch from an NX page', JUMP, P | NX, { efer: 0x500n | NXE }, '#14 11'],
    ['a fetch from nothing with NXE', JUMP, 0n, { efer: 0x500n | NXE }, '#14 10'],
    ['a fetch from nothing', JUMP, 0n, {}, '#14 0'],
    ['a fetch of a user page under SMEP', JUMP, P | U, { cr4: PAE | SMEP }, '#14 11'],
    ['a read of a user page under SMAP', READ, P | U, { cr4: PAE | SMAP }, '#14 1'],
    ['a read of a user page under SMAP with AC', READ, P | U, { cr4: PAE | SMAP, rflags: 0x4_0002n }, 'read 0'],
  ])('%s', async (_, code, flags, change, expected) => {
    await start('long64', code, HIGH, change);
    // With address bits only where the page is present.
    map4Level(flags === 0n ? 0n : BigInt(DATA) | flags);
    memory.writeU8(DATA, HLT);
    const text = outcome();
    expect(text.replace(/^read f4$/, 'read 0')).toBe(expected);
    if (text.startsWith('#')) {
      expect(vcpu.getState().cr2).toBe(BigInt(HIGH));
      // A fault leaves no accessed bit in the last level.
      expect(memory.readU64(TABLE_2) & A).toBe(0n);
    }
  });

  test('an access across pages faults at the second', async () => {
    await start('long64', READ, HIGH + 0xffe);
    map4Level(BigInt(DATA) | P | W);
    expect(outcome()).toBe('#14 0');
    expect(vcpu.getState().cr2).toBe(BigInt(HIGH + 0x1000));
  });

  test('a write across pages that faults at the second writes nothing', async () => {
    await start('long64', WRITE, HIGH + 0xffe);
    vcpu.setRegister(0, 0xffff_ffff, 0);
    map4Level(BigInt(DATA) | P | W);
    expect(outcome()).toBe('#14 2');
    expect(memory.readU16(DATA + 0xffe)).toBe(0);
  });

  test('a non-canonical address is #GP(0)', async () => {
    await start('long64', READ, 0x8000_0000_0000);
    expect(outcome()).toBe('#13 0');
  });

  test('INVLPG makes a change seen', async () => {
    // mov eax, [rsi]; mov qword [rdi], rcx; invlpg [rsi]; mov eax, [rsi]; hlt
    await start('long64', [0x8b, 0x06, 0x48, 0x89, 0x0f, 0x0f, 0x01, 0x3e, 0x8b, 0x06, HLT], HIGH);
    map4Level(BigInt(DATA) | P | W);
    memory.writeU32(DATA, 1);
    memory.writeU32(DATA + 0x1000, 2);
    vcpu.setRegister(7, TABLE_2, 0);
    vcpu.setRegister(1, DATA + 0x1000 + 3, 0);
    expect(outcome()).toBe('read 2');
  });
});

describe('32-bit paging', () => {
  const on = { cr0: PG | 0x11n, cr3: BigInt(ROOT) };

  /** Linear 0 to 4 MiB to itself, and directory entry 1 as given. */
  function map32(entry: number): void {
    for (let page = 0; page < 1024; page++) memory.writeU32(TABLE + page * 4, (page << 12) | 3);
    memory.writeU32(ROOT, TABLE | 3);
    memory.writeU32(ROOT + 4, entry);
  }

  test('two levels', async () => {
    await start('prot32', READ, 0x40_0004, on);
    map32(TABLE_2 | 3);
    memory.writeU32(TABLE_2, DATA | 1);
    memory.writeU32(DATA + 4, 0x77);
    expect(outcome()).toBe('read 77');
    expect(memory.readU32(TABLE_2)).toBe(DATA | 0x21);
    expect(memory.readU32(ROOT + 4)).toBe(TABLE_2 | 0x23);
  });

  test('a page of 4 MiB needs CR4.PSE', async () => {
    await start('prot32', READ, 0x50_0000, { ...on, cr4: PSE });
    map32(DATA | 0x83);
    memory.writeU32(DATA + 0x10_0000, 0x99);
    expect(outcome()).toBe('read 99');
  });

  test('PSE-36 addresses lie above 4 GiB', async () => {
    await start('prot32', READ, 0x50_0000, { ...on, cr4: PSE });
    // Bits 20:13 of the entry are address bits 39:32.
    map32(0x83 | (1 << 13));
    expect(vcpu.run(Infinity)).toBe(ExitReason.Mmio);
    expect(vcpu.exit.address).toBe(0x1_0010_0000);
  });

  test('bit 21 of a 4 MiB entry is reserved', async () => {
    await start('prot32', READ, 0x40_0000, { ...on, cr4: PSE });
    map32(0x83 | (1 << 21));
    expect(outcome()).toBe('#14 9');
  });
});

describe('PAE paging', () => {
  const on = { cr0: 0x11n, cr3: BigInt(ROOT), cr4: PAE };
  /** mov eax, cr0; or eax, 0x80000000; mov cr0, eax; mov eax, [esi]; hlt */
  const ENABLE = [0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0];

  /** The first 2 MiB to themselves, and the third gigabyte's directory. */
  function mapPae(pdpte: bigint): void {
    memory.writeU64(ROOT, BigInt(TABLE) | P);
    memory.writeU64(TABLE, P | W | PS);
    memory.writeU64(ROOT + 16, pdpte);
  }

  test('three levels', async () => {
    await start('prot32', [...ENABLE, ...READ], 0x8000_0008, on);
    mapPae(BigInt(TABLE_2) | P);
    memory.writeU64(TABLE_2, BigInt(TABLE_3) | P | W);
    memory.writeU64(TABLE_3, BigInt(DATA) | P);
    memory.writeU32(DATA + 8, 0x31);
    expect(outcome()).toBe('read 31');
    expect(memory.readU64(TABLE_3)).toBe(BigInt(DATA) | P | A);
  });

  test('PDPTEs are loaded with paging, not with each walk', async () => {
    // ENABLE; mov [edi], ecx (clears the PDPTE); mov eax, [esi]; hlt
    await start('prot32', [...ENABLE, 0x89, 0x0f, ...READ], 0x8000_0000, on);
    mapPae(BigInt(TABLE_2) | P);
    memory.writeU64(TABLE_2, BigInt(DATA) | P | W | PS);
    memory.writeU32(DATA, 0x32);
    vcpu.setRegister(7, ROOT + 16, 0);
    expect(outcome()).toBe('read 32');
    expect(memory.readU32(ROOT + 16)).toBe(0);
  });

  test('a reserved bit of a PDPTE is #GP(0) for MOV to CR0', async () => {
    await start('prot32', [...ENABLE, ...READ], 0x8000_0000, on);
    mapPae(BigInt(TABLE_2) | P | W);
    expect(outcome()).toBe('#13 0');
  });

  test('an absent PDPTE is a fault without the present bit', async () => {
    await start('prot32', [...ENABLE, ...WRITE], 0x8000_0000, on);
    mapPae(0n);
    expect(outcome()).toBe('#14 2');
  });
});

test('a non-canonical stack is #SS(0), whatever the instruction', async () => {
  // mov [rbp], eax; mov eax, [rsp]; push rax; add [rsp], eax: each faults, so each is started by itself.
  for (const code of [[0x89, 0x45, 0x00], [0x8b, 0x04, 0x24], [0x50], [0x58], [0x01, 0x04, 0x24]]) {
    await start('long64', [...code, HLT], 0);
    vcpu.setRegister(4, 0, 0x7fff_0000);
    vcpu.setRegister(5, 0, 0x7fff_0000);
    // #SS cannot be pushed on such a stack: #DF cannot either, and the processor shuts down.
    expect(vcpu.run(Infinity)).toBe(ExitReason.Shutdown);
    vcpu.close();
    // With an inner stack for #SS (IST 1) it can.
    await start('long64', [...code, HLT], 0);
    const tss = 0x1_3000;
    memory.write(tss, new Uint8Array(0x68));
    memory.writeU64(tss + 0x24, 0x9_0000n);
    memory.write(HANDLER, Uint8Array.from([0x58, 0xb3, 12, HLT]));
    memory.writeU32(IDT + 12 * 16, (0x10 << 16) | (HANDLER % 0x1_0000));
    memory.writeU32(IDT + 12 * 16 + 4, 0x0001_8e01);
    const state = vcpu.getState();
    vcpu.setState({ ...state, tr: { selector: 0x20, base: BigInt(tss), limit: 0x67, attributes: 0x8b } });
    vcpu.setRegister(4, 0, 0x7fff_0000);
    vcpu.setRegister(5, 0, 0x7fff_0000);
    expect(outcome()).toBe('#12 0');
  }
});

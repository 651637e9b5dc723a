/**
 * What has been invalidated is never used again (SDM vol. 3A, 4.10.4), whatever read, wrote or fetched before; rights that a control
 * register takes away are gone at once, as they are no part of a translation (4.10.2, 4.6). Entries that may stay may go too.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import type { CpuState } from '../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
const HANDLER = 0x1_1000;
const IDT = 0x1_2000;
const DESCRIPTOR = 0x1_3000;
const ROOT = 0x2_0000;
const TABLE = 0x2_1000;
const TABLE_2 = 0x2_2000;
const DATA = 0x80_0000;
const OTHER = 0x80_1000;
const HIGH = 0x80_0000_0000;
const HLT = 0xf4;
const [P, W, U, G] = [1n, 2n, 4n, 0x100n] as const;
const WP = 0x1_0000n;
const PGE = 0x80n;
const PCIDE = 0x2_0000n;
const SMEP = 0x10_0000n;
const SMAP = 0x20_0000n;
const PAE = 0x20n;
const OSFXSR = 0x200n;

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

/** RSI: the address; RDI: its last entry, which becomes RCX; R8: a descriptor of INVPCID. #PF halts with BL 14 and the code in EAX. */
async function start(code: readonly number[], entry: bigint, change: Partial<CpuState> = {}) {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from([...code, HLT]), 'long64', BASE));
  vcpu.setCpuid(vmtape64Cpuid());
  for (const vector of [13, 14]) {
    memory.write(HANDLER + vector * 16, Uint8Array.from([0x58, 0xb3, vector, HLT]));
    memory.writeU32(IDT + vector * 16, (0x10 << 16) | ((HANDLER + vector * 16) & 0xffff));
    memory.writeU32(IDT + vector * 16 + 4, 0x0001_8e00);
  }
  const state = vcpu.getState();
  memory.writeU64(Number(state.cr3) + 8, BigInt(ROOT) | P | W | U);
  memory.writeU64(ROOT, BigInt(TABLE) | P | W | U);
  memory.writeU64(TABLE, BigInt(TABLE_2) | P | W | U);
  memory.writeU64(TABLE_2, entry);
  memory.writeU64(TABLE_2 + 8, BigInt(OTHER) | P | W);
  // What a fetch finds: mov al,1 (or 2); ret.
  memory.write(DATA, Uint8Array.from([0xb0, 1, 0xc3]));
  memory.write(OTHER, Uint8Array.from([0xb0, 2, 0xc3]));
  vcpu.setState({
    ...state,
    idtr: { base: BigInt(IDT), limit: 0xfff },
    rsi: BigInt(HIGH),
    rdi: BigInt(TABLE_2),
    rcx: BigInt(OTHER) | P | W,
    r8: BigInt(DESCRIPTOR),
    rax: 0x5an,
    ...change,
  });
}

/** The fault, or AL. */
function run(): string {
  expect(vcpu.run(200)).toBe(ExitReason.Halt);
  const { rbx, rax } = vcpu.getState();
  return (rbx & 0xffn) !== 0n ? `#${rbx & 0xffn} ${rax.toString(16)}` : `${rax & 0xffn}`;
}

const STORE_ENTRY = [0x48, 0x89, 0x0f];
const accesses = {
  read: [0x8b, 0x06],
  write: [0x89, 0x06],
  fetch: [0xff, 0xd6],
} as const;
/** mov r10,cr3; mov cr3,r10 */
const RELOAD = [0x41, 0x0f, 0x20, 0xda, 0x41, 0x0f, 0x22, 0xda];
/** mov r10,cr4; xor r10,80h; mov cr4,r10 */
const TOGGLE_PGE = [0x41, 0x0f, 0x20, 0xe2, 0x49, 0x81, 0xf2, 0x80, 0, 0, 0, 0x41, 0x0f, 0x22, 0xe2];
/** mov r10d,type; invpcid r10,[r8] */
const invpcid = (type: number) => [0x41, 0xba, type, 0, 0, 0, 0x66, 0x45, 0x0f, 0x38, 0x82, 0x10];
/** mov r10,cr0; xor r10,10000h; mov cr0,r10 */
const TOGGLE_WP = [0x41, 0x0f, 0x20, 0xc2, 0x49, 0x81, 0xf2, 0, 0, 1, 0, 0x41, 0x0f, 0x22, 0xc2];

/** How a translation is invalidated, what its entry may have, and the state that goes with it. */
const invalidations: readonly {
  readonly name: string;
  readonly code: readonly number[];
  readonly global?: true;
  readonly change?: Partial<CpuState>;
  readonly descriptor?: readonly [pcid: bigint, linear: bigint];
}[] = [
  // invlpg [rsi+123h]
  { name: 'INVLPG of an address in the page', code: [0x0f, 0x01, 0xbe, 0x23, 0x01, 0, 0], global: true },
  { name: 'MOV to CR3', code: RELOAD },
  {
    name: 'MOV to CR3 with PCIDs and bit 63 clear',
    code: RELOAD,
    change: { cr4: PAE | PCIDE, cr3: 0x1005n },
  },
  { name: 'CR4.PGE set', code: TOGGLE_PGE, global: true },
  { name: 'CR4.PGE cleared', code: TOGGLE_PGE, global: true, change: { cr4: PAE | PGE } },
  {
    name: 'INVPCID of an address',
    code: invpcid(0),
    change: { cr4: PAE | PCIDE, cr3: 0x1005n },
    descriptor: [5n, BigInt(HIGH)],
  },
  {
    name: 'INVPCID of a PCID',
    code: invpcid(1),
    change: { cr4: PAE | PCIDE, cr3: 0x1005n },
    descriptor: [5n, 0n],
  },
  { name: 'INVPCID of all with global ones', code: invpcid(2), global: true, change: { cr4: PAE | PGE } },
  { name: 'INVPCID of all but global ones', code: invpcid(3), descriptor: [0n, 0n] },
];

describe.each(invalidations)('after $name', ({ code, global, change, descriptor }) => {
  const entry = BigInt(DATA) | P | W | (global ? G : 0n);

  /** Access, change the entry, invalidate, access again. */
  async function twice(access: readonly number[], rcx = BigInt(OTHER) | P | W): Promise<string> {
    await start([...access, ...STORE_ENTRY, ...code, ...access], entry, { rcx, ...change });
    memory.writeU64(DESCRIPTOR, descriptor?.[0] ?? 0n);
    memory.writeU64(DESCRIPTOR + 8, descriptor?.[1] ?? 0n);
    return run();
  }

  test('a read, a write and a fetch go to the new page', async () => {
    expect(await twice(accesses.fetch)).toBe('2');
    vcpu.close();
    expect(await twice(accesses.read)).toBe(`${0xb0}`);
    const read = vcpu.getState().rax;
    expect(read).toBe(0x00c3_02b0n);
    vcpu.close();
    expect(await twice(accesses.write)).toBe(`${0x5a}`);
    expect(memory.readU8(OTHER)).toBe(0x5a);
    expect(memory.readU8(DATA)).toBe(0x5a);
  });

  test.each([
    ['read', '0'],
    ['write', '2'],
    ['fetch', '0'],
  ] as const)('a %s of a page that is gone faults', async (kind, errorCode) => {
    expect(await twice(accesses[kind], 0n)).toBe(`#14 ${errorCode}`);
    expect(vcpu.getState().cr2).toBe(BigInt(HIGH));
  });

  test('a write to a page that became read-only faults, with CR0.WP', async () => {
    expect(await twice(accesses.write, BigInt(DATA) | P)).toBe(`${0x5a}`);
    vcpu.close();
    const cr0 = 0x8000_0011n | WP;
    await start([...accesses.write, ...STORE_ENTRY, ...code, ...accesses.write], entry, {
      rcx: BigInt(DATA) | P,
      ...change,
      cr0,
    });
    memory.writeU64(DESCRIPTOR, descriptor?.[0] ?? 0n);
    memory.writeU64(DESCRIPTOR + 8, descriptor?.[1] ?? 0n);
    expect(run()).toBe('#14 3');
  });
});

test('bit 63 of the value that is written to CR3 under PCIDs is not kept, and the new root is used', async () => {
  // mov r10,cr3; bts r10,63; mov cr3,r10; mov rax,cr3
  const code = [0x41, 0x0f, 0x20, 0xda, 0x49, 0x0f, 0xba, 0xea, 0x3f, 0x41, 0x0f, 0x22, 0xda, 0x0f, 0x20, 0xd8];
  await start(code, 0n, { cr4: PAE | PCIDE, cr3: 0x1005n });
  run();
  expect(vcpu.getState().rax).toBe(0x1005n);
});

describe('rights that a control register takes away, without any invalidation', () => {
  /** mov r10,cr4; or r10,bits; mov cr4,r10 */
  const setCr4 = (bits: bigint) => {
    const low = [16n, 24n].map((shift) => Number((bits >> shift) & 0xffn));
    return [0x41, 0x0f, 0x20, 0xe2, 0x49, 0x81, 0xca, 0, 0, ...low, 0x41, 0x0f, 0x22, 0xe2];
  };
  const user = BigInt(DATA) | P | W | U;

  test('CR0.WP: the page that was written is read-only now', async () => {
    const code = [...accesses.write, ...TOGGLE_WP, ...accesses.write];
    await start(code, BigInt(DATA) | P);
    expect(run()).toBe('#14 3');
  });

  test('CR0.WP cleared: the write that faulted is allowed', async () => {
    const code = [...accesses.read, ...TOGGLE_WP, ...accesses.write];
    await start(code, BigInt(DATA) | P, { cr0: 0x8000_0011n | WP });
    expect(run()).toBe(`${0xb0}`);
    expect(memory.readU32(DATA)).toBe(0x00c3_01b0);
  });

  test('SMEP: the user page that was executed', async () => {
    await start([...accesses.fetch, ...setCr4(SMEP), ...accesses.fetch], user);
    expect(run()).toBe('#14 11');
  });

  test('SMAP, CLAC and STAC: the user page that was read and written', async () => {
    const clac = [0x0f, 0x01, 0xca];
    const stac = [0x0f, 0x01, 0xcb];
    for (const access of [accesses.read, accesses.write]) {
      const code = access === accesses.read ? '1' : '3';
      await start([...access, ...setCr4(SMAP), ...access], user);
      expect(run()).toBe(`#14 ${code}`);
      vcpu.close();
      await start([...setCr4(SMAP), ...stac, ...access, ...clac, ...access], user);
      expect(run()).toBe(`#14 ${code}`);
      vcpu.close();
      await start([...setCr4(SMAP), ...stac, ...access, ...clac, ...stac, ...access], user);
      expect(run()).not.toMatch('#');
      vcpu.close();
    }
    await start([HLT], user);
  });
});

test('SGDT that may not write its second part writes nothing: SMAP and a user page', async () => {
  // sgdt [rsi]; the limit would fit into the first page.
  const change = { rsi: BigInt(HIGH + 0xffd), cr4: PAE | SMAP };
  await start([0x0f, 0x01, 0x06], BigInt(DATA) | P | W, change);
  memory.writeU64(TABLE_2 + 8, BigInt(OTHER) | P | W | U);
  memory.write(DATA + 0xffd, Uint8Array.from([0xaa, 0xbb, 0xcc]));
  expect(run()).toBe('#14 3');
  expect(vcpu.getState().cr2).toBe(BigInt(HIGH + 0x1000));
  expect([...memory.bytes(DATA + 0xffd, 3)]).toEqual([0xaa, 0xbb, 0xcc]);
});

describe('code across pages of different rights', () => {
  const NX = 1n << 63n;
  /** mov eax,11223344h; ret: three bytes in the first page. */
  async function across(first: bigint, second: bigint, change: Partial<CpuState> = {}) {
    // The jump leads to the end of the first page.
    await start([0xff, 0xe6], first, { rsi: BigInt(HIGH + 0xffd), ...change });
    memory.writeU64(TABLE_2 + 8, second);
    memory.write(DATA + 0xffd, Uint8Array.from([0xb8, 0x44, 0x33]));
    memory.write(OTHER, Uint8Array.from([0x22, 0x11, HLT]));
    memory.write(DATA + 0x8000, Uint8Array.from([0x66, 0x55, HLT]));
    return run();
  }
  const first = BigInt(DATA) | P;
  const second = BigInt(OTHER) | P;
  const nxe = { efer: 0xd00n };

  test('executes where both may be, wherever they lie', async () => {
    expect(await across(first, second, nxe)).toBe(`${0x44}`);
    expect(vcpu.getState().rax).toBe(0x1122_3344n);
    vcpu.close();
    // The linear neighbour is a physical stranger.
    expect(await across(first, BigInt(DATA + 0x8000) | P)).toBe(`${0x44}`);
    expect(vcpu.getState().rax).toBe(0x5566_3344n);
  });

  test.each([
    ['absent', 0n, nxe, '10'],
    ['absent, without NXE', 0n, {}, '0'],
    ['not to be executed', second | NX, nxe, '11'],
    ["the user's under SMEP", second | U, { cr4: PAE | SMEP }, '11'],
  ] as const)('faults at the second page if that is %s', async (_, entry, change, code) => {
    expect(await across(first, entry, change)).toBe(`#14 ${code}`);
    expect(vcpu.getState().cr2).toBe(BigInt(HIGH + 0x1000));
  });

  test('faults at the first page if neither may be', async () => {
    expect(await across(first | NX, second | NX, nxe)).toBe('#14 11');
    expect(vcpu.getState().cr2).toBe(BigInt(HIGH + 0xffd));
  });
});

describe('taking the pages that were written', () => {
  const entry = BigInt(DATA) | P | W;

  test('is not seen by the guest: a translation that it holds sets no bits again', async () => {
    const code = [...accesses.write, ...STORE_ENTRY, ...accesses.write, 0x89, 0x46, 0x08];
    await start(code, entry, { rcx: entry });
    vcpu.run(vcpu.retired + 2);
    expect([...vcpu.takeDirtyPages()]).toContain(DATA >> 12);
    expect(run()).toBe('90');
    // Without INVLPG the processor need not see that the entry lost its bits.
    expect(memory.readU64(TABLE_2)).toBe(entry);
    expect([...vcpu.takeDirtyPages()]).toEqual([DATA >> 12]);
  });

  test('shows each write that follows, whatever its form', async () => {
    const forms = {
      'mov [rsi],eax': [0x89, 0x06],
      'add [rsi],eax': [0x01, 0x06],
      'movdqu [rsi],xmm0': [0xf3, 0x0f, 0x7f, 0x06],
      'movq [rsi],mm0': [0x0f, 0x7f, 0x06],
      'fnstcw [rsi]': [0xd9, 0x3e],
      'xchg [rsi],eax': [0x87, 0x06],
      'push rax': [0x50],
      'mov rdi,rsi; stosd': [0x48, 0x89, 0xf7, 0xab],
    };
    for (const [name, bytes] of Object.entries(forms)) {
      const count = name.includes(';') ? 2 : 1;
      await start([...bytes, ...bytes], entry);
      const state = vcpu.getState();
      vcpu.setState({ ...state, cr4: state.cr4 | OSFXSR, rsp: BigInt(HIGH + 0x800) });
      vcpu.run(vcpu.retired + count);
      expect([...vcpu.takeDirtyPages()], name).toContain(DATA >> 12);
      expect(vcpu.run(vcpu.retired + count), name).toBe(ExitReason.Limit);
      expect([...vcpu.takeDirtyPages()], name).toEqual([DATA >> 12]);
      vcpu.close();
    }
  });

  test('shows what the host wrote', async () => {
    await start([0x90], entry);
    vcpu.takeDirtyPages();
    memory.write(OTHER - 1, Uint8Array.of(1, 2));
    memory.writeU32(DATA + 8, 5);
    expect([...vcpu.takeDirtyPages()]).toEqual([DATA >> 12, OTHER >> 12]);
  });
});

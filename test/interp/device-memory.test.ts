/**
 * Instructions with the most accesses, on memory of a device: each access is an exit, and after each the instruction runs again from its
 * start with the answers so far (interp/io.ts). Everything lies at odd addresses across a page.
 */
import { afterEach, expect, test } from 'vitest';
import type { CpuState } from '../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { loadGuest } from './system/system-guest.js';

const CODE = 0x1_0000;
const GDT = 0x3_0000;
const NEXT = 0x1_0100;
/** No memory here: the machine has 16 MiB. */
const DEVICE = 0xfed0_0000;
/** What the answers have room for (interp/io.ts). */
const MOST = 126;

let vcpu: Vcpu;
let memory: GuestMemory;
let device: DataView;
afterEach(() => vcpu.close());

async function start(code: readonly number[], change: Partial<CpuState> = {}): Promise<void> {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from(code), 'prot32', CODE));
  memory.write(NEXT, Uint8Array.from([0xf4]));
  device = new DataView(new ArrayBuffer(0x8000));
  vcpu.setState({ ...vcpu.getState(), ...change });
}

/** Runs to HLT; how many accesses of the device there were. */
function run(): number {
  for (let count = 0; ; count++) {
    const reason = vcpu.run(Number.POSITIVE_INFINITY);
    if (reason === ExitReason.Halt) return count;
    expect(reason).toBe(ExitReason.Mmio);
    const { address, size, isWrite, bytes, dataOffset } = vcpu.exit;
    for (let i = 0; i < size; i++) {
      if (isWrite) device.setUint8(address - DEVICE + i, bytes.getUint8(dataOffset + i));
      else bytes.setUint8(dataOffset + i, device.getUint8(address - DEVICE + i));
    }
  }
}

function descriptor(index: number, base: number, limit: number, type: number): void {
  memory.writeU32(GDT + index * 8, ((base & 0xffff) << 16) | (limit & 0xffff));
  memory.writeU32(
    GDT + index * 8 + 4,
    (base & 0xff00_0000) | (type & 0x10 ? 0xcf_0000 : 0x40_0000) | (type << 8) | ((base >> 16) & 0xff),
  );
}

const NULL = { selector: 0, base: 0n, limit: 0, attributes: 0x1_0000 };

test('a task switch with both task-state segments there', async () => {
  // jmp far 28h:0
  await start([0xea, 0, 0, 0, 0, 0x28, 0], {
    gdtr: { base: BigInt(GDT), limit: 0x3f },
    tr: { selector: 0x20, base: BigInt(DEVICE + 0xfd1), limit: 103, attributes: 0x8b },
    rax: 0x1234_5678n,
    fs: NULL,
    gs: NULL,
  });
  descriptor(2, 0, 0xffff, 0x9b);
  descriptor(3, 0, 0xffff, 0x93);
  descriptor(4, DEVICE + 0xfd1, 103, 0x8b);
  descriptor(5, DEVICE + 0x2fc3, 103, 0x89);
  const to = 0x2fc3;
  for (const [offset, value] of [
    [32, NEXT],
    [36, 2],
    [40, 0xabcd],
    [56, 0x8000],
    [72, 0x18],
    [76, 0x10],
    [80, 0x18],
    [84, 0x18],
  ] as const) {
    device.setUint32(to + offset, value, true);
  }
  expect(run()).toBeLessThan(MOST);
  const state = vcpu.getState();
  expect([state.tr.selector, state.rax, state.rsp, state.rip]).toEqual([0x28, 0xabcdn, 0x8000n, BigInt(NEXT + 1)]);
  // EIP behind the jump, and EAX, in the old task.
  expect(device.getUint32(0xfd1 + 32, true)).toBe(CODE + 7);
  expect(device.getUint32(0xfd1 + 40, true)).toBe(0x1234_5678);
});

test('ENTER with 31 levels on a stack there', async () => {
  // enter 16, 31; hlt
  const stack = DEVICE + 0x203d;
  await start([0xc8, 16, 0, 31, 0xf4], { rsp: BigInt(stack), rbp: BigInt(DEVICE + 0x403d) });
  for (let level = 1; level <= 30; level++) device.setUint32(0x403d - level * 4, level, true);
  expect(run()).toBeLessThan(MOST);
  for (let level = 1; level <= 30; level++) expect(device.getUint32(0x203d - 4 - level * 4, true)).toBe(level);
  expect(device.getUint32(0x203d - 4 - 31 * 4, true)).toBe(stack - 4);
  expect(vcpu.getState().rsp).toBe(BigInt(stack - 4 - 31 * 4 - 16));
});

test('a far CALL with 31 parameters from one stack there to another', async () => {
  // call far 23h:0 at CPL 3; the gate leads to NEXT at CPL 0
  const user = DEVICE + 0x3e1;
  await start([0x9a, 0, 0, 0, 0, 0x23, 0], {
    gdtr: { base: BigInt(GDT), limit: 0x3f },
    tr: { selector: 0x28, base: 0x4_0000n, limit: 103, attributes: 0x8b },
    cs: { selector: 0x33, base: 0n, limit: 0xffff_ffff, attributes: 0xc0fb },
    ss: { selector: 0x3b, base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3 },
    rsp: BigInt(user),
  });
  descriptor(2, 0, 0xffff, 0x9b);
  descriptor(3, 0, 0xffff, 0x93);
  memory.writeU32(GDT + 0x20, (0x10 << 16) | (NEXT & 0xffff));
  memory.writeU32(GDT + 0x24, (NEXT & 0xffff_0000) | 0xec1f);
  const kernel = 0x503d;
  memory.writeU32(0x4_0004, DEVICE + kernel);
  memory.writeU32(0x4_0008, 0x18);
  for (let i = 0; i < 31; i++) device.setUint32(0x3e1 + i * 4, 100 + i, true);
  expect(run()).toBeLessThan(MOST);
  expect(device.getUint32(kernel - 4, true)).toBe(0x3b);
  expect(device.getUint32(kernel - 8, true) >>> 0).toBe(user);
  for (let i = 0; i < 31; i++) expect(device.getUint32(kernel - 8 - 31 * 4 + i * 4, true)).toBe(100 + i);
  expect(device.getUint32(kernel - 8 - 31 * 4 - 4, true)).toBe(0x33);
  expect(device.getUint32(kernel - 8 - 31 * 4 - 8, true)).toBe(CODE + 7);
});

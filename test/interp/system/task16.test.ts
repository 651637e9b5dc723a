/**
 * Switches from and to a 16-bit TSS under paging (SDM vol. 3A, 7.6 and 7.7): it has neither CR3, which stays, nor T, nor FS and GS. A 32-bit TSS
 * loads CR3, and T of it is a #DB before the first instruction.
 */
import { afterEach, expect, test } from 'vitest';
import type { CpuState } from '../../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../../src/vmm/memory.js';
import { loadGuest } from './system-guest.js';

const CODE = 0x1000;
const NEXT = 0x1100;
const HANDLER = 0x1200;
const GDT = 0x3000;
const IDT = 0x4000;
const OLD = 0x5000;
const NEW = 0x6000;
const [ROOT, OTHER_ROOT, TABLE] = [0x10_0000, 0x10_1000, 0x10_2000] as const;

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

function descriptor(index: number, base: number, limit: number, type: number): void {
  memory.writeU32(GDT + index * 8, ((base & 0xffff) << 16) | (limit & 0xffff));
  memory.writeU32(GDT + index * 8 + 4, (type & 0x10 ? 0xcf_0000 : 0) | (type << 8) | ((base >> 16) & 0xff));
}

/** Jumps from a TSS to one; the types are 1 and 9: available, of 16 and of 32 bits. */
async function start(from: 1 | 9, to: 1 | 9): Promise<void> {
  // jmp far 28h:0
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from([0xea, 0, 0, 0, 0, 0x28, 0]), 'prot32', CODE));
  memory.write(NEXT, Uint8Array.from([0xf4]));
  memory.write(HANDLER, Uint8Array.from([0xf4]));
  descriptor(2, 0, 0xffff, 0x9b);
  descriptor(3, 0, 0xffff, 0x93);
  descriptor(4, OLD, 0x67, 0x80 | from | 2);
  descriptor(5, NEW, 0x67, 0x80 | to);
  memory.writeU32(IDT + 8, (0x10 << 16) | HANDLER);
  memory.writeU32(IDT + 12, 0x8e00);
  for (const root of [ROOT, OTHER_ROOT]) memory.writeU32(root, TABLE | 3);
  for (let page = 0; page < 1024; page++) memory.writeU32(TABLE + page * 4, (page << 12) | 3);
  vcpu.setState({
    ...vcpu.getState(),
    gdtr: { base: BigInt(GDT), limit: 0x2f },
    idtr: { base: BigInt(IDT), limit: 0xff },
    tr: { selector: 0x20, base: BigInt(OLD), limit: 0x67, attributes: 0x80 | from | 2 },
    cr0: 0x8000_0011n,
    cr3: BigInt(ROOT),
    rax: 0x1234_5678n,
    fs: { selector: 0x18, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 },
  });
}

function finish(): CpuState {
  expect(vcpu.run(20)).toBe(ExitReason.Halt);
  return vcpu.getState();
}

/** The new task's registers: IP or EIP, FLAGS, AX, SP, ES, CS, SS, DS. */
function write16(): void {
  for (const [at, value] of [
    [14, NEXT],
    [16, 2],
    [18, 0xabcd],
    [26, 0x8000],
    [34, 0x18],
    [36, 0x10],
    [38, 0x18],
    [40, 0x18],
  ] as const) {
    memory.writeU16(NEW + at, value);
  }
  // Behind its 44 bytes: what would be CR3's, FS's and T's places in another TSS.
  for (let at = 44; at < 104; at += 2) memory.writeU16(NEW + at, 0xffff);
}

function write32(trap: number): void {
  for (const [at, value] of [
    ...[
      [28, OTHER_ROOT],
      [32, NEXT],
      [36, 2],
      [40, 0x7654_3210],
      [56, 0x8000],
      [72, 0x18],
      [76, 0x10],
      [80, 0x18],
      [84, 0x18],
    ],
    ...[
      [88, 0x18],
      [92, 0],
      [96, 0],
      [100, trap],
    ],
  ] as [number, number][]) {
    memory.writeU32(NEW + at, value);
  }
}

test('from 32 to 16 bits: CR3 stays, FS and GS are null, nothing traps', async () => {
  await start(9, 1);
  write16();
  const state = finish();
  expect([state.rip, state.cr3, state.tr.selector]).toEqual([BigInt(NEXT + 1), BigInt(ROOT), 0x28]);
  expect([state.rax & 0xffffn, state.rsp & 0xffffn]).toEqual([0xabcdn, 0x8000n]);
  expect([state.fs.selector, state.gs.selector, state.dr6 & 0x8000n]).toEqual([0, 0, 0n]);
  // The old task is saved whole.
  expect([memory.readU32(OLD + 32), memory.readU32(OLD + 40), memory.readU16(OLD + 88)]).toEqual([
    CODE + 7,
    0x1234_5678,
    0x18,
  ]);
});

test('from 16 to 32 bits: the old task is saved in words, CR3 is the new one', async () => {
  await start(1, 9);
  write32(0);
  const state = finish();
  expect([state.rip, state.cr3, state.rax]).toEqual([BigInt(NEXT + 1), BigInt(OTHER_ROOT), 0x7654_3210n]);
  expect([memory.readU16(OLD + 14), memory.readU16(OLD + 18), memory.readU16(OLD + 20)]).toEqual([CODE + 7, 0x5678, 0]);
  expect(state.dr6 & 0x8000n).toBe(0n);
});

test('from 16 to 16 bits under paging, busy bits change hands', async () => {
  await start(1, 1);
  write16();
  const state = finish();
  expect([state.rip, state.cr3]).toEqual([BigInt(NEXT + 1), BigInt(ROOT)]);
  expect([memory.readU8(GDT + 4 * 8 + 5), memory.readU8(GDT + 5 * 8 + 5)]).toEqual([0x81, 0x83]);
});

test('T of a 32-bit TSS is a #DB with DR6.BT before the first instruction', async () => {
  await start(1, 9);
  write32(1);
  const state = finish();
  expect([state.rip, state.dr6 & 0x8000n]).toEqual([BigInt(HANDLER + 1), 0x8000n]);
  expect(memory.readU32(Number(state.rsp))).toBe(NEXT);
});

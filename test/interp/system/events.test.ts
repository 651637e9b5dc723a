/** Where events are taken: STI and MOV SS shadows, HLT, NMI until IRET, injected interrupts, triple fault (SDM volume 3A, chapter 6). */
import { afterEach, expect, test } from 'vitest';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { loadGuest } from './system-guest.js';

const BASE = 0x7c00;
let vcpu: Vcpu | undefined;
afterEach(() => {
  vcpu?.close();
  vcpu = undefined;
});

async function realMode(...bytes: number[]) {
  const loaded = await loadGuest('interp', Uint8Array.from(bytes), 'real', BASE);
  vcpu = loaded.vcpu;
  return { vcpu: loaded.vcpu, memory: loaded.memory };
}

test('STI holds an interrupt back for one instruction', async () => {
  // nop; sti; nop; nop; hlt
  const { vcpu } = await realMode(0x90, 0xfb, 0x90, 0x90, 0xf4);
  vcpu.requestWindow(true);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Window);
  expect(vcpu.rip).toBe(BASE + 3);
  expect(vcpu.retired).toBe(3);
  expect(vcpu.canInject).toBe(true);
});

test('STI with IF set already holds nothing back', async () => {
  // sti; nop; sti; hlt
  const { vcpu } = await realMode(0xfb, 0x90, 0xfb, 0xf4);
  expect(vcpu.run(2)).toBe(ExitReason.Limit);
  expect(vcpu.canInject).toBe(true);
  expect(vcpu.run(3)).toBe(ExitReason.Limit);
  expect(vcpu.canInject).toBe(true);
});

test('MOV SS holds an interrupt back for one instruction', async () => {
  // sti; nop; mov ss, ax; nop; hlt
  const { vcpu } = await realMode(0xfb, 0x90, 0x8e, 0xd0, 0x90, 0xf4);
  expect(vcpu.run(3)).toBe(ExitReason.Limit);
  expect(vcpu.canInject).toBe(false);
  vcpu.requestWindow(true);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Window);
  expect(vcpu.rip).toBe(BASE + 5);
});

test('an interrupt between STI and HLT is taken behind HLT', async () => {
  // sti; hlt; hlt, and the handler: iret
  const { vcpu, memory } = await realMode(0xfb, 0xf4, 0xf4);
  memory.writeU32(0x20 * 4, 0x0000_0600);
  memory.writeU8(0x600, 0xcf);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(BASE + 2);
  expect(vcpu.canInject).toBe(true);
  vcpu.injectInterrupt(0x20);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(BASE + 3);
  // sti, hlt, iret, hlt: the delivery itself does not count.
  expect(vcpu.retired).toBe(4);
});

test('an NMI waits for the IRET of the one before', async () => {
  // hlt, and the handler: hlt; iret
  const { vcpu, memory } = await realMode(0xf4, 0xf4);
  memory.writeU32(2 * 4, 0x0000_0600);
  memory.writeU8(0x600, 0xf4);
  memory.writeU8(0x601, 0xcf);
  vcpu.injectNmi();
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x601);
  vcpu.injectNmi();
  // The halted processor stays in HLT: the second NMI is masked.
  expect(vcpu.getState().nmiMasked).toBe(true);
  const state = vcpu.getState();
  vcpu.setState({ ...state, halted: false });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x601);
  expect(vcpu.getState().rsp).toBe(state.rsp);
});

test('a triple fault is a shutdown, and leaves the state of the first fault', async () => {
  // lidt [0x7c10]; ud2 with an IDT of limit 0
  const { vcpu } = await realMode(0x0f, 0x01, 0x1e, 0x10, 0x7c, 0x0f, 0x0b);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Shutdown);
  expect(vcpu.rip).toBe(BASE + 5);
  expect(vcpu.retired).toBe(1);
});

test('CPUID beyond the last basic leaf shows the last one, as on Intel; OSXSAVE mirrors CR4', async () => {
  // mov eax, 12345h; xor ecx, ecx; cpuid; mov esi, ebx; mov eax, 1; cpuid; hlt
  const { vcpu } = await realMode(
    ...[0x66, 0xb8, 0x45, 0x23, 0x01, 0x00, 0x66, 0x31, 0xc9, 0x0f, 0xa2, 0x66, 0x89, 0xde],
    ...[0x66, 0xb8, 0x01, 0x00, 0x00, 0x00, 0x0f, 0xa2, 0xf4],
  );
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  const state = vcpu.getState();
  expect(state.rsi).toBe(0x0010_0081n);
  expect(state.rcx & 0x0800_0000n).toBe(0n);
});

// mov bx, ss; pushf; pop ax; or ah, 1; push ax; popf
const SET_TF = [0x8c, 0xd3, 0x9c, 0x58, 0x80, 0xcc, 0x01, 0x50, 0x9d];

test.each([
  ['STI does not hold a single step back', [0xfb, 0x90, 0xf4], 1],
  ['MOV SS holds a single step back for one instruction', [0x8e, 0xd3, 0x90, 0xf4], 3],
])('%s', async (_, code, after) => {
  const { vcpu, memory } = await realMode(...SET_TF, ...code);
  memory.writeU32(1 * 4, 0x0000_0600);
  memory.writeU8(0x600, 0xf4);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x601);
  expect(memory.readU16(Number(vcpu.getState().rsp))).toBe(BASE + SET_TF.length + after);
  expect(vcpu.getState().dr6 & 0xe00fn).toBe(0x4000n);
});

test('a software interrupt is not single-stepped into its handler', async () => {
  const { vcpu, memory } = await realMode(...SET_TF, 0xcd, 0x20);
  memory.writeU32(1 * 4, 0x0000_0600);
  memory.writeU8(0x600, 0xf4);
  memory.writeU32(0x20 * 4, 0x0000_0700);
  memory.writeU8(0x700, 0xf4);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x701);
});

/** The run loop: exact limits, steps, kicks, self-modifying code, instructions across pages, the end of a segment. */
import { afterEach, expect, test } from 'vitest';
import { cpuStateOf } from '../../../src/vmm/boot/cpu.js';
import { InterpVcpu } from '../../../src/vmm/cpu/interp.js';
import { ExitReason } from '../../../src/vmm/cpu/vcpu.js';
import { GuestMemory } from '../../../src/vmm/memory.js';

const BASE = 0x7c00;
let vcpu: InterpVcpu | undefined;
afterEach(() => {
  vcpu?.close();
  vcpu = undefined;
});

function realMode(bytes: readonly number[], base = BASE) {
  const memory = new GuestMemory({ ramSize: 1 << 20 });
  memory.write(base, Uint8Array.from(bytes));
  const made = new InterpVcpu(memory);
  made.setState(cpuStateOf({ mode: 'real', entry: base, stack: 0x7000 }));
  vcpu = made;
  return { vcpu: made, memory };
}

test('a limit stops within a block, exactly', () => {
  // inc ax, six times; hlt
  const { vcpu } = realMode([0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0xf4]);
  expect(vcpu.run(4)).toBe(ExitReason.Limit);
  expect([vcpu.rip, vcpu.retired]).toEqual([BASE + 4, 4]);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect([vcpu.rip, vcpu.retired]).toEqual([BASE + 7, 7]);
  expect(vcpu.getState().rax).toBe(6n);
});

test('a limit that is reached already stops before anything', () => {
  const { vcpu } = realMode([0x40, 0xf4]);
  expect(vcpu.run(0)).toBe(ExitReason.Limit);
  expect(vcpu.rip).toBe(BASE);
});

test('a step is one instruction, and a fault is a step of its own', () => {
  // inc ax; ud2, and its handler at 0:600: hlt
  const { vcpu, memory } = realMode([0x40, 0x0f, 0x0b]);
  memory.writeU32(6 * 4, 0x600);
  memory.writeU8(0x600, 0xf4);
  vcpu.setSingleStep(true);
  const seen = [];
  for (let i = 0; i < 2; i++) seen.push([vcpu.run(Infinity), vcpu.rip, vcpu.retired]);
  expect(seen).toEqual([
    [ExitReason.Debug, BASE + 1, 1],
    [ExitReason.Debug, 0x600, 1],
  ]);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
});

test('TF traps after the instruction that follows POPF', () => {
  // push 102h; popf; nop; hlt, and the handler of #DB: hlt
  const { vcpu, memory } = realMode([0x68, 0x02, 0x01, 0x9d, 0x90, 0xf4]);
  memory.writeU32(1 * 4, 0x600);
  memory.writeU8(0x600, 0xf4);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x601);
  // The frame: IP behind the NOP, CS, FLAGS with TF.
  expect([memory.readU16(0x6ffa), memory.readU16(0x6ffe) & 0x100]).toEqual([BASE + 5, 0x100]);
  expect(vcpu.getState().dr6 & 0x4000n).toBe(0x4000n);
});

test('a kick ends a loop without exits', () => {
  // jmp $
  const { vcpu } = realMode([0xeb, 0xfe]);
  vcpu.kick();
  expect(vcpu.run(Infinity)).toBe(ExitReason.Kicked);
  expect(vcpu.run(1000)).toBe(ExitReason.Limit);
  expect(vcpu.retired).toBe(1000);
});

test('code that overwrites the instruction ahead of itself executes what it wrote', () => {
  // mov byte [7c05], 48h (dec ax); inc ax → dec ax; hlt
  const { vcpu } = realMode([0xc6, 0x06, 0x05, 0x7c, 0x48, 0x40, 0xf4]);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.getState().rax & 0xffffn).toBe(0xffffn);
  expect(vcpu.retired).toBe(3);
});

test('code that the host overwrote is decoded anew once it says so', () => {
  const { vcpu, memory } = realMode([0x40, 0xf4]);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  memory.writeU8(BASE, 0x48);
  vcpu.invalidateCode(BASE, 1);
  vcpu.setState({ ...vcpu.getState(), rip: BigInt(BASE), halted: false });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.getState().rax & 0xffffn).toBe(0n);
});

test('an instruction across two pages is executed, and executed anew when its second half changes', () => {
  // mov ax, 1234h with its last byte at 8000h; hlt
  const { vcpu, memory } = realMode([0xb8, 0x34, 0x12, 0xf4], 0x7ffe);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  memory.writeU8(0x8000, 0x56);
  vcpu.setState({ ...vcpu.getState(), rip: 0x7ffen, halted: false });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.getState().rax).toBe(0x5634n);
});

test('execution past the limit of CS is #GP', () => {
  // nop at ffff, and the handler of #GP: hlt
  const { vcpu, memory } = realMode([0x90], 0xffff);
  memory.writeU32(13 * 4, 0x600);
  memory.writeU8(0x600, 0xf4);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x601);
  expect(vcpu.retired).toBe(2);
});

test('16 bytes of prefixes are #GP', () => {
  const { vcpu, memory } = realMode([...new Array<number>(15).fill(0x66), 0x90]);
  memory.writeU32(13 * 4, 0x600);
  memory.writeU8(0x600, 0xf4);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x601);
});

test('LOCK is #UD where it is not allowed', () => {
  // lock inc ax by FF /0; and by memory it is fine
  const { vcpu, memory } = realMode([0xf0, 0xff, 0x06, 0x00, 0x05, 0xf0, 0xff, 0xc0]);
  memory.writeU32(6 * 4, 0x600);
  memory.writeU8(0x600, 0xf4);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(0x601);
  expect([memory.readU16(0x500), memory.readU16(0x6ffa)]).toEqual([1, BASE + 5]);
});

test('an exception whose stack is a device stops the engine with the bytes: its delivery could not be begun again', () => {
  // inc ax; ud2
  const { vcpu } = realMode([0x40, 0x0f, 0x0b, 0x90]);
  const state = vcpu.getState();
  vcpu.setState({ ...state, ss: { ...state.ss, base: 0xfed0_0000n } });
  expect(vcpu.run(Infinity)).toBe(ExitReason.EngineError);
  expect([...vcpu.exit.errorBytes.subarray(0, 3)]).toEqual([0x0f, 0x0b, 0x90]);
  expect(vcpu.rip).toBe(BASE + 1);
});

test('pages are dirty once the guest wrote to them', () => {
  // mov [8000h], ax; hlt
  const { vcpu } = realMode([0xa3, 0x00, 0x80, 0xf4]);
  vcpu.takeDirtyPages();
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect([...vcpu.takeDirtyPages()]).toEqual([8]);
  vcpu.setState({ ...vcpu.getState(), rip: BigInt(BASE), halted: false });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect([...vcpu.takeDirtyPages()]).toEqual([8]);
  expect([...vcpu.takeDirtyPages()]).toEqual([]);
});

test('REP OUTSB is one exit an element, counts once, and complete() finishes it whole', () => {
  // rep outsb; hlt
  const { vcpu, memory } = realMode([0xf3, 0x6e, 0xf4]);
  memory.write(0x500, Uint8Array.from([1, 2, 3]));
  vcpu.setState({ ...vcpu.getState(), rcx: 3n, rsi: 0x500n, rdx: 0xe9n });
  const seen: number[] = [];
  let reason: ExitReason | undefined = vcpu.run(Infinity);
  while (reason === ExitReason.Io) {
    seen.push(vcpu.exit.bytes.getUint8(vcpu.exit.dataOffset));
    reason = vcpu.complete();
  }
  expect(reason).toBeUndefined();
  expect(seen).toEqual([1, 2, 3]);
  expect([vcpu.rip, vcpu.retired, vcpu.getState().rcx]).toEqual([BASE + 2, 1, 0n]);
});

test('an MMIO access across two pages is two exits, and its answer is put together', () => {
  // a 32-bit read at ffffffffh..., real mode reaches 1 MiB: mov eax, ds:[fffe] with DS = ffffh is beyond RAM of 1 MiB
  const { vcpu } = realMode([0x66, 0xa1, 0x0e, 0x10, 0xf4]);
  const state = vcpu.getState();
  vcpu.setState({ ...state, ds: { ...state.ds, selector: 0xffff, base: 0xffff0n } });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Mmio);
  expect([vcpu.exit.address, vcpu.exit.size]).toEqual([0x100ffe, 2]);
  vcpu.exit.bytes.setUint16(vcpu.exit.dataOffset, 0x1122, true);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Mmio);
  expect([vcpu.exit.address, vcpu.exit.size]).toEqual([0x101000, 2]);
  vcpu.exit.bytes.setUint16(vcpu.exit.dataOffset, 0x3344, true);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.getState().rax).toBe(0x33441122n);
});

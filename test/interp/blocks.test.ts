/** Decoded blocks: exact limits, code that changes, code that crosses pages (interp/block.ts, interp/run.ts). */
import { afterEach, describe, expect, test } from 'vitest';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { type GuestMode, loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

async function start(mode: GuestMode, bytes: readonly number[], base = BASE): Promise<void> {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from(bytes), mode, mode === 'real' ? base & 0xffff : base));
}

/** The low half of a general register. */
function register(index: number): number {
  const bytes = new Uint8Array(144);
  vcpu.readRegisters(bytes);
  return new DataView(bytes.buffer).getUint32(index * 8, true);
}

describe('the instruction limit', () => {
  test.each([
    // inc ax; inc bx; jmp -4, and the same with 32-bit registers in 64-bit mode
    ['real', 0x7c00, [0x40, 0x43, 0xeb, 0xfc]],
    ['long64', BASE, [0xff, 0xc0, 0xff, 0xc3, 0xeb, 0xfa]],
  ] as const)('stops at every count of a %s loop', async (mode, base, bytes) => {
    await start(mode, bytes, base);
    const increment = mode === 'real' ? 1 : 2;
    const first = register(0);
    const offsets = [0, increment, 2 * increment];
    for (let limit = 1; limit <= 40; limit++) {
      expect(vcpu.run(limit)).toBe(ExitReason.Limit);
      expect(vcpu.retired).toBe(limit);
      expect(vcpu.rip - base).toBe(offsets[limit % 3]);
      expect(register(0) - first).toBe(Math.floor((limit + 2) / 3));
    }
  });

  test('may be far away', async () => {
    // dec ecx; jnz -4; hlt
    await start('long64', [0xff, 0xc9, 0x75, 0xfc, 0xf4]);
    vcpu.setRegister(1, 1_000_000, 0);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.retired).toBe(2_000_001);
  });

  test('reached before the run ends it at once', async () => {
    await start('long64', [0x90, 0x90]);
    expect(vcpu.run(0)).toBe(ExitReason.Limit);
    expect(vcpu.retired).toBe(0);
  });
});

describe('code that changes', () => {
  test('takes effect in the next instruction of the same block', async () => {
    // mov byte [rip+1], 0x42 (the immediate of the next instruction); mov al, 0; hlt
    await start('long64', [0xc6, 0x05, 0x01, 0, 0, 0, 0x42, 0xb0, 0x00, 0xf4]);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(register(0) & 0xff).toBe(0x42);
    expect(vcpu.retired).toBe(3);
  });

  test('takes effect when it was executed before', async () => {
    // xor eax, eax; L: add eax, 1; cmp byte [imm of add], 5; mov byte [imm of add], 5; jne L; hlt
    const code = [0x31, 0xc0, 0x83, 0xc0, 0x01, 0x80, 0x3d, 0xf8, 0xff, 0xff, 0xff, 0x05];
    code.push(0xc6, 0x05, 0xf1, 0xff, 0xff, 0xff, 0x05, 0x75, 0xed, 0xf4);
    await start('long64', code);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(register(0)).toBe(1 + 5);
  });

  test('is seen through another linear address', async () => {
    // mov byte [rbx], 0x42; mov al, 0; hlt
    await start('long64', [0xc6, 0x03, 0x42, 0xb0, 0x00, 0xf4]);
    // A second 2 MiB mapping of physical 0 at 0x4000_0000: the third gigabyte's first entry of the identity map.
    const state = vcpu.getState();
    const pml4 = Number(state.cr3);
    const pointers = Number(memory.readU64(pml4) & 0xfffff000n);
    const directory = Number(memory.readU64(pointers + 8) & 0xfffff000n);
    memory.writeU64(directory, 0x83n);
    vcpu.setRegister(3, 0x4000_0000 + BASE + 4, 0);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(register(0) & 0xff).toBe(0x42);
  });

  test('by the host is seen after invalidateCode', async () => {
    // mov al, 1; jmp -4
    await start('long64', [0xb0, 0x01, 0xeb, 0xfc]);
    vcpu.run(4);
    memory.writeU8(BASE + 1, 7);
    vcpu.invalidateCode(BASE + 1, 1);
    vcpu.run(6);
    expect(register(0) & 0xff).toBe(7);
  });

  test('beside data in one page loses no store', async () => {
    // mov [rip+0x200], ecx; dec ecx; jnz -10; hlt
    await start('long64', [0x89, 0x0d, 0x00, 0x02, 0, 0, 0xff, 0xc9, 0x75, 0xf6, 0xf4]);
    vcpu.setRegister(1, 100, 0);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(memory.readU32(BASE + 0x206)).toBe(1);
    expect(vcpu.retired).toBe(301);
  });
});

describe('an instruction that crosses pages', () => {
  const END = BASE + 0x1000;

  test('is read from both', async () => {
    // mov eax, 0x12345678 with two bytes in the first page; hlt
    await start('long64', [0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4], END - 2);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(register(0)).toBe(0x12345678);
  });

  test('sees a change of its second part', async () => {
    // mov eax, 1; jmp back
    await start('long64', [0xb8, 0x01, 0, 0, 0, 0xeb, 0xf9], END - 1);
    vcpu.run(2);
    memory.writeU8(END, 9);
    vcpu.invalidateCode(END, 1);
    vcpu.run(3);
    expect(register(0)).toBe(9);
  });

  test('does not touch the next page if it ends before it', async () => {
    // nop; hlt as the last bytes of RAM: behind it there is no memory
    await start('prot32', [0x90, 0xf4], (16 << 20) - 2);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.retired).toBe(2);
  });

  test('running out of memory names the place', async () => {
    await start('prot32', [0x90], (16 << 20) - 1);
    expect(vcpu.run(Infinity)).toBe(ExitReason.EngineError);
    expect(vcpu.exit.errorCode).toBe(2);
    expect(vcpu.rip).toBe(16 << 20);
    expect(vcpu.retired).toBe(1);
  });
});

test('thousands of blocks in one page are forgotten together', async () => {
  // Chains of jmp +0 (two bytes each) fill pages; then the host overwrites the first with hlt.
  const jumps = Array.from({ length: 2000 }, () => [0xeb, 0x00]).flat();
  await start('long64', [...jumps, 0xf4]);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.retired).toBe(2001);
  memory.write(BASE, Uint8Array.from([0xf4]));
  vcpu.invalidateCode(BASE, 4001);
  const state = vcpu.getState();
  vcpu.setState({ ...state, halted: false, rip: BigInt(BASE) });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.retired).toBe(2002);
});

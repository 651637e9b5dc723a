/** Looking for landmarks (interp/seek.ts): every boundary with the wanted state is arrived at, and nothing else changes. */
import { afterEach, describe, expect, test } from 'vitest';
import type { InterpVcpu } from '../../src/vmm/cpu/interp.js';
import { ExitReason, type Seeker } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { MemoryHash } from '../../src/vmm/memory-hash.js';
import { loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
const DATA = 0x20;
const [RAX, RCX, RDX, RSI, RDI, RIP, RFLAGS] = [0, 1, 2, 6, 7, 16, 17];
/** A second 2 MiB mapping of physical 0. */
const ALIAS = 0x4000_0000;
let vcpu: InterpVcpu;
let memory: GuestMemory;
let seeker: Seeker;
afterEach(() => vcpu.close());

async function start(...bytes: number[]): Promise<void> {
  const guest = await loadGuest('interp', Uint8Array.from(bytes), 'long64', BASE);
  vcpu = guest.vcpu as InterpVcpu;
  memory = guest.memory;
  seeker = vcpu.seeker;
}

function registers(): DataView {
  const bytes = new Uint8Array(144);
  vcpu.readRegisters(bytes);
  return new DataView(bytes.buffer);
}

function register(index: number): number {
  return registers().getUint32(index * 8, true);
}

/** Looks for the present registers but for these, and the present rest of the CPU. */
function lookFor(wanted: Readonly<Record<number, number>>): void {
  const view = registers();
  for (const [index, value] of Object.entries(wanted)) view.setBigUint64(Number(index) * 8, BigInt(value), true);
  seeker.begin(new Uint8Array(view.buffer), new MemoryHash(memory).cpu(vcpu.getState()).slice());
}

/** L: lea eax,[eax+1]; lea edx,[eax+eax]; dec ecx; jnz L; hlt */
const loop = [0x67, 0x8d, 0x40, 1, 0x67, 0x8d, 0x14, 0, 0xff, 0xc9, 0x75, 0xf4, 0xf4];

describe('a landmark', () => {
  for (const [offset, instruction] of [
    [0, 'first'],
    [4, 'second'],
    [8, 'third'],
    [10, 'last'],
  ] as const) {
    test(`at the ${instruction} instruction of a loop that has run before is arrived at once, at its count`, async () => {
      await start(...loop);
      vcpu.setRegister(RCX, 100_000, 0);
      // The blocks and the links between them are made before.
      expect(vcpu.run(40_000)).toBe(ExitReason.Limit);
      const round = 20_000;
      const done = [0, 1, 2, 3][[0, 4, 8, 10].indexOf(offset)] as number;
      const wanted: Record<number, number> = { [RIP]: BASE + offset, [RAX]: round + (done > 0 ? 1 : 0) };
      wanted[RDX] = 2 * (round + (done > 1 ? 1 : 0));
      wanted[RCX] = 100_000 - round - (done > 2 ? 1 : 0);
      lookFor({ ...wanted, [RFLAGS]: await flagsAt(4 * round + done) });
      expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
      expect(vcpu.retired).toBe(4 * round + done);
      expect(register(RCX)).toBe(wanted[RCX]);
      expect(register(RIP)).toBe(BASE + offset);
      seeker.pass();
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(vcpu.retired).toBe(400_001);
      expect(seeker.ambiguous).toBe(0);
    });
  }

  /** RFLAGS after so many instructions of the loop, from a run of its own. */
  async function flagsAt(retired: number): Promise<number> {
    const guest = await loadGuest('interp', Uint8Array.from(loop), 'long64', BASE);
    guest.vcpu.setRegister(RCX, 100_000, 0);
    guest.vcpu.run(retired);
    const bytes = new Uint8Array(144);
    guest.vcpu.readRegisters(bytes);
    guest.vcpu.close();
    return new DataView(bytes.buffer).getUint32(RFLAGS * 8, true);
  }

  test('is arrived at where the vCPU stands', async () => {
    await start(...loop);
    lookFor({});
    expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
    expect(vcpu.retired).toBe(0);
  });

  test('that never comes is not arrived at, and the nearest boundary is known', async () => {
    await start(...loop);
    vcpu.setRegister(RCX, 1000, 0);
    lookFor({ [RIP]: BASE + 8, [RCX]: 500, [RAX]: 7 });
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(seeker.passed).toBe(1000);
    expect(new DataView((seeker.nearest as Uint8Array).buffer).getUint32(RCX * 8, true)).toBe(500);
    expect(vcpu.retired).toBe(4001);
  });

  test('is arrived at by whichever alias of the page the guest runs in, at the wanted RIP only', async () => {
    // L: dec ecx; jz X; jmp L; X: hlt
    await start(0xff, 0xc9, 0x74, 0x02, 0xeb, 0xfa, 0xf4);
    const pml4 = Number(vcpu.getState().cr3);
    const pointers = Number(memory.readU64(pml4) & 0xfffff000n);
    memory.writeU64(Number(memory.readU64(pointers + 8) & 0xfffff000n), 0x83n);
    vcpu.setRegister(RCX, 10, 0);
    expect(vcpu.run(15)).toBe(ExitReason.Limit);
    vcpu.setRip(ALIAS + BASE, 0);
    // DEC ECX to 3, which has two bits set: PF.
    vcpu.setRegister(RCX, 10, 0);
    lookFor({ [RIP]: ALIAS + BASE + 2, [RCX]: 3, [RFLAGS]: 0x6 });
    expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
    expect(register(RCX)).toBe(3);
    seeker.pass();
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  });

  test('behind code that was written meanwhile is arrived at', async () => {
    // L: mov [rip+5], cl; dec ecx; jz X; mov al, 0; jmp L; X: hlt
    await start(0x88, 0x0d, 0x05, 0, 0, 0, 0xff, 0xc9, 0x74, 0x04, 0xb0, 0, 0xeb, 0xf2, 0xf4);
    vcpu.setRegister(RCX, 50, 0);
    vcpu.setRegister(RAX, 0, 0);
    expect(vcpu.run(20)).toBe(ExitReason.Limit);
    const { buffer } = registers();
    const flags = new DataView(buffer).getUint32(RFLAGS * 8, true);
    // At MOV AL of the round that began with ECX = 20; AL is still that of the round before.
    lookFor({ [RIP]: BASE + 10, [RCX]: 19, [RAX]: 21, [RFLAGS]: flags & ~0x4 });
    expect([vcpu.run(Infinity), register(RCX)]).toEqual([ExitReason.Arrived, 19]);
  });
});

describe('a landmark within REP', () => {
  test.each([
    [0x48, 'MOVSQ', 0xa5, 8],
    [0x90, 'MOVSB', 0xa4, 1],
  ])('%s: REP %s is stopped at the wanted count, and counts once', async (rex, _name, opcode, size) => {
    // rep movs; nop; hlt
    await start(...(rex === 0x48 ? [0xf3, 0x48, opcode] : [0xf3, opcode]), 0x90, 0xf4);
    const count = 300_000;
    vcpu.setRegister(RCX, count, 0);
    vcpu.setRegister(RSI, 0x20_0000, 0);
    vcpu.setRegister(RDI, 0x50_0000, 0);
    const left = 123_456;
    const moved = (count - left) * size;
    const wanted = { [RCX]: left, [RSI]: 0x20_0000 + moved, [RDI]: 0x50_0000 + moved };
    lookFor({ ...wanted, [RFLAGS]: register(RFLAGS) | 0x1_0000 });
    expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
    expect([register(RCX), register(RSI), register(RDI)]).toEqual(Object.values(wanted));
    expect(vcpu.retired).toBe(0);
    seeker.end(true);
    expect(register(RFLAGS) & 0x1_0000).toBe(0x1_0000);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.retired).toBe(3);
    expect(register(RCX)).toBe(0);
  });
});

describe('boundaries with the same registers', () => {
  test('are told apart by memory, and asked for within the interpreter', async () => {
    // L: inc dword [rip+DATA]; cmp eax, eax; jmp L
    await start(0xff, 0x05, DATA, 0, 0, 0, 0x39, 0xc0, 0xeb, 0xf6);
    const place = BASE + 6 + DATA;
    const page = BASE / 0x1000;
    const hash = new MemoryHash(memory);
    memory.writeU32(place, 5000);
    const wanted = hash.page(page).slice();
    memory.writeU32(place, 0);
    vcpu.run(3);
    lookFor({});
    expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
    seeker.pass(page, wanted);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
    expect(memory.readU32(place)).toBe(5000);
    expect(vcpu.retired).toBe(15_000);
    expect(seeker.ambiguous).toBe(4998);
  });

  test('are told apart by x87 and SSE state', async () => {
    // movd xmm1, eax; L: paddd xmm0, xmm1; jmp L
    await start(0x66, 0x0f, 0x6e, 0xc8, 0x66, 0x0f, 0xfe, 0xc1, 0xeb, 0xfa);
    const state = vcpu.getState();
    state.cr4 |= 0x600n;
    vcpu.setState(state);
    vcpu.setRegister(RAX, 1, 0);
    expect(vcpu.run(1)).toBe(ExitReason.Limit);
    const later = vcpu.getState();
    later.fxsave[160] = 100;
    const bytes = new Uint8Array(registers().buffer);
    seeker.begin(bytes, new MemoryHash(memory).cpu(later).slice());
    expect(vcpu.run(Infinity)).toBe(ExitReason.Arrived);
    expect(vcpu.getState().fxsave[160]).toBe(100);
    expect(vcpu.retired).toBe(201);
    expect(seeker.ambiguous).toBe(100);
  });
});

test('a boundary in the shadow of STI is none', async () => {
  // sti; nop; cli; jmp 0
  await start(0xfb, 0x90, 0xfa, 0xeb, 0xfb);
  lookFor({ [RIP]: BASE + 1, [RFLAGS]: 0x202 });
  expect(vcpu.run(50)).toBe(ExitReason.Limit);
  expect(seeker.ambiguous).toBeGreaterThan(5);
});

test('page walks are noted until they are forgotten', async () => {
  await start(...loop);
  vcpu.setRegister(RCX, 10, 0);
  vcpu.run(4);
  const pml4 = Number(vcpu.getState().cr3) / 0x1000;
  expect(seeker.wasWalked(pml4)).toBe(true);
  seeker.forgetWalks();
  expect(seeker.wasWalked(pml4)).toBe(false);
  vcpu.run(8);
  expect(seeker.wasWalked(pml4)).toBe(true);
});

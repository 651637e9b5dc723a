/** From block to block without the run loop (interp/chain.ts): links of branches when code, mappings and limits change. */
import { afterEach, describe, expect, test } from 'vitest';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
/** A second 2 MiB mapping of physical 0. */
const ALIAS = 0x4000_0000;
let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

async function start(bytes: readonly number[]): Promise<void> {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from(bytes), 'long64', BASE));
}

function register(index: number): number {
  const bytes = new Uint8Array(144);
  vcpu.readRegisters(bytes);
  return new DataView(bytes.buffer).getUint32(index * 8, true);
}

/** Maps physical 0 at ALIAS too; returns where its entry lies. */
function mapAlias(): number {
  const pml4 = Number(vcpu.getState().cr3);
  const pointers = Number(memory.readU64(pml4) & 0xfffff000n);
  const directory = Number(memory.readU64(pointers + 8) & 0xfffff000n);
  memory.writeU64(directory, 0x83n);
  return directory;
}

describe('a branch that is taken again and again', () => {
  test('finds new code at its target each time', async () => {
    // L: mov [rip+3], cl; jmp T; nop; T: mov al, 0; add edx, eax; dec ecx; jnz L; hlt
    await start([0x88, 0x0d, 0x04, 0, 0, 0, 0xeb, 0x01, 0x90, 0xb0, 0, 0x01, 0xc2, 0xff, 0xc9, 0x75, 0xef, 0xf4]);
    vcpu.setRegister(0, 0, 0);
    vcpu.setRegister(1, 100, 0);
    vcpu.setRegister(2, 0, 0);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(register(2)).toBe((100 * 101) / 2);
    expect(vcpu.retired).toBe(601);
  });

  test('stops at every limit', async () => {
    // L: inc eax; jmp M; nop; M: dec ecx; jnz L; hlt
    await start([0xff, 0xc0, 0xeb, 0x01, 0x90, 0xff, 0xc9, 0x75, 0xf7, 0xf4]);
    vcpu.setRegister(1, 1000, 0);
    const places = [0, 2, 5, 7];
    for (let limit = 1; limit < 200; limit += limit < 100 ? 1 : 7) {
      expect(vcpu.run(limit)).toBe(ExitReason.Limit);
      expect(vcpu.retired).toBe(limit);
      expect(vcpu.rip - BASE).toBe(places[limit % 4]);
    }
  });

  test('stays in the alias of the page that it runs in', async () => {
    // L: dec ecx; jz X; jmp L; X: hlt
    await start([0xff, 0xc9, 0x74, 0x02, 0xeb, 0xfa, 0xf4]);
    mapAlias();
    for (const place of [BASE, ALIAS + BASE, BASE]) {
      vcpu.setRegister(1, 50, 0);
      vcpu.setState({ ...vcpu.getState(), halted: false, rip: BigInt(place) });
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(vcpu.rip).toBe(place + 7);
    }
    expect(vcpu.retired).toBe(3 * (50 * 3));
  });

  test('is not followed into a page that was unmapped', async () => {
    // L: dec ecx; jnz L; mov [rbx], ecx; invlpg [rdx]; jmp L
    await start([0xff, 0xc9, 0x75, 0xfc, 0x89, 0x0b, 0x0f, 0x01, 0x3a, 0xeb, 0xf5]);
    const entry = mapAlias();
    vcpu.setRegister(1, 50, 0);
    vcpu.setRegister(2, ALIAS + BASE, 0);
    vcpu.setRegister(3, entry, 0);
    vcpu.setState({ ...vcpu.getState(), rip: BigInt(ALIAS + BASE), idtr: { base: 0n, limit: 0 } });
    expect(vcpu.run(Infinity)).toBe(ExitReason.Shutdown);
    expect(vcpu.retired).toBe(102);
    expect(vcpu.getState().cr2).toBe(BigInt(ALIAS + BASE + 9));
  });
});

test('a CALL that pushes onto its target executes what it pushed', async () => {
  // L: call T; dec ecx; jnz L; mov rsp, rbx; call T; hlt; T: ret
  const code = [0xe8, 15, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf7, 0x48, 0x89, 0xdc, 0xe8, 3, 0, 0, 0];
  await start([...code, 0xf4, 0x90, 0x90, 0xc3]);
  vcpu.setRegister(1, 10, 0);
  vcpu.setRegister(3, BASE + 20 + 8, 0);
  // The return address is BASE + 17: adc [rax], eax is what its bytes 11 00 say.
  vcpu.setRegister(0, 0x2_0000, 0);
  memory.writeU32(0x2_0000, 5);
  expect(vcpu.run(40 + 2 + 1)).toBe(ExitReason.Limit);
  expect(memory.readU32(0x2_0000)).toBe(0x2_0005);
});

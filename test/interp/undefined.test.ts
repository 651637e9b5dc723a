/** Opcodes without instructions of this engine: #UD where no processor has one, else the checks that come first, then a stop. */
import { afterEach, expect, test } from 'vitest';
import type { CpuState } from '../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import { loadGuest } from './system/system-guest.js';

const BASE = 0x7c00;
const UD = 0x600;
const NM = 0x700;
let vcpu: Vcpu;
afterEach(() => vcpu.close());

async function start(bytes: readonly number[], change: Partial<CpuState> = {}): Promise<void> {
  const loaded = await loadGuest('interp', Uint8Array.from(bytes), 'real', BASE);
  vcpu = loaded.vcpu;
  loaded.memory.writeU32(6 * 4, UD);
  loaded.memory.writeU32(7 * 4, NM);
  for (const handler of [UD, NM]) loaded.memory.writeU8(handler, 0xf4);
  vcpu.setState({ ...vcpu.getState(), ...change });
}

test.each([
  ['UD2', [0x0f, 0x0b]],
  ['UD1', [0x0f, 0xb9, 0xc0]],
  ['UD0', [0x0f, 0xff, 0xc0]],
  ['0F 04', [0x0f, 0x04]],
  ['3DNow!', [0x0f, 0x0f, 0xc1, 0x9e]],
  ['LOCK NOP', [0xf0, 0x90]],
  ['SSE with CR4.OSFXSR clear', [0x0f, 0x28, 0xc1]],
])('%s is #UD', async (_, bytes) => {
  await start(bytes);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(UD + 1);
  // The handler's HLT only: what faults does not count.
  expect(vcpu.retired).toBe(1);
});

test.each([
  ['MMX under CR0.TS', [0x0f, 0xfc, 0xc1], { cr0: 0x18n }],
  ['SSE under CR0.TS', [0x0f, 0x28, 0xc1], { cr0: 0x18n, cr4: 0x200n }],
  ['x87 under CR0.EM', [0xd8, 0xc1], { cr0: 0x14n }],
])('%s is #NM', async (_, bytes, change) => {
  await start(bytes, change);
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(NM + 1);
});

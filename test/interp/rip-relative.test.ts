/** RIP-relative operands (SDM vol. 2, 2.2.1.6) whose displacement meets the limits of 32 bits (interp/decode.ts). */
import { describe, expect, test } from 'vitest';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import { loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;

/** 2^31 - 16 to 2^31 - 1, and -2^31 to -2^31 + 15. */
const DISPLACEMENTS = Array.from({ length: 16 }, (_, i) => [0x7fff_fff0 + i, -0x8000_0000 + i]).flat();

function word(value: number): number[] {
  return [...new Uint8Array(new Int32Array([value]).buffer)];
}

/** Runs 64-bit code until it leaves for `reason`, and looks at what came of it. */
async function run(bytes: readonly number[], reason: ExitReason, look: (vcpu: Vcpu) => void): Promise<void> {
  const { vcpu } = await loadGuest('interp', Uint8Array.from(bytes), 'long64', BASE);
  try {
    expect(vcpu.run(Infinity)).toBe(reason);
    look(vcpu);
  } finally {
    vcpu.close();
  }
}

describe('a displacement at the limits of 32 bits', () => {
  // The first instruction of a block, and one far behind it.
  test.each([0, 40])('counts from the end of an instruction behind %i others', async (others) => {
    for (const displacement of DISPLACEMENTS) {
      const nops = new Array<number>(others).fill(0x90);
      // lea rax, [rip + d]; lea rcx, [eip + d]; hlt
      const leas = [0x48, 0x8d, 0x05, ...word(displacement), 0x67, 0x48, 0x8d, 0x0d, ...word(displacement)];
      await run([...nops, ...leas, 0xf4], ExitReason.Halt, (vcpu) => {
        const { rax, rcx } = vcpu.getState();
        const end = BigInt(BASE + others + 7);
        expect(rax).toBe(BigInt.asUintN(64, end + BigInt(displacement)));
        expect(rcx).toBe(BigInt.asUintN(32, end + 8n + BigInt(displacement)));
      });
    }
  });

  test('leads to memory there, with an immediate between the two', async () => {
    // nop; mov dword [rip + 2^31 - 1], 0x12345678: beyond all RAM, so that the access leaves with its address
    const code = [0x90, 0xc7, 0x05, ...word(0x7fff_ffff), ...word(0x1234_5678)];
    await run(code, ExitReason.Mmio, (vcpu) => expect(vcpu.exit.address).toBe(BASE + 11 + 0x7fff_ffff));
  });
});

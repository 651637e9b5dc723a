/**
 * Random code in every mode: the interpreter comes back with an exit, never with a trap of its own, and two runs with different
 * limits pass through the same states.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpuStateOf } from '../../../src/vmm/boot/cpu.js';
import { writeGdt, writeIdentityMap } from '../../../src/vmm/boot/tables.js';
import { InterpVcpu } from '../../../src/vmm/cpu/interp.js';
import type { CpuState } from '../../../src/vmm/cpu/state.js';
import { ExitReason } from '../../../src/vmm/cpu/vcpu.js';
import { GuestMemory } from '../../../src/vmm/memory.js';

const BASE = 0x8000;
const INSTRUCTIONS = 300;
const MAX_EXITS = 400;

/** Opcode bytes that random bytes hit too seldom. */
const prefixes = fc.constantFrom(0x0f, 0x66, 0x67, 0xf2, 0xf3, 0x48, 0x41, 0x64, 0x2e);
const code = fc.uint8Array({ minLength: 64, maxLength: 512 });
const salted = fc.tuple(code, fc.array(fc.tuple(fc.nat(511), prefixes), { maxLength: 64 })).map(([bytes, salt]) => {
  for (const [at, byte] of salt) if (at < bytes.length) bytes[at] = byte;
  return bytes;
});
const registers = fc.array(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), { minLength: 8, maxLength: 8 });

function startState(mode: 'real' | 'prot32' | 'long64', values: readonly bigint[]): CpuState {
  const state = cpuStateOf({ mode, entry: BASE, stack: 0x7f00 });
  const mask = mode === 'long64' ? 0xf_ffffn : 0xf_fffcn;
  for (const [i, name] of (['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'r9'] as const).entries()) {
    // Half of the values are addresses that exist.
    const value = values[i] as bigint;
    state[name] = i % 2 === 0 ? value & mask : mode === 'long64' ? value : value & 0xffff_ffffn;
  }
  return state;
}

/** Runs to the limit in pieces of `piece` instructions; every read is answered by its address. Undefined: too many exits. */
function runOut(vcpu: InterpVcpu, piece: number): ExitReason | undefined {
  const end = vcpu.retired + INSTRUCTIONS;
  let exits = 0;
  while (vcpu.retired < end) {
    let reason: ExitReason | undefined = vcpu.run(Math.min(end, vcpu.retired + piece));
    while (reason !== undefined && reason <= ExitReason.MsrWrite) {
      if (++exits === MAX_EXITS) return undefined;
      const { exit } = vcpu;
      if (!exit.isWrite) exit.bytes.setBigUint64(exit.dataOffset, BigInt(exit.address) * 0x0101_0101n, true);
      reason = vcpu.complete();
    }
    if (reason !== undefined && reason !== ExitReason.Limit) return reason;
  }
  return ExitReason.Limit;
}

describe.each(['real', 'prot32', 'long64'] as const)('random code in %s', (mode) => {
  const memory = new GuestMemory({ ramSize: 1 << 20 });
  const vcpu = new InterpVcpu(memory);

  function prepare(bytes: Uint8Array, values: readonly bigint[]): void {
    memory.fill(0, 1 << 20, 0);
    if (mode !== 'real') writeGdt(memory, mode === 'long64' ? 64 : 32);
    if (mode === 'long64') writeIdentityMap(memory);
    memory.write(BASE, bytes);
    vcpu.invalidateCode(0, 1 << 20);
    vcpu.setState(startState(mode, values));
  }

  test('ends with an exit, the same whatever the pieces', () => {
    fc.assert(
      fc.property(salted, registers, fc.integer({ min: 1, max: 40 }), (bytes, values, piece) => {
        prepare(bytes, values);
        const whole = runOut(vcpu, INSTRUCTIONS);
        // RDTSC shows how many instructions were executed before.
        if (whole === undefined || whole === ExitReason.EngineError || containsRdtsc(bytes)) return;
        const expected = vcpu.getState();
        prepare(bytes, values);
        expect(runOut(vcpu, piece)).toBe(whole);
        expect(vcpu.getState()).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });
});

function containsRdtsc(bytes: Uint8Array): boolean {
  return bytes.some((byte, i) => byte === 0x0f && (bytes[i + 1] === 0x31 || bytes[i + 1] === 0x01));
}

/**
 * Pairs that one handler executes (interp/fuse.ts) are two instructions all the same: code made of them passes through the same states whether
 * it runs whole or an instruction at a time, where nothing is a pair; faults, breakpoints and changes of code fall between the two.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { RAM_BASE } from '../../interp/layout.js';
import { pairs } from '../../interp/opcodes/pairs.js';
import { hexBytes } from '../../src/base/hex.js';
import { loadRows } from '../../src/compare/insn/rows.js';
import { cpuStateOf } from '../../src/vmm/boot/cpu.js';
import { writeGdt, writeIdentityMap } from '../../src/vmm/boot/tables.js';
import { InterpVcpu } from '../../src/vmm/cpu/interp.js';
import type { CpuState } from '../../src/vmm/cpu/state.js';
import { ExitReason } from '../../src/vmm/cpu/vcpu.js';
import { GuestMemory } from '../../src/vmm/memory.js';
import { type Bits, encodeRow, randomOf } from './execute/encode-row.js';

const BASE = 0x8000;
const DATA = 0xa000;
const STACK = 0xb800;
const SIZE = 1 << 20;
const HLT = 0xf4;
const SEED = 1;
const SEQUENCES = 400;

const nameOf = (call: string): string => (/^\w+/.exec(call) as RegExpExecArray)[0];
const inPairs = new Set(pairs.flat().map(nameOf));
/** What leads elsewhere than behind itself, or takes the pointers and the stack away. */
const LEAVES = /^(CALL|RET|POP|LEAVE|JMP|ENTER|XCHG|OUT|IN )/;
const rows = (await loadRows()).filter(
  ({ reg, mem, name }) => !LEAVES.test(name) && [reg, mem].some((call) => call && inPairs.has(nameOf(call))),
);

const memory = new GuestMemory({ ramSize: SIZE });
const vcpu = new InterpVcpu(memory);

/** Code that runs from BASE, and changes nothing but registers, DATA and the stack. */
function prepare(code: readonly number[], bits: Bits, registers: Partial<CpuState> = {}): void {
  memory.fill(0, SIZE, 0x5a);
  writeGdt(memory, bits);
  if (bits === 64) writeIdentityMap(memory);
  memory.write(BASE, Uint8Array.from(code));
  vcpu.invalidateCode(0, SIZE);
  const pointers = {
    rbx: 1n,
    rsp: BigInt(STACK),
    rsi: BigInt(DATA),
    rdi: BigInt(DATA),
    r12: BigInt(DATA),
    r13: BigInt(DATA),
  };
  const state = cpuStateOf({ mode: bits === 64 ? 'long64' : 'prot32', entry: BASE, stack: STACK });
  vcpu.setState({ ...state, ...pointers, rax: 0x1234_5678n, rcx: 0xffff_fff0n, rdx: 7n, rbp: 3n, ...registers });
}

interface Outcome {
  readonly reason: ExitReason;
  readonly retired: number;
  readonly state: CpuState;
  /** Hash of all memory. */
  readonly bytes: string;
}

/** Runs to the end in pieces of so many instructions; undefined where that is an access to no memory. */
function run(piece: number): Outcome | undefined {
  const start = vcpu.retired;
  let reason: ExitReason;
  do reason = vcpu.run(vcpu.retired + piece);
  while (reason === ExitReason.Limit && vcpu.retired - start < 1000);
  if (reason <= ExitReason.MsrWrite) return undefined;
  const bytes = createHash('sha1')
    .update(memory.whole.subarray(RAM_BASE, RAM_BASE + SIZE))
    .digest('hex');
  return { reason, retired: vcpu.retired - start, state: vcpu.getState(), bytes };
}

describe.each([64, 32] as const)('code of pairs in %i-bit mode', (bits) => {
  test('passes through the same states whole, in pieces, and an instruction at a time', () => {
    const random = randomOf(SEED);
    // Addresses in ESI and EDI: they are set anew now and then.
    const restore = [0xbe, 0, 0xa0, 0, 0, 0xbf, 0, 0xa0, 0, 0];
    let ended = 0;
    for (let n = 0; n < SEQUENCES; n++) {
      const code: number[] = [];
      for (let i = 0; i < 12; i++) {
        const row = rows[random(rows.length)];
        code.push(...((row && encodeRow(row, random, DATA, bits)) ?? []));
        if (random(3) === 0) code.push(...restore);
      }
      code.push(HLT);
      const what = `seed ${SEED}, sequence ${n}: ${hexBytes(Uint8Array.from(code))}`;
      prepare(code, bits);
      const whole = run(Infinity);
      if (whole?.reason === ExitReason.Halt) ended++;
      for (const piece of [1, 2 + random(7)]) {
        prepare(code, bits);
        const parts = run(piece);
        expect(parts, `${what}, pieces of ${piece}`).toEqual(whole);
      }
    }
    // The others fault, or access what is no memory.
    expect(ended).toBeGreaterThan(SEQUENCES / 4);
  });
});

describe('between the two instructions of a pair', () => {
  // cmp dword [rsi], 0x5a5a5a5a; jz over inc eax; hlt
  const compare = [0x81, 0x3e, 0x5a, 0x5a, 0x5a, 0x5a, 0x74, 0x02, 0xff, 0xc0, HLT];

  test('a limit stops, at the second instruction', () => {
    prepare(compare, 64);
    expect(vcpu.run(vcpu.retired + 1)).toBe(ExitReason.Limit);
    expect(vcpu.rip).toBe(BASE + 6);
    prepare(compare, 64);
    const start = vcpu.retired;
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.retired - start).toBe(3);
  });

  test('a data breakpoint of the first one is taken, with RIP at the second', () => {
    // The IDT is empty: #DB, double fault, shutdown, at the place of the trap.
    prepare(compare, 64, { dr0: BigInt(DATA), dr7: 0x403n | (0xfn << 16n) });
    const start = vcpu.retired;
    expect(vcpu.run(Infinity)).toBe(ExitReason.Shutdown);
    expect(vcpu.rip).toBe(BASE + 6);
    expect(vcpu.retired - start).toBe(1);
    expect(vcpu.getState().dr6 & 1n).toBe(1n);
  });

  test('a fault of the first one leaves no trace of either, a fault of the second one none of itself', () => {
    // mov eax, [rsi]; mov ecx, [rdi], of which one is at an address that is not mapped
    const loads = [0x8b, 0x06, 0x8b, 0x0f, HLT];
    for (const [register, place, rax] of [
      ['rsi', 0, 0x1234_5678n],
      ['rdi', 2, 0x5a5a_5a5an],
    ] as const) {
      prepare(loads, 64, { [register]: 0x7fff_0000_0000n });
      const start = vcpu.retired;
      expect(vcpu.run(Infinity)).toBe(ExitReason.Shutdown);
      const state = vcpu.getState();
      expect([state.rip, vcpu.retired - start, state.rax, state.rcx]).toEqual([
        BigInt(BASE + place),
        place / 2,
        rax,
        0xffff_fff0n,
      ]);
    }
  });

  test('the first one changes the second one', () => {
    // L: mov [rdi], ecx; mov eax, 1; hlt, where RDI is the address of the 1
    const patch = [0x89, 0x0f, 0xb8, 1, 0, 0, 0, HLT];
    for (let turn = 0; turn < 3; turn++) {
      prepare(patch, 64, { rdi: BigInt(BASE + 3), rcx: 77n });
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(vcpu.getState().rax).toBe(77n);
    }
    // mov [rdi], ecx; mov [rdi+4], eax: a pair; the first makes `add [rdi+4], eax` of the second.
    const pair = [0x89, 0x0f, 0x89, 0x47, 0x04, HLT];
    prepare(pair, 64, { rdi: BigInt(BASE + 2), rcx: 0xf40c_4701n, rax: 1n });
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(memory.whole[RAM_BASE + BASE + 4]).toBe(0x0c);
  });
});

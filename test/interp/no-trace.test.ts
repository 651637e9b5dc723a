/**
 * An instruction that faults leaves no trace of itself (SDM vol. 3A, 6.5: a fault's state is that before the instruction): every row of the
 * opcode table with a memory operand, on a page that is not there, or across from one that is. Registers, flags, x87 and SSE state, memory,
 * and what the exception pushed.
 */
import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../interp/layout.js';
import type { OpcodeRow } from '../../interp/opcodes/row.js';
import { hexBytes } from '../../src/base/hex.js';
import { loadRows } from '../../src/compare/insn/rows.js';
import type { CpuState } from '../../src/vmm/cpu/state.js';
import { encodeRow, randomOf } from './execute/encode-row.js';
import { CODE, LongGuest, vectorOf } from './execute/long-guest.js';

/** Of the 192 KiB from CODE: a page, the one behind it that is not there, and a stack. */
const PAGE = CODE + 0x1_0000;
const ABSENT = PAGE + 0x1000;
const STACK = CODE + 0x2_0800;
const CASES_A_ROW = 12;
const PAGE_FAULT = 14;
const STATUS = 0x8d5n;
const GENERAL = ['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11'] as const;
const SAME = [
  ...GENERAL,
  'r12',
  'r13',
  'r14',
  'r15',
  'ds',
  'es',
  'fs',
  'gs',
  'ldtr',
  'tr',
  'cr0',
  'cr3',
  'cr4',
] as const;

/** Strings take their addresses from registers of their own; these here stand for the operand. */
const POINTERS = [6, 7, 12, 13];

/** With their memory forms only. */
const rows = (await loadRows())
  .filter(({ mem, name, modes }) => mem !== undefined && !/^(undefined|UD[01] )/.test(name) && modes !== 'no64')
  .filter(({ mem }) => !/undefinedOpcode/.test(mem as string))
  .map(({ reg: _reg, ...row }): OpcodeRow => row);
const families = new Map<string, OpcodeRow[]>();
for (const row of rows) {
  const letter = row.name.slice(0, 1);
  families.set(letter, [...(families.get(letter) ?? []), row]);
}

function registersOf(random: (below: number) => number, address: number): BigUint64Array {
  const registers = BigUint64Array.from({ length: 16 }, () => BigInt(random(2 ** 32)) * BigInt(random(2 ** 16)));
  for (const pointer of POINTERS) registers[pointer] = BigInt(address);
  registers[3] = BigInt(random(2));
  registers[4] = BigInt(STACK);
  return registers;
}

describe('an instruction that faults leaves no trace', () => {
  const faulted = new Set<OpcodeRow>();
  for (const [letter, some] of families) {
    it(`${letter}…, ${some.length} encodings`, async () => {
      const guest = await LongGuest.create('AuthenticAMD');
      const { memory, vcpu } = guest;
      guest.map(ABSENT, 0n);
      const random = randomOf(letter.charCodeAt(0));
      for (const row of some) {
        for (let n = 0; n < CASES_A_ROW; n++) {
          const address = n % 3 === 2 ? ABSENT + 0x10 : ABSENT - (n % 3 === 1 ? random(4) : random(64)) - 4;
          const code = encodeRow(row, random, address, 64);
          if (code === undefined) continue;
          const what = `${row.name} ${hexBytes(Uint8Array.from(code))} at ${address.toString(16)}`;
          for (let at = 0; at < 0x1000; at++) memory.whole[RAM_BASE + PAGE + at] = random(256);
          const flags = BigInt(random(0x1000)) & STATUS;
          guest.enter(Uint8Array.from(code), registersOf(random, address), flags, 64);
          const image = vcpu.getState().fxsave.slice();
          // XMM and x87 registers at random, one register stack that is full; exceptions masked.
          for (let at = 32; at < 416; at++) image[at] = random(256);
          image[4] = 0xff;
          vcpu.setState({ ...vcpu.getState(), cr4: 0x620n, fxsave: image });
          const before = vcpu.getState();
          const bytes = memory.whole.slice(RAM_BASE + PAGE, RAM_BASE + PAGE + 0x1000);
          vcpu.run(vcpu.retired + 2);
          const after = vcpu.getState();
          if (vectorOf(after) !== PAGE_FAULT) continue;
          faulted.add(row);
          checkNoTrace(before, after, what);
          const now = memory.whole.subarray(RAM_BASE + PAGE, RAM_BASE + PAGE + 0x1000);
          expect(Buffer.compare(now, bytes), `${what}: memory`).toBe(0);
          const frame = [8, 24, 32].map((at) => memory.readU64(Number(after.rsp) + at));
          expect([frame[0], (frame[1] as bigint) & STATUS, frame[2]], `${what}: frame`).toEqual([
            BigInt(CODE),
            flags,
            BigInt(STACK),
          ]);
        }
      }
    });
  }

  it('and nearly every encoding was made to fault', () => {
    const never = rows.filter((row) => !faulted.has(row)).map(({ name }) => name);
    // What touches no memory, or wants an alignment that chance did not bring.
    const may =
      /^(LEA|NOP|PREFETCH|INVLPG|LGDT|LIDT|LES|LDS|BOUND|ARPL|MOV Sw|MOV[AN]|.*(Vx|Vdq|Vpd|Vps|Gx)|CMPXCHG16B|FXSAVE|FXRSTOR|INVPCID|LLDT|LTR|LMSW|[A-Z]+ Mp|MOVDQA)/;
    expect(never.filter((name) => !may.test(name))).toEqual([]);
    expect(faulted.size).toBeGreaterThan(rows.length / 2);
  });
});

function checkNoTrace(before: CpuState, after: CpuState, what: string): void {
  for (const name of SAME) expect(after[name], `${what}: ${name}`).toEqual(before[name]);
  expect(after.rflags & STATUS, `${what}: flags`).toBe(before.rflags & STATUS);
  expect(Buffer.compare(after.fxsave, before.fxsave), `${what}: x87 and SSE`).toBe(0);
}

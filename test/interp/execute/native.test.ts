/**
 * Every integer instruction that user mode has, in 64-bit and 32-bit mode, against the processor of the host: registers, memory and all status
 * flags, also the undefined ones where the host is of a vendor whose way the interpreter follows by measurement (AMD). On another
 * vendor's processor, the undefined flags of the opcode table are masked.
 */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { rows as alu } from '../../../interp/opcodes/alu.js';
import { rows as bcd } from '../../../interp/opcodes/bcd.js';
import { rows as bitRows } from '../../../interp/opcodes/bits.js';
import { rows as bmi } from '../../../interp/opcodes/bmi.js';
import { rows as branch } from '../../../interp/opcodes/branch.js';
import { rows as convert } from '../../../interp/opcodes/convert.js';
import { rows as exchange } from '../../../interp/opcodes/exchange.js';
import { rows as flagops } from '../../../interp/opcodes/flagops.js';
import { rows as move } from '../../../interp/opcodes/move.js';
import { rows as muldiv } from '../../../interp/opcodes/muldiv.js';
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import { rows as shift } from '../../../interp/opcodes/shift.js';
import { rows as stack } from '../../../interp/opcodes/stack.js';
import { rows as string } from '../../../interp/opcodes/string.js';
import { type Bits, encodeRow, type Random, randomOf } from './encode-row.js';
import { LongGuest } from './long-guest.js';
import { buildNativeOracle, NATIVE_OPERAND, type NativeCase } from './native-oracle.js';

const CASES_A_ROW = 60;
const STATUS = { CF: 0x001n, PF: 0x004n, AF: 0x010n, ZF: 0x040n, SF: 0x080n, OF: 0x800n } as const;
const ALL_STATUS = 0x8d5n;
/** Where the memory operands lie in the 64 bytes. */
const OPERAND = NATIVE_OPERAND + 24;
const names = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
/** Needs the privilege of the kernel, or means another thing there. */
const notHere = /^(POPF|INS|OUTS|RET|CALL [EJ]|JMP Ev|PREFETCHW|BOUND|PUSH [CDES]S)/;

const interesting = [
  0n,
  1n,
  2n,
  7n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];

function word(random: Random): bigint {
  const value = (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32));
  const choice = random(4);
  if (choice === 0) return interesting[random(interesting.length)] ?? 0n;
  return choice === 1 ? value & 0xffn : value;
}

function makeCase(row: OpcodeRow, random: Random, bits: Bits): NativeCase | undefined {
  const code = encodeRow(row, random, OPERAND, bits);
  if (code === undefined) return undefined;
  const registers = BigUint64Array.from({ length: 16 }, () => word(random));
  const at = BigInt(OPERAND);
  registers[4] = at;
  for (const i of [6, 7, 12, 13]) registers[i] = at;
  registers[3] = BigInt(random(2));
  if (/^(XLAT|ENTER|LEAVE)/.test(row.name)) {
    registers[3] = at;
    registers[5] = at + 8n;
    registers[0] = BigInt(random(8));
  }
  const repeat = /^(MOVS|CMPS|STOS|LODS|SCAS)/.test(row.name);
  if (repeat) {
    registers[1] = BigInt(random(4));
    registers[7] = at + BigInt(random(16)) - 8n;
    if (random(2) === 0) code.unshift(random(2) === 0 ? 0xf3 : 0xf2);
    if (bits === 64 && random(3) === 0) code.unshift(0x67);
  }
  if (/^(LOOP|JrCXZ)/.test(row.name) && random(2) === 0) code.unshift(0x67);
  if (/^DIV|^IDIV/.test(row.name)) registers[2] = random(2) === 0 ? BigInt(random(8)) : 0xffff_ffff_ffff_ffffn;
  // An index into a string of bits stays near its base.
  if (/^BT/.test(row.name))
    for (const i of [0, 1, 2, 5, 8, 9, 10, 11, 14, 15]) registers[i] = BigInt.asUintN(64, BigInt(random(256) - 64));
  if (/^BT/.test(row.name)) for (const i of [4, 6, 7, 12, 13]) registers[i] = at;
  let flags = 0n;
  for (const bit of Object.values(STATUS)) if (random(2) === 0) flags |= bit;
  if (repeat && random(3) === 0) flags |= 0x400n;
  const memory = Uint8Array.from({ length: 64 }, () => (random(3) === 0 ? random(256) : random(2) * 255));
  // A comparison that succeeds.
  if (row.name.startsWith('CMPXCHG') && random(2) === 0) {
    memory.fill(0);
    registers[0] = 0n;
    registers[2] = 0n;
  }
  if (bits === 32) for (const [i, value] of registers.entries()) registers[i] = i < 8 ? value & 0xffff_ffffn : 0n;
  return { bits, code: Uint8Array.from(code), registers, flags, memory };
}

/** BT with RSP or another pointer as index would reach far away; the pointers as index are left out. */
function reachesFar(row: OpcodeRow, item: NativeCase): boolean {
  if (!/^BT. ?Ev,Gv/.test(row.name)) return false;
  const opcode = item.code.indexOf(0x0f);
  const modrm = item.code[opcode + 2] ?? 0;
  const rex = item.code[opcode - 1] ?? 0;
  const reg = ((modrm >> 3) & 7) | ((rex & 0xf4) === 0x44 ? 8 : 0);
  return modrm < 0xc0 && [4, 6, 7, 12, 13].includes(reg);
}

const vendor = /AuthenticAMD/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'AuthenticAMD' : 'GenuineIntel';

function maskOf(row: OpcodeRow, item: NativeCase): bigint {
  if (vendor === 'AuthenticAMD') return ALL_STATUS;
  let mask = ALL_STATUS;
  for (const name of row.undefinedFlags ?? []) mask &= ~STATUS[name as keyof typeof STATUS];
  return item.code.length > 0 ? mask : 0n;
}

/** SHLD and SHRD of 16 bits by more than 16: even the result is undefined. */
function undefinedResult(row: OpcodeRow, item: NativeCase): boolean {
  if (vendor === 'AuthenticAMD') return false;
  if (!/^SH[LR]D/.test(row.name) || item.code[0] !== 0x66) return false;
  const count = row.name.endsWith('CL') ? Number((item.registers[1] ?? 0n) & 31n) : (item.code.at(-1) ?? 0) & 31;
  return count > 16;
}

const signals: Record<number, number> = { 0: 8, 6: 4, 12: 7, 13: 11, 14: 11 };
const oracle = buildNativeOracle();
const families = {
  alu,
  bcd,
  bits: bitRows,
  bmi,
  branch,
  convert,
  exchange,
  flagops,
  move,
  muldiv,
  shift,
  stack,
  string,
};

describe('integer instructions give what the processor of this host gives', () => {
  if ('missing' in oracle) {
    it.skip(`skipped: ${oracle.missing}`, () => {});
    return;
  }
  afterAll(() => oracle.close());
  for (const [family, rows] of Object.entries(families))
    for (const bits of [64, 32] as const) {
      if (rows.every((row) => row.modes === (bits === 64 ? 'no64' : 'only64'))) continue;
      it(`${family}, ${bits} bits`, async () => {
        const guest = await LongGuest.create(vendor);
        const random = randomOf(0x5eed);
        const cases: [OpcodeRow, NativeCase][] = [];
        for (const row of rows) {
          if (notHere.test(row.name)) continue;
          for (let i = 0; i < CASES_A_ROW; i++) {
            const item = makeCase(row, random, bits);
            if (item !== undefined && !reachesFar(row, item)) cases.push([row, item]);
          }
        }
        const native = oracle.run(cases.map(([, item]) => item));
        const wrong: string[] = [];
        cases.forEach(([row, item], number) => {
          const want = native[number];
          if (want === undefined || undefinedResult(row, item)) return;
          const have = guest.run(item, NATIVE_OPERAND);
          const different: string[] = [];
          const haveSignal = have.vector === undefined ? 0 : (signals[have.vector] ?? -1);
          if (haveSignal !== want.signal) different.push(`signal ${want.signal}, vector ${have.vector}`);
          else if (want.signal === 0) {
            want.registers.forEach((value, i) => {
              const other = have.registers[i] ?? 0n;
              if (value !== other)
                different.push(`${names[i] ?? `r${i}`} ${value.toString(16)}, got ${other.toString(16)}`);
            });
            const mask = maskOf(row, item) | 0x400n;
            if (((want.flags ^ have.flags) & mask) !== 0n) {
              different.push(`flags ${(want.flags & mask).toString(16)}, got ${(have.flags & mask).toString(16)}`);
            }
            const same = want.memory.every((value, i) => value === have.memory[i]);
            if (!same)
              different.push(
                `memory ${Buffer.from(want.memory).toString('hex')}, got ${Buffer.from(have.memory).toString('hex')}`,
              );
          }
          if (different.length > 0) {
            wrong.push(
              `${row.name} [${Buffer.from(item.code).toString('hex')}] flags ${item.flags.toString(16)} ` +
                `${Array.from(item.registers, (value) => value.toString(16)).join(' ')}: ${different.join('; ')}`,
            );
          }
        });
        expect(wrong.slice(0, 10), `${wrong.length} of ${cases.length} cases differ`).toEqual([]);
      });
    }
});

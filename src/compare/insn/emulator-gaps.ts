/**
 * What KVM's emulator (arch/x86/kvm/emulate.c) does not execute, by opcode, with the place that says so. Where it meets one of these,
 * x86_decode_insn or x86_emulate_insn returns EMULATION_FAILED and the run ends in KVM_EXIT_INTERNAL_ERROR, suberror 1. Read in Linux's source and
 * measured at CPL 0 and in real mode on a host without VT-x and AMD-V (docs/kvm-emulator.md).
 */
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { InsnCase } from './case.js';
import type { Level } from './levels.js';
import { measured } from './measured.js';
import { hasPrefix, indexRegister, opcodeOf } from './prefixes.js';

/** A part of the opcode map. */
export interface EmulatorGap {
  /** A few words. */
  readonly title: string;
  /** Encodings of the opcode table. */
  readonly encodings: RegExp;
  /** Where in emulate.c. */
  readonly source: string;
  /** Where; absent: at CPL 0 and in real mode. */
  readonly only?: 'kernel' | 'real';
  /** Only some cases of these encodings are not executed. */
  readonly isSome?: true;
  /** Not executed only then. */
  readonly when?: (one: InsnCase) => boolean;
}

/** Prefixes that name an SSE or VEX instruction. */
const ANY = '^(66 |F2 |F3 )?(REX\\.W )?';

/** The table. */
export const EMULATOR_GAPS: readonly EmulatorGap[] = [
  {
    title: 'x87, but for FNINIT, FNSTCW and FNSTSW to memory',
    encodings: /^(D[8ACEF] |D9 (?!\/7)|DB (?!E3)|DD (?!\/7)|9B$)/,
    source:
      'opcode_table, D8 to DF: "N, E(0, &escape_d9), N, E(0, &escape_db), N, E(0, &escape_dd), N, N"; the three escapes know one instruction each',
  },
  {
    title: 'MMX and SSE, but for MOVUPx, MOVAPx, MOVNTPx, MOVDQA, MOVDQU, MOVNTDQ and MOVQ mm',
    encodings: new RegExp(
      `${ANY}0F (1[2-7]|2[ACDEF]|[56][0-9A-E]|5F|7[0-9A-E]|C[2456]|D[0-9A-F]|E[0-689A-F]|F[0-9A-E]) |^(F2|F3) 0F (10|11|28|29|2B) |^F2 0F [67]F |^(F2 |F3 )?0F E7 |^0F 77$`,
    ),
    source: 'twobyte_table: "N" there; pfx_0f_10_0f_11 and pfx_0f_28_0f_29 end in "N, N", for F2 and F3',
  },
  {
    title: '0F 38 and 0F 3A, but for MOVBE',
    encodings: new RegExp(`${ANY}0F (38 (?!F[01])|3A )|^(66 )?F[23] 0F 38 F[01] |^66 0F 38 F6`),
    source:
      'opcode_map_0f_38: "X16(N), X16(N)" and so on, three_byte_0f_38_f0: "ID(0, &instr_dual_0f_38_f0), ID(0, &instr_dual_0f_38_f0), N, N"; ' +
      'there is no table for 0F 3A',
  },
  {
    title: 'instructions with a VEX prefix (BMI1, BMI2)',
    encodings: /^VEX/,
    source: 'x86_decode_insn: "ctxt->d = NotImpl" for C4 and C5 that begin a VEX prefix',
  },
  {
    title: 'DAA, AAA, AAS, BOUND, ARPL, INT1',
    encodings: /^(27|37|3F|F1)$|^(62|63) \/r$/,
    source:
      'opcode_table: 27, 37, 3F and 62 are "N", mode_dual_63 begins with "N" for 32-bit code; F1 is "DI(ImplicitOps, icebp)", which ' +
      'x86_emulate_insn does not know ("goto cannot_emulate")',
  },
  {
    title: 'VERR, VERW, LAR, LSL',
    encodings: /^0F (00 \/[4-7]|0[23] \/r)$/,
    source: 'group6 ends in "N, N, N, N"; twobyte_table, 02 and 03: "N, N"',
  },
  {
    title: 'CLAC, STAC, SWAPGS, MONITOR',
    encodings: /^0F 01 (C8|CA|CB|F8)$/,
    source: 'group7_rm1: "DI(SrcNone | Priv, monitor)" with nothing to execute, then N; group7_rm7 begins with "N"',
  },
  {
    title: 'POPCNT, UD0, UD1 and opcodes that no processor has',
    encodings:
      /^(F3 )?0F B8 |^(F2 |F3 )?0F B8$|^0F (04|07|0[ACEF]|2[4-7]|3[679B-F]|7A|7B|A6|A7|B8|B9|FF)( \/r)?$|^0F BA \/[0-3]|^0F C7 \/[02-7]|^(66|F2|F3) 0F (78|79|B8|D6|E6|F0)/,
    source: 'twobyte_table: "N" there; group8 begins with "N, N, N, N", group9 knows /1 in memory and F3 /7',
  },
  {
    title: 'reserved NOPs 0F 19 to 0F 1E',
    encodings: /^0F 1[9A-E] \/r$/,
    source:
      'twobyte_table, 1A and 1B: "N, N"; for 19 and 1C to 1E, which are in the table, x86_emulate_insn has no case ("case 0x18:", "case 0x1f:") and goes to ' +
      'cannot_emulate',
  },
  {
    title: 'LDMXCSR, STMXCSR, CLWB and the FS and GS base instructions',
    encodings: /^(66 |F2 |F3 )?0F AE \/[2-6]$|^F3 0F AE \/[01]$|^F[23] 0F AE \/7$/,
    source: 'group15, in memory: /2 to /6 are "N"; pfx_0f_ae_7 ends in "N, N"; among registers all is "N"',
  },
  {
    title: 'INT3, INT n and INTO that traps, outside real mode',
    encodings: /^(CC|CD ib|CE)$/,
    source: 'emulate_int: "Protected mode interrupts unimplemented yet", X86EMUL_UNHANDLEABLE',
    only: 'kernel',
  },
  {
    title: 'the fences and UD2 in real mode',
    encodings: /^0F 0B$|^(66 )?0F AE (F[8-F]|\/[567])$/,
    source:
      'group15, among registers: "N, N, N, N, N, N, N, N"; twobyte_table, 0B: "N". ' +
      measured('some fences are executed, and UD2 is #UD outside real mode'),
    only: 'real',
  },
  {
    title: 'far transfers beyond the limit of the segment',
    encodings: /^(FF \/[35]|EA ptr|9A ptr|CA iw|CB)$/,
    source:
      'em_jmp_far and em_ret_far: "Error handling is not implemented", X86EMUL_UNHANDLEABLE where assign_eip_far fails',
    isSome: true,
  },
  {
    title: 'ENTER with a nesting level',
    encodings: /^C8 iw ib$/,
    source: 'em_enter: "if (nesting_level) return X86EMUL_UNHANDLEABLE"',
    when: ({ code }) => ((code.at(-1) as number) & 31) !== 0,
  },
  {
    title: 'FXSAVE and FXRSTOR with an index register in 64-bit code',
    encodings: /^0F AE \/[01]$/,
    source:
      'check_fxsr: "if (ctxt->mode >= X86EMUL_MODE_PROT64) return X86EMUL_UNHANDLEABLE"; ' +
      measured('what has no index register is executed'),
    when: ({ code, bits }) => {
      const [rex, [, , modrm = 0, sib = 0]] = opcodeOf(code, bits);
      const index = indexRegister(modrm, sib, rex);
      return bits === 64 && index !== undefined && (index & 7) !== 4;
    },
  },
  {
    title: 'F3 before MOVBE, which is #UD',
    encodings: /^0F 38 F[01] /,
    source: 'three_byte_0f_38_f0: "ID(0, &instr_dual_0f_38_f0), ID(0, &instr_dual_0f_38_f0), N, N", the last for F3',
    when: ({ code }) => hasPrefix(code, 0xf3),
  },
  {
    title: '66 together with F2 or F3 before a move of SSE',
    encodings: /^(66 |F3 )?0F (10|11|28|29|2B|6F|7F|E7) |0F 38 F[01] |0F AE \/7$/,
    source: 'x86_decode_insn, case Prefix: "if (ctxt->rep_prefix && op_prefix) return EMULATION_FAILED"',
    when: ({ code }) => hasPrefix(code, 0x66) && (hasPrefix(code, 0xf2) || hasPrefix(code, 0xf3)),
  },
  {
    title:
      'register forms that are #UD: LEA, MOVNTPx, MOVNTI, MOVBE, SGDT, SIDT, LGDT, LIDT, INVLPG, CMPXCHG8B, FNSTCW, FNSTSW, FXSAVE, FXRSTOR',
    encodings:
      /^(66 |F2 |F3 )?0F AE \/[0-3]$|^8D \/r$|^(66 |F2 |F3 )?0F (2B|C3) \/r$|0F 38 F[01] \/r$|^0F 01 \/[012357]$|0F C7 \/1$|^D[9D] \/7$/,
    source:
      'instr_dual_8d "D(DstReg | SrcMem | ModRM | NoAccess), N", instr_dual_0f_2b, instr_dual_0f_c3 and instr_dual_0f_38_f0 likewise; group7_rm0 to rm3, group9, group15, escape_d9, escape_dd',
    when: ({ code }) => (code.at(-1) as number) >= 0xc0,
  },
  {
    title: 'CMPXCHG16B',
    encodings: /^REX\.W 0F C7 \/1$/,
    source: 'em_cmpxchg8b: "if (ctxt->dst.bytes == 16) return X86EMUL_UNHANDLEABLE"',
  },
];

/** Has the emulator no entry for the row? */
export function isUnknownToEmulator({ encoding }: OpcodeRow): boolean {
  return EMULATOR_GAPS.some(
    (gap) => gap.when === undefined && gap.isSome !== true && gap.only === undefined && gap.encodings.test(encoding),
  );
}

/** Is a case one that the emulator does not execute at the level, or may not execute? */
export function isGap(one: InsnCase, level: Level): boolean {
  return EMULATOR_GAPS.some(
    (gap) =>
      (gap.only ?? level) === level &&
      gap.encodings.test(one.row.encoding) &&
      (gap.when === undefined || gap.when(one)),
  );
}

/** What is not generated, row by row of the opcode table, with the reason. */
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { LongLevel } from './image.js';

/** Rows by mnemonic that the comparison leaves out. */
export interface LeftOut {
  readonly names: RegExp;
  readonly levels: readonly LongLevel[];
  readonly reason: string;
}

/** The table. */
export const LEFT_OUT: readonly LeftOut[] = [
  {
    names: /^(SYSCALL|SYSENTER|SYSRET|SYSEXIT)\b/,
    levels: ['user', 'user32', 'kernel'],
    reason: "leads to the kernel's entry point and not back; system guests test it (test/interp/system)",
  },
  {
    names: /^(CPUID|RDTSCP?|RDPID|RDPMC|RDRAND|RDSEED|XGETBV)\b/,
    levels: ['user', 'user32', 'kernel'],
    reason: 'its result is the host: the determinism ledger treats it',
  },
  {
    names:
      /^(L[GIL]DT|LTR|LMSW|CLTS|MOV Cy|MOV Dy|MOV Sw|WRMSR|RDMSR|HLT|IRET|SWAPGS|WR[FG]SBASE|INT|IN|OUT|INS|OUTS|POPF|RETF|L[DEFGS]S|POP [DEFGS]S|STAC|CLAC|MWAIT|XSETBV|INVPCID|JMP [AM]p|CALL [AM]p)\b/,
    levels: ['kernel'],
    reason: 'at CPL 0 it changes what the harness stands on, or leaves; system guests test it (test/interp/system)',
  },
];

/** Why a row is not generated; undefined: it is. */
export function leftOut(row: OpcodeRow, level: LongLevel): LeftOut | undefined {
  return LEFT_OUT.find(({ names, levels }) => levels.includes(level) && names.test(row.name));
}

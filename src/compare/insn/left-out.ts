/** What is not generated, row by row of the opcode table, with the reason. */
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { Oracle } from './comparison.js';
import { type Level, USER_LEVELS } from './levels.js';
import { measured } from './measured.js';

/** Rows by mnemonic that the comparison leaves out. */
export interface LeftOut {
  readonly names: RegExp;
  readonly levels: readonly Level[];
  /** Absent: both. */
  readonly oracle?: Oracle;
  readonly reason: string;
}

const ALL: readonly Level[] = [...USER_LEVELS, 'kernel', 'real'];

/** The table. */
export const LEFT_OUT: readonly LeftOut[] = [
  {
    names: /^(SYSCALL|SYSENTER|SYSRET|SYSEXIT)\b/,
    levels: [...USER_LEVELS, 'kernel'],
    reason: "leads to the kernel's entry point and not back; system guests test it (test/interp/system)",
  },
  {
    names: /^(CPUID|RDTSCP?|RDPID|RDPMC|RDRAND|RDSEED|XGETBV)\b/,
    levels: ALL,
    reason: 'its result is the host: the determinism ledger treats it',
  },
  {
    names: /^SERIALIZE\b/,
    levels: ALL,
    oracle: 'kvm',
    reason: `${measured('it is executed, which the processor does not do: there it is #UD')}; a process of the host compares it`,
  },
  {
    names: /^(SGDT|SIDT|SMSW|SLDT|STR)\b/,
    levels: USER_LEVELS,
    oracle: 'process',
    reason: 'Linux sets CR4.UMIP and answers for the processor (arch/x86/kernel/umip.c); KVM runs it',
  },
  {
    names:
      /^(L[GIL]DT|LTR|LMSW|CLTS|MOV Cy|MOV Dy|MOV Sw|WRMSR|RDMSR|HLT|IRET|SWAPGS|WR[FG]SBASE|INT|IN|OUT|INS|OUTS|POPF|RETF|L[DEFGS]S|POP [DEFGS]S|STAC|CLAC|MWAIT|XSETBV|INVPCID|JMP [AM]p|CALL [AM]p)\b/,
    levels: ['kernel'],
    reason: 'at CPL 0 it changes what the harness stands on, or leaves; system guests test it (test/interp/system)',
  },
  {
    names: /^(LIDT|LMSW|MOV (Cy|Dy),|WRMSR|RDMSR|HLT|(IN|OUT|INS|OUTS)\b|MWAIT|XSETBV)/,
    levels: ['real'],
    reason: 'it changes what the harness stands on, or leaves; system guests test it (test/interp/system)',
  },
];

/** Why a row is not generated; undefined: it is. */
export function leftOut(row: OpcodeRow, level: Level, oracle: Oracle): LeftOut | undefined {
  return LEFT_OUT.find(
    (it) => it.levels.includes(level) && (it.oracle ?? oracle) === oracle && it.names.test(row.name),
  );
}

/**
 * INT n that leads into the host itself at CPL 3: 80h is Linux's own system call; of all 256 vectors, tried on the
 * machine of measured.ts, 17h, 19h and 1Ah come back as traps of the hypervisor's own table, and a process of the host gets #GP(n * 8 + 2) for
 * them as for the others.
 */
export const HOST_VECTORS: Readonly<Record<Oracle, ReadonlySet<number>>> = {
  kvm: new Set([0x17, 0x19, 0x1a, 0x80]),
  process: new Set([0x80]),
};

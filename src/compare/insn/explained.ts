/** Differences that are known and none of the interpreter's: row by row, with what says so. Nothing else is excused. */
import type { InsnCase } from './case.js';
import type { FieldDifference } from './difference.js';
import type { LongLevel } from './image.js';
import { Case } from './layout.js';

/** A row: holds for the opcodes and fields named, and nothing else. */
export interface Explanation {
  /** A few words. */
  readonly title: string;
  readonly levels: readonly LongLevel[];
  /** The name in the opcode table. */
  readonly names: RegExp;
  /** `kind` of the difference. */
  readonly kinds: RegExp;
  /** Manual, erratum or source. */
  readonly source: string;
  readonly when?: (one: InsnCase, difference: FieldDifference) => boolean;
}

const USER: readonly LongLevel[] = ['user', 'user32'];
const PVM =
  'arch/x86/kvm/pvm/pvm.c, handle_exit_exception: `case GP_VECTOR: err = kvm_emulate_instruction(vcpu, EMULTYPE_PVM_GP)`, and #UD ' +
  'goes to handle_ud likewise: whatever raises them at CPL 3 is tried again by emulate.c, and its answer counts';
/** Checked by tools outside any guest: what a process of this very host gets for the same bytes. */
const PROCESS = 'In a process of the same host, the instruction does what the interpreter does';

const FAR = /^(RETF|IRET|JMP Mp|CALL Mp|L[FGS]S |MOV Sw|POP [FG]S)/;

/** The table. */
export const EXPLAINED: readonly Explanation[] = [
  {
    title: 'kvm_pvm: an instruction that raises #GP at CPL 3 and is unknown to the emulator raises #UD',
    levels: USER,
    names:
      /( |,)([VWUPQN][a-z]{1,3}|U[a-z]+|M[a-z]*|M512byte)(,|$)|^(ANDN|BLS|BEXTR|BZHI|PDEP|PEXT|MULX|S[AH][LR]X|RORX|MOVBE|CRC32|INT Ib|POPCNT|.ZCNT|AD[CO]X|VER[RW]|LAR|LSL|F[A-Z])|^(JMP|CALL) Mp|INVPCID/,
    kinds: /^exception #GP for #UD$/,
    source: `${PVM}: handle_emulation_failure queues #UD. ${PROCESS}: SIGSEGV for a misaligned or non-canonical operand`,
  },
  {
    title: 'kvm: an operand across the end of the canonical addresses is #GP, the emulator reads its first page',
    levels: USER,
    names: /./,
    kinds: /^exception (#GP|#SS) for #PF$/,
    source: `${PVM}; emulate.c, linearize checks the operand's first byte. ${PROCESS}: #GP for 8 and 16 bytes at 7FFFFFFFFFFCh`,
    when: (_, { expected }) => /CR2 0x(00007fff|ffffffff)fffff[0-9a-f]{3}\)$/.test(expected),
  },
  {
    title: 'kvm: with an SS prefix and no stack register as base, the emulator raises #SS for a non-canonical address',
    levels: USER,
    names: /./,
    kinds: /^exception #GP for #SS$/,
    source: `${PVM}; emulate.c, __linearize: "if (addr.seg == VCPU_SREG_SS) return emulate_ss". ${PROCESS}: #GP for 36 8B 08`,
    when: ({ code, bits }) => bits === 64 && hasPrefix(code, 0x36),
  },
  {
    title: 'misaligned and not canonical through the stack: silicon #GP (then kvm_pvm: #UD), the interpreter #SS',
    levels: USER,
    names: /( |,)[VW][a-z]+/,
    kinds: /^exception #SS for #(UD|GP)$/,
    source:
      'SDM vol. 3, 6.9, table 6-2: #SS and #GP are of one class; the order within a class is implementation-dependent',
  },
  {
    title: 'kvm_pvm: SGDT, SIDT, SLDT, STR and SMSW at CPL 3 are emulated, without alignment checks',
    levels: USER,
    names: /^(S[GI]DT Ms|SLDT Ev|STR Ev|SMSW Ev)$/,
    kinds: /^(exception #AC for (none|#PF)|memory around the window|memory)$/,
    source:
      `${PVM} (the host's CR4.UMIP makes them #GP, also in a process); emulate.c, __linearize: insn_alignment() is 1 but for SSE. SDM vol. 2, ` +
      'SGDT: "#AC(0) If alignment checking is enabled and an unaligned memory reference is made while CPL = 3"',
    when: ({ record }) => ((record[Case.flags + 2] ?? 0) & 4) !== 0,
  },
  {
    title: 'kvm_pvm: a privileged instruction that is #UD on silicon raises #GP',
    levels: USER,
    names: /^(MONITOR|MWAIT|MOV (Ry,Cy|Cy,Ry|Ry,Dy|Dy,Ry)|IRET|L[GI]DT Ms|INVLPG Mb|LMSW Ew)/,
    kinds: /^exception #UD for #GP$/,
    source:
      `${PVM}; emulate.c, x86_emulate_insn: "Privileged instruction can be executed only in CPL=0": emulate_gp. ${PROCESS}: ` +
      'SIGILL for MOV from CR7 and DR15, MONITOR, MWAIT, LOCK IRET',
  },
  {
    title: 'kvm: the emulator executes the register form of MOVNTDQ and MOVNTPS, which is #UD',
    levels: USER,
    names: /^MOVNT/,
    kinds: /^exception #UD for none$/,
    source: `${PVM}; emulate.c, pfx_0f_e7 and pfx_0f_2b: I(Sse, em_mov) without a check of ModRM.mod. ${PROCESS}: SIGILL`,
  },
  {
    title: 'kvm: the emulator executes FXSAVE and FXRSTOR with a misaligned operand, which is #GP',
    levels: USER,
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^exception #GP for (none|#PF)$/,
    source: `${PVM}; emulate.c, em_fxsave and em_fxrstor. ${PROCESS}: SIGSEGV`,
  },
  {
    title:
      'kvm: the emulator takes 66, F2 and F3 before group 15, and LOCK before it, which are #UD, for FXSAVE and FXRSTOR',
    levels: USER,
    names: /^(FXSAVE|FXRSTOR|LDMXCSR|STMXCSR|(RD|WR)[FG]SBASE|CLWB|CLFLUSHOPT|[LMS]FENCE|undefined)/,
    kinds: /^(exception #UD for (none|#GP|#PF|#SS)|memory around the window)$/,
    source: `${PVM}; emulate.c, group15 and em_fxsave do not look at prefixes. ${PROCESS}: SIGILL for 66 and F3 before 0F AE /0 and /3`,
    when: ({ row }) => row.encoding.includes('0F AE'),
  },
  {
    title: 'kvm: the emulator executes MOVNTI with 66, F2 or F3, which is #UD',
    levels: USER,
    names: /^undefined$/,
    kinds: /^(exception #UD for |memory)/,
    source: `${PVM}; emulate.c, twobyte_table entry C3: em_mov without Prefix. ${PROCESS}: SIGILL`,
    when: ({ row }) => /^(66|F2|F3) 0F C3/.test(row.encoding),
  },
  {
    title: 'XSAVE, XRSTOR and the like: the model has none, the interpreter says so as an engine error',
    levels: USER,
    names: /^([LMS]FENCE|CLWB|CLFLUSHOPT|FXSAVE|FXRSTOR|CMPXCHG8B|RD[FG]SBASE|WR[FG]SBASE)/,
    kinds: /^exception not executed for /,
    source:
      'docs/determinism.md: a guest that executes what CPUID hides has hit an open row of the ledger, and replay never calls it exact',
  },
  {
    title: 'kvm: SLDT and STR with REX.W write 8 bytes to memory instead of 2',
    levels: USER,
    names: /^(SLDT|STR) Ev$/,
    kinds: /^memory( around the window)?$/,
    source:
      `${PVM} (UMIP raises #GP on the host); emulate.c, em_store_sreg: "if (ctxt->dst.bytes == 4 && ctxt->dst.type == OP_MEM) ` +
      'ctxt->dst.bytes = 2", which leaves 8 as it is. SDM vol. 2, SLDT: 16 bits to memory whatever the operand size',
  },
  {
    title: 'kvm_pvm: NT that POPF sets is lost',
    levels: USER,
    names: /^(POPF|IRET)$/,
    kinds: /^RFLAGS NT$/,
    source: `pvm.c, load_regs: SWITCH_ENTER_EFLAGS_ALLOWED. ${PROCESS}: PUSHF after POPF of 4000h gives 4206h`,
  },
  {
    title: 'kvm_pvm: far transfers and segment loads see the host descriptor tables, or the emulator',
    levels: USER,
    names: FAR,
    kinds: /^(exception|error code|segment register|FS\.base|GS\.base)/,
    source:
      'pvm.c keeps the hardware GDT of the host while user code runs: a selector that Linux has and the guest has not (TLS, 7Bh) loads; ' +
      'the rest is #GP and goes to the emulator, which has no IRET in long mode (emulate.c, em_iret)',
  },
  {
    title: 'kvm_pvm: LAR, LSL, VERR and VERW see the host descriptor tables',
    levels: USER,
    names: /^(LAR|LSL|VERR|VERW) /,
    kinds: /^(RFLAGS ZF|register)$/,
    source: 'They are native and not privileged: the descriptor is read from the host GDT (pvm.c, as above)',
  },
  {
    title: 'AMD has MOVNTSS and MOVNTSD (SSE4A), which the model has not',
    levels: USER,
    names: /^undefined$/,
    kinds: /^(exception #UD for |memory)/,
    source: `AMD APM vol. 4, MOVNTSD, MOVNTSS: F2 and F3 0F 2B; natively executed user code reaches them whatever CPUID says. ${PROCESS}`,
    when: ({ row }) => /^F[23] 0F 2B/.test(row.encoding),
  },
  {
    title: 'the host has CR4.OSXSAVE set: XSETBV at CPL 3 is #GP',
    levels: USER,
    names: /^XSETBV$/,
    kinds: /^exception #UD for #GP$/,
    source:
      'SDM vol. 2, XSETBV: #UD if CR4.OSXSAVE = 0, #GP(0) if CPL > 0. Natively executed user code runs under the host CR4',
  },
  {
    title: 'this host reports INT1 as if it were a fault: RIP is not behind it',
    levels: USER,
    names: /^INT1$/,
    kinds: /^RIP$/,
    source:
      'SDM vol. 2, INT1: a trap. A process of this host gets SIGTRAP with RIP at the F1 too: the host is itself a virtual machine that ' +
      'intercepts ICEBP (AMD APM vol. 2, 15.13)',
  },
  {
    title: 'near branches with 66 in 64-bit code: AMD obeys, Intel and the interpreter ignore it',
    levels: ['user', 'kernel'],
    names: /^(J|LOOP|CALL|RET)/,
    kinds: /./,
    source:
      'SDM vol. 2, Jcc and JMP: "in 64-bit mode, the operand size is fixed at 64 bits"; AMD APM vol. 3, Jcc and JMP near: with 66, ' +
      'displacement, RIP and what CALL and RET move have 16 bits',
    when: ({ bits, code, row }) => bits === 64 && row.size !== 'v' && hasPrefix(code, 0x66),
  },
  {
    title: 'LFS, LGS, LSS, JMP and CALL far with REX.W: AMD loads 16:32, Intel and the interpreter 16:64',
    levels: USER,
    names: /^(L[FGS]S |JMP Mp|CALL Mp)/,
    kinds: /./,
    source: 'SDM vol. 2, LFS: "REX.W + 0F B4: LFS r64, m16:64"; AMD APM vol. 3, LFS: the far pointer is 16:16 or 16:32',
    when: ({ bits, code }) => bits === 64 && [...code].some((byte) => (byte & 0xf8) === 0x48),
  },
  {
    title: 'MXCSR_MASK: the host has bit 17 (misaligned SSE)',
    levels: ['user', 'user32', 'kernel'],
    names: /^FXSAVE/,
    kinds: /^memory$/,
    source: 'AMD APM vol. 1, MXCSR: bit 17, MM. The model does not have it (src/vmm/cpu/fxsave.ts MXCSR_MASK)',
    when: (_, { expected, actual }) => onlyMxcsrMask(expected, actual),
  },
  {
    title: 'RCPPS, RSQRTPS: approximations, each processor has its own table',
    levels: USER,
    names: /^(RCP|RSQRT)[SP]S /,
    kinds: /^XMM$/,
    source: 'SDM vol. 2, RCPPS: relative error at most 1.5 × 2^-12; AMD and Intel differ within it',
    when: (_, { expected, actual }) => isNear(BigInt(expected), BigInt(actual)),
  },
];

/** Is the byte among the legacy prefixes? */
function hasPrefix(code: Uint8Array, prefix: number): boolean {
  for (const byte of code) {
    if (byte === prefix) return true;
    if (![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte)) return false;
  }
  return false;
}

/** `at 0x…: hex` pairs that differ in one byte, 02 for 00. */
function onlyMxcsrMask(expected: string, actual: string): boolean {
  return expected.endsWith(': 02') && actual.endsWith(': 00');
}

/** Four singles, each within 1.5 × 2^-12 of the other's exact value, so within twice that of each other. */
function isNear(left: bigint, right: bigint): boolean {
  const view = new DataView(new ArrayBuffer(8));
  for (let i = 0n; i < 4n; i++) {
    view.setUint32(0, Number((left >> (32n * i)) & 0xffff_ffffn));
    view.setUint32(4, Number((right >> (32n * i)) & 0xffff_ffffn));
    const [a, b] = [view.getFloat32(0), view.getFloat32(4)];
    if (view.getUint32(0) !== view.getUint32(4) && !(Math.abs(a - b) <= Math.abs(a) * 3 * 2 ** -12)) return false;
  }
  return true;
}

/** The row that explains a difference; undefined: none. */
export function explanationOf(one: InsnCase, level: LongLevel, difference: FieldDifference): Explanation | undefined {
  return EXPLAINED.find(
    ({ levels, names, kinds, when }) =>
      levels.includes(level) &&
      kinds.test(difference.kind) &&
      names.test(one.row.name) &&
      (when === undefined || when(one, difference)),
  );
}

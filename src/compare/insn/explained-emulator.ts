/**
 * What KVM's emulator (arch/x86/kvm/emulate.c) does otherwise at CPL 0 and in real mode, on a host without VT-x and AMD-V: its bugs, and what
 * it does not execute. Read in Linux's source; docs/kvm-emulator.md shows the table, with how often each row was met.
 */
import type { InsnCase } from './case.js';
import type { FieldDifference } from './difference.js';
import { EMULATOR_GAPS } from './emulator-gaps.js';
import type { Explanation } from './explained.js';
import { REAL_MODE_ROWS } from './explained-emulator-real.js';
import type { Level } from './levels.js';
import { measured } from './measured.js';
import { hasPrefix, indexRegister, opcodeOf } from './prefixes.js';

const EMULATED: readonly Level[] = ['kernel', 'real'];

const row = (it: Omit<Explanation, 'levels' | 'oracle'>): Explanation => ({ levels: EMULATED, oracle: 'kvm', ...it });

/** What a gap shows: the interpreter executes, or raises an exception; what it wrote is not in KVM's memory. */
const NOT_EXECUTED = /^(exception .* for not executed|memory around the window)$/;

const gaps: readonly Explanation[] = EMULATOR_GAPS.map(({ title, encodings, source, only, when }) => ({
  title: `not executed: ${title}`,
  levels: only ? [only] : EMULATED,
  oracle: 'kvm',
  names: /./,
  encodings,
  kinds: NOT_EXECUTED,
  source: `emulate.c, ${source}`,
  ...(when ? { when } : {}),
}));

/** 64-bit code with 66 and without REX.W. */
function isNarrow64({ code, bits }: InsnCase): boolean {
  return bits === 64 && hasPrefix(code, 0x66) && (opcodeOf(code, bits)[0] & 8) === 0;
}

/** The interpreter went on at an address of 16 bits: a page fault of the fetch there. */
function isFetchBelow64K({ field, actual }: FieldDifference): boolean {
  if (field === 'exception') return /^#PF \(error code 0x1[01], CR2 0x000000000000[0-9a-f]{4}\)$/.test(actual);
  return field === 'error code' ? (BigInt(actual) & 0x10n) !== 0n : BigInt(actual) < 0x1_0000n;
}

/** CR2 of a page fault at or above 4 GiB, where the guest has no page. */
function isAbove4G({ expected }: FieldDifference): boolean {
  const [, cr2] = /CR2 (0x[0-9a-f]+)\)$/.exec(expected) ?? [undefined, expected];
  return BigInt(cr2) >= 0x1_0000_0000n;
}

/** A page fault in the last page below the end of the canonical addresses, or below 4 GiB. */
function isAtTheEnd(_: InsnCase, { expected }: FieldDifference): boolean {
  return /CR2 0x(00007fff|ffffffff|00000000)fffff[0-9a-f]{3}\)$/.test(expected);
}

const bugs: readonly Explanation[] = [
  row({
    title: 'TZCNT and LZCNT are executed as BSF and BSR',
    names: /^(TZCNT|LZCNT) /,
    kinds: /^((pushed )?RFLAGS .*|register)$/,
    source: 'emulate.c, twobyte_table, BC and BD: "I(DstReg | SrcMem | ModRM, em_bsf_c)", without a look at F3',
  }),
  row({
    title: 'MOVBE is #UD, as this KVM does not show it to the guest',
    names: /^MOVBE /,
    kinds: /^(exception .* for #UD|memory around the window)$/,
    source: 'emulate.c, em_movbe: "if (!ctxt->ops->guest_has_movbe(ctxt)) return emulate_ud(ctxt)"',
  }),
  row({
    title: 'PUSH of a segment register with a 32-bit operand writes 2 bytes',
    names: /^PUSH [C-GS]S$/,
    kinds: /^(memory|exception #SS for none)/,
    source:
      'emulate.c, em_push_sreg: "if (ctxt->op_bytes == 4) { rsp_increment(ctxt, -2); ctxt->op_bytes = 2; }"; as Intel does; ' +
      measured('the processor writes 4 bytes'),
    when: ({ bits, code }) => bits === 32 || hasPrefix(code, 0x66),
  }),
  row({
    title: 'AAM and AAD set the flags by AX or EAX, not by AL',
    names: /^AA[MD] /,
    kinds: /^(pushed )?RFLAGS/,
    source:
      'emulate.c, em_aam and em_aad: "fastop(ctxt, em_or)" with zero and the operand size of AX or EAX; SDM vol. 2, AAM: the "SF, ZF, and PF flags are set ' +
      'according to the resulting binary value in the AL register"',
  }),
  row({
    title: '66 before a near branch in 64-bit code is ignored, as Intel does',
    names: /^(J[A-Z]+|LOOP[A-Z]*|CALL|RET|JrCXZ) ?/,
    kinds: /^(exception \S+ for .*|RIP|CR2|error code)$/,
    source:
      'emulate.c, x86_decode_insn: "else if (ctxt->d & NearBranch) ctxt->op_bytes = 8"; SDM vol. 2, Jcc: "In 64-bit mode, operand size is fixed at 64 bits"; ' +
      measured('on the processor 66 makes it 16 bits'),
    when: (one, difference) => isNarrow64(one) && isFetchBelow64K(difference),
  }),
  row({
    title: '66 before CALL and RET in 64-bit code does not change the size of the return address',
    names: /^(CALL|RET) ?/,
    kinds: /^(memory after #PF|pushed RSP|register|CR2)$/,
    source:
      'emulate.c, x86_decode_insn: "else if (ctxt->d & NearBranch) ctxt->op_bytes = 8"; ' +
      measured('on the processor the stack moves by 2 bytes'),
    when: (one, { field, expected, actual }) =>
      isNarrow64(one) && (field === 'CR2' ? BigInt(actual) - BigInt(expected) === 6n : !/^R(?!SP$)/.test(field)),
  }),
  row({
    title:
      '66 before a branch in 64-bit code to a target of 64 bits in the read-only page: what fills it is executed, POP RDX up to the absent page',
    names: /^(CALL Ev|JMP Ev|RET|RET Iw)$/,
    kinds: /^(register|pushed RSP)$/,
    source: 'emulate.c, x86_decode_insn: "else if (ctxt->d & NearBranch) ctxt->op_bytes = 8"',
    when: (one, { field, expected }) =>
      isNarrow64(one) && /^(RDX 0x(5a){8}|(pushed )?RSP 0x0*30(2000|1ff[9-f]))$/.test(`${field} ${expected}`),
  }),
  row({
    title: '66 before a Jcc that is not taken does not change the length of its displacement of 32 bits',
    names: /^J[A-Z]+ Jz$/,
    encodings: /^0F 8/,
    kinds: /^(exception \S+ for none|RFLAGS .*|memory)$/,
    source:
      'emulate.c, x86_decode_insn: "else if (ctxt->d & NearBranch) ctxt->op_bytes = 8", and imm_size: "size = (ctxt->d & ByteOp) ? 1 : ctxt->op_bytes"; ' +
      measured('the processor takes 16 bits, and executes the rest'),
    when: isNarrow64,
  }),
  row({
    title: 'ENTER with 66 in 64-bit code pushes 8 bytes',
    names: /^ENTER /,
    kinds: /^(memory|register|exception|CR2|error code)/,
    source: 'emulate.c, em_enter: "emulate_push(ctxt, &rbp, stack_size(ctxt))", whatever the operand size',
    when: ({ code }) => hasPrefix(code, 0x66),
  }),
  row({
    title: 'ENTER does not try a write at the new stack pointer',
    names: /^ENTER /,
    kinds: /^exception (#PF|#SS) for none$/,
    source:
      'emulate.c, em_enter ends with "reg_read(ctxt, VCPU_REGS_RSP) - frame_size"; SDM vol. 2, ENTER: "causes a page fault whenever a write using the final value of the ' +
      'stack pointer (within the current stack segment) would do so"',
  }),
  row({
    title: 'FXRSTOR refuses bits of MXCSR above 15: the mask of misaligned SSE, which AMD has',
    names: /^FXRSTOR /,
    kinds: /^exception none for #GP$/,
    source: 'emulate.c, em_fxrstor: "if (fx_state.mxcsr >> 16) { rc = emulate_gp(ctxt, 0); goto out; }"',
  }),
  row({
    title: 'FXSAVE and FXRSTOR touch their operand from its beginning, AMD its last byte first',
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^(CR2|error code)$/,
    source: 'emulate.c, em_fxrstor: "segmented_read_std(ctxt, ctxt->memop.addr.mem, &fx_state, size)"',
  }),
  row({
    title: 'FXSAVE in 64-bit code writes zeros to its last 96 bytes, which the processor leaves alone',
    names: /^FXSAVE /,
    kinds: /^memory( around the window)?$/,
    source: measured(
      'zeros, though __fxstate_size of emulate.c ends there: "offsetof(struct fxregs_state, xmm_space[0]) + nregs * 16"',
    ),
    when: ({ bits }, { expected }) => bits === 64 && /^(at .*: (00)+)?$/.test(expected),
  }),
  row({
    title:
      'FXSAVE and FXRSTOR in 16- and 32-bit code, or without a REX prefix in 64-bit code, are executed as FXSAVE64 and FXRSTOR64',
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^(FIP|FDP|memory)$/,
    source:
      'emulate.c, em_fxsave and em_fxrstor: "Emulation uses (3) for (1) and (2)", "(4) is not emulated": there is one form for all',
    when: ({ bits }, { kind }) => bits !== 16 || kind !== 'memory',
  }),
  row({
    title: '67 before FXSAVE and FXRSTOR in 64-bit code does not cut the address to 32 bits',
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^(exception \S+ for #PF|CR2)$/,
    source: measured(
      'it is not cut, though decode_modrm of emulate.c does it: "if (ctxt->ad_bytes != 8) ctxt->memop.addr.mem.ea = (u32)ctxt->memop.addr.mem.ea"',
    ),
    when: ({ code, bits }, difference) => bits === 64 && hasPrefix(code, 0x67) && isAbove4G(difference),
  }),
  row({
    title: 'R12 as the index register of FXSAVE and FXRSTOR does not count',
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^(exception|CR2|error code|memory|FCW|FSW|FTW|FOP|FIP|FDP|MXCSR|ST|XMM)/,
    source: measured(
      'the address is without it, though decode_modrm of emulate.c looks at REX.X first: "index_reg |= (sib >> 3) & 7", "if (index_reg != 4)"',
    ),
    when: ({ code, bits }) => {
      const [rex, [, , modrm = 0, sib = 0]] = opcodeOf(code, bits);
      return bits === 64 && indexRegister(modrm, sib, rex) === 12;
    },
  }),
  row({
    title: 'MOV r/m,Sreg with REX.R is #UD',
    names: /^MOV Ev,Sw$/,
    kinds: /^(exception .* for #UD|memory around the window)$/,
    source: 'emulate.c, em_mov_rm_sreg: "if (ctxt->modrm_reg > VCPU_SREG_GS) return emulate_ud(ctxt)"',
  }),
  row({
    title: 'SLDT, STR and MOV r/m,Sreg with REX.W write 8 bytes to memory',
    names: /^(SLDT|STR|MOV) (Ev|Ev,Sw)$/,
    encodings: /^(0F 00 \/[01]|8C \/r)$/,
    kinds: /^(memory|exception|CR2|error code)/,
    source:
      'emulate.c, em_store_sreg: "if (ctxt->dst.bytes == 4 && ctxt->dst.type == OP_MEM) ctxt->dst.bytes = 2": only 4 bytes become 2',
  }),
  row({
    title: 'F2, F3, 66 and LOCK before 0F AE do not count',
    names: /./,
    encodings: /^(66 |F2 |F3 )?0F AE /,
    kinds: /^(exception #UD for |memory around the window$|memory$)/,
    source:
      'emulate.c, group15 "I(ModRM | Aligned16, em_fxsave)": only /7 in memory goes on to a table of prefixes (pfx_0f_ae_7); ' +
      measured('the fences, for which Linux has "N" there, are executed, whatever the prefixes'),
  }),
  row({
    title: 'MOVNTI with 66, F2 or F3 is executed',
    names: /^undefined$/,
    encodings: /^(66|F2|F3) 0F C3 /,
    kinds: /^(exception #UD for |memory)/,
    source: 'emulate.c, twobyte_table, C3: "ID(0, &instr_dual_0f_c3)", without a table of prefixes',
  }),
  row({
    title: 'MOVNTDQ between registers is executed',
    names: /^MOVNTDQ /,
    kinds: /^exception #UD for none$/,
    source: 'emulate.c, pfx_0f_e7: "N, I(Sse, em_mov), N, N", without a look at ModRM.mod',
  }),
  row({
    title: '0F 0D with a register is executed',
    names: /^PREFETCHW /,
    kinds: /^exception #UD for none$/,
    source: 'emulate.c, twobyte_table, 0D: "D(ImplicitOps | ModRM | SrcMem | NoAccess)"',
  }),
  row({
    title: 'FXSAVE and FXRSTOR with a misaligned operand are executed',
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^exception #GP for /,
    source: measured('no #GP, though insn_alignment of emulate.c says "FXSAVE and FXRSTOR are checked here too"'),
  }),
  row({
    title: 'an operand across the end of the canonical addresses, or across 4 GiB: the page fault of its first page',
    names: /./,
    kinds: /^exception (#GP|#SS) for #PF$/,
    source:
      'emulate.c, __linearize: "*max_size = min_t(u64, ~0u, (1ull << va_bits) - la)", though the lower half ends at 2^47, and for the upper half it wraps; for other code ' +
      '"if (lim == 0xffffffff) *max_size = ~0u"',
    when: isAtTheEnd,
  }),
  row({
    title:
      'the prefixes 26, 2E, 36 and 3E decide in 64-bit code whether an address that is not canonical is #SS or #GP',
    names: /./,
    kinds: /^exception (#GP for #SS|#SS for #GP)$/,
    source:
      'emulate.c, x86_decode_insn: "has_seg_override = true" whatever the mode, and __linearize: "if (addr.seg == VCPU_SREG_SS) return emulate_ss(ctxt, 0)"; ' +
      'AMD APM vol. 3, 1.2.4: "In 64-bit mode, the CS, DS, ES, and SS segment-override prefixes have no effect"',
    when: ({ code, bits }) => bits === 64 && [0x26, 0x2e, 0x36, 0x3e].some((prefix) => hasPrefix(code, prefix)),
  }),
  row({
    title: 'MOVQ mm leaves TOP and the tags',
    names: /^MOVQ [QP]q,[QP]q$/,
    kinds: /^(FSW TOP|FTW|ST)$/,
    source:
      'emulate.c, fetch_possible_mmx_operand and writeback: kvm_read_mmx_reg and kvm_write_mmx_reg leave them as the next FXSAVE of the host finds them; SDM vol. 1, 9.5.1: ' +
      '"After each MMX instruction, the entire x87 FPU tag word is set to valid (00B)"',
  }),
  row({
    title:
      'REP CMPS and REP SCAS leave the flags of the last iteration when they fault (in real mode they are on the stack)',
    names: /^(CMPS|SCAS) /,
    kinds: /^(pushed )?RFLAGS /,
    source:
      'emulate.c, x86_emulate_insn: "return EMULATION_RESTART" keeps ctxt->eflags; SDM vol. 2, REP: "the EFLAGS value is restored to the state prior to the execution of ' +
      'the instruction"',
  }),
  row({
    title: 'a read-modify-write instruction through CS: the page fault of the read comes before the #GP of the write',
    names: /./,
    kinds: /^exception #GP for #PF$/,
    source:
      'emulate.c, x86_emulate_insn: segmented_read of dst before writeback, whose linearize looks at "(desc.type & 8)"',
    when: ({ code, bits }) => bits !== 64 && hasPrefix(code, 0x2e),
  }),
  row({
    title: 'CALL looks at the target before it pushes',
    names: /^CALL Ev$/,
    kinds: /^exception (#SS|#PF) for (#GP|#PF)$/,
    source: 'emulate.c, em_call_near_abs: "rc = assign_eip_near(ctxt, ctxt->src.val)" before "rc = em_push(ctxt)"',
  }),
  row({
    title: 'CMPS reads its first operand first, AMD its second',
    names: /^CMPS /,
    kinds: /^(exception (#GP|#SS|#PF) for #(PF|GP|SS)|CR2)$/,
    source:
      'emulate.c, x86_emulate_insn: "if ((ctxt->src.type == OP_MEM) && !(ctxt->d & NoAccess))" reads before dst is',
  }),
  row({
    title: 'misaligned and not canonical through the stack segment: #SS',
    names: /^(MOV(AP[SD]|DQA|NTP[SD]|NTDQA?)|CMPXCHG16B) /,
    kinds: /^exception #GP for #SS$/,
    source:
      'emulate.c, __linearize: an address that is not canonical goes to "bad:" before "if (la & (insn_alignment(ctxt, size) - 1))"',
  }),
  row({
    title: 'POPA that faults has popped nothing, AMD the registers before',
    names: /^POPA$/,
    kinds: /^register$/,
    source: 'emulate.c, x86_emulate_insn: "if (rc == X86EMUL_CONTINUE) writeback_registers(ctxt)"',
  }),
  row({
    title: 'POPA passes over the slot of ESP without reading it',
    names: /^POPA$/,
    kinds: /^(CR2|exception #SS for none)$/,
    source:
      'emulate.c, em_popa: "if (reg == VCPU_REGS_RSP) { rsp_increment(ctxt, ctxt->op_bytes); --reg; }"; ' +
      measured('the processor reads it'),
    when: (_, { field, expected, actual }) =>
      field === 'exception' || [1n, 2n, 3n].includes(BigInt(expected) - BigInt(actual)),
  }),
  row({
    title: 'MOV Sw,Ew that names no segment register reads its operand before it is #UD',
    names: /^MOV Sw,Ew$/,
    kinds: /^exception #UD for (#GP|#SS|#PF)$/,
    source:
      'emulate.c, em_mov_sreg_rm: "if (ctxt->modrm_reg == VCPU_SREG_CS || ctxt->modrm_reg > VCPU_SREG_GS) return emulate_ud(ctxt)", behind the segmented_read of src in x86_emulate_insn',
    when: ({ code, bits }) => [1, 6, 7].includes(((opcodeOf(code, bits)[1][1] as number) >> 3) & 7),
  }),
  row({
    title: 'DAS leaves OF, which is undefined, another way',
    names: /^DAS$/,
    kinds: /^(pushed )?RFLAGS OF$/,
    source: 'emulate.c, em_das: "fastop(ctxt, em_or)" clears it; SDM vol. 2, DAS: "The OF flag is undefined"',
  }),
  row({
    title: 'CMPXCHG r32 that finds another value clears the upper half of its destination',
    names: /^CMPXCHG Ev,Gv$/,
    kinds: /^register$/,
    source: 'emulate.c, em_cmpxchg: "ctxt->dst.val = ctxt->dst.orig_val", and assign_register: "*reg = (u32)val"',
    when: ({ bits, code }) => bits === 64 && (code.at(-1) as number) >= 0xc0,
  }),
  row({
    title: 'F2 and F3 before LOOPE and LOOPNE do not count, as on Intel',
    names: /^LOOPN?E /,
    kinds: /^exception (none for \S+|\S+ for none)$/,
    source:
      'emulate.c, em_loop: "test_cc(ctxt->b ^ 0x5, ctxt->eflags)"; ' +
      measured('on the processor they change the condition'),
    when: ({ code }) => hasPrefix(code, 0xf2) || hasPrefix(code, 0xf3),
  }),
  row({
    title: 'a write across two pages, the second of which faults, has written to the first',
    names: /./,
    kinds: /^memory( around the window)? after #PF$/,
    source:
      'x86.c, emulator_read_write: for a write across pages, "rc = emulator_read_write_onepage(addr, val, now, exception, ctxt, ops)", then the rest',
  }),
  row({
    title: 'reserved NOPs 0F 19, 1C and 1D in 32-bit code are passed over as if 67 were not there',
    names: /^NOP Ev$/,
    encodings: /^0F 1[9CD] \/r$/,
    kinds: /^exception none for #PF$/,
    source:
      'emulate.c, twobyte_table: "D(ImplicitOps | ModRM | SrcMem | NoAccess)" without a case in x86_emulate_insn; ' +
      measured('they are passed over'),
    when: ({ code, bits }) => bits === 32 && hasPrefix(code, 0x67),
  }),
];

/** The table. */
export const EMULATOR_ROWS: readonly Explanation[] = [...gaps, ...bugs, ...REAL_MODE_ROWS];

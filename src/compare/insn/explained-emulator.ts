/**
 * What KVM's emulator (arch/x86/kvm/emulate.c) does otherwise at CPL 0 and in real mode, on a host without VT-x and AMD-V: its bugs, and what
 * it does not execute. Read in Linux's source; docs/kvm-emulator.md shows the table, with how often each row was met.
 */
import type { InsnCase } from './case.js';
import type { FieldDifference } from './difference.js';
import { EMULATOR_GAPS } from './emulator-gaps.js';
import type { Explanation } from './explained.js';
import type { Level } from './levels.js';
import { measured } from './measured.js';
import { hasPrefix, isLegacyPrefix } from './prefixes.js';

const EMULATED: readonly Level[] = ['kernel', 'real'];

const row = (it: Omit<Explanation, 'levels' | 'oracle'> & { readonly levels?: readonly Level[] }): Explanation => ({
  levels: EMULATED,
  oracle: 'kvm',
  ...it,
});

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
  if (bits !== 64 || !hasPrefix(code, 0x66)) return false;
  const [first = 0] = code.filter((byte) => !isLegacyPrefix(byte));
  return (first & 0xf8) !== 0x48;
}

/** A page fault in the last page below the end of the canonical addresses, or below 4 GiB. */
function isAtTheEnd(_: InsnCase, { expected }: FieldDifference): boolean {
  return /CR2 0x(00007fff|ffffffff|00000000)fffff[0-9a-f]{3}\)$/.test(expected);
}

const bugs: readonly Explanation[] = [
  row({
    title: 'TZCNT and LZCNT are executed as BSF and BSR',
    names: /^(TZCNT|LZCNT) /,
    kinds: /^(RFLAGS|register)/,
    source: 'emulate.c, twobyte_table, BC and BD: "I(DstReg | SrcMem | ModRM, em_bsf_c)", without a look at F3',
  }),
  row({
    title: 'MOVBE is #UD, as this KVM does not show it to the guest',
    names: /^MOVBE /,
    kinds: /^(exception .* for (#UD|#SS)|memory around the window)$/,
    source: 'emulate.c, em_movbe: "if (!ctxt->ops->guest_has_movbe(ctxt)) return emulate_ud(ctxt)"',
  }),
  row({
    title: 'PUSH of a segment register with a 32-bit operand writes 2 bytes',
    names: /^PUSH [C-GS]S$/,
    kinds: /^(memory|exception (#SS|shutdown) for none)/,
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
    kinds: /./,
    source:
      'emulate.c, x86_decode_insn: "else if (ctxt->d & NearBranch) ctxt->op_bytes = 8"; SDM vol. 2, Jcc: "In 64-bit mode, operand size is fixed at 64 bits"; ' +
      measured('on the processor 66 makes it 16 bits'),
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
    title:
      'FXSAVE and FXRSTOR in 32-bit code, or without a REX prefix in 64-bit code, are executed as FXSAVE64 and FXRSTOR64',
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^(FIP|FDP|memory)$/,
    source:
      'emulate.c, em_fxsave and em_fxrstor: "Emulation uses (3) for (1) and (2)", "(4) is not emulated": there is one form for all',
    when: ({ bits }) => bits !== 16,
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
    kinds: /^(exception #GP for |memory)/,
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
    kinds: /^((pushed )?RFLAGS|memory( around the window)? after #(GP|SS)$)/,
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
    names: /^MOV(AP[SD]|DQA|NTP[SD]|NTDQA?) /,
    kinds: /^exception #GP for #SS$/,
    source:
      'emulate.c, __linearize: an address that is not canonical goes to "bad:" before "if (la & (insn_alignment(ctxt, size) - 1))"',
  }),
  row({
    title: 'POP of a segment register with a 32-bit operand reads 2 bytes',
    levels: ['real'],
    names: /^POP [D-GS]S$/,
    kinds: /^exception #SS for none$/,
    source: 'emulate.c, em_pop_sreg: "rc = emulate_pop(ctxt, &selector, 2)"',
    when: ({ code }) => hasPrefix(code, 0x66),
  }),
  row({
    title:
      'a far pointer whose selector is beyond the limit: #GP, where the interpreter wraps to the beginning of the segment',
    levels: ['real'],
    names: /^(L[DEFGS]S Gv,Mp|(JMP|CALL) Mp)$/,
    kinds: /^exception \S+ for #(GP|SS)$/,
    source:
      'emulate.c, decode_operand, OpMemFAddr: "ctxt->memop.bytes = ctxt->op_bytes + 2", which __linearize holds against the limit as a whole; the 80286 of SingleStepTests ' +
      '(FF.3) wraps',
  }),
  row({
    title: 'LGDT and LIDT with a 16-bit operand read 5 bytes',
    levels: ['real'],
    names: /^L[GI]DT /,
    kinds: /^exception (#GP|#SS) for none$/,
    source:
      'emulate.c, read_descriptor: "if (op_bytes == 2) op_bytes = 3"; SDM vol. 2, LGDT: the "source operand specifies a 6-byte memory location"',
  }),
  row({
    title: 'IRET looks at the new IP before it pops CS and the flags',
    levels: ['real'],
    names: /^IRET$/,
    kinds: /^exception #SS for #GP$/,
    source:
      'emulate.c, emulate_iret_real: "if (temp_eip & ~0xffff) return emulate_gp(ctxt, 0)" before the second emulate_pop',
  }),
  row({
    title: 'INT3 behind an IRET or POPF that set TF is stepped',
    levels: ['real'],
    names: /^(IRET|POPF)$/,
    kinds: /^exception (#BP|vector [0-9]+) for #DB$/,
    source:
      'x86.c, x86_emulate_instruction: "if (r && (ctxt->tf || (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))) r = kvm_vcpu_do_singlestep(vcpu)", whatever was executed; SDM vol. 2, ' +
      'INT n, REAL-ADDRESS-MODE: "TF ← 0; (* Clear trap flag *)", so that they are not stepped',
  }),
  row({
    title: 'POPA that faults has popped nothing, AMD the registers before',
    names: /^POPA$/,
    kinds: /^register$/,
    source: 'emulate.c, x86_emulate_insn: "if (rc == X86EMUL_CONTINUE) writeback_registers(ctxt)"',
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
    kinds: /./,
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
    kinds: /./,
    source:
      'emulate.c, twobyte_table: "D(ImplicitOps | ModRM | SrcMem | NoAccess)" without a case in x86_emulate_insn; ' +
      measured('they are passed over'),
    when: ({ code, bits }) => bits === 32 && hasPrefix(code, 0x67),
  }),
  row({
    title: 'INT n, INT3 and INTO with 66 push 32-bit values',
    levels: ['real'],
    names: /^INT/,
    kinds: /./,
    source:
      'emulate.c, __emulate_int_real: "ctxt->src.val = ctxt->eflags; rc = em_push(ctxt)": em_push pushes ctxt->op_bytes; SDM vol. 2, INT n, REAL-ADDRESS-MODE: "Push (EFLAGS[15:0])"',
    when: ({ code }) => hasPrefix(code, 0x66),
  }),
  row({
    title: 'INT n with n above 7Fh hangs: the vector is taken for a signed number',
    levels: ['real'],
    names: /./,
    kinds: /^exception vector (12[89]|1[3-9][0-9]|2[0-9][0-9]) for hung$/,
    source:
      'emulate.c, opcode_table, CD: "DI(SrcImmByte | IsBranch, intn)", sign-extended by decode_imm, and __emulate_int_real: "cs_addr = dt.address + (irq << 2) + 2"',
  }),
  row({
    title: 'an exception clears the upper half of ESP',
    levels: ['real'],
    names: /./,
    kinds: /^register$/,
    source: measured(
      'it is cleared, though rsp_increment of emulate.c keeps it: "masked_increment(reg_rmw(ctxt, VCPU_REGS_RSP), stack_mask(ctxt), inc)"; the exception comes ' +
        'by pvm.c, pvm_inject_realmode_event: "kvm_inject_realmode_interrupt(vcpu, vector, inc_eip)"',
    ),
    when: (_, { field, expected, actual }) =>
      field === 'RSP' && BigInt(expected) < 0x1_0000n && BigInt(expected) === (BigInt(actual) & 0xffffn),
  }),
  row({
    title: 'an exception whose frame does not fit on the stack goes on as #SS',
    levels: ['real'],
    names: /./,
    kinds: /^(exception shutdown for #SS|memory around the window)$/,
    source:
      'emulate.c, __emulate_int_real: "TODO: Add limit checks"; SDM vol. 3A, 6.15, interrupt 8: "If another contributory or page fault exception occurs while attempting to call the ' +
      'double-fault handler, the processor enters shutdown mode"',
  }),
];

/** The table. */
export const EMULATOR_ROWS: readonly Explanation[] = [...gaps, ...bugs];

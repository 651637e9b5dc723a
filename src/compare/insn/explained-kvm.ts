/**
 * What kvm_pvm does otherwise at CPL 3: KVM on a host that has neither VT-x nor AMD-V. User code runs on the processor, but what raises #GP
 * or #UD there is tried again by KVM's emulator, whose answer counts. So each row here is about an instruction that faults on the processor.
 *
 * A case that a row explains is run once more in a process of the host (silicon.ts), where no emulator is: there the processor must do what
 * the interpreter does, or the case counts as unexplained. The sources: virt-pvm/linux (pvm.c, switcher.h) and arch/x86/kvm (emulate.c,
 * x86.c) of Linux, looked up for this table.
 */
import { isUnknownToEmulator } from './emulator-gaps.js';
import type { Explanation } from './explained.js';
import { USER_LEVELS } from './levels.js';
import { measured } from './measured.js';
import { hasPrefix } from './prefixes.js';

const GP =
  'pvm.c, handle_exit_exception: "case GP_VECTOR: err = kvm_emulate_instruction(vcpu, EMULTYPE_PVM_GP)", whatever the privilege';
const UD = measured(
  '#UD at CPL 3 is emulated, as pvm.c does for the guest\'s kernel, case UD_VECTOR: "return handle_ud(vcpu)"; the published source queues it at CPL 3',
);
const FAILURE = measured(
  '#UD is what becomes of it; x86.c, handle_emulation_failure ends in "kvm_queue_exception(vcpu, UD_VECTOR)", though the published pvm comes ' +
    'to "if (emulation_type & (EMULTYPE_VMWARE_GP | EMULTYPE_PVM_GP))" and #GP before',
);

const row = (it: Omit<Explanation, 'levels' | 'oracle'>): Explanation => ({
  levels: USER_LEVELS,
  oracle: 'kvm',
  ...it,
});

/** The table. */
export const KVM_ROWS: readonly Explanation[] = [
  row({
    title: 'SGDT, SIDT, SLDT, STR and SMSW are emulated: no alignment checks, 8 bytes with REX.W',
    names: /^(S[GI]DT Ms|SLDT Ev|STR Ev|SMSW Ev)$/,
    kinds:
      /^(exception (#AC|none) for (none|#PF)|exception #GP for (#PF|#SS)|exception #SS for (#PF|#GP)|memory around the window( after #PF)?|memory( after #PF)?|CR2|error code)$/,
    source:
      `${GP} (the host's CR4.UMIP makes them #GP); emulate.c, em_store_sreg: "if (ctxt->dst.bytes == 4 && ctxt->dst.type == OP_MEM) ` +
      'ctxt->dst.bytes = 2", which leaves 8 bytes; insn_alignment: "if (likely(size < 16)) return 1"; SDM vol. 2, SGDT: #AC(0) "If alignment ' +
      'checking is enabled and an unaligned memory reference is made"',
    unconfirmed: true,
  }),
  row({
    title: 'an instruction that raises #GP and that the emulator does not know raises #UD',
    names: /./,
    kinds: /^exception #GP for #UD$/,
    source: `${GP}; ${FAILURE}`,
    when: ({ row: it }) => isUnknownToEmulator(it),
  }),
  row({
    title: 'MOVBE that raises #GP is #UD, as this KVM does not show it to the guest',
    names: /^MOVBE /,
    kinds: /^exception #GP for #UD$/,
    source: `${GP}; emulate.c, em_movbe: "if (!ctxt->ops->guest_has_movbe(ctxt)) return emulate_ud(ctxt)"`,
  }),
  row({
    title: 'INT n is #GP, which the emulator does not emulate',
    names: /^INT Ib$/,
    kinds: /^exception #GP for #UD$/,
    source: `${GP}; emulate.c, emulate_int: "Protected mode interrupts unimplemented yet", X86EMUL_UNHANDLEABLE; ${FAILURE}`,
  }),
  row({
    title: 'an operand across the end of the canonical addresses: the emulator looks for the end elsewhere',
    names: /./,
    kinds: /^exception (#GP|#SS) for #PF$/,
    source: `${GP}; emulate.c, __linearize: "*max_size = min_t(u64, ~0u, (1ull << va_bits) - la)": the lower half ends at 2^47, and for the upper half it wraps`,
    when: (_, { expected }) => /CR2 0x(00007fff|ffffffff)fffff[0-9a-f]{3}\)$/.test(expected),
  }),
  row({
    title: 'a 36 prefix and an address that is not canonical: the emulator raises #SS',
    names: /./,
    kinds: /^exception #GP for #SS$/,
    source: `${GP}; emulate.c, __linearize: "if (addr.seg == VCPU_SREG_SS) return emulate_ss(ctxt, 0)"; AMD APM vol. 3, 1.2.4: "In 64-bit mode, the CS, DS, ES, and SS segment-override prefixes have no effect"`,
    when: ({ code, bits }) => bits === 64 && hasPrefix(code, 0x36),
  }),
  row({
    title: 'a privileged instruction that is #UD on the processor raises #GP',
    names:
      /^(MONITOR|MWAIT|MOV (Ry,Cy|Cy,Ry|Ry,Dy|Dy,Ry)|IRET|L[GI]DT Ms|LLDT Ew|LTR Ew|INVLPG Mb|LMSW Ew|CLTS|HLT|INVD|WBINVD|WRMSR|RDMSR|SWAPGS)/,
    kinds: /^exception #UD for #GP$/,
    source: `${UD}; emulate.c, x86_emulate_insn: "Privileged instruction can be executed only in CPL=0": emulate_gp(ctxt, 0)`,
  }),
  row({
    title: 'the register form of MOVNTDQ is #UD, the emulator executes it',
    names: /^MOVNTDQ /,
    kinds: /^exception #UD for none$/,
    source: `${UD}; emulate.c, pfx_0f_e7_0f_38_2a: "N, I(Sse | Avx, em_mov), N, N", without a look at ModRM.mod`,
  }),
  row({
    title:
      'misaligned and not canonical through the stack segment: #GP on the processor, the emulator looks at the address first',
    names: /^(MOV(AP[SD]|DQA|NTP[SD]|NTDQA?)|CMPXCHG16B) /,
    kinds: /^exception #GP for #SS$/,
    source: `${GP}; emulate.c, __linearize: an address that is not canonical goes to "bad:", emulate_ss, before "if (la & (insn_alignment(ctxt, size) - 1))"`,
  }),
  row({
    title: 'CMPS: the emulator reads the source first, the processor the destination',
    names: /^CMPS /,
    kinds: /^exception (#GP|#SS) for #(PF|GP|SS)$/,
    source: `${GP}; emulate.c, x86_emulate_insn: "if ((ctxt->src.type == OP_MEM) && !(ctxt->d & NoAccess))" reads before dst is`,
  }),
  row({
    title: 'FXSAVE and FXRSTOR with a misaligned operand are #GP, the emulator executes them',
    names: /^FX(SAVE|RSTOR) /,
    kinds: /^(exception #GP for (none|#PF|#UD)|memory around the window)$/,
    source: `${GP}; ${measured('no #GP, though insn_alignment of emulate.c says "FXSAVE and FXRSTOR are checked here too"')}`,
  }),
  row({
    title: '66, F2, F3 and LOCK before 0F AE: #UD on the processor, the emulator looks at them for CLFLUSH only',
    names: /./,
    kinds: /^(exception #UD for (none|#GP|#PF|#SS)|memory around the window)$/,
    source: `${UD}; emulate.c, group15: "I(ModRM | Aligned16, em_fxsave)"; only /7 goes on to pfx_0f_ae_7. The fences, for which Linux has "N" there, are executed`,
    when: ({ row: { encoding } }) => encoding.includes('0F AE'),
  }),
  row({
    title: 'MOVNTI with 66, F2 or F3 is #UD, the emulator executes it',
    names: /^undefined$/,
    kinds: /^(exception #UD for |memory)/,
    source: `${UD}; emulate.c, twobyte_table, C3: "ID(0, &instr_dual_0f_c3)", without prefixes`,
    when: ({ row: { encoding } }) => /^(66|F2|F3) 0F C3/.test(encoding),
  }),
  row({
    title: '0F 0D and 0F 18 to 0F 1F: the emulator takes every form for NOP',
    names: /^(NOP Ev|PREFETCH)/,
    kinds: /^exception #UD for none$/,
    source: `${UD}; emulate.c, twobyte_table, 0D and 18 to 1F: "D(ImplicitOps | ModRM | SrcMem | NoAccess)"`,
  }),
  row({
    title: 'MOVQ with an address that is not canonical: the emulator has read the MMX register, so TOP is 0',
    names: /^(MOVQ|MOVD|MOVNTQ) /,
    kinds: /^(FSW TOP|FTW|ST)$/,
    source: `${GP}; emulate.c, fetch_possible_mmx_operand: "if (op->type == OP_MM) kvm_read_mmx_reg(op->addr.mm, &op->mm_val)" on the processor's own x87`,
  }),
  row({
    title:
      'segment loads and far transfers that fault: the emulator checks in another order, and has no IRET in long mode',
    names: /^(RETF|IRET|(JMP|CALL) Mp|L[FGS]S |MOV Sw|POP [FG]S)/,
    kinds: /^(exception|error code|segment register|register|RIP|RFLAGS|pushed|CS|FS\.base|GS\.base|CR2|memory)/,
    source:
      `${GP}; emulate.c, __load_segment_descriptor: "Outer-privilege level return is not implemented"; em_ret_far and em_jmp_far: "Error handling is ` +
      'not implemented"; em_iret: "iret from protected mode unimplemented yet"',
  }),
  row({
    title: 'LAR, LSL, VERR and VERW look into the descriptor tables of the hypervisor',
    names: /^(LAR|LSL|VERR|VERW) /,
    kinds: /^(RFLAGS ZF|register)$/,
    source:
      'pvm.c, load_regs: guest user code runs with "guest->cs = pvm->hw_cs" and no LGDT or LLDT of its own; handle_hc_load_tls: "Load guest TLS desc into host GDT"',
  }),
  row({
    title: 'a page fault in the upper half: the error code tells of the pages of the hypervisor',
    names: /./,
    kinds: /^error code$/,
    source:
      'pvm.c, pvm_guest_allowed_va: "return (s64)va >= 0": the upper half of the linear addresses is not for the guest; ' +
      measured('P and the bit for reserved bits are set in the error codes there'),
    when: (_, { expected }) => (BigInt(expected) & 9n) === 9n,
  }),
  row({
    title: 'MOV from a segment register with REX.R: the emulator takes it for a register that does not exist',
    names: /^MOV Ev,Sw$/,
    kinds: /^exception #GP for #UD$/,
    source: `${GP}; emulate.c, em_mov_rm_sreg: "if (ctxt->modrm_reg > VCPU_SREG_GS) return emulate_ud(ctxt)"`,
  }),
];

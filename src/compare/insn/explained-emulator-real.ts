/** What KVM's emulator does otherwise in real mode (see explained-emulator.ts). */
import type { Explanation } from './explained.js';
import { measured } from './measured.js';
import { hasPrefix } from './prefixes.js';

const row = (it: Omit<Explanation, 'levels' | 'oracle'>): Explanation => ({ levels: ['real'], oracle: 'kvm', ...it });

/** The table. */
export const REAL_MODE_ROWS: readonly Explanation[] = [
  row({
    title: 'POP of a segment register with a 32-bit operand reads 2 bytes',
    names: /^POP [D-GS]S$/,
    kinds: /^exception #SS for none$/,
    source: 'emulate.c, em_pop_sreg: "rc = emulate_pop(ctxt, &selector, 2)"',
    when: ({ code }) => hasPrefix(code, 0x66),
  }),
  row({
    title:
      'a far pointer whose selector is beyond the limit: #GP, where the interpreter wraps to the beginning of the segment',
    names: /^(L[DEFGS]S Gv,Mp|(JMP|CALL) Mp)$/,
    kinds: /^exception \S+ for #(GP|SS)$/,
    source:
      'emulate.c, decode_operand, OpMemFAddr: "ctxt->memop.bytes = ctxt->op_bytes + 2", which __linearize holds against the limit as a whole; 80286 manual, LDS: "Interrupt 13 for ' +
      'operand at offset 0FFFFH or 0FFFDH", not at 0FFFEH, as the 80286 of SingleStepTests has it (FF.3); ' +
      measured('16-bit user code wraps too, whether the limit is FFFFh or 4 GiB'),
  }),
  row({
    title: 'LGDT and LIDT with a 16-bit operand read 5 bytes',
    names: /^L[GI]DT /,
    kinds: /^exception (#GP|#SS) for none$/,
    source:
      'emulate.c, read_descriptor: "if (op_bytes == 2) op_bytes = 3"; SDM vol. 2, LGDT: the "source operand specifies a 6-byte memory location"',
  }),
  row({
    title: 'SGDT and SIDT with a 16-bit operand store zero as the upper byte of the base',
    names: /^S[GI]DT Ms$/,
    kinds: /^memory$/,
    source:
      'emulate.c, emulate_store_desc_ptr: "desc_ptr.address &= 0x00ffffff"; SDM vol. 2, SGDT: "DEST[16:47] := GDTR(Base); (* Full 32-bit base address stored *)"',
    when: ({ code }, { expected }) => !hasPrefix(code, 0x66) && /^at \S+: 00$/.test(expected),
  }),
  row({
    title: 'IRET looks at the new IP before it pops CS and the flags',
    names: /^IRET$/,
    kinds: /^exception #SS for #GP$/,
    source:
      'emulate.c, emulate_iret_real: "if (temp_eip & ~0xffff) return emulate_gp(ctxt, 0)" before the second emulate_pop',
  }),
  row({
    title: 'INT3 behind an IRET or POPF that set TF is stepped',
    names: /^(IRET|POPF)$/,
    kinds: /^exception (#BP|vector [0-9]+) for #DB$/,
    source:
      'x86.c, x86_emulate_instruction: "if (r && (ctxt->tf || (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))) r = kvm_vcpu_do_singlestep(vcpu)", whatever was executed; SDM vol. 2, ' +
      'INT n, REAL-ADDRESS-MODE: "TF ← 0; (* Clear trap flag *)", so that they are not stepped',
  }),
  row({
    title: 'INT n, INT3 and INTO with 66 push 32-bit values',
    names: /^INT/,
    kinds: /^(exception (#BP|#OF|vector [0-9]+|#[A-Z]{2}) for #SS|register|pushed RFLAGS .*|CS|memory after .*)$/,
    source:
      'emulate.c, __emulate_int_real: "ctxt->src.val = ctxt->eflags; rc = em_push(ctxt)": em_push pushes ctxt->op_bytes; SDM vol. 2, INT n, REAL-ADDRESS-MODE: "Push (EFLAGS[15:0])"',
    when: ({ code }, { field }) => hasPrefix(code, 0x66) && !/^R(?!SP$)/.test(field),
  }),
  row({
    title: 'INT n with n above 7Fh hangs: the vector is taken for a signed number',
    names: /./,
    kinds: /^exception vector (12[89]|1[3-9][0-9]|2[0-9][0-9]) for hung$/,
    source:
      'emulate.c, opcode_table, CD: "DI(SrcImmByte | IsBranch, intn)", sign-extended by decode_imm, and __emulate_int_real: "cs_addr = dt.address + (irq << 2) + 2"',
  }),
  row({
    title: 'an exception clears the upper half of ESP',
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
    names: /./,
    kinds: /^(exception shutdown for #SS|memory around the window)$/,
    source:
      'emulate.c, __emulate_int_real: "TODO: Add limit checks"; SDM vol. 3A, 6.15, interrupt 8: "If another contributory or page fault exception occurs while attempting to call the ' +
      'double-fault handler, the processor enters shutdown mode"',
  }),
];

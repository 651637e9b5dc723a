/**
 * Opcodes of the two-byte map without instructions of this engine: those that no processor has, and those of MMX and SSE that
 * are not written yet, with the checks that come first (SDM vol. 3A, tables 2-2 and 14-1; vol. 2, table A-3).
 */
import { raiseNM, raiseUD, unimplemented } from '../fault';
import { CR0_EM, CR0_TS, CR4_OSFXSR, cr0, cr4 } from '../registers';

/** No processor has it: #UD. */
export function undefinedOpcode(op: usize): void {
  raiseUD();
}

/** MMX: #UD under CR0.EM, #NM under CR0.TS. */
export function escapeMmx(op: usize): void {
  if (cr0() & CR0_EM) raiseUD();
  if (cr0() & CR0_TS) raiseNM();
  unimplemented();
}

/** SSE and its successors: #UD too while CR4.OSFXSR is clear. */
export function escapeSse(op: usize): void {
  if ((cr4() & CR4_OSFXSR) == 0) raiseUD();
  escapeMmx(op);
}

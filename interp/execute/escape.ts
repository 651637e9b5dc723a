/**
 * The x87's opcodes that have no row of their own yet (SDM vol. 2, appendix A.5). CR0.EM and CR0.TS come first, as everywhere
 * in the x87 (SDM vol. 3A, table 2-2): with one of them set the guest gets #NM and the instruction is not looked at.
 */
import { raiseNM, unimplemented } from '../fault';
import { CR0_EM, CR0_TS, cr0 } from '../registers';

/** `D8 /r` to `DF /r`. */
export function escapeX87(op: usize): void {
  if (cr0() & (CR0_EM | CR0_TS)) raiseNM();
  unimplemented();
}

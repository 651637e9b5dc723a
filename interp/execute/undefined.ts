/** Opcodes of the two-byte map without an instruction (SDM vol. 2, table A-3). */
import { raiseUD } from '../fault';

/** No processor has it: #UD. */
export function undefinedOpcode(op: usize): void {
  raiseUD();
}

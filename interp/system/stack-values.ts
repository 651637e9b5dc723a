/** Values on the stack whose size is known at run time only. */
import { popPeek } from '../memory';

/** The value of `size` (2, 4 or 8) bytes at SP + displacement; SP stays. */
export function peekStack(displacement: i32, size: u32): u64 {
  if (size == 8) return popPeek<u64>(displacement);
  return size == 4 ? <u64>popPeek<u32>(displacement) : <u64>popPeek<u16>(displacement);
}

/** Values on the stack whose size is known at run time only. */
import { isAmd } from '../execute/vendor';
import { popPeek } from '../memory';

/** The value of `size` (2, 4 or 8) bytes at SP + displacement; SP stays. */
export function peekStack(displacement: i32, size: u32): u64 {
  if (size == 8) return popPeek<u64>(displacement);
  return size == 4 ? <u64>popPeek<u32>(displacement) : <u64>popPeek<u16>(displacement);
}

/** AMD's processors read what lies highest first: where the slots are on two pages, its fault is the one that counts. */
export function peekLast(slot: i32, size: u32): void {
  if (isAmd) peekStack(slot * <i32>size, size);
}

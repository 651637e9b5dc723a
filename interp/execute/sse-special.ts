/** SSE instructions that are neither arithmetic nor plain moves: PTEST, MASKMOVQ, MASKMOVDQU, MOVQ2DQ, MOVDQ2Q. */
import { setStatus } from '../flags';
import { checkAlignment, cutAddress, linearForWrite, probeSpan, writeLinear } from '../memory';
import { rmwBeginSlow } from '../access';
import { opAddressSize, opSegment } from '../op';
import { REG_RDI, getReg } from '../registers';
import { wrapLinear } from '../system/descriptor';
import { looseContext } from '../tlb';
import { enterMmx } from './mmx';
import { isAmd } from './vendor';

/** ZF: no bit of `b` is set in `a`; CF: all of them are. The other flags are cleared. */
export function ptest(a: v128, b: v128): void {
  const zf: u64 = v128.any_true(v128.and(a, b)) ? 0 : 0x40;
  const cf: u64 = v128.any_true(v128.andnot(b, a)) ? 0 : 1;
  setStatus(zf | cf);
}

const BYTES: usize = memory.data(32, 16);

/** Writes the bytes of `value` whose mask byte has its top bit set to DS:rDI; all pages are translated first. */
function maskedStore(op: usize, value: v128, mask: v128, size: u32): void {
  let bits: u32 = i8x16.bitmask(mask);
  if (size == 8) bits &= 0xff;
  // An empty mask may fault or not (SDM vol. 2, MASKMOVDQU): on AMD's processors it does.
  if (bits == 0 && !isAmd) return;
  const offset = cutAddress(getReg<u64>(REG_RDI), opAddressSize(op));
  // Two stores of eight bytes: the first is checked in full before the second's limit is looked at.
  const first = linearForWrite(opSegment(op), offset, 8);
  checkAlignment(first, 8);
  probeSpan(wrapLinear(first), 8, true);
  const linear = linearForWrite(opSegment(op), offset, size);
  rmwBeginSlow(linear, size, looseContext());
  v128.store(BYTES, value);
  for (let i: u32 = 0; i < size; i++) {
    if ((bits & (1 << i)) != 0) writeLinear<u8>(linear + i, load<u8>(BYTES + <usize>i));
  }
}

/** `66 0F F7 /r` */
export function maskmovdqu(op: usize, value: v128, mask: v128): void {
  maskedStore(op, value, mask, 16);
}

/** `0F F7 /r` */
export function maskmovq(op: usize, value: v128, mask: v128): void {
  // Also where the store faults, as on AMD's processors.
  enterMmx();
  maskedStore(op, value, mask, 8);
}

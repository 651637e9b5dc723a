/**
 * Many iterations of REP MOVS and REP STOS at once: forward, within one page on each side, where both sides are plain memory that
 * the TLBs know, so that no iteration could fault, exit or touch code. Anything else is for string.ts, one by one.
 */
import { SEGMENT_VIEWS } from '../mode';
import { SEG_ES } from '../registers';
import { TLB_READ, TLB_WRITE, tlbContext, tlbEntry, tlbTag } from '../tlb';

/** Elements from `linear` to the end of its page, at most `most`. */
// @ts-ignore: decorator
@inline
function elementsInPage(linear: u64, size: u32, most: u32): u32 {
  const elements: u32 = (<u32>0x1000 - (<u32>linear & 0xfff)) / size;
  return elements < most ? elements : most;
}

/** Does the segment, or the address size, end before `bytes` from `offset` on? `end`: 8 for reads, 16 for writes. */
// @ts-ignore: decorator
@inline
function endsWithin(segment: u32, offset: u64, bytes: u64, addressSize: u32, end: usize): bool {
  const last = offset + (bytes - 1);
  if (addressSize == 2 && last > 0xffff) return true;
  if (addressSize == 4 && last > 0xffffffff) return true;
  return last >= load<u64>(SEGMENT_VIEWS + <usize>segment * 32 + end);
}

/** The place in memory of a linear address if `tlb` allows its page, else 0. */
// @ts-ignore: decorator
@inline
function placeOf(tlb: usize, linear: u64): usize {
  const entry = tlbEntry(tlb, linear);
  if (load<u64>(entry) != tlbTag(linear, 1, tlbContext)) return 0;
  return <usize>(<u32>linear + load<u32>(entry, 8));
}

/** MOVS: returns the number of elements moved, 0 if none could be. */
export function bulkMove<T>(segment: u32, from: u64, to: u64, addressSize: u32, most: u32): u32 {
  const source = load<u64>(SEGMENT_VIEWS + <usize>segment * 32) + from;
  const target = load<u64>(SEGMENT_VIEWS + <usize>SEG_ES * 32) + to;
  const count = elementsInPage(target, sizeof<T>(), elementsInPage(source, sizeof<T>(), most));
  if (count == 0) return 0;
  const bytes = <usize>count * sizeof<T>();
  if (endsWithin(segment, from, bytes, addressSize, 8)) return 0;
  if (endsWithin(SEG_ES, to, bytes, addressSize, 16)) return 0;
  const a = placeOf(TLB_READ, source);
  const b = placeOf(TLB_WRITE, target);
  if (a == 0 || b == 0) return 0;
  if (b - a >= bytes) memory.copy(b, a, bytes);
  // The target begins inside the source: what was written is read again (a fill by a pattern).
  else for (let i: usize = 0; i < bytes; i += sizeof<T>()) store<T>(b + i, load<T>(a + i));
  return count;
}

/** STOS likewise. */
export function bulkFill<T>(to: u64, addressSize: u32, most: u32, value: T): u32 {
  const target = load<u64>(SEGMENT_VIEWS + <usize>SEG_ES * 32) + to;
  const count = elementsInPage(target, sizeof<T>(), most);
  if (count == 0) return 0;
  const bytes = <usize>count * sizeof<T>();
  if (endsWithin(SEG_ES, to, bytes, addressSize, 16)) return 0;
  const at = placeOf(TLB_WRITE, target);
  if (at == 0) return 0;
  const first = <u8>(<u64>value & 0xff);
  const pattern: u64 = <u64>first * 0x0101010101010101;
  if (<T>pattern == value) memory.fill(at, first, bytes);
  else for (let i: usize = 0; i < bytes; i += sizeof<T>()) store<T>(at + i, value);
  return count;
}

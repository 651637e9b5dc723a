/** Products of 128 bits and divisions of 128 by 64 bits, for MUL, IMUL, DIV and IDIV. */

/** Upper half of the unsigned product of two u64. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const cross = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + (cross & 0xffffffff);
  return aHigh * bHigh + (cross >> 32) + (other >> 32);
}

/** Upper half of the signed product. */
export function multiplyHighSigned(a: i64, b: i64): i64 {
  return <i64>multiplyHigh(<u64>a, <u64>b) - ((a >> 63) & b) - ((b >> 63) & a);
}

/** One digit of 32 bits of the quotient of high:next by `divisor`, whose top bit is set (Knuth, TAOCP vol. 2, 4.3.1 D). */
function quotientDigit(high: u64, next: u64, divisor: u64): u64 {
  const top = divisor >> 32;
  const bottom = divisor & 0xffffffff;
  let digit = high / top;
  let rest = high - digit * top;
  while (digit >> 32 != 0 || digit * bottom > ((rest << 32) | next)) {
    digit--;
    rest += top;
    if (rest >> 32 != 0) break;
  }
  return digit;
}

/** The quotient of high:low by `divisor`; `high` must be below `divisor`. The remainder is low - quotient * divisor. */
export function divideWide(high: u64, low: u64, divisor: u64): u64 {
  if (high == 0) return low / divisor;
  const shift = clz<u64>(divisor);
  const d = divisor << shift;
  const h = shift == 0 ? high : (high << shift) | (low >> (64 - shift));
  const l = low << shift;
  const first = quotientDigit(h, l >> 32, d);
  const rest = ((h << 32) | (l >> 32)) - first * d;
  const second = quotientDigit(rest, l & 0xffffffff, d);
  return (first << 32) | second;
}

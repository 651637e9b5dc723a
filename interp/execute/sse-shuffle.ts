/** Packing, unpacking, shuffling, blending and shifting (SDM vol. 2: PACKSSWB, PUNPCKLBW, PSHUFD, PALIGNR, PBLENDW, PSLLW, PMOVSXBW …). */

const SCRATCH: usize = memory.data(48, 16);

// @ts-ignore: decorator
@inline
export function packsswb(a: v128, b: v128): v128 {
  return i8x16.narrow_i16x8_s(a, b);
}

// @ts-ignore: decorator
@inline
export function packuswb(a: v128, b: v128): v128 {
  return i8x16.narrow_i16x8_u(a, b);
}

// @ts-ignore: decorator
@inline
export function packssdw(a: v128, b: v128): v128 {
  return i16x8.narrow_i32x4_s(a, b);
}

// @ts-ignore: decorator
@inline
export function packusdw(a: v128, b: v128): v128 {
  return i16x8.narrow_i32x4_u(a, b);
}

// @ts-ignore: decorator
@inline
export function punpcklbw(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
export function punpcklwd(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

// @ts-ignore: decorator
@inline
export function punpckldq(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}

// @ts-ignore: decorator
@inline
export function punpcklqdq(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

// @ts-ignore: decorator
@inline
export function punpckhbw(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// @ts-ignore: decorator
@inline
export function punpckhwd(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

// @ts-ignore: decorator
@inline
export function punpckhdq(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}

// @ts-ignore: decorator
@inline
export function punpckhqdq(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

/** MMX: both operands in one vector, for instructions that put the destination's lanes before the source's. */
// @ts-ignore: decorator
@inline
export function joined(a: v128, b: v128): v128 {
  return punpcklqdq(a, b);
}

/** MMX's PUNPCKH: the high half of what PUNPCKL makes of 64 bits. */
// @ts-ignore: decorator
@inline
export function upper(a: v128): v128 {
  return i64x2(i64x2.extract_lane(a, 1), 0);
}

/** PSHUFB: a control byte with bit 7 set makes zero, else its low four bits choose. */
// @ts-ignore: decorator
@inline
export function pshufb(a: v128, b: v128): v128 {
  return i8x16.swizzle(a, v128.and(b, i8x16.splat(<i8>0x8f)));
}

/** MMX: the low three bits choose. */
// @ts-ignore: decorator
@inline
export function pshufbMmx(a: v128, b: v128): v128 {
  return i8x16.swizzle(a, v128.and(b, i8x16.splat(<i8>0x87)));
}

/** Byte numbers of the four doublewords that an immediate chooses. */
function shuffleControl(control: u32, unit: u32, base: u32): u64 {
  let bytes: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const first = base + ((control >> (i * 2)) & 3) * unit;
    for (let k: u32 = 0; k < unit; k++) bytes |= <u64>(first + k) << ((i * unit + k) * 8);
  }
  return bytes;
}

const IDENTITY_LOW: u64 = 0x0706050403020100;
const IDENTITY_HIGH: u64 = 0x0f0e0d0c0b0a0908;

export function pshufd(b: v128, control: u32): v128 {
  let selector = i32x4.splat(0x03020100);
  selector = i32x4.add(
    selector,
    i32x4(
      (control & 3) * 0x04040404,
      ((control >> 2) & 3) * 0x04040404,
      ((control >> 4) & 3) * 0x04040404,
      ((control >> 6) & 3) * 0x04040404,
    ),
  );
  return i8x16.swizzle(b, selector);
}

export function pshuflw(b: v128, control: u32): v128 {
  return i8x16.swizzle(b, i64x2(shuffleControl(control, 2, 0), IDENTITY_HIGH));
}

export function pshufhw(b: v128, control: u32): v128 {
  return i8x16.swizzle(b, i64x2(IDENTITY_LOW, shuffleControl(control, 2, 8)));
}

/** SHUFPS: two of `a`, then two of `b`. */
export function shufps(a: v128, b: v128, control: u32): v128 {
  return punpcklqdq(pshufd(a, control), upper(pshufd(b, control)));
}

export function shufpd(a: v128, b: v128, control: u32): v128 {
  const low = (control & 1) != 0 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
  const high = (control & 2) != 0 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
  return i64x2(low, high);
}

/** `bytes` from `count` on of the 32 bytes of `b` below `a`; zeros behind them. */
export function palignr(a: v128, b: v128, count: u32): v128 {
  if (count >= 32) return i64x2.splat(0);
  v128.store(SCRATCH, b);
  v128.store(SCRATCH, a, 16);
  v128.store(SCRATCH, i64x2.splat(0), 32);
  return v128.load(SCRATCH + <usize>count);
}

/** MMX: of the 16 bytes of `b` below `a`. */
export function palignrMmx(a: v128, b: v128, count: u32): v128 {
  return byteShiftRight(punpcklqdq(b, a), count);
}

/** PSRLDQ. */
export function byteShiftRight(a: v128, count: u32): v128 {
  return palignr(i64x2.splat(0), a, count);
}

/** PSLLDQ. */
export function byteShiftLeft(a: v128, count: u32): v128 {
  return count >= 16 ? i64x2.splat(0) : palignr(a, i64x2.splat(0), 16 - count);
}

/** Shifts by a count of 64 bits: logical ones make zero, and arithmetical ones signs, of a count that is too large. */
export function psllw(a: v128, count: u64): v128 {
  return count > 15 ? i64x2.splat(0) : i16x8.shl(a, <i32>count);
}

export function pslld(a: v128, count: u64): v128 {
  return count > 31 ? i64x2.splat(0) : i32x4.shl(a, <i32>count);
}

export function psllq(a: v128, count: u64): v128 {
  return count > 63 ? i64x2.splat(0) : i64x2.shl(a, <i32>count);
}

export function psrlw(a: v128, count: u64): v128 {
  return count > 15 ? i64x2.splat(0) : i16x8.shr_u(a, <i32>count);
}

export function psrld(a: v128, count: u64): v128 {
  return count > 31 ? i64x2.splat(0) : i32x4.shr_u(a, <i32>count);
}

export function psrlq(a: v128, count: u64): v128 {
  return count > 63 ? i64x2.splat(0) : i64x2.shr_u(a, <i32>count);
}

export function psraw(a: v128, count: u64): v128 {
  return i16x8.shr_s(a, count > 15 ? 15 : <i32>count);
}

export function psrad(a: v128, count: u64): v128 {
  return i32x4.shr_s(a, count > 31 ? 31 : <i32>count);
}

/** The count of a shift: the low half of the source. */
// @ts-ignore: decorator
@inline
export function countOf(b: v128): u64 {
  return <u64>i64x2.extract_lane(b, 0);
}

/** PBLENDVB: `b` where the top bit of the mask's byte is set. */
// @ts-ignore: decorator
@inline
export function pblendvb(a: v128, b: v128, mask: v128): v128 {
  return v128.bitselect(b, a, i8x16.shr_s(mask, 7));
}

// @ts-ignore: decorator
@inline
export function blendvps(a: v128, b: v128, mask: v128): v128 {
  return v128.bitselect(b, a, i32x4.shr_s(mask, 31));
}

// @ts-ignore: decorator
@inline
export function blendvpd(a: v128, b: v128, mask: v128): v128 {
  return v128.bitselect(b, a, i64x2.shr_s(mask, 63));
}

/** PBLENDW: `b` where the bit of the immediate is set. */
export function pblendw(a: v128, b: v128, control: u32): v128 {
  const bits = v128.and(i16x8.splat(<i16>control), i16x8(1, 2, 4, 8, 16, 32, 64, 128));
  return v128.bitselect(a, b, i16x8.eq(bits, i16x8.splat(0)));
}

export function blendps(a: v128, b: v128, control: u32): v128 {
  const bits = v128.and(i32x4.splat(control), i32x4(1, 2, 4, 8));
  return v128.bitselect(a, b, i32x4.eq(bits, i32x4.splat(0)));
}

export function blendpd(a: v128, b: v128, control: u32): v128 {
  const bits = v128.and(i64x2.splat(control), i64x2(1, 2));
  return v128.bitselect(a, b, i64x2.eq(bits, i64x2.splat(0)));
}

/** INSERTPS of the doubleword `value` at the place in bits 5:4; bits 3:0 clear lanes. */
export function insertps(a: v128, value: u32, control: u32): v128 {
  v128.store(SCRATCH, a);
  store<u32>(SCRATCH + <usize>((control >> 4) & 3) * 4, value);
  for (let i: u32 = 0; i < 4; i++) if ((control & (1 << i)) != 0) store<u32>(SCRATCH + <usize>i * 4, 0);
  return v128.load(SCRATCH);
}

/** Replaces lane `index` (modulo the lanes) of a vector. */
// @ts-ignore: decorator
@inline
export function inserted<T>(a: v128, value: T, index: u32): v128 {
  v128.store(SCRATCH, a);
  store<T>(SCRATCH + <usize>((index * sizeof<T>()) & 15), value);
  return v128.load(SCRATCH);
}

/** The same in the low half. */
// @ts-ignore: decorator
@inline
export function insertedMmx(a: v128, value: u16, index: u32): v128 {
  return inserted<u16>(a, value, index & 3);
}

// @ts-ignore: decorator
@inline
export function extracted<T>(a: v128, index: u32): T {
  v128.store(SCRATCH, a);
  return load<T>(SCRATCH + <usize>((index * sizeof<T>()) & 15));
}

/** Duplicates: MOVSLDUP, MOVSHDUP, MOVDDUP. */
// @ts-ignore: decorator
@inline
export function evenTwice(b: v128): v128 {
  return i8x16.shuffle(b, b, 0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11);
}

// @ts-ignore: decorator
@inline
export function oddTwice(b: v128): v128 {
  return i8x16.shuffle(b, b, 4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15);
}

// @ts-ignore: decorator
@inline
export function lowTwice(b: v128): v128 {
  return punpcklqdq(b, b);
}

// @ts-ignore: decorator
@inline
export function moveMaskBytes(b: v128): u32 {
  return i8x16.bitmask(b);
}

// @ts-ignore: decorator
@inline
export function moveMaskBytesMmx(b: v128): u32 {
  return i8x16.bitmask(b) & 0xff;
}

// @ts-ignore: decorator
@inline
export function moveMaskSingles(b: v128): u32 {
  return i32x4.bitmask(b);
}

// @ts-ignore: decorator
@inline
export function moveMaskDoubles(b: v128): u32 {
  return i64x2.bitmask(b);
}

// @ts-ignore: decorator
@inline
export function pmovsxbw(b: v128): v128 {
  return i16x8.extend_low_i8x16_s(b);
}

// @ts-ignore: decorator
@inline
export function pmovsxbd(b: v128): v128 {
  return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(b));
}

// @ts-ignore: decorator
@inline
export function pmovsxbq(b: v128): v128 {
  return i64x2.extend_low_i32x4_s(pmovsxbd(b));
}

// @ts-ignore: decorator
@inline
export function pmovsxwd(b: v128): v128 {
  return i32x4.extend_low_i16x8_s(b);
}

// @ts-ignore: decorator
@inline
export function pmovsxwq(b: v128): v128 {
  return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(b));
}

// @ts-ignore: decorator
@inline
export function pmovsxdq(b: v128): v128 {
  return i64x2.extend_low_i32x4_s(b);
}

// @ts-ignore: decorator
@inline
export function pmovzxbw(b: v128): v128 {
  return i16x8.extend_low_i8x16_u(b);
}

// @ts-ignore: decorator
@inline
export function pmovzxbd(b: v128): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(b));
}

// @ts-ignore: decorator
@inline
export function pmovzxbq(b: v128): v128 {
  return i64x2.extend_low_i32x4_u(pmovzxbd(b));
}

// @ts-ignore: decorator
@inline
export function pmovzxwd(b: v128): v128 {
  return i32x4.extend_low_i16x8_u(b);
}

// @ts-ignore: decorator
@inline
export function pmovzxwq(b: v128): v128 {
  return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(b));
}

// @ts-ignore: decorator
@inline
export function pmovzxdq(b: v128): v128 {
  return i64x2.extend_low_i32x4_u(b);
}

/** MPSADBW: eight sums of four differences; bit 2 of the control chooses the window of `a`, bits 1:0 the four bytes of `b`. */
export function mpsadbw(a: v128, b: v128, control: u32): v128 {
  v128.store(SCRATCH, a);
  v128.store(SCRATCH, b, 16);
  const window = SCRATCH + <usize>(control & 4);
  const block = SCRATCH + 16 + <usize>(control & 3) * 4;
  for (let i: usize = 0; i < 8; i++) {
    let sum: i32 = 0;
    for (let k: usize = 0; k < 4; k++) {
      const difference = <i32>load<u8>(window + i + k) - <i32>load<u8>(block + k);
      sum += difference < 0 ? -difference : difference;
    }
    store<u16>(SCRATCH + 32 + i * 2, <u16>sum);
  }
  return v128.load(SCRATCH, 32);
}

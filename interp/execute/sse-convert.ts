/** Conversions between integers and the two formats (SDM vol. 2, CVTDQ2PD to CVTTSS2SI). */
import { convertFloat, floatToInteger, integerToFloat } from '../softfloat/binary';
import { ROUND_ZERO, setRoundingMode } from '../softfloat/common';
import { beginFloat, settleFloat } from './sse-float';

const SOURCE: usize = memory.data(32, 16);
const RESULT: usize = SOURCE + 16;

/** CVTPS2PD: the low two lanes. */
export function singlesToDoubles(b: v128): v128 {
  beginFloat();
  const low = convertFloat<u32, u64>(<u32>i32x4.extract_lane(b, 0));
  const high = convertFloat<u32, u64>(<u32>i32x4.extract_lane(b, 1));
  settleFloat();
  return i64x2(low, high);
}

/** CVTPD2PS: zeros above. */
export function doublesToSingles(b: v128): v128 {
  beginFloat();
  const low = convertFloat<u64, u32>(<u64>i64x2.extract_lane(b, 0));
  const high = convertFloat<u64, u32>(<u64>i64x2.extract_lane(b, 1));
  settleFloat();
  return i32x4(low, high, 0, 0);
}

/** CVTSS2SD, CVTSD2SS. */
export function floatToFloat<T, R>(b: T): R {
  beginFloat();
  const result = convertFloat<T, R>(b);
  settleFloat();
  return result;
}

/** CVTSI2SS and the like; CVTPI2PS calls it for two. */
export function integerToScalar<I, R>(b: I): R {
  beginFloat();
  const result = sizeof<I>() == 8 ? integerToFloat<R>(<i64>b) : integerToFloat<R>(<i64>(<i32>b));
  settleFloat();
  return result;
}

/** CVTSD2SI and the like; `truncate`: CVTTSD2SI. */
export function scalarToInteger<T, I>(b: T, truncate: bool): I {
  beginFloat();
  if (truncate) setRoundingMode(ROUND_ZERO);
  const result: I = sizeof<I>() == 8 ? <I>floatToInteger<T, i64>(b) : <I>(<u32>floatToInteger<T, i32>(b));
  settleFloat();
  return result;
}

/** CVTDQ2PS. */
export function integersToSingles(b: v128): v128 {
  beginFloat();
  v128.store(SOURCE, b);
  for (let at: usize = 0; at < 16; at += 4) store<u32>(RESULT + at, integerToFloat<u32>(<i64>load<i32>(SOURCE + at)));
  settleFloat();
  return v128.load(RESULT);
}

/** CVTPI2PS: the low two lanes. */
export function twoToSingles(b: v128): u64 {
  beginFloat();
  const low = integerToFloat<u32>(<i64>i32x4.extract_lane(b, 0));
  const high = integerToFloat<u32>(<i64>i32x4.extract_lane(b, 1));
  settleFloat();
  return <u64>low | (<u64>high << 32);
}

/** CVTDQ2PD, CVTPI2PD: exact, and no exceptions. */
export function twoToDoubles(b: v128): v128 {
  const low = integerToFloat<u64>(<i64>i32x4.extract_lane(b, 0));
  const high = integerToFloat<u64>(<i64>i32x4.extract_lane(b, 1));
  return i64x2(low, high);
}

/** CVTPS2DQ, CVTTPS2DQ. */
export function singlesToIntegers(b: v128, truncate: bool): v128 {
  beginFloat();
  if (truncate) setRoundingMode(ROUND_ZERO);
  v128.store(SOURCE, b);
  for (let at: usize = 0; at < 16; at += 4) store<i32>(RESULT + at, floatToInteger<u32, i32>(load<u32>(SOURCE + at)));
  settleFloat();
  return v128.load(RESULT);
}

/** CVTPS2PI, CVTTPS2PI: the low two lanes. */
export function twoSinglesToIntegers(b: u64, truncate: bool): u64 {
  beginFloat();
  if (truncate) setRoundingMode(ROUND_ZERO);
  const low = <u32>floatToInteger<u32, i32>(<u32>b);
  const high = <u32>floatToInteger<u32, i32>(<u32>(b >> 32));
  settleFloat();
  return <u64>low | (<u64>high << 32);
}

/** CVTPD2DQ, CVTTPD2DQ, CVTPD2PI, CVTTPD2PI: two doublewords. */
export function doublesToIntegers(b: v128, truncate: bool): u64 {
  beginFloat();
  if (truncate) setRoundingMode(ROUND_ZERO);
  const low = <u32>floatToInteger<u64, i32>(<u64>i64x2.extract_lane(b, 0));
  const high = <u32>floatToInteger<u64, i32>(<u64>i64x2.extract_lane(b, 1));
  settleFloat();
  return <u64>low | (<u64>high << 32);
}

/**
 * The status flags, kept lazily (SDM vol. 1, 3.4.3.1). Two words, no kind of operation:
 *
 * - RESULT: the last result, sign-extended to 64 bits. ZF = it is zero.
 * - CARRY: bit 63 the carry out of the top bit, bit 62 the carry into it (for subtraction: borrows), bit 3 the carry out of
 *   bit 3; bit 4 inverts SF, bits 15:8 are XORed into the byte whose parity is PF. The last two are for flags set one by one.
 *
 * CF = bit 63, OF = bit 63 ^ bit 62, AF = bit 3 of CARRY; SF = sign of RESULT ^ bit 4; PF = even parity of RESULT's low byte ^
 * bits 15:8. The carry vector of an addition is `(a & b) | ((a | b) & ~r)`, that of a subtraction `(~a & b) | ((~a | b) & r)`.
 */
import { CPU_LAZY_FLAGS, CPU_RFLAGS } from './layout';
import { updateMode } from './mode';

export const FLAG_CF: u64 = 1;
export const FLAG_PF: u64 = 1 << 2;
export const FLAG_AF: u64 = 1 << 4;
export const FLAG_ZF: u64 = 1 << 6;
export const FLAG_SF: u64 = 1 << 7;
export const FLAG_TF: u64 = 1 << 8;
export const FLAG_IF: u64 = 1 << 9;
export const FLAG_DF: u64 = 1 << 10;
export const FLAG_OF: u64 = 1 << 11;
export const FLAG_IOPL: u64 = 3 << 12;
export const FLAG_NT: u64 = 1 << 14;
export const FLAG_RF: u64 = 1 << 16;
export const FLAG_VM: u64 = 1 << 17;
export const FLAG_AC: u64 = 1 << 18;
export const FLAG_VIF: u64 = 1 << 19;
export const FLAG_VIP: u64 = 1 << 20;
export const FLAG_ID: u64 = 1 << 21;
/** CF, PF, AF, ZF, SF, OF. */
export const FLAGS_STATUS: u64 = 0x8d5;

const RESULT: usize = CPU_LAZY_FLAGS;
const CARRY: usize = CPU_LAZY_FLAGS + 8;
const CARRY_OUT: u64 = 1 << 63;
const CARRY_IN: u64 = 1 << 62;

// @ts-ignore: decorator
@inline
function signExtend<T>(value: T): i64 {
  if (sizeof<T>() == 1) return <i64>(<i8>value);
  if (sizeof<T>() == 2) return <i64>(<i16>value);
  if (sizeof<T>() == 4) return <i64>(<i32>value);
  return <i64>value;
}

/** Puts bits n-1 and n-2 of a carry vector to 63 and 62 and leaves bit 3. */
// @ts-ignore: decorator
@inline
function alignCarry<T>(vector: T): u64 {
  if (sizeof<T>() == 8) return <u64>vector & 0xc000000000000008;
  return (<u64>vector << (64 - sizeof<T>() * 8)) | (<u64>vector & 8);
}

/** After `result = a + b + carryIn`. */
// @ts-ignore: decorator
@inline
export function setFlagsAdd<T>(a: T, b: T, carryIn: u32, result: T): void {
  store<i64>(RESULT, signExtend<T>(result));
  store<u64>(CARRY, alignCarry<T>(<T>((a & b) | ((a | b) & ~result))));
}

/** After `result = a - b - borrowIn` (SUB, CMP, SBB, NEG with a = 0, CMPXCHG, SCAS, CMPS). */
// @ts-ignore: decorator
@inline
export function setFlagsSub<T>(a: T, b: T, borrowIn: u32, result: T): void {
  store<i64>(RESULT, signExtend<T>(result));
  store<u64>(CARRY, alignCarry<T>(<T>((~a & b) | ((~a | b) & result))));
}

/** AND, OR, XOR, TEST: CF = OF = 0, and AF = 0 as silicon does. */
// @ts-ignore: decorator
@inline
export function setFlagsLogic<T>(result: T): void {
  store<i64>(RESULT, signExtend<T>(result));
  store<u64>(CARRY, 0);
}

/** ZF, SF, PF of a result, with CF, OF and AF given (shifts, multiplications, BCD). Each 0 or 1. */
// @ts-ignore: decorator
@inline
export function setFlagsResult<T>(result: T, cf: u32, overflow: u32, af: u32): void {
  store<i64>(RESULT, signExtend<T>(result));
  store<u64>(CARRY, ((<u64>cf) << 63) | ((<u64>(cf ^ overflow)) << 62) | ((<u64>af) << 3));
}

/** After `result = a + 1`: CF stays. */
// @ts-ignore: decorator
@inline
export function setFlagsInc<T>(result: T): void {
  const keep = load<u64>(CARRY) & CARRY_OUT;
  const overflow = <u64>(signExtend<T>(result) == signExtend<T>(<T>((<u64>1) << (sizeof<T>() * 8 - 1))));
  const af = <u64>((<u64>result & 15) == 0);
  store<i64>(RESULT, signExtend<T>(result));
  store<u64>(CARRY, keep | ((keep >> 1) ^ (overflow << 62)) | (af << 3));
}

/** After `result = a - 1`: CF stays. */
// @ts-ignore: decorator
@inline
export function setFlagsDec<T>(result: T): void {
  const keep = load<u64>(CARRY) & CARRY_OUT;
  const overflow = <u64>(signExtend<T>(result) == signExtend<T>(<T>(((<u64>1) << (sizeof<T>() * 8 - 1)) - 1)));
  const af = <u64>((<u64>result & 15) == 15);
  store<i64>(RESULT, signExtend<T>(result));
  store<u64>(CARRY, keep | ((keep >> 1) ^ (overflow << 62)) | (af << 3));
}

// @ts-ignore: decorator
@inline
export function getCF(): u32 {
  return <u32>(load<u64>(CARRY) >> 63);
}

// @ts-ignore: decorator
@inline
export function getZF(): u32 {
  return <u32>(load<u64>(RESULT) == 0);
}

// @ts-ignore: decorator
@inline
export function getSF(): u32 {
  return <u32>((load<u64>(RESULT) ^ (load<u64>(CARRY) << 59)) >> 63);
}

// @ts-ignore: decorator
@inline
export function getOF(): u32 {
  const carry = load<u64>(CARRY);
  return <u32>((carry ^ (carry << 1)) >> 63);
}

// @ts-ignore: decorator
@inline
export function getAF(): u32 {
  return <u32>(load<u64>(CARRY) >> 3) & 1;
}

// @ts-ignore: decorator
@inline
export function getPF(): u32 {
  return (popcnt<u32>(<u32>(load<u64>(RESULT) ^ (load<u64>(CARRY) >> 8)) & 0xff) & 1) ^ 1;
}

/** SF != OF. */
// @ts-ignore: decorator
@inline
function signedLess(): bool {
  const carry = load<u64>(CARRY);
  return <i64>(load<u64>(RESULT) ^ (carry << 59) ^ carry ^ (carry << 1)) < 0;
}

/** Condition `cc`, the low four bits of Jcc, SETcc, CMOVcc (SDM vol. 1, appendix B). With a constant it folds to one test. */
// @ts-ignore: decorator
@inline
export function condition(cc: i32): bool {
  if (cc == 0) return getOF() != 0;
  if (cc == 1) return getOF() == 0;
  if (cc == 2) return load<i64>(CARRY) < 0;
  if (cc == 3) return load<i64>(CARRY) >= 0;
  if (cc == 4) return load<u64>(RESULT) == 0;
  if (cc == 5) return load<u64>(RESULT) != 0;
  if (cc == 6) return load<i64>(CARRY) < 0 || load<u64>(RESULT) == 0;
  if (cc == 7) return load<i64>(CARRY) >= 0 && load<u64>(RESULT) != 0;
  if (cc == 8) return getSF() != 0;
  if (cc == 9) return getSF() == 0;
  if (cc == 10) return getPF() != 0;
  if (cc == 11) return getPF() == 0;
  if (cc == 12) return signedLess();
  if (cc == 13) return !signedLess();
  if (cc == 14) return signedLess() || load<u64>(RESULT) == 0;
  return !signedLess() && load<u64>(RESULT) != 0;
}

// @ts-ignore: decorator
@inline
export function setCF(value: u32): void {
  const carry = load<u64>(CARRY);
  const overflow = (carry ^ (carry << 1)) & CARRY_OUT;
  const cf = (<u64>value) << 63;
  store<u64>(CARRY, (carry & ~(CARRY_OUT | CARRY_IN)) | cf | ((cf ^ overflow) >> 1));
}

// @ts-ignore: decorator
@inline
export function setOF(value: u32): void {
  const carry = load<u64>(CARRY);
  store<u64>(CARRY, (carry & ~CARRY_IN) | (((carry >> 63) ^ (<u64>value)) << 62));
}

// @ts-ignore: decorator
@inline
export function setAF(value: u32): void {
  store<u64>(CARRY, (load<u64>(CARRY) & ~8) | ((<u64>value) << 3));
}

export function setZF(value: u32): void {
  setStatus((statusFlags() & ~FLAG_ZF) | ((<u64>value) << 6));
}

export function setSF(value: u32): void {
  setStatus((statusFlags() & ~FLAG_SF) | ((<u64>value) << 7));
}

export function setPF(value: u32): void {
  setStatus((statusFlags() & ~FLAG_PF) | ((<u64>value) << 2));
}

/** The six status flags at their places in RFLAGS. */
export function statusFlags(): u64 {
  return (
    <u64>getCF() | (<u64>getPF() << 2) | (<u64>getAF() << 4) | (<u64>getZF() << 6) | (<u64>getSF() << 7) | (<u64>getOF() << 11)
  );
}

/** Sets the six status flags from their places in RFLAGS; other bits of `flags` are ignored. */
export function setStatus(flags: u64): void {
  const zf = (flags >> 6) & 1;
  const cf = flags & 1;
  const result = zf ^ 1;
  const parity = ((flags >> 2) & 1) ^ zf;
  const overflow = (flags >> 11) & 1;
  store<u64>(RESULT, result);
  store<u64>(
    CARRY,
    (cf << 63) | ((cf ^ overflow) << 62) | (((flags >> 4) & 1) << 3) | (((flags >> 7) & 1) << 4) | (parity << 8),
  );
}

/** The whole RFLAGS. */
export function materializeFlags(): u64 {
  return (load<u64>(CPU_RFLAGS) & ~FLAGS_STATUS) | statusFlags() | 2;
}

/**
 * Replaces the whole RFLAGS (which bits may change is the caller's matter). A row whose handler calls this with a changed
 * IF, TF, AC or VM must have `ends`.
 */
export function setFlagsWhole(value: u64): void {
  const old = load<u64>(CPU_RFLAGS);
  store<u64>(CPU_RFLAGS, (value & ~FLAGS_STATUS) | 2);
  setStatus(value);
  if ((old ^ value) & (FLAG_TF | FLAG_IF | FLAG_AC | FLAG_VM)) updateMode();
}

/** Sets or clears bits of RFLAGS that are not status flags (CLD, STI, STAC …). */
export function changeControlFlags(clear: u64, set: u64): void {
  const old = load<u64>(CPU_RFLAGS);
  const value = (old & ~clear) | set;
  store<u64>(CPU_RFLAGS, value);
  if ((old ^ value) & (FLAG_TF | FLAG_IF | FLAG_AC | FLAG_VM)) updateMode();
}

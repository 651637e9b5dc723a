/**
 * Multiplication and division (SDM vol. 2, MUL, IMUL, DIV, IDIV).
 *
 * A multiplication sets CF = OF = "the upper half matters"; SF, ZF, AF, PF are undefined. After a division all flags are
 * undefined. vendor.ts says what they become.
 */
import { raiseDE } from '../fault';
import { setCF, setFlagsResult, setOF, setStatus, statusFlags } from '../flags';
import { readOperand } from '../memory';
import { opImm, opReg, opRm } from '../op';
import { REG_AH, REG_RAX, REG_RDX, getReg, setReg } from '../registers';
import { isAmd } from './vendor';
import { divideWide, multiplyHigh, multiplyHighSigned } from './wide';

// @ts-ignore: decorator
@inline
function signed<T>(value: T): i64 {
  const unused = 64 - sizeof<T>() * 8;
  return (<i64>value << unused) >> unused;
}

/** rDX:rAX (AX for bytes) = high and low. */
// @ts-ignore: decorator
@inline
function setPair<T>(low: T, high: T): void {
  if (sizeof<T>() == 1) {
    setReg<u8>(REG_RAX, <u8>low);
    setReg<u8>(REG_AH, <u8>high);
  } else {
    setReg<T>(REG_RAX, low);
    setReg<T>(REG_RDX, high);
  }
}

// @ts-ignore: decorator
@inline
function productFlags<T>(low: T, matters: u32): void {
  if (isAmd) {
    setCF(matters);
    setOF(matters);
  } else setFlagsResult<T>(low, matters, matters, 0);
}

function quotientFlags(): void {
  if (isAmd) setStatus((statusFlags() & 0x801) | 0x10);
}

// @ts-ignore: decorator
@inline
function multiply<T>(b: T): void {
  const a = getReg<T>(REG_RAX);
  let low: T;
  let high: T;
  if (sizeof<T>() == 8) {
    low = <T>(a * b);
    high = <T>multiplyHigh(<u64>a, <u64>b);
  } else {
    const product = <u64>a * <u64>b;
    low = <T>product;
    high = <T>(product >> (sizeof<T>() * 8));
  }
  setPair<T>(low, high);
  productFlags<T>(low, <u32>(high != 0));
}

// @ts-ignore: decorator
@inline
function multiplySigned<T>(b: T): void {
  const a = getReg<T>(REG_RAX);
  let low: T;
  let high: T;
  if (sizeof<T>() == 8) {
    low = <T>(a * b);
    high = <T>multiplyHighSigned(<i64>a, <i64>b);
  } else {
    const product = signed<T>(a) * signed<T>(b);
    low = <T>product;
    high = <T>(product >> (sizeof<T>() * 8));
  }
  setPair<T>(low, high);
  productFlags<T>(low, <u32>(signed<T>(high) != signed<T>(low) >> 63));
}

/** The forms with a destination of the operands' width. */
// @ts-ignore: decorator
@inline
function multiplyInto<T>(destination: usize, a: T, b: T): void {
  const result = <T>(a * b);
  let matters: u32;
  if (sizeof<T>() == 8) matters = <u32>(multiplyHighSigned(<i64>a, <i64>b) != <i64>result >> 63);
  else matters = <u32>(signed<T>(a) * signed<T>(b) != signed<T>(result));
  setReg<T>(destination, result);
  productFlags<T>(result, matters);
}

// @ts-ignore: decorator
@inline
function divide<T>(divisor: T): void {
  if (divisor == 0) raiseDE();
  if (sizeof<T>() == 8) {
    const low = getReg<u64>(REG_RAX);
    const high = getReg<u64>(REG_RDX);
    if (high >= <u64>divisor) raiseDE();
    const quotient = divideWide(high, low, <u64>divisor);
    setReg<u64>(REG_RAX, quotient);
    setReg<u64>(REG_RDX, low - quotient * <u64>divisor);
    quotientFlags();
    return;
  }
  const dividend = dividendOf<T>();
  const quotient = dividend / <u64>divisor;
  if (quotient >> (sizeof<T>() * 8) != 0) raiseDE();
  setPair<T>(<T>quotient, <T>(dividend % <u64>divisor));
  quotientFlags();
}

/** AX, DX:AX or EDX:EAX. */
// @ts-ignore: decorator
@inline
function dividendOf<T>(): u64 {
  if (sizeof<T>() == 1) return <u64>getReg<u16>(REG_RAX);
  return ((<u64>getReg<T>(REG_RDX)) << (sizeof<T>() * 8)) | <u64>getReg<T>(REG_RAX);
}

// @ts-ignore: decorator
@inline
function divideSigned<T>(divisor: T): void {
  if (divisor == 0) raiseDE();
  if (sizeof<T>() == 8) {
    divideSignedWide(<i64>divisor);
    return;
  }
  const unused = 64 - sizeof<T>() * 16;
  const dividend = (<i64>dividendOf<T>() << unused) >> unused;
  // The one quotient that i64 cannot hold, where WebAssembly would trap.
  if (sizeof<T>() == 4 && dividend == i64.MIN_VALUE && signed<T>(divisor) == -1) raiseDE();
  const quotient = dividend / signed<T>(divisor);
  if (quotient != signed<T>(<T>quotient)) raiseDE();
  setPair<T>(<T>quotient, <T>(dividend % signed<T>(divisor)));
  quotientFlags();
}

function divideSignedWide(divisor: i64): void {
  let low = getReg<u64>(REG_RAX);
  let high = getReg<u64>(REG_RDX);
  const negative = <i64>high < 0;
  if (negative) {
    low = 0 - low;
    high = ~high + <u64>(low == 0);
  }
  const magnitude: u64 = divisor < 0 ? <u64>0 - <u64>divisor : <u64>divisor;
  if (high >= magnitude) raiseDE();
  const quotient = divideWide(high, low, magnitude);
  const remainder = low - quotient * magnitude;
  const opposite = negative != divisor < 0;
  // 2^63 fits only as a negative quotient.
  if (quotient > (<u64>1 << 63) - <u64>!opposite) raiseDE();
  setReg<u64>(REG_RAX, opposite ? 0 - quotient : quotient);
  setReg<u64>(REG_RDX, negative ? 0 - remainder : remainder);
  quotientFlags();
}

/** `F6 /4`, mod = 3. */
// @ts-ignore: decorator
@inline
export function mulRm<T>(op: usize): void {
  multiply<T>(getReg<T>(opRm(op)));
}

/** `F6 /4`, memory. */
// @ts-ignore: decorator
@inline
export function mulMem<T>(op: usize): void {
  multiply<T>(readOperand<T>(op));
}

/** `F6 /5`, mod = 3. */
// @ts-ignore: decorator
@inline
export function imulRm<T>(op: usize): void {
  multiplySigned<T>(getReg<T>(opRm(op)));
}

/** `F6 /5`, memory. */
// @ts-ignore: decorator
@inline
export function imulMem<T>(op: usize): void {
  multiplySigned<T>(readOperand<T>(op));
}

/** `F6 /6`, mod = 3. */
// @ts-ignore: decorator
@inline
export function divRm<T>(op: usize): void {
  divide<T>(getReg<T>(opRm(op)));
}

/** `F6 /6`, memory. */
// @ts-ignore: decorator
@inline
export function divMem<T>(op: usize): void {
  divide<T>(readOperand<T>(op));
}

/** `F6 /7`, mod = 3. */
// @ts-ignore: decorator
@inline
export function idivRm<T>(op: usize): void {
  divideSigned<T>(getReg<T>(opRm(op)));
}

/** `F6 /7`, memory. */
// @ts-ignore: decorator
@inline
export function idivMem<T>(op: usize): void {
  divideSigned<T>(readOperand<T>(op));
}

/** `0F AF /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function imulRegRm<T>(op: usize): void {
  multiplyInto<T>(opReg(op), getReg<T>(opReg(op)), getReg<T>(opRm(op)));
}

/** `0F AF /r`, memory. */
// @ts-ignore: decorator
@inline
export function imulRegMem<T>(op: usize): void {
  multiplyInto<T>(opReg(op), getReg<T>(opReg(op)), readOperand<T>(op));
}

/** `69 /r iz`, `6B /r ib`, mod = 3. */
// @ts-ignore: decorator
@inline
export function imulRegRmImm<T>(op: usize): void {
  multiplyInto<T>(opReg(op), getReg<T>(opRm(op)), <T>opImm(op));
}

/** `69 /r iz`, `6B /r ib`, memory. */
// @ts-ignore: decorator
@inline
export function imulRegMemImm<T>(op: usize): void {
  multiplyInto<T>(opReg(op), readOperand<T>(op), <T>opImm(op));
}

/** Loads, stores, constants, exchanges and conditional moves of the x87 (SDM vol. 1, 8.3.3 and 8.3.4). */
import { isAmd } from './vendor';
import { condition } from '../flags';
import {
  checkAlignment, cutAddress, effectiveAddress, linearForWrite, probeSpan, readOperand, readSegment, writeOperand, writePart,
} from '../memory';
import { opAddressSize, opModrm, opSegment } from '../op';
import { FLAG_DENORMAL, FLAG_INVALID, exceptionFlags, ROUND_DOWN, ROUND_NEAREST, ROUND_UP, ROUND_ZERO, raiseFlags, roundingMode, setRoundingMode } from '../softfloat/common';
import { extHigh, extSig, extSignalling, setExt, setIndefinite } from '../softfloat/extended';
import { decimalLow, extFromDecimal, extFromFloat, extFromInteger, extToDecimal, extToFloat, extToInteger } from '../softfloat/extended-convert';
import { wrapLinear } from '../system/descriptor';
import {
  clearC1, commitFlags, computingX87, decrementTop, finishFlags, freeStack, incrementTop, notePointers, popStack, pushStack,
  setStack, setStackIndefinite, settleFlags, stackEmpty, stackFault, stackHigh, stackSig, waitingX87, x87Control,
} from './x87-state';

/** Pushes the last result of softfloat, if the stack has room. */
function pushResult(): void {
  if (!stackEmpty(7)) {
    if (!stackFault(true)) return;
    decrementTop();
    setStackIndefinite(0);
  } else {
    clearC1();
    pushStack(extHigh, extSig);
  }
}

/** Pushes a number that came from f32 or f64 memory. */
function pushReal(denormal: bool): void {
  if (!stackEmpty(7)) {
    pushResult();
    return;
  }
  if (denormal) raiseFlags(FLAG_DENORMAL);
  if (extSignalling(extHigh, extSig)) {
    raiseFlags(FLAG_INVALID);
    setExt(extHigh, extSig | 0x4000000000000000);
  }
  finishFlags();
  // Unmasked, a denormal operand is loaded all the same; only a signalling NaN is not.
  if ((exceptionFlags & ~x87Control() & FLAG_INVALID) == 0) pushStack(extHigh, extSig);
}

/** `D9 /0` */
export function x87LoadF32(op: usize): void {
  computingX87();
  const denormal = extFromFloat<u32>(readOperand<u32>(op));
  notePointers(op, 1);
  pushReal(denormal);
}

/** `DD /0` */
export function x87LoadF64(op: usize): void {
  computingX87();
  const denormal = extFromFloat<u64>(readOperand<u64>(op));
  notePointers(op, 5);
  pushReal(denormal);
}

/** The upper two bytes of a ten-byte operand. */
function readUpper(op: usize): u32 {
  return readSegment<u16>(opSegment(op), cutAddress(effectiveAddress(op) + 8, opAddressSize(op)));
}

/** `DB /5` */
export function x87LoadF80(op: usize): void {
  waitingX87();
  const sig = readOperand<u64>(op);
  setExt(readUpper(op), sig);
  notePointers(op, 3);
  pushResult();
}

/** `DF /0` */
export function x87LoadI16(op: usize): void {
  waitingX87();
  extFromInteger(readOperand<i16>(op));
  notePointers(op, 7);
  pushResult();
}

/** `DB /0` */
export function x87LoadI32(op: usize): void {
  waitingX87();
  extFromInteger(readOperand<i32>(op));
  notePointers(op, 3);
  pushResult();
}

/** `DF /5` */
export function x87LoadI64(op: usize): void {
  waitingX87();
  extFromInteger(readOperand<i64>(op));
  notePointers(op, 7);
  pushResult();
}

/** `DF /4` */
export function x87LoadDecimal(op: usize): void {
  waitingX87();
  const low = readOperand<u64>(op);
  extFromDecimal(low, readUpper(op));
  notePointers(op, 7);
  pushResult();
}

/** `D9 C0+i` */
export function x87LoadRegister(op: usize): void {
  waitingX87();
  notePointers(op, 1);
  const i = opModrm(op) & 7;
  // A full stack and an empty source: overflow for Intel, underflow for AMD.
  if (!stackEmpty(7) && !(isAmd && stackEmpty(i))) pushResult();
  else if (stackEmpty(i)) {
    if (!stackFault(false)) return;
    decrementTop();
    setStackIndefinite(0);
  } else {
    setExt(stackHigh(i), stackSig(i));
    pushResult();
  }
}

/** `D9 E8` to `D9 EE`: 1, log2 10, log2 e, pi, log10 2, ln 2, 0. All but the first and last are rounded by RC. */
export function x87LoadConstant(op: usize): void {
  computingX87();
  notePointers(op, 1);
  const down = u64(roundingMode == ROUND_DOWN || roundingMode == ROUND_ZERO);
  switch (opModrm(op) & 7) {
    case 0:
      setExt(0x3fff, 0x8000000000000000);
      break;
    case 1:
      // The one whose next bits are below a half.
      setExt(0x4000, 0xd49a784bcd1b8afe + u64(roundingMode == ROUND_UP));
      break;
    case 2:
      setExt(0x3fff, 0xb8aa3b295c17f0bc - down);
      break;
    case 3:
      setExt(0x4000, 0xc90fdaa22168c235 - down);
      break;
    case 4:
      setExt(0x3ffd, 0x9a209a84fbcff799 - down);
      break;
    case 5:
      setExt(0x3ffe, 0xb17217f7d1cf79ac - down);
      break;
    default:
      setExt(0, 0);
  }
  pushResult();
}

/** Before a store: ST0 is empty; true: masked, so that the indefinite value is stored. Nothing is changed yet. */
function emptyStores(): bool {
  raiseFlags(FLAG_INVALID);
  return settleFlags(true);
}

/** After the memory was written, or was not to be: flags, stack fault, pop. */
function finishStore(op: usize, escape: u32, empty: bool, stored: bool, pop: u32): void {
  notePointers(op, escape);
  if (empty) stackFault(false);
  else commitFlags();
  if (stored && pop != 0) popStack();
}

/** `D9 /2`, `D9 /3` */
export function x87StoreF32(op: usize, pop: u32): void {
  computingX87();
  const empty = stackEmpty(0);
  const value = empty ? 0xffc00000 : extToFloat<u32>(stackHigh(0), stackSig(0));
  const stored = empty ? emptyStores() : settleFlags(true);
  storeOrProbe<u32>(op, value, stored);
  finishStore(op, 1, empty, stored, pop);
}

/** `DD /2`, `DD /3` */
export function x87StoreF64(op: usize, pop: u32): void {
  computingX87();
  const empty = stackEmpty(0);
  const value = empty ? 0xfff8000000000000 : extToFloat<u64>(stackHigh(0), stackSig(0));
  const stored = empty ? emptyStores() : settleFlags(true);
  storeOrProbe<u64>(op, value, stored);
  finishStore(op, 5, empty, stored, pop);
}

/**
 * Writes ten bytes, of which none is written if one cannot be: checked as eight bytes and two. `stored` false: an unmasked exception keeps them from
 * being written, and still the memory must be such that they could be.
 */
function writeTen(op: usize, high: u32, low: u64, stored: bool): void {
  const segment = opSegment(op);
  const offset = effectiveAddress(op);
  const linear = wrapLinear(linearForWrite(segment, offset, 8));
  checkAlignment(linear, 8);
  probeSpan(linear, 8, true);
  const upper = wrapLinear(linearForWrite(segment, cutAddress(offset + 8, opAddressSize(op)), 2));
  probeSpan(upper, 2, true);
  if (!stored) return;
  writePart<u64>(linear, low);
  writePart<u16>(upper, <u16>high);
}

/** A store of T, or with `stored` false what it would have raised: memory is checked before the exception is noted (as on AMD's processors). */
// @ts-ignore: decorator
@inline
function storeOrProbe<T>(op: usize, value: T, stored: bool): void {
  if (stored) writeOperand<T>(op, value);
  else probeOperandWrite<T>(op);
}

/** The faults of writing the operand. */
function probeOperandWrite<T>(op: usize): void {
  const linear = wrapLinear(linearForWrite(opSegment(op), effectiveAddress(op), sizeof<T>()));
  checkAlignment(linear, sizeof<T>());
  probeSpan(linear, sizeof<T>(), true);
}

/** `DB /7` */
export function x87StoreF80(op: usize): void {
  computingX87();
  const empty = stackEmpty(0);
  setExt(stackHigh(0), stackSig(0));
  if (empty) setIndefinite();
  const stored = empty ? emptyStores() : settleFlags(true);
  writeTen(op, extHigh, extSig, stored);
  finishStore(op, 3, empty, stored, 1);
}

/** `DF /6` */
export function x87StoreDecimal(op: usize): void {
  computingX87();
  const empty = stackEmpty(0);
  // The indefinite decimal is what an unsupported number gives.
  const high = empty ? extToDecimal(0x7fff, 0) : extToDecimal(stackHigh(0), stackSig(0));
  const stored = empty ? emptyStores() : settleFlags(true);
  writeTen(op, high, decimalLow, stored);
  finishStore(op, 7, empty, stored, 1);
}

/** FIST, FISTP and, with `truncate`, FISTTP of T = u16, u32 or u64. */
export function x87StoreInteger<T>(op: usize, escape: u32, pop: u32, truncate: u32): void {
  computingX87();
  if (truncate != 0) setRoundingMode(ROUND_ZERO);
  const empty = stackEmpty(0);
  const bits: u32 = sizeof<T>() * 8;
  const value = empty ? <i64>1 << (bits - 1) : extToInteger(stackHigh(0), stackSig(0), bits);
  const stored = empty ? emptyStores() : settleFlags(true);
  storeOrProbe<T>(op, <T>value, stored);
  finishStore(op, escape, empty, stored, pop);
}

/** `DD D0+i`, `DD D8+i` and the aliases `D9 D8+i`, `DF D0+i`, `DF D8+i`. */
export function x87StoreRegister(op: usize, escape: u32, pop: u32): void {
  waitingX87();
  notePointers(op, escape);
  const i = opModrm(op) & 7;
  if (isAmd && escape == 1 && stackEmpty(0)) {
    // AMD's FSTPNCE: nothing is stored and nothing raised.
    clearC1();
  } else if (stackEmpty(0)) {
    if (!stackFault(false)) return;
    setStackIndefinite(i);
  } else {
    clearC1();
    setStack(i, stackHigh(0), stackSig(0));
  }
  if (pop != 0) popStack();
}

/** `D9 C8+i` and the aliases `DD C8+i`, `DF C8+i`. */
export function x87Exchange(op: usize, escape: u32): void {
  waitingX87();
  notePointers(op, escape);
  const i = opModrm(op) & 7;
  if (stackEmpty(0) || stackEmpty(i)) {
    if (!stackFault(false)) return;
    if (stackEmpty(0)) setStackIndefinite(0);
    if (stackEmpty(i)) setStackIndefinite(i);
  } else clearC1();
  const high = stackHigh(0);
  const sig = stackSig(0);
  setStack(0, stackHigh(i), stackSig(i));
  setStack(i, high, sig);
}

/** `DA C0+i` to `DB D8+i`: if the condition `cc` holds. */
export function x87ConditionalMove(op: usize, escape: u32, cc: u32): void {
  waitingX87();
  notePointers(op, escape);
  const i = opModrm(op) & 7;
  if (stackEmpty(0) || stackEmpty(i)) {
    if (stackFault(false)) setStackIndefinite(0);
    return;
  }
  // AMD leaves C1.
  if (!isAmd) clearC1();
  if (condition(cc)) setStack(0, stackHigh(i), stackSig(i));
}

/** `D9 F6` */
export function x87DecrementTop(op: usize): void {
  waitingX87();
  notePointers(op, 1);
  clearC1();
  decrementTop();
}

/** `D9 F7` */
export function x87IncrementTop(op: usize): void {
  waitingX87();
  notePointers(op, 1);
  clearC1();
  incrementTop();
}

/** `DD C0+i`, and `DF C0+i`, which pops too. */
export function x87Free(op: usize, escape: u32, pop: u32): void {
  waitingX87();
  notePointers(op, escape);
  freeStack(opModrm(op) & 7);
  // C1 is undefined: AMD clears it, Intel leaves it.
  if (isAmd) clearC1();
  if (pop != 0) popStack();
}

/** `D9 D0`, and what was of the 8087 and 80287 only: `DB E0`, `DB E1`, `DB E4`. */
export function x87Nothing(op: usize): void {
  waitingX87();
  notePointers(op, opModrm(op) == 0xd0 ? 1 : 3);
}

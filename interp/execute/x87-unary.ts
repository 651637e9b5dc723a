/** FCHS, FABS, FRNDINT, FSQRT, FSCALE, FXTRACT, FPREM, FPREM1 (SDM vol. 1, 8.3.5). */
import { FLAG_DENORMAL, FLAG_INVALID, exceptionFlags, raiseFlags } from '../softfloat/common';
import { extDenormal, extPropagate, extSpecial, extSquareRoot } from '../softfloat/extended';
import { extRoundToIntegral } from '../softfloat/extended-convert';
import { exponentHigh, exponentSig, extExtract, extRemainder, extScale, partial, quotientBits } from '../softfloat/extended-remainder';
import {
  STATUS_C0, STATUS_C1, STATUS_C2, STATUS_C3, X87_STATUS, clearC1, computingX87, decrementTop, finishFlags, notePointers, setConditions,
  setStack, setStackIndefinite, setStackResult, stackEmpty, stackFault, stackHigh, stackSig, waitingX87, x87Status,
} from './x87-state';
import { isAmd } from './vendor';
import { x87Precision } from './x87-arith';

/** Begins an instruction on ST0. False: it was empty, and all is done. */
function beginUnary(op: usize): bool {
  computingX87();
  notePointers(op, 1);
  if (!stackEmpty(0)) return true;
  if (stackFault(false)) setStackIndefinite(0);
  return false;
}

/** `D9 E0` */
export function x87ChangeSign(op: usize): void {
  if (!beginUnary(op)) return;
  clearC1();
  setStack(0, stackHigh(0) ^ 0x8000, stackSig(0));
}

/** `D9 E1` */
export function x87Absolute(op: usize): void {
  if (!beginUnary(op)) return;
  clearC1();
  setStack(0, stackHigh(0) & 0x7fff, stackSig(0));
}

/** `D9 FC` */
export function x87RoundToInteger(op: usize): void {
  if (!beginUnary(op)) return;
  const high = stackHigh(0);
  const sig = stackSig(0);
  if (extSpecial(high, sig)) extPropagate(high, sig, high, sig);
  else {
    if (extDenormal(high, sig)) raiseFlags(FLAG_DENORMAL);
    extRoundToIntegral(high, sig);
  }
  if (finishFlags()) setStackResult(0);
}

/** `D9 FA` */
export function x87SquareRoot(op: usize): void {
  if (!beginUnary(op)) return;
  extSquareRoot(stackHigh(0), stackSig(0), x87Precision());
  if (finishFlags()) setStackResult(0);
}

/** `D9 FD` */
export function x87Scale(op: usize): void {
  computingX87();
  notePointers(op, 1);
  if (stackEmpty(0) || stackEmpty(1)) {
    if (stackFault(false)) setStackIndefinite(0);
    return;
  }
  extScale(stackHigh(0), stackSig(0), stackHigh(1), stackSig(1));
  if (finishFlags()) setStackResult(0);
}

/** Without a quotient AMD clears C2 and leaves C3 and C0, Intel clears all. */
function invalidRemainder(): void {
  setConditions(isAmd ? x87Status() & (STATUS_C3 | STATUS_C0) : 0);
}

/** `D9 F8`, and with `nearest` `D9 F5`. C0, C3, C1 get the quotient's low bits; C2: the reduction is not complete. */
export function x87Remainder(op: usize, nearest: u32): void {
  computingX87();
  notePointers(op, 1);
  if (stackEmpty(0) || stackEmpty(1)) {
    invalidRemainder();
    if (stackFault(false)) setStackIndefinite(0);
    return;
  }
  const special = extSpecial(stackHigh(0), stackSig(0)) || extSpecial(stackHigh(1), stackSig(1));
  extRemainder(stackHigh(0), stackSig(0), stackHigh(1), stackSig(1), nearest != 0);
  const without = special || (exceptionFlags & FLAG_INVALID) != 0;
  if (!finishFlags()) {
    // AMD clears C2 also where an unmasked exception keeps the result away.
    if (isAmd) invalidRemainder();
    return;
  }
  setStackResult(0);
  if (without) {
    invalidRemainder();
    return;
  }
  let bits: u32 = 0;
  if (partial) bits = STATUS_C2;
  else {
    if (quotientBits & 4) bits |= STATUS_C0;
    if (quotientBits & 2) bits |= STATUS_C3;
    if (quotientBits & 1) store<u16>(X87_STATUS, <u16>(x87Status() | STATUS_C1));
  }
  setConditions(bits);
}

/** `D9 F4` */
export function x87Extract(op: usize): void {
  computingX87();
  notePointers(op, 1);
  const empty = stackEmpty(0);
  if (empty || !stackEmpty(7)) {
    if (!stackFault(!empty)) return;
    setStackIndefinite(0);
    decrementTop();
    setStackIndefinite(0);
    return;
  }
  extExtract(stackHigh(0), stackSig(0));
  if (!finishFlags()) return;
  setStack(0, exponentHigh, exponentSig);
  decrementTop();
  setStackResult(0);
}

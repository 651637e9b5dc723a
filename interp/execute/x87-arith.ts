/** FADD, FSUB, FMUL, FDIV and their reversed, popping and integer forms; FCOM, FUCOM, FCOMI and the like (SDM vol. 1, 8.3.5 and 8.3.6). */
import { setStatus, FLAG_CF, FLAG_PF, FLAG_ZF } from '../flags';
import { readOperand } from '../memory';
import { opModrm } from '../op';
import { FLAG_DENORMAL, FLAG_INVALID, FLAG_ZERO_DIVIDE, exceptionFlags, raiseFlags } from '../softfloat/common';
import {
  EXT_EQUAL, EXT_LESS, EXT_UNORDERED, extAdd, extCompare, extDivide, extHigh, extMultiply, extSig, extSpecial,
} from '../softfloat/extended';
import { extFromFloat, extFromInteger } from '../softfloat/extended-convert';
import {
  STATUS_C0, STATUS_C2, STATUS_C3, clearC1, computingX87, finishFlags, notePointers, popStack, setConditions, setStackIndefinite,
  setStackResult, stackEmpty, stackFault, stackHigh, stackSig, x87Control, STATUS_C1, x87Status, X87_STATUS,
} from './x87-state';
import { isAmd } from './vendor';

/** ModRM.reg of D8, DA, DC, DE: what is done. 2 and 3 compare. */
const ADD: u32 = 0;
const MULTIPLY: u32 = 1;
const COMPARE_POP: u32 = 3;
const SUBTRACT: u32 = 4;
const SUBTRACT_REVERSED: u32 = 5;
const DIVIDE: u32 = 6;

/** Bits of the significand by PC; the reserved value 1 means 64 on the processors at hand. */
// @ts-ignore: decorator
@inline
export function x87Precision(): u32 {
  const pc = x87Control() & 0x300;
  return pc == 0 ? 24 : pc == 0x200 ? 53 : 64;
}

/** a op b. */
function compute(operation: u32, aHigh: u32, aSig: u64, bHigh: u32, bSig: u64): void {
  const precision = x87Precision();
  if (operation == ADD) extAdd(aHigh, aSig, bHigh, bSig, false, precision);
  else if (operation == MULTIPLY) extMultiply(aHigh, aSig, bHigh, bSig, precision);
  else if (operation == SUBTRACT) extAdd(aHigh, aSig, bHigh, bSig, true, precision);
  else if (operation == SUBTRACT_REVERSED) extAdd(bHigh, bSig, aHigh, aSig, true, precision);
  else if (operation == DIVIDE) extDivide(aHigh, aSig, bHigh, bSig, precision);
  else extDivide(bHigh, bSig, aHigh, aSig, precision);
}

// @ts-ignore: decorator
@inline
function operationOf(op: usize): u32 {
  return (opModrm(op) >> 3) & 7;
}

/** ST0 op ST(i) to ST0, or to ST(i) with `toI`. */
function arithmetic(op: usize, escape: u32, toI: bool, pop: bool): void {
  computingX87();
  notePointers(op, escape);
  const i = opModrm(op) & 7;
  const destination = toI ? i : 0;
  if (stackEmpty(0) || stackEmpty(i)) {
    if (!stackFault(false)) return;
    setStackIndefinite(destination);
  } else {
    compute(operationOf(op), stackHigh(0), stackSig(0), stackHigh(i), stackSig(i));
    if (!finishFlags()) return;
    setStackResult(destination);
  }
  if (pop) popStack();
}

/** `D8 C0+i` to `D8 F8+i`, but not `D0` and `D8`. */
export function x87ArithmeticSt0(op: usize): void {
  arithmetic(op, 0, false, false);
}

/** `DC C0+i` …: the reversed operations change places, which gives ST0 op ST(i) again. */
export function x87ArithmeticSti(op: usize): void {
  arithmetic(op, 4, true, false);
}

/** `DE C0+i` … */
export function x87ArithmeticPop(op: usize): void {
  arithmetic(op, 6, true, true);
}

/** The answer of a comparison as C3, C2, C0. */
function conditionsOf(relation: i32): u32 {
  if (relation == EXT_UNORDERED) return STATUS_C3 | STATUS_C2 | STATUS_C0;
  return relation == EXT_LESS ? STATUS_C0 : relation == EXT_EQUAL ? STATUS_C3 : 0;
}

/** A comparison found an empty register. */
function compareEmpty(pops: u32): void {
  const masked = stackFault(false);
  if (masked || isAmd) setConditions(STATUS_C3 | STATUS_C2 | STATUS_C0);
  if (!masked) return;
  for (let i: u32 = 0; i < pops; i++) popStack();
}

function finishCompare(relation: i32, pops: u32): void {
  const done = finishFlags();
  // AMD's processors (measured on Zen 5) set the conditions also if an unmasked exception keeps the stack as it is.
  if (done || isAmd) setConditions(conditionsOf(relation));
  if (!done) return;
  for (let i: u32 = 0; i < pops; i++) popStack();
}

/** ST0 with the last result of softfloat, which came from memory; `denormal`: it was one in its own format. */
function memoryArithmetic(op: usize, escape: u32, denormal: bool): void {
  notePointers(op, escape);
  const operation = operationOf(op);
  const compares = (operation & 6) == 2;
  if (stackEmpty(0)) {
    if (compares) compareEmpty(u32(operation == COMPARE_POP));
    else if (stackFault(false)) setStackIndefinite(0);
    return;
  }
  const high = extHigh;
  const sig = extSig;
  let relation: i32 = 0;
  if (compares) relation = extCompare(stackHigh(0), stackSig(0), high, sig, true);
  else compute(operation, stackHigh(0), stackSig(0), high, sig);
  // NaNs, invalid operations and division by zero come before denormal operands (SDM vol. 1, 4.9.2).
  if (denormal && (exceptionFlags & (FLAG_INVALID | FLAG_ZERO_DIVIDE)) == 0 && !extSpecial(stackHigh(0), stackSig(0))) {
    raiseFlags(FLAG_DENORMAL);
  }
  if (compares) finishCompare(relation, u32(operation == COMPARE_POP));
  else if (finishFlags()) setStackResult(0);
}

/** `D8 /0` to `D8 /7`, memory: 32-bit real. */
export function x87ArithmeticF32(op: usize): void {
  computingX87();
  memoryArithmetic(op, 0, extFromFloat<u32>(readOperand<u32>(op)));
}

/** `DC`, memory: 64-bit real. */
export function x87ArithmeticF64(op: usize): void {
  computingX87();
  memoryArithmetic(op, 4, extFromFloat<u64>(readOperand<u64>(op)));
}

/** `DA`, memory: 32-bit integer. */
export function x87ArithmeticI32(op: usize): void {
  computingX87();
  extFromInteger(readOperand<i32>(op));
  memoryArithmetic(op, 2, false);
}

/** `DE`, memory: 16-bit integer. */
export function x87ArithmeticI16(op: usize): void {
  computingX87();
  extFromInteger(readOperand<i16>(op));
  memoryArithmetic(op, 6, false);
}

/** `D8 D0+i`, `DD E0+i` and their popping forms. `signalling`: FCOM; else FUCOM. */
export function x87Compare(op: usize, escape: u32, signalling: u32, pops: u32): void {
  computingX87();
  notePointers(op, escape);
  const i = opModrm(op) & 7;
  if (stackEmpty(0) || stackEmpty(i)) compareEmpty(pops);
  else finishCompare(extCompare(stackHigh(0), stackSig(0), stackHigh(i), stackSig(i), signalling != 0), pops);
}

/** `D9 E4`: with zero. */
export function x87Test(op: usize): void {
  computingX87();
  notePointers(op, 1);
  if (stackEmpty(0)) compareEmpty(0);
  else finishCompare(extCompare(stackHigh(0), stackSig(0), 0, 0, true), 0);
}

/** `DB F0+i`, `DB E8+i`, and DF's popping forms: the answer goes to ZF, PF, CF; OF, SF and AF are cleared. */
export function x87CompareFlags(op: usize, escape: u32, signalling: u32, pops: u32): void {
  computingX87();
  notePointers(op, escape);
  const i = opModrm(op) & 7;
  let relation = EXT_UNORDERED;
  let stored = true;
  if (stackEmpty(0) || stackEmpty(i)) {
    stored = stackFault(false);
    if (!stored && !isAmd) return;
  } else {
    relation = extCompare(stackHigh(0), stackSig(0), stackHigh(i), stackSig(i), signalling != 0);
    const before = x87Status() & STATUS_C1;
    stored = finishFlags();
    // Intel clears C1, AMD leaves it.
    if (isAmd) store<u16>(X87_STATUS, <u16>((x87Status() & ~STATUS_C1) | before));
    if (!stored && !isAmd) return;
  }
  if (relation == EXT_UNORDERED) setStatus(FLAG_ZF | FLAG_PF | FLAG_CF);
  else setStatus(relation == EXT_EQUAL ? FLAG_ZF : relation == EXT_LESS ? FLAG_CF : 0);
  if (stored && pops != 0) popStack();
}

/** `D9 E5`: the class of ST0 to C3, C2, C0 and its sign to C1. */
export function x87Examine(op: usize): void {
  computingX87();
  notePointers(op, 1);
  const high = stackHigh(0);
  const sig = stackSig(0);
  const exp = high & 0x7fff;
  let bits: u32;
  if (stackEmpty(0)) bits = STATUS_C3 | STATUS_C0;
  else if (exp == 0) bits = sig == 0 ? STATUS_C3 : STATUS_C3 | STATUS_C2;
  else if (sig >> 63 == 0) bits = 0;
  else if (exp == 0x7fff) bits = sig << 1 == 0 ? STATUS_C2 | STATUS_C0 : STATUS_C0;
  else bits = STATUS_C2;
  clearC1();
  setConditions(bits | ((high & 0x8000) >> 6));
}

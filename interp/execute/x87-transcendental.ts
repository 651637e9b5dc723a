/** F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN, FCOS, FSINCOS (SDM vol. 1, 8.3.8 to 8.3.10). */
import { SIG_TOP } from '../softfloat/common';
import {
  CIRCULAR_BOTH, CIRCULAR_TANGENT, cosineHigh, cosineSig, extAngle, extCircular, extExponential, extLogarithm, extLogarithmPlus1, outOfRange,
} from '../softfloat/transcendental';
import { extHigh, extNaN, extSig } from '../softfloat/extended';
import { WORK_TRANSCENDENTAL, spend } from '../work';
import {
  STATUS_C2, X87_STATUS, clearC1, computingX87, decrementTop, finishFlags, notePointers, popStack, pushStack, setStackIndefinite,
  setStackResult, stackEmpty, stackFault, stackHigh, stackSig, x87Status,
} from './x87-state';

/** `D9 F0` */
export function x87Exponential(op: usize): void {
  computingX87();
  notePointers(op, 1);
  if (stackEmpty(0)) {
    if (stackFault(false)) setStackIndefinite(0);
    return;
  }
  spend(WORK_TRANSCENDENTAL);
  extExponential(stackHigh(0), stackSig(0));
  if (finishFlags()) setStackResult(0);
}

/** `D9 F1` FYL2X (0), `D9 F9` FYL2XP1 (1), `D9 F3` FPATAN (2): of ST0 and ST1 to ST1, with a pop. */
export function x87OfTwo(op: usize, which: u32): void {
  computingX87();
  notePointers(op, 1);
  if (stackEmpty(0) || stackEmpty(1)) {
    if (!stackFault(false)) return;
    setStackIndefinite(1);
  } else {
    spend(WORK_TRANSCENDENTAL);
    if (which == 0) extLogarithm(stackHigh(0), stackSig(0), stackHigh(1), stackSig(1));
    else if (which == 1) extLogarithmPlus1(stackHigh(0), stackSig(0), stackHigh(1), stackSig(1));
    else extAngle(stackHigh(0), stackSig(0), stackHigh(1), stackSig(1));
    if (!finishFlags()) return;
    setStackResult(1);
  }
  popStack();
}

/** `D9 FE` FSIN, `D9 FF` FCOS, `D9 FB` FSINCOS, `D9 F2` FPTAN; the latter two push a second result. */
export function x87Circular(op: usize, which: u32): void {
  computingX87();
  notePointers(op, 1);
  const pushes = which == CIRCULAR_BOTH || which == CIRCULAR_TANGENT;
  const empty = stackEmpty(0);
  if (empty || (pushes && !stackEmpty(7))) {
    store<u16>(X87_STATUS, <u16>(x87Status() & ~STATUS_C2));
    if (!stackFault(!empty)) return;
    setStackIndefinite(0);
    if (pushes) {
      decrementTop();
      setStackIndefinite(0);
    }
    return;
  }
  spend(WORK_TRANSCENDENTAL);
  extCircular(stackHigh(0), stackSig(0), which);
  if (outOfRange) {
    clearC1();
    store<u16>(X87_STATUS, <u16>(x87Status() | STATUS_C2));
    return;
  }
  store<u16>(X87_STATUS, <u16>(x87Status() & ~STATUS_C2));
  if (!finishFlags()) return;
  setStackResult(0);
  if (which == CIRCULAR_BOTH) pushStack(cosineHigh, cosineSig);
  else if (which == CIRCULAR_TANGENT) {
    // The tangent of a NaN pushes the NaN, else 1 is pushed.
    if (extNaN(extHigh, extSig)) pushStack(extHigh, extSig);
    else pushStack(0x3fff, SIG_TOP);
  }
}

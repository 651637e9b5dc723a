/**
 * The stack (SDM vol. 1, 6.2 and 7.3.1.4): PUSH, POP, PUSHA, POPA, ENTER, LEAVE. RSP changes last.
 */
import {
  cutAddress, effectiveAddress, linearForWrite, moveStackPointer, moveStackPointerOf, popPeek, probeWrite, pushAt, pushValue, readOperand,
  readSegment, setStackPointer, stackPointer, writeSegment,
} from '../memory';
import { cpl, stackSize } from '../mode';
import { opImm, opImm2, opReg, opRm, opSegment } from '../op';
import {
  REG_RAX, REG_RBP, REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RSI, REG_RSP, SEG_SS, getReg, segmentSelector, setReg,
} from '../registers';
import { isAmd } from './vendor';

/** `50+r`. PUSH SP writes the value from before. */
// @ts-ignore: decorator
@inline
export function pushReg<T>(op: usize): void {
  pushValue<T>(getReg<T>(opReg(op)));
}

/** `FF /6`, mod = 3. */
// @ts-ignore: decorator
@inline
export function pushRm<T>(op: usize): void {
  pushValue<T>(getReg<T>(opRm(op)));
}

/** `FF /6`, memory. */
// @ts-ignore: decorator
@inline
export function pushMem<T>(op: usize): void {
  pushValue<T>(readOperand<T>(op));
}

/** `68 iz`, `6A ib`. */
// @ts-ignore: decorator
@inline
export function pushImm<T>(op: usize): void {
  pushValue<T>(<T>opImm(op));
}

/**
 * `06`, `0E`, `16`, `1E`, `0F A0`, `0F A8`. A 32-bit push moves SP by 4 and writes 16 bits on Intel's processors (SDM vol. 2,
 * PUSH); AMD's, and every 64-bit push, write the selector zero-extended.
 */
// @ts-ignore: decorator
@inline
export function pushSegment<T>(op: usize, segment: u32): void {
  if (sizeof<T>() == 4 && !isAmd) {
    pushAt<u16>(-4, segmentSelector(segment));
    moveStackPointer(-4);
  } else pushValue<T>(<T>segmentSelector(segment));
}

/** `58+r`. POP SP: the value popped wins. */
// @ts-ignore: decorator
@inline
export function popReg<T>(op: usize): void {
  const value = popPeek<T>(0);
  moveStackPointerOf<T>(sizeof<T>());
  setReg<T>(opReg(op), value);
}

/** `8F /0`, mod = 3. */
// @ts-ignore: decorator
@inline
export function popRm<T>(op: usize): void {
  const value = popPeek<T>(0);
  moveStackPointerOf<T>(sizeof<T>());
  setReg<T>(opRm(op), value);
}

/** `8F /0`, memory: an address with RSP is computed with its value after the pop. */
// @ts-ignore: decorator
@inline
export function popMem<T>(op: usize): void {
  const value = popPeek<T>(0);
  const before = getReg<u64>(REG_RSP);
  moveStackPointer(sizeof<T>());
  const offset = effectiveAddress(op);
  setReg<u64>(REG_RSP, before);
  writeSegment<T>(opSegment(op), offset, value);
  moveStackPointer(sizeof<T>());
}

/** Raises what a write to the stack at `offset` would raise. */
function probeStack(offset: u64, size: u32): void {
  probeWrite(linearForWrite(SEG_SS, cutAddress(offset, stackSize()), size), size, cpl() == 3);
}

/**
 * `60`. The lowest slot is tried before anything is written, so that a fault leaves no trace. AMD's processors (measured on Zen 4) push one
 * after the other: what was written before a fault stays.
 */
export function pushAll<T>(op: usize): void {
  const size = <i32>sizeof<T>();
  if (!isAmd) probeStack(stackPointer() - <u64>(size * 8), size);
  pushAt<T>(-size, getReg<T>(REG_RAX));
  pushAt<T>(-size * 2, getReg<T>(REG_RCX));
  pushAt<T>(-size * 3, getReg<T>(REG_RDX));
  pushAt<T>(-size * 4, getReg<T>(REG_RBX));
  pushAt<T>(-size * 5, getReg<T>(REG_RSP));
  pushAt<T>(-size * 6, getReg<T>(REG_RBP));
  pushAt<T>(-size * 7, getReg<T>(REG_RSI));
  pushAt<T>(-size * 8, getReg<T>(REG_RDI));
  moveStackPointer(-size * 8);
}

/** As {@link popAll} on AMD's processors (measured on Zen 4): what was popped before a fault is in its register. */
function popEach<T>(): void {
  const size = <i32>sizeof<T>();
  setReg<T>(REG_RDI, popPeek<T>(0));
  setReg<T>(REG_RSI, popPeek<T>(size));
  setReg<T>(REG_RBP, popPeek<T>(size * 2));
  // SP's slot is read too.
  popPeek<T>(size * 3);
  setReg<T>(REG_RBX, popPeek<T>(size * 4));
  setReg<T>(REG_RDX, popPeek<T>(size * 5));
  setReg<T>(REG_RCX, popPeek<T>(size * 6));
  setReg<T>(REG_RAX, popPeek<T>(size * 7));
  moveStackPointer(size * 8);
}

/** `61`. The slot of SP is skipped. */
export function popAll<T>(op: usize): void {
  if (isAmd) {
    popEach<T>();
    return;
  }
  const size = <i32>sizeof<T>();
  const di = popPeek<T>(0);
  const si = popPeek<T>(size);
  const bp = popPeek<T>(size * 2);
  const bx = popPeek<T>(size * 4);
  const dx = popPeek<T>(size * 5);
  const cx = popPeek<T>(size * 6);
  const ax = popPeek<T>(size * 7);
  moveStackPointer(size * 8);
  setReg<T>(REG_RDI, di);
  setReg<T>(REG_RSI, si);
  setReg<T>(REG_RBP, bp);
  setReg<T>(REG_RBX, bx);
  setReg<T>(REG_RDX, dx);
  setReg<T>(REG_RCX, cx);
  setReg<T>(REG_RAX, ax);
}

/**
 * `C8 iw ib` (SDM vol. 2, ENTER): the frame pointer, the frame pointers of the enclosing levels, room for `opImm` bytes. Ends with
 * the test of a write at the new SP.
 */
export function enterFrame<T>(op: usize): void {
  const size = <i32>sizeof<T>();
  const level = <i32>(opImm2(op) & 31);
  const room = <u64>(<u16>opImm(op));
  const frame = stackPointer() - <u64>size;
  const slots = level == 0 ? 1 : level + 1;
  const top = stackPointer() - <u64>(slots * size) - room;
  pushAt<T>(-size, getReg<T>(REG_RBP));
  for (let i = 1; i < level; i++) {
    const at = cutAddress(getReg<u64>(REG_RBP) - <u64>(i * size), stackSize());
    pushAt<T>(-size * (i + 1), readSegment<T>(SEG_SS, at));
  }
  if (level > 0) pushAt<T>(-size * slots, <T>cutAddress(frame, stackSize()));
  // Only now: what was pushed stays in memory, as on silicon.
  probeStack(top, size);
  setStackPointer(top);
  // In 64-bit mode Intel's write RBP whatever the operand size is, AMD's BP for 16 bits.
  if (stackSize() == 8 && !(isAmd && sizeof<T>() == 2)) setReg<u64>(REG_RBP, frame);
  else setReg<T>(REG_RBP, <T>cutAddress(frame, stackSize()));
}

/** `C9`: SP = BP by the width of the stack, then BP is popped. */
export function leaveFrame<T>(op: usize): void {
  const at = cutAddress(getReg<u64>(REG_RBP), stackSize());
  const value = readSegment<T>(SEG_SS, at);
  setStackPointer(at + sizeof<T>());
  setReg<T>(REG_RBP, value);
}

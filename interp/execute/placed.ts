/**
 * Instructions whose memory operand lies at `at`, an offset of the memory: what the first instruction of a pair does where the TLB allows its
 * access at once (interp/opcodes/pairs.ts).
 */
import { condition, setFlagsLogic, setFlagsSub } from '../flags';
import { moveStackPointerOf } from '../memory';
import { opImm, opReg } from '../op';
import { getReg, setReg } from '../registers';
import { toRegister } from './alu';

/** `8A /r`. */
// @ts-ignore: decorator
@inline
export function movRegAt<T>(op: usize, at: usize): void {
  setReg<T>(opReg(op), load<T>(at));
}

/** `88 /r`. */
// @ts-ignore: decorator
@inline
export function movAtReg<T>(op: usize, at: usize): void {
  store<T>(at, getReg<T>(opReg(op)));
}

/** `C6 /0 ib`, `C7 /0 iz`. */
// @ts-ignore: decorator
@inline
export function movAtImm<T>(op: usize, at: usize): void {
  store<T>(at, <T>opImm(op));
}

/** `0F B6 /r`. */
// @ts-ignore: decorator
@inline
export function movzxByteAt<T>(op: usize, at: usize): void {
  setReg<T>(opReg(op), <T>load<u8>(at));
}

/** `0F B7 /r`. */
// @ts-ignore: decorator
@inline
export function movzxWordAt<T>(op: usize, at: usize): void {
  setReg<T>(opReg(op), <T>load<u16>(at));
}

/** `02 /r`. */
// @ts-ignore: decorator
@inline
export function aluRegAt<T>(op: usize, kind: i32, at: usize): void {
  toRegister<T>(kind, opReg(op), load<T>(at));
}

/** `38 /r`. */
// @ts-ignore: decorator
@inline
export function cmpAtReg<T>(op: usize, _kind: i32, at: usize): void {
  const a = load<T>(at);
  const b = getReg<T>(opReg(op));
  setFlagsSub<T>(a, b, 0, <T>(a - b));
}

/** `80 /7 ib`. */
// @ts-ignore: decorator
@inline
export function cmpAtImm<T>(op: usize, _kind: i32, at: usize): void {
  const a = load<T>(at);
  const b = <T>opImm(op);
  setFlagsSub<T>(a, b, 0, <T>(a - b));
}

/** `84 /r`. */
// @ts-ignore: decorator
@inline
export function testAtReg<T>(op: usize, at: usize): void {
  setFlagsLogic<T>(<T>(load<T>(at) & getReg<T>(opReg(op))));
}

/** `F6 /0 ib`. */
// @ts-ignore: decorator
@inline
export function testAtImm<T>(op: usize, at: usize): void {
  setFlagsLogic<T>(<T>(load<T>(at) & <T>opImm(op)));
}

/** `0F 40 /r` to `0F 4F /r`. */
// @ts-ignore: decorator
@inline
export function cmovRegAt<T>(op: usize, cc: i32, at: usize): void {
  const value = load<T>(at);
  if (condition(cc)) setReg<T>(opReg(op), value);
  else if (sizeof<T>() == 4) setReg<T>(opReg(op), getReg<T>(opReg(op)));
}

/** `50+r`. PUSH SP writes the value from before. */
// @ts-ignore: decorator
@inline
export function pushRegAt<T>(op: usize, at: usize): void {
  store<T>(at, getReg<T>(opReg(op)));
  moveStackPointerOf<T>(-(<i32>sizeof<T>()));
}

/** `58+r`. POP SP: the value popped wins. */
// @ts-ignore: decorator
@inline
export function popRegAt<T>(op: usize, at: usize): void {
  const value = load<T>(at);
  moveStackPointerOf<T>(sizeof<T>());
  setReg<T>(opReg(op), value);
}

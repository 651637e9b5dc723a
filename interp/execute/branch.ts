/**
 * Near branches (SDM vol. 1, 7.3.8): JMP, CALL, RET, Jcc, LOOPcc, JrCXZ, BOUND. `T` is the operand size, to which the
 * target is cut. Every row but Jcc ends its block; but for BOUND they go on to the next block themselves (`goesOn`).
 */
import { isValidJump, jumpBlock, jumpEntry } from '../block';
import { branchTo, chain, goOn, goTo, hasRoom, isWithin, linkedBlock, retiredWith, targetLinear } from '../chain';
import { checkTarget, checkTargetOf, isTarget, opsBefore } from '../control';
import { raiseBR } from '../fault';
import { condition, getZF } from '../flags';
import { CPU_RIP_BASE } from '../layout';
import { cutAddress, effectiveAddress, moveStackPointer, moveStackPointerOf, popAddress, popPeek, probePush, pushAddress,
  pushValue, readOperand, readSegment } from '../memory';
import { OP_REP, OP_REPNE, opAddressSize, opFlags, opImm, opLength, opReg, opRm, opSegment, opStart } from '../op';
import { REG_RCX, getReg, setReg } from '../registers';
import { isAmd } from './vendor';

/** RIP of the next instruction. */
// @ts-ignore: decorator
@inline
function behind(op: usize): u64 {
  return load<u64>(CPU_RIP_BASE) + <u64>(opStart(op) + opLength(op));
}

/** Target of a relative branch, not yet cut: the decoder made its immediate relative to the block. */
// @ts-ignore: decorator
@inline
function branchTarget(op: usize): u64 {
  return load<u64>(CPU_RIP_BASE) + <u64>opImm(op);
}

/** `EB cb`, `E9 cz`. */
// @ts-ignore: decorator
@inline
export function jumpRelative<T>(op: usize): void {
  branchTo<T>(op, branchTarget(op));
}

/** `70 cb` to `7F cb`, `0F 80 cz` to `0F 8F cz`. The block goes on behind it where it is not taken. */
// @ts-ignore: decorator
@inline
export function jumpConditional<T>(op: usize, cc: i32): void {
  if (condition(cc)) branchTo<T>(op, branchTarget(op));
  else goOn(op);
}

/** Goes on at any target: the branch is the last instruction of its block. */
// @ts-ignore: decorator
@inline
function chainTo<T>(op: usize, rip: u64): void {
  chain<T>(rip, opsBefore(op) + 1);
}

/** `FF /4`, mod = 3. */
// @ts-ignore: decorator
@inline
export function jumpRm<T>(op: usize): void {
  chainTo<T>(op, checkTargetOf<T>(<u64>getReg<T>(opRm(op))));
}

/** `FF /4`, memory. */
// @ts-ignore: decorator
@inline
export function jumpMem<T>(op: usize): void {
  chainTo<T>(op, checkTargetOf<T>(<u64>readOperand<T>(op)));
}

/** The target is checked first, so that a fault finds the stack untouched; AMD's processors try the stack before that. Returns it. */
// @ts-ignore: decorator
@inline
function call<T>(op: usize, target: u64): u64 {
  if (isAmd && !isTarget(target, sizeof<T>())) probePush(sizeof<T>());
  const rip = checkTargetOf<T>(target);
  pushValue<T>(<T>behind(op));
  return rip;
}

function callSlowly<T>(op: usize): void {
  branchTo<T>(op, call<T>(op, branchTarget(op)));
}

/** `E8 cz`. */
// @ts-ignore: decorator
@inline
export function callRelative<T>(op: usize): void {
  const target = branchTarget(op);
  const rip = sizeof<T>() == 4 ? target & 0xffffffff : target;
  const block = linkedBlock(op);
  if (block != 0) {
    const retired = retiredWith(op);
    if (hasRoom(block, retired)) {
      if (isWithin<T>(block, rip)) {
        const at = pushAddress<T>();
        if (at != 0) {
          store<T>(at, <T>behind(op));
          moveStackPointerOf<T>(-(<i32>sizeof<T>()));
          goTo(block, rip, retired);
          return;
        }
      }
    }
  }
  callSlowly<T>(op);
}

/** `FF /2`, mod = 3. */
// @ts-ignore: decorator
@inline
export function callRm<T>(op: usize): void {
  chainTo<T>(op, call<T>(op, <u64>getReg<T>(opRm(op))));
}

/** `FF /2`, memory. */
// @ts-ignore: decorator
@inline
export function callMem<T>(op: usize): void {
  chainTo<T>(op, call<T>(op, <u64>readOperand<T>(op)));
}

/** `C3`. */
// @ts-ignore: decorator
@inline
export function returnNear<T>(op: usize): void {
  const at = popAddress<T>();
  if (at != 0) {
    const rip = <u64>load<T>(at);
    const linear = targetLinear<T>(rip);
    const entry = jumpEntry(linear);
    if (load<u64>(entry) == linear) {
      if (isValidJump(entry)) {
        const block = jumpBlock(entry);
        const retired = retiredWith(op);
        if (hasRoom(block, retired)) {
          // The target of a block that is known and ends before CS needs no check.
          if (isWithin<T>(block, rip)) {
            moveStackPointerOf<T>(sizeof<T>());
            goTo(block, rip, retired);
            return;
          }
        }
      }
    }
  }
  returnSlowly<T>(op);
}

function returnSlowly<T>(op: usize): void {
  const rip = checkTargetOf<T>(<u64>popPeek<T>(0));
  moveStackPointerOf<T>(sizeof<T>());
  chainTo<T>(op, rip);
}

/** `C2 iw`. */
// @ts-ignore: decorator
@inline
export function returnNearRelease<T>(op: usize): void {
  const rip = checkTargetOf<T>(<u64>popPeek<T>(0));
  moveStackPointer(<i32>(sizeof<T>() + <usize>(<u16>opImm(op))));
  chainTo<T>(op, rip);
}

/** The kind of a LOOP: the low two bits of its opcode. */
export const LOOP_NOT_ZERO: i32 = 0;
export const LOOP_ZERO: i32 = 1;
export const LOOP_ALWAYS: i32 = 2;

/** AMD's processors (measured on Zen 4): F2 makes LOOPE a LOOPNE, F3 makes LOOPNE a LOOPE, as for REP. */
function repeatedSense(op: usize, kind: i32): i32 {
  if (kind == LOOP_ALWAYS) return kind;
  if ((opFlags(op) & OP_REPNE) != 0) return LOOP_NOT_ZERO;
  return (opFlags(op) & OP_REP) != 0 ? LOOP_ZERO : kind;
}

/** `E0 cb` to `E2 cb`: the address size says which rCX counts. */
export function loopRelative<T>(op: usize, kind: i32): void {
  const size = opAddressSize(op);
  const count = cutAddress(getReg<u64>(REG_RCX) - 1, size);
  let taken = count != 0;
  const sense = isAmd ? repeatedSense(op, kind) : kind;
  if (sense == LOOP_NOT_ZERO) taken = taken && getZF() == 0;
  if (sense == LOOP_ZERO) taken = taken && getZF() != 0;
  const rip = taken ? checkTarget(branchTarget(op), sizeof<T>()) : behind(op);
  if (size == 2) setReg<u16>(REG_RCX, <u16>count);
  else setReg<u64>(REG_RCX, count);
  if (taken) branchTo<T>(op, rip);
  else goOn(op);
}

/** `E3 cb`. */
export function jumpCountZero<T>(op: usize): void {
  if (cutAddress(getReg<u64>(REG_RCX), opAddressSize(op)) == 0) branchTo<T>(op, branchTarget(op));
  else goOn(op);
}

/** `62 /r`, memory: #BR if the signed index lies outside the two bounds. */
export function bound<T>(op: usize): void {
  const unused = 32 - sizeof<T>() * 8;
  const offset = effectiveAddress(op);
  const second = cutAddress(offset + sizeof<T>(), opAddressSize(op));
  const index = (<i32>getReg<T>(opReg(op)) << <i32>unused) >> <i32>unused;
  const lower = (<i32>readSegment<T>(opSegment(op), offset) << <i32>unused) >> <i32>unused;
  const upper = (<i32>readSegment<T>(opSegment(op), second) << <i32>unused) >> <i32>unused;
  if (index < lower || index > upper) raiseBR();
}

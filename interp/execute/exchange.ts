/** Exchanges (SDM vol. 1, 7.3.1.1 and 7.3.1.2): XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B, BSWAP, MOVBE. */
import { raiseGP } from '../fault';
import { setFlagsAdd, setFlagsSub, setZF } from '../flags';
import {
  effectiveAddress, linearForWrite, readOperand, rmwBegin, rmwBeginLinear, rmwRead, rmwWrite, writeOperand,
} from '../memory';
import { SEGMENT_VIEWS } from '../mode';
import { OP_REX_W, opFlags, opReg, opRm, opSegment } from '../op';
import { REG_RAX, REG_RBX, REG_RCX, REG_RDX, getReg, setReg } from '../registers';

/** `86 /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function xchgRmReg<T>(op: usize): void {
  const rm = getReg<T>(opRm(op));
  const reg = getReg<T>(opReg(op));
  setReg<T>(opRm(op), reg);
  setReg<T>(opReg(op), rm);
}

/** `86 /r`, memory. */
// @ts-ignore: decorator
@inline
export function xchgMemReg<T>(op: usize): void {
  const at = rmwBegin<T>(op);
  const value = rmwRead<T>(at);
  rmwWrite<T>(at, getReg<T>(opReg(op)));
  setReg<T>(opReg(op), value);
}

/** `90+r`. Register 0 is NOP (or PAUSE), which leaves even the upper half of RAX. */
// @ts-ignore: decorator
@inline
export function xchgAccReg<T>(op: usize): void {
  const register = opReg(op);
  if (register == REG_RAX) return;
  const value = getReg<T>(register);
  setReg<T>(register, getReg<T>(REG_RAX));
  setReg<T>(REG_RAX, value);
}

/** `0F C0 /r`, mod = 3. The sum is written last: it wins where both are one register. */
// @ts-ignore: decorator
@inline
export function xaddRmReg<T>(op: usize): void {
  const a = getReg<T>(opRm(op));
  const b = getReg<T>(opReg(op));
  const sum = <T>(a + b);
  setReg<T>(opReg(op), a);
  setReg<T>(opRm(op), sum);
  setFlagsAdd<T>(a, b, 0, sum);
}

/** `0F C0 /r`, memory. */
// @ts-ignore: decorator
@inline
export function xaddMemReg<T>(op: usize): void {
  const at = rmwBegin<T>(op);
  const a = rmwRead<T>(at);
  const b = getReg<T>(opReg(op));
  const sum = <T>(a + b);
  rmwWrite<T>(at, sum);
  setReg<T>(opReg(op), a);
  setFlagsAdd<T>(a, b, 0, sum);
}

/** `0F B0 /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function cmpxchgRmReg<T>(op: usize): void {
  const destination = getReg<T>(opRm(op));
  const accumulator = getReg<T>(REG_RAX);
  setFlagsSub<T>(accumulator, destination, 0, <T>(accumulator - destination));
  if (accumulator == destination) {
    setReg<T>(opRm(op), getReg<T>(opReg(op)));
  } else {
    // Unlike memory, a register is not written at all then: even its upper half stays.
    setReg<T>(REG_RAX, destination);
  }
}

/** `0F B0 /r`, memory: written in any case, with what it held if the comparison failed. */
// @ts-ignore: decorator
@inline
export function cmpxchgMemReg<T>(op: usize): void {
  const at = rmwBegin<T>(op);
  const destination = rmwRead<T>(at);
  const accumulator = getReg<T>(REG_RAX);
  const equal = accumulator == destination;
  rmwWrite<T>(at, equal ? getReg<T>(opReg(op)) : destination);
  if (!equal) setReg<T>(REG_RAX, destination);
  setFlagsSub<T>(accumulator, destination, 0, <T>(accumulator - destination));
}

/** `0F C7 /1`, memory. */
export function cmpxchgPairMem(op: usize): void {
  const at = rmwBegin<u64>(op);
  const old = rmwRead<u64>(at);
  const expected = <u64>getReg<u32>(REG_RAX) | ((<u64>getReg<u32>(REG_RDX)) << 32);
  const equal = old == expected;
  rmwWrite<u64>(at, equal ? <u64>getReg<u32>(REG_RBX) | ((<u64>getReg<u32>(REG_RCX)) << 32) : old);
  if (!equal) {
    setReg<u32>(REG_RAX, <u32>old);
    setReg<u32>(REG_RDX, <u32>(old >> 32));
  }
  setZF(equal ? 1 : 0);
}

/** `REX.W 0F C7 /1`, memory: the operand is aligned to 16 bytes, so that it lies in one page; its halves are two accesses where it is not plain memory. */
export function cmpxchgWideMem(op: usize): void {
  // #GP(0) for a misaligned address comes before #SS(0), as on AMD's processors (memory128.ts).
  const offset = effectiveAddress(op);
  if (((offset + load<u64>(SEGMENT_VIEWS + <usize>opSegment(op) * 32)) & 15) != 0) raiseGP(0);
  const linear = linearForWrite(opSegment(op), offset, 16);
  const first = rmwBeginLinear<u64>(linear);
  const low = rmwRead<u64>(first);
  const second = rmwBeginLinear<u64>(linear + 8);
  const high = rmwRead<u64>(second);
  const equal = low == getReg<u64>(REG_RAX) && high == getReg<u64>(REG_RDX);
  rmwWrite<u64>(second, equal ? getReg<u64>(REG_RCX) : high);
  rmwWrite<u64>(rmwBeginLinear<u64>(linear), equal ? getReg<u64>(REG_RBX) : low);
  if (!equal) {
    setReg<u64>(REG_RAX, low);
    setReg<u64>(REG_RDX, high);
  }
  setZF(equal ? 1 : 0);
}

/** `0F C8+r`. With 66 undefined; silicon clears the low word. */
// @ts-ignore: decorator
@inline
export function bswapReg<T>(op: usize): void {
  if (sizeof<T>() == 2) setReg<T>(opReg(op), <T>0);
  else setReg<T>(opReg(op), bswap<T>(getReg<T>(opReg(op))));
}

/** `0F 38 F0 /r`, memory. */
// @ts-ignore: decorator
@inline
export function movbeRegMem<T>(op: usize): void {
  setReg<T>(opReg(op), bswap<T>(readOperand<T>(op)));
}

/** `0F 38 F1 /r`, memory. */
// @ts-ignore: decorator
@inline
export function movbeMemReg<T>(op: usize): void {
  writeOperand<T>(op, bswap<T>(getReg<T>(opReg(op))));
}

/** Extension of signs and zeros (SDM vol. 1, 7.3.1.5 and 7.3.1.1): MOVZX, MOVSX, MOVSXD, CBW/CWDE/CDQE, CWD/CDQ/CQO. */
import { readOperand } from '../memory';
import { opReg, opRm } from '../op';
import { REG_RAX, REG_RDX, getReg, setReg } from '../registers';

/** `0F B6 /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function movzxByteRm<T>(op: usize): void {
  setReg<T>(opReg(op), <T>getReg<u8>(opRm(op)));
}

/** `0F B6 /r`, memory. */
// @ts-ignore: decorator
@inline
export function movzxByteMem<T>(op: usize): void {
  setReg<T>(opReg(op), <T>readOperand<u8>(op));
}

/** `0F B7 /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function movzxWordRm<T>(op: usize): void {
  setReg<T>(opReg(op), <T>getReg<u16>(opRm(op)));
}

/** `0F B7 /r`, memory. */
// @ts-ignore: decorator
@inline
export function movzxWordMem<T>(op: usize): void {
  setReg<T>(opReg(op), <T>readOperand<u16>(op));
}

/** `0F BE /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function movsxByteRm<T>(op: usize): void {
  setReg<T>(opReg(op), <T>(<i64>(<i8>getReg<u8>(opRm(op)))));
}

/** `0F BE /r`, memory. */
// @ts-ignore: decorator
@inline
export function movsxByteMem<T>(op: usize): void {
  setReg<T>(opReg(op), <T>(<i64>(<i8>readOperand<u8>(op))));
}

/** `0F BF /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function movsxWordRm<T>(op: usize): void {
  setReg<T>(opReg(op), <T>(<i64>(<i16>getReg<u16>(opRm(op)))));
}

/** `0F BF /r`, memory. */
// @ts-ignore: decorator
@inline
export function movsxWordMem<T>(op: usize): void {
  setReg<T>(opReg(op), <T>(<i64>(<i16>readOperand<u16>(op))));
}

/** `63 /r` in 64-bit mode, mod = 3. Without REX.W a plain move of 16 or 32 bits. */
// @ts-ignore: decorator
@inline
export function movsxdRm<T>(op: usize): void {
  if (sizeof<T>() == 8) setReg<u64>(opReg(op), <u64>(<i64>(<i32>getReg<u32>(opRm(op)))));
  else setReg<T>(opReg(op), getReg<T>(opRm(op)));
}

/** `63 /r` in 64-bit mode, memory. */
// @ts-ignore: decorator
@inline
export function movsxdMem<T>(op: usize): void {
  if (sizeof<T>() == 8) setReg<u64>(opReg(op), <u64>(<i64>(<i32>readOperand<u32>(op))));
  else setReg<T>(opReg(op), readOperand<T>(op));
}

/** `98`: AL to AX, AX to EAX, EAX to RAX. */
// @ts-ignore: decorator
@inline
export function extendAcc<T>(op: usize): void {
  if (sizeof<T>() == 2) setReg<u16>(REG_RAX, <u16>(<i16>(<i8>getReg<u8>(REG_RAX))));
  else if (sizeof<T>() == 4) setReg<u32>(REG_RAX, <u32>(<i32>(<i16>getReg<u16>(REG_RAX))));
  else setReg<u64>(REG_RAX, <u64>(<i64>(<i32>getReg<u32>(REG_RAX))));
}

/** `99`: the sign of rAX fills rDX. */
// @ts-ignore: decorator
@inline
export function signToRdx<T>(op: usize): void {
  const bits = <u64>(sizeof<T>() * 8 - 1);
  const sign = (<u64>getReg<T>(REG_RAX) >> bits) & 1;
  setReg<T>(REG_RDX, <T>(<u64>0 - sign));
}

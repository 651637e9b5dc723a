/** MOV and POP of segment registers, LDS, LES, LSS, LFS, LGS (SDM vol. 2). PUSH is with the stack. */
import { raiseUD } from '../fault';
import { setStackShadow } from '../control';
import { CPU_GPR } from '../layout';
import { isAmd } from '../execute/vendor';
import { popPeek, readOperand, writeOperand } from '../memory';
import { stackSize } from '../mode';
import { opReg, opRegIndex, opRm } from '../op';
import { REG_RSP, SEG_CS, SEG_SS, getReg, segmentSelector, setReg } from '../registers';
import { farPointerOffset, farPointerSelector } from './far';
import { setStackPointerSized } from './frame';
import { loadSegment } from './load';

/** `8C /r` to a register: the selector is zero-extended. */
export function moveFromSegmentReg<T>(op: usize): void {
  // REX.R does not count.
  const segment = opRegIndex(op) & 7;
  if (segment > 5) raiseUD();
  setReg<T>(opRm(op), <T>segmentSelector(segment));
}

/** `8C /r` to memory: always 16 bits. */
export function moveFromSegmentMem(op: usize): void {
  // REX.R does not count.
  const segment = opRegIndex(op) & 7;
  if (segment > 5) raiseUD();
  writeOperand<u16>(op, segmentSelector(segment));
}

function moveToSegment(segment: u32, selector: u32): void {
  loadSegment(segment, selector);
  if (segment == SEG_SS) setStackShadow();
}

function checkTarget(segment: u32): void {
  if (segment > 5 || segment == SEG_CS) raiseUD();
}

/** `8E /r` */
export function moveToSegmentReg(op: usize): void {
  const segment = opRegIndex(op) & 7;
  checkTarget(segment);
  moveToSegment(segment, getReg<u16>(opRm(op)));
}

/** `8E /r` */
export function moveToSegmentMem(op: usize): void {
  const segment = opRegIndex(op) & 7;
  checkTarget(segment);
  moveToSegment(segment, readOperand<u16>(op));
}

/** `07`, `17`, `1F`, `0F A1`, `0F A9`: the selector is the low word of what is popped; the old SS gives the width of SP. */
export function popSegment<T>(op: usize, segment: u32): void {
  // AMD's processors read as much as they pop, which shows where it is misaligned or crosses a page.
  const selector = isAmd ? <u32>popPeek<T>(0) & 0xffff : <u32>popPeek<u16>(0);
  const size = stackSize();
  const pointer = load<u64>(CPU_GPR + REG_RSP) + sizeof<T>();
  moveToSegment(segment, selector);
  setStackPointerSized(pointer, size);
}

/** `C4`, `C5`, `0F B2`, `0F B4`, `0F B5`: a far pointer from memory. */
export function loadFarPointer<T>(op: usize, segment: u32): void {
  const offset = farPointerOffset(op);
  loadSegment(segment, farPointerSelector(op));
  setReg<T>(opReg(op), <T>offset);
}

/** LGDT, LIDT, SGDT, SIDT, LLDT, SLDT, LTR, STR (SDM vol. 2; vol. 3A, 2.4 and 7.2). */
import { canonical } from '../control';
import { VECTOR_GP, VECTOR_NP, raiseGP } from '../fault';
import { CPU_GDTR, CPU_IDTR } from '../layout';
import {
  effectiveAddress, linearForRead, linearForWrite, probeWrite, readLinear, readOperand, writeLinear, writeOperand, writeSystem,
} from '../memory';
import { cpl, longMode, mode64 } from '../mode';
import { opOperandSize, opRm, opSegment } from '../op';
import { ATTRIBUTE_UNUSABLE, SEG_LDTR, SEG_TR, getReg, segmentSelector, setReg, setSegment } from '../registers';
import {
  TYPE_LDT, TYPE_TSS16, TYPE_TSS32, attributesType, descriptorAddress, descriptorAttributes, descriptorBase,
  descriptorLimit, isNullSelector, isPresent, isSegment, raiseSelector, readDescriptor, readDescriptorUpper, wrapLinear,
} from './descriptor';
import { checkUmip, requireCpl0, requireProtected } from './privilege';

/** A table register's pseudo-descriptor from memory: 2 bytes of limit, then 3, 4 or 8 of base. */
function loadTable(op: usize, register: usize): void {
  requireCpl0();
  const wide = mode64();
  const linear = linearForRead(opSegment(op), effectiveAddress(op), wide ? 10 : 6);
  const limit = <u32>readLinear<u16>(linear);
  let base: u64 = wide ? readLinear<u64>(linear + 2) : <u64>readLinear<u32>(linear + 2);
  if (wide) {
    if (!canonical(base)) raiseGP(0);
  } else if (opOperandSize(op) == 2) base &= 0xffffff;
  store<u64>(register, base);
  store<u32>(register, limit, 8);
}

function storeTable(op: usize, register: usize): void {
  checkUmip();
  const wide = mode64();
  const size: u32 = wide ? 10 : 6;
  const linear = linearForWrite(opSegment(op), effectiveAddress(op), size);
  // Both parts, or none.
  if ((linear & 0xfff) > 0x1000 - <u64>size) probeWrite(linear, size, cpl() == 3);
  writeLinear<u16>(linear, <u16>load<u32>(register, 8));
  if (wide) writeLinear<u64>(linear + 2, load<u64>(register));
  else writeLinear<u32>(linear + 2, <u32>load<u64>(register));
}

/** `0F 01 /2` */
export function loadGdt(op: usize): void {
  loadTable(op, CPU_GDTR);
}

/** `0F 01 /3` */
export function loadIdt(op: usize): void {
  loadTable(op, CPU_IDTR);
}

/** `0F 01 /0` */
export function storeGdt(op: usize): void {
  storeTable(op, CPU_GDTR);
}

/** `0F 01 /1` */
export function storeIdt(op: usize): void {
  storeTable(op, CPU_IDTR);
}

/** `0F 00 /0` and `0F 00 /1` to a register. */
export function storeSystemSegmentReg<T>(op: usize, segment: u32): void {
  requireProtected();
  checkUmip();
  setReg<T>(opRm(op), <T>segmentSelector(segment));
}

/** The same to memory: always 16 bits. */
export function storeSystemSegmentMem(op: usize, segment: u32): void {
  requireProtected();
  checkUmip();
  writeOperand<u16>(op, segmentSelector(segment));
}

/** The base of an LDT or TSS descriptor: 64 bits in IA-32e mode. */
function systemBase(selector: u32, descriptor: u64): u64 {
  const low = <u64>descriptorBase(descriptor);
  if (!longMode()) return low;
  const base = low | (readDescriptorUpper(selector, VECTOR_GP, 0) << 32);
  if (!canonical(base)) raiseGP(0);
  return base;
}

function loadLdt(selector: u32): void {
  requireCpl0();
  if (isNullSelector(selector)) {
    setSegment(SEG_LDTR, <u16>selector, 0, 0, ATTRIBUTE_UNUSABLE);
    return;
  }
  if ((selector & 4) != 0) raiseSelector(VECTOR_GP, selector, 0);
  const descriptor = readDescriptor(selector, VECTOR_GP, 0);
  const attributes = descriptorAttributes(descriptor);
  if (isSegment(attributes) || attributesType(attributes) != TYPE_LDT) raiseSelector(VECTOR_GP, selector, 0);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, 0);
  const base = systemBase(selector, descriptor);
  setSegment(SEG_LDTR, <u16>selector, base, descriptorLimit(descriptor), attributes);
}

function loadTask(selector: u32): void {
  requireCpl0();
  if (isNullSelector(selector)) raiseGP(0);
  if ((selector & 4) != 0) raiseSelector(VECTOR_GP, selector, 0);
  const descriptor = readDescriptor(selector, VECTOR_GP, 0);
  const attributes = descriptorAttributes(descriptor);
  const type = attributesType(attributes);
  const available = type == TYPE_TSS32 || (type == TYPE_TSS16 && !longMode());
  if (isSegment(attributes) || !available) raiseSelector(VECTOR_GP, selector, 0);
  if (!isPresent(attributes)) raiseSelector(VECTOR_NP, selector, 0);
  const base = systemBase(selector, descriptor);
  writeSystem<u8>(wrapLinear(descriptorAddress(selector) + 5), <u8>(descriptor >> 40) | 2);
  setSegment(SEG_TR, <u16>selector, base, descriptorLimit(descriptor), attributes | 2);
}

/** `0F 00 /2` */
export function loadLdtReg(op: usize): void {
  requireProtected();
  loadLdt(getReg<u16>(opRm(op)));
}

/** `0F 00 /2` */
export function loadLdtMem(op: usize): void {
  requireProtected();
  requireCpl0();
  loadLdt(readOperand<u16>(op));
}

/** `0F 00 /3` */
export function loadTaskReg(op: usize): void {
  requireProtected();
  loadTask(getReg<u16>(opRm(op)));
}

/** `0F 00 /3` */
export function loadTaskMem(op: usize): void {
  requireProtected();
  requireCpl0();
  loadTask(readOperand<u16>(op));
}

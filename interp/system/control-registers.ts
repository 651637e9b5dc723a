/** MOV to and from control registers, LMSW, SMSW, CLTS, XGETBV, XSETBV (SDM vol. 2; vol. 3A, 2.5, 2.6, 4.1 and 9.8.5). */
import { refreshDebug } from '../debug';
import { raiseGP, raiseUD } from '../fault';
import { CPU_CR0, CPU_CR2, CPU_CR3, CPU_CR4, CPU_CR8, CPU_EFER, CPU_XCR0 } from '../layout';
import { flushTlb, readOperand, writeOperand } from '../memory';
import { longMode, mode64, updateMode } from '../mode';
import { opRegIndex, opRm } from '../op';
import { loadPdptes } from '../paging';
import {
  ATTRIBUTE_L, CR0_PE, CR0_PG, CR0_TS, CR4_DE, CR4_FSGSBASE, CR4_PVI, CR4_VME, CR4_OSXSAVE, CR4_PAE, CR4_PCIDE, CR4_SMAP, CR4_SMEP, CR4_UMIP,
  EFER_LMA, EFER_LME, REG_RAX, REG_RCX, REG_RDX, SEG_CS, cr0, cr4, efer, getReg, segmentAttributes, setReg,
} from '../registers';
import { cpuidBit, cpuidWord } from './cpuid';
import { checkUmip, requireCpl0 } from './privilege';

const CR0_ET: u64 = 1 << 4;
const CR0_NW: u64 = 1 << 29;
const CR0_CD: u64 = 1 << 30;
/** PE, MP, EM, TS, ET, NE, WP, AM, NW, CD, PG: the others read as zero. */
const CR0_DEFINED: u64 = 0xe005003f;
/** TSD to PCE, OSFXSR, OSXMMEXCPT. */
const CR4_ALWAYS: u64 = 0x7fc;
/** x87 and SSE: what XCR0 can have, for there is no AVX. */
const XCR0_DEFINED: u64 = 3;

/** A change of the paging mode under PAE without long mode loads the PDPTE registers: #GP(0) if one is bad. */
function checkPdptes(newCr0: u64, newCr4: u64, newCr3: u64): void {
  if ((newCr0 & CR0_PG) == 0 || (newCr4 & CR4_PAE) == 0 || (efer() & EFER_LME) != 0) return;
  if (!loadPdptes(newCr3)) raiseGP(0);
}

function writeCr0(value: u64): void {
  const old = cr0();
  if (value >> 32 != 0) raiseGP(0);
  const next = (value & CR0_DEFINED) | CR0_ET;
  const turnsOn = (next & CR0_PG) != 0 && (old & CR0_PG) == 0;
  const turnsOff = (next & CR0_PG) == 0 && (old & CR0_PG) != 0;
  if ((next & CR0_PG) != 0 && (next & CR0_PE) == 0) raiseGP(0);
  if ((next & CR0_NW) != 0 && (next & CR0_CD) == 0) raiseGP(0);
  if (turnsOff && (mode64() || (cr4() & CR4_PCIDE) != 0)) raiseGP(0);
  if (turnsOn && (efer() & EFER_LME) != 0) {
    if ((cr4() & CR4_PAE) == 0 || (segmentAttributes(SEG_CS) & ATTRIBUTE_L) != 0) raiseGP(0);
  }
  if (((next ^ old) & 0xe0000000) != 0) checkPdptes(next, cr4(), load<u64>(CPU_CR3));
  store<u64>(CPU_CR0, next);
  if (turnsOn && (efer() & EFER_LME) != 0) store<u64>(CPU_EFER, efer() | EFER_LMA);
  if (turnsOff) store<u64>(CPU_EFER, efer() & ~EFER_LMA);
  if (((next ^ old) & 0x80010001) != 0) flushTlb();
  updateMode();
}

/** Reserved bits of CR3: above the physical address width, and all that a 32-bit MOV cannot write. */
function writeCr3(value: u64): void {
  let next = value;
  if (longMode()) {
    if ((cr4() & CR4_PCIDE) != 0) next &= 0x7fffffffffffffff;
    const width = cpuidWord(0x80000008, 0, 0) & 0xff;
    if (width != 0 && next >> width != 0) raiseGP(0);
  } else {
    next &= 0xffffffff;
    checkPdptes(cr0(), cr4(), next);
  }
  store<u64>(CPU_CR3, next);
  flushTlb();
}

/** The CR4 bits that the processor has and CPUID announces: PKE and LA57 it never has. */
function allowedCr4(): u64 {
  let mask = CR4_ALWAYS;
  if (cpuidBit(1, 3, 1)) mask |= CR4_VME | CR4_PVI;
  if (cpuidBit(7, 2, 2)) mask |= CR4_UMIP;
  if (cpuidBit(7, 1, 0)) mask |= CR4_FSGSBASE;
  if (cpuidBit(1, 2, 17)) mask |= CR4_PCIDE;
  if (cpuidBit(1, 2, 26)) mask |= CR4_OSXSAVE;
  if (cpuidBit(7, 1, 7)) mask |= CR4_SMEP;
  if (cpuidBit(7, 1, 20)) mask |= CR4_SMAP;
  return mask;
}

function writeCr4(value: u64): void {
  const old = cr4();
  if ((value & ~allowedCr4()) != 0) raiseGP(0);
  const changed = value ^ old;
  if (longMode() && (value & CR4_PAE) == 0) raiseGP(0);
  if ((changed & value & CR4_PCIDE) != 0 && (!longMode() || (load<u64>(CPU_CR3) & 0xfff) != 0)) raiseGP(0);
  // PSE, PAE, PGE and SMEP (SDM vol. 3A, 4.4.1).
  if ((changed & 0x1000b0) != 0) checkPdptes(cr0(), value, load<u64>(CPU_CR3));
  store<u64>(CPU_CR4, value);
  flushTlb();
  updateMode();
  if ((changed & CR4_DE) != 0) refreshDebug();
}

/** `0F 20 /r` */
export function moveFromControl(op: usize): void {
  const index = opRegIndex(op);
  let value: u64 = 0;
  if (index == 0) value = cr0();
  else if (index == 2) value = load<u64>(CPU_CR2);
  else if (index == 3) value = load<u64>(CPU_CR3);
  else if (index == 4) value = cr4();
  else if (index == 8) value = load<u64>(CPU_CR8);
  else raiseUD();
  requireCpl0();
  if (mode64()) setReg<u64>(opRm(op), value);
  else setReg<u32>(opRm(op), <u32>value);
}

/** `0F 22 /r` */
export function moveToControl(op: usize): void {
  const index = opRegIndex(op);
  if (index != 0 && index != 2 && index != 3 && index != 4 && index != 8) raiseUD();
  requireCpl0();
  const value = mode64() ? getReg<u64>(opRm(op)) : <u64>getReg<u32>(opRm(op));
  if (index == 0) writeCr0(value);
  else if (index == 2) store<u64>(CPU_CR2, value);
  else if (index == 3) writeCr3(value);
  else if (index == 4) writeCr4(value);
  else {
    if (value > 15) raiseGP(0);
    store<u64>(CPU_CR8, value);
  }
}

/** LMSW: PE can be set but not cleared; MP, EM and TS follow the operand. */
function loadStatusWord(word: u32): void {
  requireCpl0();
  const kept = cr0() & ~0xe;
  writeCr0(kept | (<u64>word & 0xf));
}

/** `0F 01 /6` */
export function loadStatusReg(op: usize): void {
  loadStatusWord(getReg<u16>(opRm(op)));
}

/** `0F 01 /6` */
export function loadStatusMem(op: usize): void {
  requireCpl0();
  loadStatusWord(readOperand<u16>(op));
}

/** `0F 01 /4`: to a register as much of CR0 as it holds. */
export function storeStatusReg<T>(op: usize): void {
  checkUmip();
  setReg<T>(opRm(op), <T>cr0());
}

/** `0F 01 /4` */
export function storeStatusMem(op: usize): void {
  checkUmip();
  writeOperand<u16>(op, <u16>cr0());
}

/** `0F 06` */
export function clearTaskSwitched(op: usize): void {
  requireCpl0();
  store<u64>(CPU_CR0, cr0() & ~CR0_TS);
  updateMode();
}

/** `0F 01 D0` */
export function getExtendedControl(op: usize): void {
  if ((cr4() & CR4_OSXSAVE) == 0) raiseUD();
  // Index 1, XINUSE, came with XGETBV_ECX_1 (CPUID leaf 0DH, index 1), which the processor has not.
  if (getReg<u32>(REG_RCX) != 0) raiseGP(0);
  const value = load<u64>(CPU_XCR0);
  setReg<u32>(REG_RAX, <u32>value);
  setReg<u32>(REG_RDX, <u32>(value >> 32));
}

/** `0F 01 D1`: x87 and SSE state only. */
export function setExtendedControl(op: usize): void {
  if ((cr4() & CR4_OSXSAVE) == 0) raiseUD();
  requireCpl0();
  const value = <u64>getReg<u32>(REG_RAX) | (<u64>getReg<u32>(REG_RDX) << 32);
  if (getReg<u32>(REG_RCX) != 0 || (value & 1) == 0) raiseGP(0);
  const announced = <u64>cpuidWord(0xd, 0, 0) | (<u64>cpuidWord(0xd, 0, 3) << 32);
  if ((value & ~(announced & XCR0_DEFINED)) != 0) raiseGP(0);
  store<u64>(CPU_XCR0, value);
}

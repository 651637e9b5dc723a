/** RDMSR and WRMSR (SDM vol. 2; vol. 4). What is pure CPU state is here; every other index leaves with an exit. */
import { canonical } from '../control';
import { DEBUGCTL_BTF } from '../debug';
import { raiseGP } from '../fault';
import { msrReadExit, msrWriteExit } from '../io';
import {
  CPU_EFER, CPU_MSR_APIC_BASE, CPU_MSR_CSTAR, CPU_MSR_DEBUGCTL, CPU_MSR_KERNEL_GS_BASE, CPU_MSR_LSTAR, CPU_MSR_MISC_ENABLE, CPU_MSR_PAT,
  CPU_MSR_SFMASK, CPU_MSR_STAR, CPU_MSR_SYSENTER_CS, CPU_MSR_SYSENTER_EIP, CPU_MSR_SYSENTER_ESP, CPU_MSR_TSC_AUX,
} from '../layout';
import { flushTlb } from '../memory';
import { updateMode } from '../mode';
import {
  CR0_PG, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, REG_RAX, REG_RCX, REG_RDX, SEG_FS, SEG_GS, cr0, efer, getReg,
  segmentBase, setReg, setSegmentBase,
} from '../registers';
import { cpuidBit, cpuidWord } from './cpuid';
import { requireCpl0 } from './privilege';

const IA32_EFER: u32 = 0xc0000080;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_GS_BASE: u32 = 0xc0000101;

/** Where the MSRs that are plain storage lie; 0: not one of them. */
function storageOf(index: u32): usize {
  switch (index) {
    case 0x1b: return CPU_MSR_APIC_BASE;
    case 0x174: return CPU_MSR_SYSENTER_CS;
    case 0x175: return CPU_MSR_SYSENTER_ESP;
    case 0x176: return CPU_MSR_SYSENTER_EIP;
    case 0x1a0: return CPU_MSR_MISC_ENABLE;
    case 0x1d9: return CPU_MSR_DEBUGCTL;
    case 0x277: return CPU_MSR_PAT;
    case 0xc0000081: return CPU_MSR_STAR;
    case 0xc0000082: return CPU_MSR_LSTAR;
    case 0xc0000083: return CPU_MSR_CSTAR;
    case 0xc0000084: return CPU_MSR_SFMASK;
    case 0xc0000102: return CPU_MSR_KERNEL_GS_BASE;
    case 0xc0000103: return CPU_MSR_TSC_AUX;
    default: return 0;
  }
}

/** Must the value be a canonical address? */
function holdsAddress(index: u32): bool {
  switch (index) {
    case 0x175:
    case 0x176:
    case 0xc0000082:
    case 0xc0000083:
    case 0xc0000102:
    case IA32_FS_BASE:
    case IA32_GS_BASE:
      return true;
    default:
      return false;
  }
}

/** Every byte of IA32_PAT is a memory type: 0, 1, 4, 5, 6 or 7 (SDM vol. 3A, 11.12.2). */
function validPat(value: u64): bool {
  for (let shift: u64 = 0; shift < 64; shift += 8) {
    const type = (value >> shift) & 0xff;
    if (type > 7 || type == 2 || type == 3) return false;
  }
  return true;
}

/** IA32_APIC_BASE: BSP, enable and the address; the rest is reserved without x2APIC. */
function validApicBase(value: u64): bool {
  const width = cpuidWord(0x80000008, 0, 0) & 0xff;
  return (value & 0x6ff) == 0 || (value & 0x6ff) == 0x100 ? value >> (width != 0 ? width : 36) == 0 : false;
}

function checkValue(index: u32, value: u64): void {
  let fine = true;
  if (holdsAddress(index)) fine = canonical(value);
  else if (index == 0x1b) fine = validApicBase(value);
  else if (index == 0x1d9) fine = (value & ~DEBUGCTL_BTF) == 0;
  else if (index == 0x277) fine = validPat(value);
  else if (index == 0xc0000103) fine = value >> 32 == 0;
  if (!fine) raiseGP(0);
}

/** IA32_EFER: LMA is the CPU's own; LME cannot change under paging; bits that CPUID does not announce are reserved. */
function writeEfer(value: u64): void {
  let allowed: u64 = EFER_LMA;
  if (cpuidBit(0x80000001, 3, 11)) allowed |= EFER_SCE;
  if (cpuidBit(0x80000001, 3, 20)) allowed |= EFER_NXE;
  if (cpuidBit(0x80000001, 3, 29)) allowed |= EFER_LME;
  if ((value & ~allowed) != 0) raiseGP(0);
  if ((cr0() & CR0_PG) != 0 && ((value ^ efer()) & EFER_LME) != 0) raiseGP(0);
  store<u64>(CPU_EFER, (value & ~EFER_LMA) | (efer() & EFER_LMA));
  flushTlb();
  updateMode();
}

/** `0F 32` */
export function readMsr(op: usize): void {
  requireCpl0();
  const index = getReg<u32>(REG_RCX);
  const storage = storageOf(index);
  let value: u64;
  if (storage != 0) value = load<u64>(storage);
  else if (index == IA32_EFER) value = efer();
  else if (index == IA32_FS_BASE) value = segmentBase(SEG_FS);
  else if (index == IA32_GS_BASE) value = segmentBase(SEG_GS);
  else value = msrReadExit(index);
  setReg<u32>(REG_RAX, <u32>value);
  setReg<u32>(REG_RDX, <u32>(value >> 32));
}

/** `0F 30` */
export function writeMsr(op: usize): void {
  requireCpl0();
  const index = getReg<u32>(REG_RCX);
  const value = <u64>getReg<u32>(REG_RAX) | (<u64>getReg<u32>(REG_RDX) << 32);
  const storage = storageOf(index);
  checkValue(index, value);
  if (storage != 0) store<u64>(storage, value);
  else if (index == IA32_EFER) writeEfer(value);
  else if (index == IA32_FS_BASE) setSegmentBase(SEG_FS, value);
  else if (index == IA32_GS_BASE) setSegmentBase(SEG_GS, value);
  else msrWriteExit(index, value);
}

/** SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS (SDM vol. 2; vol. 3A, 5.8.7 and 5.8.8). */
import { canonical, nextRip, setRip, stepByNewFlags } from '../control';
import { raiseGP, raiseUD } from '../fault';
import { FLAG_IF, FLAG_RF, FLAG_VM, materializeFlags, setFlagsWhole } from '../flags';
import {
  CPU_MSR_CSTAR, CPU_MSR_KERNEL_GS_BASE, CPU_MSR_LSTAR, CPU_MSR_SFMASK, CPU_MSR_STAR,
  CPU_MSR_SYSENTER_CS, CPU_MSR_SYSENTER_EIP, CPU_MSR_SYSENTER_ESP,
} from '../layout';
import { cpl, longMode, mode64, protectedMode, updateMode } from '../mode';
import { opOperandSize } from '../op';
import {
  EFER_SCE, REG_R11, REG_RCX, REG_RDX, REG_RSP, SEG_CS, SEG_GS, SEG_SS, efer, getReg, segmentAttributes, segmentBase, segmentLimit,
  setReg, setSegment,
  setSegmentBase,
} from '../registers';
import { isAmd } from './cpuid';

/** Attributes of the fixed flat segments: code of 64-bit mode, code with D, data; DPL 0. */
const CODE64: u32 = 0xa09b;
const CODE32: u32 = 0xc09b;
const DATA: u32 = 0xc093;
const DPL3: u32 = 0x60;
const FLAT: u32 = 0xffffffff;

/** Loads CS and SS with flat segments of privilege `privilege`, then RIP. */
function enterFlat(code: u32, stack: u32, attributes: u32, privilege: u32, rip: u64): void {
  const dpl = privilege == 3 ? DPL3 : 0;
  setSegment(SEG_SS, <u16>((stack & 0xfffc) | privilege), 0, FLAT, DATA | dpl);
  setSegment(SEG_CS, <u16>((code & 0xfffc) | privilege), 0, FLAT, attributes | dpl);
  updateMode();
  setRip(rip);
}

/**
 * `0F 05`. Outside 64-bit mode Intel's processors raise #UD; AMD's know it in compatibility mode too, with CSTAR as target, and in
 * legacy mode with the 32-bit target of STAR.
 */
export function systemCall(op: usize): void {
  if ((efer() & EFER_SCE) == 0 || !protectedMode()) raiseUD();
  const star = load<u64>(CPU_MSR_STAR);
  const selector = <u32>(star >> 32) & 0xffff;
  const back = nextRip();
  if (!longMode()) {
    if (!isAmd()) raiseUD();
    setReg<u32>(REG_RCX, <u32>back);
    setFlagsWhole(materializeFlags() & ~(FLAG_IF | FLAG_RF | FLAG_VM));
    enterFlat(selector, selector + 8, CODE32, 0, star & 0xffffffff);
    stepByNewFlags();
    return;
  }
  if (!mode64() && !isAmd()) raiseUD();
  const target = mode64() ? load<u64>(CPU_MSR_LSTAR) : load<u64>(CPU_MSR_CSTAR);
  const flags = materializeFlags() & ~FLAG_RF;
  setReg<u64>(REG_RCX, back);
  setReg<u64>(REG_R11, flags);
  setFlagsWhole(flags & ~load<u64>(CPU_MSR_SFMASK));
  enterFlat(selector, selector + 8, CODE64, 0, target);
  stepByNewFlags();
}

/**
 * `0F 07`. Intel's processors know it in 64-bit mode only, and a return address that is not canonical raises #GP at privilege 0. AMD's know it
 * in all protected modes, check the address where it is fetched from, and load of SS the selector alone (APM vol. 3, SYSRET); outside
 * 64-bit mode the return is to 32-bit code, and of the flags IF is set.
 */
export function systemReturn(op: usize): void {
  const amd = isAmd();
  if ((efer() & EFER_SCE) == 0 || (!amd && !mode64())) raiseUD();
  if (!protectedMode() || cpl() != 0) raiseGP(0);
  const selector = <u32>(load<u64>(CPU_MSR_STAR) >> 48);
  const wide = opOperandSize(op) == 8;
  const target = getReg<u64>(REG_RCX);
  if (wide && !amd && !canonical(target)) raiseGP(0);
  if (mode64()) setFlagsWhole((getReg<u64>(REG_R11) & 0x3c7fd7) | 2);
  else setFlagsWhole((materializeFlags() & ~(FLAG_VM | FLAG_RF)) | FLAG_IF);
  const base = segmentBase(SEG_SS);
  const limit = segmentLimit(SEG_SS);
  const attributes = segmentAttributes(SEG_SS) | DPL3;
  if (wide) enterFlat(selector + 16, selector + 8, CODE64, 3, target);
  else enterFlat(selector, selector + 8, CODE32, 3, target & 0xffffffff);
  if (amd) {
    setSegment(SEG_SS, <u16>(((selector + 8) & 0xfffc) | 3), base, limit, attributes);
    updateMode();
  }
  stepByNewFlags();
}

/** `0F 34` */
export function systemEnter(op: usize): void {
  const selector = <u32>load<u64>(CPU_MSR_SYSENTER_CS) & 0xffff;
  if (!protectedMode() || (selector & 0xfffc) == 0) raiseGP(0);
  const target = load<u64>(CPU_MSR_SYSENTER_EIP);
  const stack = load<u64>(CPU_MSR_SYSENTER_ESP);
  setFlagsWhole(materializeFlags() & ~(FLAG_IF | FLAG_VM | FLAG_RF));
  if (longMode()) {
    setReg<u64>(REG_RSP, stack);
    enterFlat(selector, (selector & 0xfffc) + 8, CODE64, 0, target);
  } else {
    setReg<u32>(REG_RSP, <u32>stack);
    enterFlat(selector, (selector & 0xfffc) + 8, CODE32, 0, target & 0xffffffff);
  }
}

/** `0F 35` */
export function systemExit(op: usize): void {
  const selector = <u32>load<u64>(CPU_MSR_SYSENTER_CS) & 0xfffc;
  if (!protectedMode() || selector == 0 || cpl() != 0) raiseGP(0);
  const target = getReg<u64>(REG_RDX);
  const stack = getReg<u64>(REG_RCX);
  if (opOperandSize(op) == 8) {
    if (!canonical(target) || !canonical(stack)) raiseGP(0);
    setReg<u64>(REG_RSP, stack);
    enterFlat(selector + 32, selector + 40, CODE64, 3, target);
  } else {
    setReg<u32>(REG_RSP, <u32>stack);
    enterFlat(selector + 16, selector + 24, CODE32, 3, target & 0xffffffff);
  }
}

/** `0F 01 F8` */
export function swapGs(op: usize): void {
  if (cpl() != 0) raiseGP(0);
  const base = segmentBase(SEG_GS);
  setSegmentBase(SEG_GS, load<u64>(CPU_MSR_KERNEL_GS_BASE));
  store<u64>(CPU_MSR_KERNEL_GS_BASE, base);
}

/** INVLPG, INVPCID, INVD, WBINVD, RDTSC, RDTSCP, RDPMC, CLAC, STAC, RDFSBASE and its kin (SDM vol. 2). */
import { canonical, noteUnhooked, timeStampCounter } from '../control';
import { raiseGP, raiseUD } from '../fault';
import { FLAG_AC, changeControlFlags } from '../flags';
import { msrReadExit } from '../io';
import { CPU_MSR_TSC_AUX, RUN_UNHOOKED_TSC, UNHOOKED_RDTSC, UNHOOKED_RDTSCP } from '../layout';
import {
  effectiveAddress, flushTlb, flushTlbPage, linearForRead, readLinear,
} from '../memory';
import { cpl, mode64 } from '../mode';
import { opReg, opRm, opSegment } from '../op';
import {
  CR4_FSGSBASE, CR4_TSD, REG_RAX, REG_RCX, REG_RDX, SEG_FS, cr4, getReg, segmentBase, setReg, setSegmentBase,
} from '../registers';
import { wrapLinear } from './descriptor';
import { isAssisted, requireCpl0 } from './privilege';

const IA32_TSC: u32 = 0x10;

/** `0F 01 /7`: no segment check, no fault but that of the privilege. */
export function invalidatePage(op: usize): void {
  requireCpl0();
  const segment = opSegment(op);
  const base = mode64() && segment < SEG_FS ? 0 : segmentBase(segment);
  flushTlbPage(wrapLinear(base + effectiveAddress(op)));
}

/** `66 0F 38 82 /r`: the descriptor's PCID and address are checked, then everything is flushed. */
export function invalidatePcid(op: usize): void {
  requireCpl0();
  const linear = linearForRead(opSegment(op), effectiveAddress(op), 16);
  const pcid = readLinear<u64>(linear);
  const address = readLinear<u64>(linear + 8);
  const kind = mode64() ? getReg<u64>(opReg(op)) : <u64>getReg<u32>(opReg(op));
  if (kind > 3 || pcid >> 12 != 0) raiseGP(0);
  if (kind == 0 && !canonical(address)) raiseGP(0);
  flushTlb();
}

/** `0F 08`, `0F 09`: there are no caches. */
export function invalidateCaches(op: usize): void {
  requireCpl0();
}

function readTimeStamp(kind: u32): void {
  if (cpl() != 0 && (cr4() & CR4_TSD) != 0) raiseGP(0);
  const isExit = isAssisted();
  const value = isExit ? msrReadExit(IA32_TSC) : timeStampCounter();
  setReg<u32>(REG_RAX, <u32>value);
  setReg<u32>(REG_RDX, <u32>(value >> 32));
  if (!isExit) noteUnhooked(RUN_UNHOOKED_TSC, kind);
}

/** `0F 31` */
export function readTsc(op: usize): void {
  readTimeStamp(UNHOOKED_RDTSC);
}

/** `0F 01 F9` */
export function readTscp(op: usize): void {
  readTimeStamp(UNHOOKED_RDTSCP);
  setReg<u32>(REG_RCX, <u32>load<u64>(CPU_MSR_TSC_AUX));
}

/** `F3 0F C7 /7`: 64 bits of register in 64-bit mode whatever the prefixes, else 32. */
export function readProcessorId(op: usize): void {
  const id = <u64><u32>load<u64>(CPU_MSR_TSC_AUX);
  if (mode64()) setReg<u64>(opRm(op), id);
  else setReg<u32>(opRm(op), <u32>id);
}

/** `0F 33`: there are no counters. */
export function readCounter(op: usize): void {
  raiseGP(0);
}

/** `0F 01 CA` and `0F 01 CB` */
export function setAlignmentFlag(op: usize, value: u32): void {
  if (cpl() != 0) raiseUD();
  if (value != 0) changeControlFlags(0, FLAG_AC);
  else changeControlFlags(FLAG_AC, 0);
}

function requireFsGsBase(): void {
  if ((cr4() & CR4_FSGSBASE) == 0) raiseUD();
}

/** `F3 0F AE /0` and `/1` */
export function readSegmentBase<T>(op: usize, segment: u32): void {
  requireFsGsBase();
  setReg<T>(opRm(op), <T>segmentBase(segment));
}

/** `F3 0F AE /2` and `/3` */
export function writeSegmentBase<T>(op: usize, segment: u32): void {
  requireFsGsBase();
  const base = <u64>getReg<T>(opRm(op));
  if (!canonical(base)) raiseGP(0);
  setSegmentBase(segment, base);
}

/** Instructions on RFLAGS (SDM vol. 1, 7.3.13): CLC, STC, CMC, CLD, STD, LAHF, SAHF, PUSHF, POPF. CLI and STI are in interp/system. */
import { raiseGP } from '../fault';
import {
  FLAG_AC, FLAG_DF, FLAG_ID, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VM, FLAGS_STATUS, changeControlFlags, getCF,
  materializeFlags, setCF, setFlagsWhole, setStatus, statusFlags,
} from '../flags';
import { moveStackPointer, popPeek, pushValue } from '../memory';
import { cpl, virtual8086 } from '../mode';
import { REG_AH, REG_RAX, controlFlags, getReg, setReg } from '../registers';
import { checkVirtualFlags, extensionsOn, setVirtualFlags, virtualFlags } from '../system/virtual';

/** `F8`, `F9`. */
// @ts-ignore: decorator
@inline
export function putCarry(op: usize, value: u32): void {
  setCF(value);
}

/** `F5`. */
// @ts-ignore: decorator
@inline
export function complementCarry(op: usize): void {
  setCF(getCF() ^ 1);
}

/** `FC`. */
export function clearDirection(op: usize): void {
  changeControlFlags(FLAG_DF, 0);
}

/** `FD`. */
export function setDirection(op: usize): void {
  changeControlFlags(0, FLAG_DF);
}

/** `9F`: AH = SF:ZF:0:AF:0:PF:1:CF. */
export function flagsToAh(op: usize): void {
  setReg<u8>(REG_AH, <u8>(statusFlags() & 0xd5) | 2);
}

/** `9E`: OF stays. */
export function ahToFlags(op: usize): void {
  setStatus((statusFlags() & ~0xd5) | <u64>(getReg<u8>(REG_AH) & 0xd5));
}

function iopl(): u32 {
  return <u32>(controlFlags() >> 12) & 3;
}

/** PUSHF and POPF in virtual-8086 mode need IOPL 3; below it, those of 16 bits work on VIF under CR4.VME (true). */
function virtualized<T>(): bool {
  if (!virtual8086() || iopl() == 3) return false;
  if (!extensionsOn() || sizeof<T>() != 2) raiseGP(0);
  return true;
}

/** `9C`: VM and RF are pushed as 0. */
export function pushFlags<T>(op: usize): void {
  let flags = materializeFlags() & ~(FLAG_VM | FLAG_RF);
  if (virtualized<T>()) flags = virtualFlags(flags);
  pushValue<T>(<T>flags);
}

/** `9D`: IF changes only where CPL <= IOPL, IOPL only at CPL 0; what may not change stays, silently. */
export function popFlags<T>(op: usize): void {
  const viaVif = virtualized<T>();
  const value = <u64>popPeek<T>(0);
  if (viaVif) {
    checkVirtualFlags(value);
    moveStackPointer(sizeof<T>());
    setVirtualFlags(value);
    return;
  }
  let mask: u64 = FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT;
  if (sizeof<T>() != 2) mask |= FLAG_AC | FLAG_ID;
  if (cpl() <= iopl()) mask |= FLAG_IF;
  if (cpl() == 0) mask |= FLAG_IOPL;
  let flags = (materializeFlags() & ~mask) | (value & mask);
  if (sizeof<T>() != 2) flags &= ~FLAG_RF;
  moveStackPointer(sizeof<T>());
  setFlagsWhole(flags);
}

/** `D6`, which the manual does not list: AL = CF ? FFh : 0. */
export function carryToAl(op: usize): void {
  setReg<u8>(REG_RAX, getCF() ? 0xff : 0);
}

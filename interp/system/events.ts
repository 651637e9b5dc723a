/** INT n, INT3, INTO, INT1, CLI, STI, HLT, MONITOR, MWAIT and what is always #UD (SDM vol. 2). */
import { nextRip, setInterruptShadow } from '../control';
import { enterDebugHandler } from '../debug';
import { VECTOR_BP, VECTOR_DB, VECTOR_OF, leaveHalt, raiseGP, raiseUD } from '../fault';
import { FLAG_IF, FLAG_VIF, FLAG_VIP, changeControlFlags, getOF } from '../flags';
import { readSegment } from '../memory';
import { cpl, protectedMode, virtual8086 } from '../mode';
import { opImm, opSegment } from '../op';
import { REG_RAX, controlFlags, cr4, getReg } from '../registers';
import { deliverSoftware } from './interrupt';
import { ioPrivilege, requireCpl0 } from './privilege';
import { extensionsOn, interruptedVirtual } from './virtual';

const CR4_PVI: u64 = 1 << 1;

/** `CD ib` */
export function softwareInterrupt(op: usize): void {
  if (virtual8086() && interruptedVirtual(<u32>opImm(op) & 0xff)) return;
  deliverSoftware(<u32>opImm(op) & 0xff, true, nextRip());
}

/** `CC` */
export function breakpoint(op: usize): void {
  deliverSoftware(VECTOR_BP, true, nextRip());
}

/** `CE` */
export function overflow(op: usize): void {
  if (getOF() != 0) deliverSoftware(VECTOR_OF, true, nextRip());
}

/** `F1`: INT1, a trap that no gate's DPL guards. */
export function debugTrap(op: usize): void {
  deliverSoftware(VECTOR_DB, false, nextRip());
  enterDebugHandler();
}

/** May CLI and STI change IF? False: they change VIF (virtual interrupts of virtual-8086 and protected mode). Neither: #GP(0). */
function mayChangeIf(): bool {
  if (virtual8086()) {
    if (ioPrivilege() == 3) return true;
    if (!extensionsOn()) raiseGP(0);
    return false;
  }
  if (!protectedMode() || cpl() <= ioPrivilege()) return true;
  if (cpl() != 3 || (cr4() & CR4_PVI) == 0) raiseGP(0);
  return false;
}

/** `FA` */
export function clearInterruptFlag(op: usize): void {
  changeControlFlags(mayChangeIf() ? FLAG_IF : FLAG_VIF, 0);
}

/** `FB`: if IF was clear, the next instruction is executed before an interrupt is taken. */
export function setInterruptFlag(op: usize): void {
  if (!mayChangeIf()) {
    if ((controlFlags() & FLAG_VIP) != 0) raiseGP(0);
    changeControlFlags(0, FLAG_VIF);
    return;
  }
  if ((controlFlags() & FLAG_IF) == 0) {
    changeControlFlags(0, FLAG_IF);
    setInterruptShadow();
  }
}

/** `F4` */
export function halt(op: usize): void {
  requireCpl0();
  leaveHalt();
}

/** Unlike other instructions of CPL 0, these two are unknown elsewhere. */
function requireMonitor(): void {
  if (cpl() != 0) raiseUD();
}

/** `0F 01 C8`: the address is read; there is no other processor that could write it. */
export function monitor(op: usize): void {
  requireMonitor();
  readSegment<u8>(opSegment(op), getReg<u64>(REG_RAX));
}

/** `0F 01 C9`: a processor may leave the wait at once for reasons of its own. */
export function monitorWait(op: usize): void {
  requireMonitor();
}

/** `0F AA` (RSM outside system-management mode) */
export function alwaysUndefined(op: usize): void {
  raiseUD();
}

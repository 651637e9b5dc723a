/** Privilege checks that many system instructions share. */
import { raiseGP, raiseUD } from '../fault';
import { FLAG_IOPL } from '../flags';
import { ASSISTED_ALL, ASSISTED_PAGING, ASSISTED_USER, RUN_ASSISTED } from '../layout';
import { cpl, isLongMode, isPaging, protectedMode } from '../mode';
import { CR4_UMIP, controlFlags, cr4 } from '../registers';

/** #GP(0) unless the privilege level is 0. */
export function requireCpl0(): void {
  if (cpl() != 0) raiseGP(0);
}

/** #UD in real and virtual-8086 mode. */
export function requireProtected(): void {
  if (!protectedMode()) raiseUD();
}

/** SGDT, SIDT, SLDT, SMSW, STR under CR4.UMIP (SDM vol. 3A, 2.5). */
export function checkUmip(): void {
  if (cpl() != 0 && (cr4() & CR4_UMIP) != 0) raiseGP(0);
}

/** Code that an interpreter executes wherever it runs (RUN_ASSISTED). */
export function isAssisted(): bool {
  const assisted = load<u32>(RUN_ASSISTED);
  if ((assisted & ASSISTED_ALL) != 0) return true;
  if ((assisted & ASSISTED_USER) != 0 && cpl() == 3) return true;
  return (assisted & ASSISTED_PAGING) != 0 && isPaging && !isLongMode;
}

/** I/O privilege level. */
export function ioPrivilege(): u32 {
  return <u32>((controlFlags() & FLAG_IOPL) >> 12);
}

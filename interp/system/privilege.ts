/** Privilege checks that many system instructions share. */
import { raiseGP, raiseUD } from '../fault';
import { FLAG_IOPL } from '../flags';
import { RUN_USER_ASSISTED } from '../layout';
import { cpl, protectedMode } from '../mode';
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

/** User code that an interpreter executes wherever it runs (RUN_USER_ASSISTED). */
export function isAssistedUser(): bool {
  return load<u32>(RUN_USER_ASSISTED) != 0 && cpl() == 3;
}

/** I/O privilege level. */
export function ioPrivilege(): u32 {
  return <u32>((controlFlags() & FLAG_IOPL) >> 12);
}

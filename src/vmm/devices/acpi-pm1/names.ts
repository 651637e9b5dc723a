/** The PM1 registers by name (ACPI 6.5, section 4.8.3). */
import { type Register, register } from '../../register.js';
import * as bits from './registers.js';

const registers = new Map<number, Register>([
  [bits.EVENT_BLOCK, register('PM1_STS', 'TMR_STS -:4 GBL_STS -:2 PWRBTN_STS SLPBTN_STS RTC_STS', 2)],
  [bits.EVENT_BLOCK + 2, register('PM1_EN', 'TMR_EN -:4 GBL_EN -:2 PWRBTN_EN SLPBTN_EN RTC_EN', 2)],
  [bits.CONTROL_BLOCK, register('PM1_CNT', 'SCI_EN BM_RLD GBL_RLS -:7 SLP_TYP:3 SLP_EN', 2)],
]);

/** The register that begins at `port`. */
export function acpiPm1Register(port: number): Register | undefined {
  return registers.get(port);
}

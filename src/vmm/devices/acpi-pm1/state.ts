/** The state of the PM1 registers. */
import { deadline, type StateOf, stateTable, u16 } from '../../state/fields.js';
import { CONTROL_MASK, ENABLE_MASK } from './registers.js';

/** See registers.ts for the bits. */
export const acpiPm1State = stateTable('acpi-pm1', 1, {
  /** When the timer's most significant bit changes next and sets TMR_STS; never: TMR_STS is set. */
  timerChange: deadline(),
  enable: u16({ max: ENABLE_MASK }),
  control: u16({ max: CONTROL_MASK }),
});

/** The state of the PM1 registers. */
export type AcpiPm1State = StateOf<typeof acpiPm1State>;

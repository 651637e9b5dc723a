/** The state of the south bridge. */
import { bool, stateTable, u16 } from '../../state/fields.js';
import { PMBA_MASK } from './registers.js';

/** See registers.ts. */
export const piix4State = stateTable('piix4', 1, {
  /** The base in PMBA. */
  base: u16({ max: PMBA_MASK }),
  /** PMIOSE. */
  isEnabled: bool(),
});

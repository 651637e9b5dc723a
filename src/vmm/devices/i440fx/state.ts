/** The state of the host bridge that switches memory. */
import { bytes, stateTable, u8 } from '../../state/fields.js';
import { PAM_COUNT, SMRAM_BASE, SMRAM_MASK } from './registers.js';

/** See registers.ts. */
export const i440fxState = stateTable('i440fx', 1, {
  pam: bytes(PAM_COUNT),
  smram: u8({ max: SMRAM_MASK | SMRAM_BASE, initial: SMRAM_BASE }),
});

/** The state of the host bridge. */
import { stateTable, u32 } from '../../state/fields.js';
import { ADDRESS_MASK } from './registers.js';

/** CONFIG_ADDRESS, as it reads back. */
export const pciHostState = stateTable('pci-host', 1, { address: u32({ max: ADDRESS_MASK }) });

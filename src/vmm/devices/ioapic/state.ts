/** The state of the I/O APIC. */
import { array, bool, type StateOf, stateTable, struct, u8, u32 } from '../../state/fields.js';
import * as bits from './registers.js';

/** See registers.ts for the bits. */
export const ioapicState = stateTable('ioapic', 1, {
  select: u8(),
  id: u8({ max: 15 }),
  pins: array(
    struct({
      /** The low dword of the entry; after power-on it is masked. */
      entry: u32({ max: bits.ENTRY_MASK, initial: bits.MASKED }),
      destination: u8(),
      /** The line is asserted. */
      line: bool(),
    }),
    bits.PINS,
  ),
});

/** The state of the I/O APIC. */
export type IoapicState = StateOf<typeof ioapicState>;
/** The state of one input. */
export type PinState = IoapicState['pins'][number];

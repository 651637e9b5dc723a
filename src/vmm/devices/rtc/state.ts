/** The state of the real-time clock. */
import { bool, bytes, type StateOf, stateTable, time, u8 } from '../../state/fields.js';

/** See registers.ts for the bytes. */
export const rtcState = stateTable('rtc', 1, {
  index: u8({ max: 0x7f }),
  nmiOff: bool(),
  /** All registers and the CMOS memory. Registers A without UIP, C and D are here too. */
  cells: bytes(128),
  /** The guest time of the next update: the divider chain ends a second there. */
  nextUpdate: time({ initial: 1_000_000_000 }),
  /** The time up to which periods, updates and alarms were carried out. */
  seen: time(),
});

/** The state of the real-time clock. */
export type RtcState = StateOf<typeof rtcState>;

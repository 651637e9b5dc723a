/** 82093AA I/O Advanced Programmable Interrupt Controller (290566-001), sections 3.1 and 3.2. */

/** Where it is in every PC (section 3.0, with APICBASE at its default), and how much it takes. */
export const IOAPIC_ADDRESS = 0xfec0_0000;
export const IOAPIC_SIZE = 0x20;
/** IOREGSEL: bits 0 to 7 choose the register that IOWIN shows. */
export const SELECT = 0x00;
export const WINDOW = 0x10;

/** IOAPICID: bits 24 to 27. */
export const ID = 0x00;
/** IOAPICVER: version 11h, the highest entry is 23. */
export const VERSION = 0x01;
export const VERSION_VALUE = 0x0017_0011;
/** IOAPICARB: loaded with the id whenever that is written. */
export const ARBITRATION = 0x02;
/** IOREDTBL0 to IOREDTBL23: low and high dword each. */
export const TABLE = 0x10;
export const PINS = 24;

/** An entry: vector, delivery mode (8 to 10), logical destination (11), delivery status (12), polarity (13). */
export const DELIVERY_SHIFT = 8;
export const LOGICAL = 1 << 11;
/** Remote IRR: "set to 1 when local APIC(s) accept the level interrupt", read-only. */
export const REMOTE_IRR = 1 << 14;
export const LEVEL = 1 << 15;
export const MASKED = 1 << 16;
/** What can be written of the low dword; of the high one bits 24 to 31, the destination. */
export const WRITABLE = 0x1_afff;
/** What an entry can have in it: delivery status (12) is always idle. */
export const ENTRY_MASK = 0x1_efff;

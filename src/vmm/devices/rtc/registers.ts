/** Motorola MC146818A data sheet (1984); the CMOS map of the PC/AT beyond it. */
/** Index (and bit 7: NMI off). */
export const INDEX = 0x70;
export const DATA = 0x71;
export const NMI_OFF = 0b1000_0000;

export const SECONDS = 0x00;
export const SECONDS_ALARM = 0x01;
export const MINUTES = 0x02;
export const MINUTES_ALARM = 0x03;
export const HOURS = 0x04;
export const HOURS_ALARM = 0x05;
export const WEEKDAY = 0x06;
export const DAY = 0x07;
export const MONTH = 0x08;
export const YEAR = 0x09;
export const REGISTER_A = 0x0a;
export const REGISTER_B = 0x0b;
export const REGISTER_C = 0x0c;
export const REGISTER_D = 0x0d;
/** What the BIOS shall do after a reset. */
export const SHUTDOWN = 0x0f;
/** Where the PC keeps the century. */
export const CENTURY = 0x32;

/** A: an update is in progress. */
export const A_UPDATING = 0b1000_0000;
/** A: the divider, and its value for a 32768 Hz crystal. */
export const A_DIVIDER = 0b0111_0000;
export const A_DIVIDER_RUNS = 0b0010_0000;
/** A: the periodic rate. */
export const A_RATE = 0b0000_1111;
/** B: updates are held. */
export const B_SET = 0b1000_0000;
export const B_PERIODIC = 0b0100_0000;
export const B_ALARM = 0b0010_0000;
export const B_UPDATE = 0b0001_0000;
/** B: binary, not BCD. */
export const B_BINARY = 0b0000_0100;
/** B: 24 hours, not 12. */
export const B_24 = 0b0000_0010;
/** C: an interrupt is asked for; below it PF, AF, UF at the places of their enables in B. */
export const C_IRQ = 0b1000_0000;
/** B and C: the three sources. */
export const SOURCES = B_PERIODIC | B_ALARM | B_UPDATE;
/** D: the battery is good. */
export const D_VALID = 0b1000_0000;
/** 12-hour mode: afternoon. */
export const PM = 0b1000_0000;
/** An alarm register with both top bits set matches always. */
export const ALARM_ANY = 0b1100_0000;

/** Equipment: 80-column colour display by the BIOS's words, mathematics coprocessor. */
export const EQUIPMENT = 0x14;
/** KiB below 1 MiB, two bytes. */
export const BASE_MEMORY = 0x15;
/** KiB above 1 MiB, two bytes, at both places. */
export const EXTENDED_MEMORY = 0x17;
export const EXTENDED_MEMORY_2 = 0x30;
/** The checksum of 10h to 2Dh, high byte first. */
export const CHECKSUM = 0x2e;
/** Units of 64 KiB above 16 MiB, two bytes. */
export const MEMORY_ABOVE_16M = 0x34;
/** Units of 64 KiB above 4 GiB, three bytes. */
export const MEMORY_ABOVE_4G = 0x5b;

/** Intel 8254 data sheet (231164-005); port 61h as in the 82371AB (PIIX4) data sheet, section 4.2.4.1 "NMISC". */
/** Counters 0, 1 and 2. */
export const COUNTER_0 = 0x40;
/** Control word; write only. */
export const CONTROL = 0x43;
/** NMI status and control. */
export const PORT_61 = 0x61;

/** The oscillator of the PC, 14.31818 MHz / 12, in Hz. */
export const FREQUENCY = 1_193_182;

/** Control word: counter in bits 7:6, 3 is the read-back command. */
export const READ_BACK = 3;
/** Read-back command, active low: latch count, latch status. */
export const READ_BACK_NO_COUNT = 0b0010_0000;
export const READ_BACK_NO_STATUS = 0b0001_0000;

/** Status byte: OUT and null count; below them the control word as written. */
export const STATUS_OUT = 0b1000_0000;
export const STATUS_NULL = 0b0100_0000;

/** Port 61h, read and written: gate of counter 2. */
export const GATE_2 = 0b0000_0001;
/** Port 61h: gate, speaker and the two check enables can be written. */
export const PORT_61_WRITABLE = 0b0000_1111;
/** Port 61h, read: toggles with each refresh request. */
export const REFRESH = 0b0001_0000;
/** Port 61h, read: OUT of counter 2. */
export const OUT_2 = 0b0010_0000;
/** Ticks between refresh requests: about 15 µs, as counter 1 is set up on every PC. */
export const REFRESH_TICKS = 18;

/** Intel 8259A data sheet (231468-003): command words. The PC's pair is at 20h/21h and A0h/A1h; ELCR at 4D0h/4D1h. */
export const MASTER_COMMAND = 0x20;
export const MASTER_DATA = 0x21;
export const SLAVE_COMMAND = 0xa0;
export const SLAVE_DATA = 0xa1;
/** Edge/level control (82371AB data sheet, section 4.2.6): a 1 makes the input level-triggered. */
export const ELCR_MASTER = 0x4d0;
export const ELCR_SLAVE = 0x4d1;
/** IRQ 0, 1 and 2 are always edge-triggered. */
export const ELCR_MASTER_MASK = 0b1111_1000;
/** IRQ 8 and 13 are always edge-triggered. */
export const ELCR_SLAVE_MASK = 0b1101_1110;

/** ICW1 is known by bit 4. */
export const ICW1 = 0b0001_0000;
/** ICW1: ICW4 follows. */
export const ICW1_ICW4 = 0b0000_0001;
/** ICW1: no cascade, ICW3 does not follow. */
export const ICW1_SINGLE = 0b0000_0010;
/** ICW1: all inputs are level-triggered. */
export const ICW1_LEVEL = 0b0000_1000;
/** ICW4: automatic end of interrupt. */
export const ICW4_AUTO_EOI = 0b0000_0010;
/** ICW4: special fully nested mode. */
export const ICW4_NESTED = 0b0001_0000;

/** OCW3 is known by bit 3 (with bit 4 clear). */
export const OCW3 = 0b0000_1000;
/** OCW3: the special mask mode is set from the bit below. */
export const OCW3_SET_SPECIAL = 0b0100_0000;
/** OCW3: special mask mode. */
export const OCW3_SPECIAL = 0b0010_0000;
/** OCW3: the next read is a poll. */
export const OCW3_POLL = 0b0000_0100;
/** OCW3: the register to be read is set from the bit below. */
export const OCW3_SET_READ = 0b0000_0010;
/** OCW3: read ISR (1) or IRR (0). */
export const OCW3_READ_ISR = 0b0000_0001;

/** OCW2: rotate, specific, end of interrupt in bits 7 to 5. */
export const OCW2_ROTATE = 0b1000_0000;
export const OCW2_SPECIFIC = 0b0100_0000;
export const OCW2_EOI = 0b0010_0000;

/** The input of the master to which the slave's INT is wired. */
export const CASCADE = 2;

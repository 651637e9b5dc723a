/** National Semiconductor PC16550D data sheet (June 1995), section 8 "Registers". Offsets from the base port. */
/** Receiver buffer (read), transmitter holding (write); with DLAB the divisor's low byte. */
export const DATA = 0;
/** Interrupt enable; with DLAB the divisor's high byte. */
export const IER = 1;
/** Interrupt identification (read), FIFO control (write). */
export const IIR_FCR = 2;
/** Line control. */
export const LCR = 3;
/** Modem control. */
export const MCR = 4;
/** Line status. */
export const LSR = 5;
/** Modem status. */
export const MSR = 6;
/** Scratch. */
export const SCR = 7;

export const IER_RECEIVED = 0b0001;
export const IER_TRANSMIT = 0b0010;
export const IER_LINE = 0b0100;
export const IER_MODEM = 0b1000;

/** IIR values in order of priority (table IV). */
export const IIR_LINE = 0b0110;
export const IIR_RECEIVED = 0b0100;
export const IIR_TIMEOUT = 0b1100;
export const IIR_TRANSMIT = 0b0010;
export const IIR_MODEM = 0b0000;
export const IIR_NONE = 0b0001;
export const IIR_FIFOS = 0b1100_0000;

export const FCR_ENABLE = 0b0001;
export const FCR_CLEAR_RECEIVER = 0b0010;
/** Bytes in the FIFO that make "data available", by FCR bits 7:6. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
export const FIFO_SIZE = 16;

/** LCR: divisor latch access. */
export const LCR_DLAB = 0b1000_0000;

export const MCR_DTR = 0b0_0001;
export const MCR_RTS = 0b0_0010;
export const MCR_OUT1 = 0b0_0100;
/** On the PC, OUT2 connects the interrupt output to the IRQ line. */
export const MCR_OUT2 = 0b0_1000;
export const MCR_LOOP = 0b1_0000;
export const MCR_MASK = 0b1_1111;

export const LSR_READY = 0b0000_0001;
export const LSR_OVERRUN = 0b0000_0010;
export const LSR_HOLDING_EMPTY = 0b0010_0000;
export const LSR_EMPTY = 0b0100_0000;

/** MSR: the levels; the four bits below are their changes (for RI: its end). */
export const MSR_CTS = 0b0001_0000;
export const MSR_DSR = 0b0010_0000;
export const MSR_RI = 0b0100_0000;
export const MSR_DCD = 0b1000_0000;

/** Intel 8042 as in the IBM PC/AT and PS/2 Technical References ("Keyboard/Auxiliary Device Controller"). */
export const DATA = 0x60;
/** Status (read), command (write). */
export const COMMAND = 0x64;

/** Status: a byte waits at port 60h. */
export const STATUS_OUTPUT_FULL = 0b0000_0001;
/** Status: the system flag of the command byte. */
export const STATUS_SYSTEM = 0b0000_0100;
/** Status: the last write went to port 64h. */
export const STATUS_COMMAND = 0b0000_1000;
/** Status: the keyboard is not locked. */
export const STATUS_UNLOCKED = 0b0001_0000;

/** Command byte: keyboard interrupt. */
export const CONTROL_IRQ1 = 0b0000_0001;
/** Command byte: system flag. */
export const CONTROL_SYSTEM = 0b0000_0100;
/** Command byte: the keyboard's clock is held. */
export const CONTROL_KEYBOARD_OFF = 0b0001_0000;
/** Command byte: the auxiliary device's clock is held. */
export const CONTROL_AUX_OFF = 0b0010_0000;
/** Command byte: scan codes are translated to set 1. */
export const CONTROL_TRANSLATE = 0b0100_0000;

export const READ_RAM = 0x20;
export const WRITE_RAM = 0x60;
export const AUX_OFF = 0xa7;
export const AUX_ON = 0xa8;
export const AUX_TEST = 0xa9;
export const SELF_TEST = 0xaa;
export const KEYBOARD_TEST = 0xab;
export const KEYBOARD_OFF = 0xad;
export const KEYBOARD_ON = 0xae;
export const READ_INPUT_PORT = 0xc0;
export const READ_OUTPUT_PORT = 0xd0;
export const WRITE_OUTPUT_PORT = 0xd1;
export const WRITE_KEYBOARD_OUTPUT = 0xd2;
export const WRITE_AUX_OUTPUT = 0xd3;
export const WRITE_AUX = 0xd4;
/** F0h to FFh pulse the output port's bits 3:0 that are 0 in the command; bit 0 is the reset line. */
export const PULSE = 0xf0;

/** Output port: bit 0 low resets the processor; bit 1 is A20; bit 4 the keyboard's interrupt. */
export const OUTPUT_NO_RESET = 0b0000_0001;
export const OUTPUT_A20 = 0b0000_0010;
export const OUTPUT_IRQ1 = 0b0001_0000;

/** Self test passed. */
export const SELF_TEST_PASSED = 0x55;
/** Interface test: the clock line is stuck low. The answer for the auxiliary port, which is not there. */
export const CLOCK_STUCK_LOW = 0x01;

/** The keyboard's answers and commands (PS/2 Technical Reference, "Keyboard"). */
export const ACKNOWLEDGE = 0xfa;
export const RESEND = 0xfe;
export const TEST_PASSED = 0xaa;
export const ECHO = 0xee;
export const SET_LEDS = 0xed;
export const SCAN_CODE_SET = 0xf0;
export const IDENTIFY = 0xf2;
export const SET_RATE = 0xf3;
export const ENABLE = 0xf4;
export const DEFAULTS_OFF = 0xf5;
export const DEFAULTS_ON = 0xf6;
export const KEYBOARD_RESET = 0xff;

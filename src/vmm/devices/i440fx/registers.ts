/** Intel 82441FX data sheet (290549-001), section 3.2: the configuration registers of function 00:00.0 that are not its header's. */

/** PAM0 to PAM6, a byte each (3.2.18). Attributes of two windows in each: bits 1 and 0 of the lower one, 5 and 4 of the higher one. */
export const PAM = 0x59;
/** PAM registers. The lower half of the first is reserved: the one window of PAM0 is F0000h to FFFFFh. */
export const PAM_COUNT = 7;
/** Read Enable: reads go to RAM, else to PCI. */
export const READ_ENABLE = 0b01;
/** Write Enable, likewise. */
export const WRITE_ENABLE = 0b10;
/** What can be written of each PAM register. */
export const PAM_MASKS: readonly number[] = [0x30, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33];

/** System management RAM control (3.2.19). */
export const SMRAM = 0x72;
/** SMM space open: RAM at A0000h to BFFFFh is seen outside system management mode. */
export const SMRAM_OPEN = 1 << 6;
/** SMM space closed: to data accesses, even in system management mode, which this processor has not. */
export const SMRAM_CLOSED = 1 << 5;
/** SMM space locked: DOPEN is 0, and the register read-only, until a reset. */
export const SMRAM_LOCKED = 1 << 4;
/** Global SMRAM enable. */
export const SMRAM_ENABLE = 1 << 3;
/** C_BASE_SEG: A0000h, the only value there is. */
export const SMRAM_BASE = 0b010;
/** What can be written of it. */
export const SMRAM_MASK = SMRAM_OPEN | SMRAM_CLOSED | SMRAM_LOCKED | SMRAM_ENABLE;

/** Subsystem vendor and device, which the chip has not, and QEMU's PC has: by it firmware made for QEMU knows fw_cfg to be there. */
export const SUBSYSTEM = 0x2c;
/** 1AF4h (Red Hat), 1100h. */
export const SUBSYSTEM_QEMU = 0x1100_1af4;

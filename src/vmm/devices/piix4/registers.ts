/** Intel 82371AB (PIIX4) data sheet (290562-001), sections 4.1 (function 0, the ISA bridge) and 7.1 (function 3, power management). */

/** Bus, device and function of CONFIG_ADDRESS: 00:01.0. */
export const ISA_BRIDGE_ADDRESS = 0x800;
/** 00:01.3. */
export const POWER_MANAGEMENT_ADDRESS = 0xb00;

/** Power management base address: bits 15 to 6; bit 0 is 1. Function 3. */
export const PMBA = 0x40;
/** The base in it. */
export const PMBA_MASK = 0xffc0;
/** Its registers. */
export const PM_LENGTH = 0x40;
/** PMREGMISC. Function 3. */
export const PMREGMISC = 0x80;
/** PMIOSE: the registers at PMBA answer. */
export const PM_ENABLE = 0b1;

/** The dwords of function 0 that are not 0, and never change. */
export const ISA_BRIDGE: Readonly<Record<number, number>> = {
  /** 7000h (82371SB, as QEMU's PC has it), 8086h. */
  0: 0x7000_8086,
  /** Status: medium DEVSEL timing. Command: bus master, memory and I/O, wired. */
  4: 0x0200_0007,
  /** Bridge, ISA bridge. */
  8: 0x0601_0000,
  /** A device of several functions. */
  12: 0x0080_0000,
  /** PIRQRC[A:D] at 60h: not routed, bit 7 of each. */
  96: 0x8080_8080,
};

/** Those of function 3. */
export const POWER_MANAGEMENT: Readonly<Record<number, number>> = {
  /** 7113h (82371AB), 8086h. */
  0: 0x7113_8086,
  /** Status: medium DEVSEL timing, fast back-to-back. Command: I/O. */
  4: 0x0280_0001,
  /** Bridge, other; revision 3. */
  8: 0x0680_0003,
  /** At 3Ch: INTA#, which is the SCI: IRQ 9. */
  60: 0x0000_0109,
  /** DEVACTB at 58h: APMC_EN. */
  88: 0x0200_0000,
};

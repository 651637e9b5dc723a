/**
 * PCI Local Bus Specification 3.0, sections 3.2.2.3.2 (configuration mechanism #1) and 6.1 (type 00h header), and Intel 82441FX
 * data sheet (290549-001), section 3.2, for the values of the host bridge.
 */

/** CONFIG_ADDRESS: dword accesses only. */
export const ADDRESS_PORT = 0xcf8;
/** CONFIG_DATA: bytes, words and dwords. */
export const DATA_PORT = 0xcfc;

/** CONFIG_ADDRESS: accesses to CONFIG_DATA become configuration cycles. */
export const ENABLE = 0x8000_0000;
/** Enable, bus, device, function, dword: "bits 30-24 are reserved, read-only, and must return 0's"; bits 1 and 0 too. */
export const ADDRESS_MASK = 0x80ff_fffc;
/** Bus, device and function of CONFIG_ADDRESS. */
export const FUNCTION_MASK = 0x00ff_ff00;
/** The register's dword. */
export const REGISTER_MASK = 0xfc;

/** The dwords of the host bridge's header that are not 0, by offset. */
export const HOST_BRIDGE: Readonly<Record<number, number>> = {
  /** Device 1237h (82441FX), vendor 8086h (Intel). */
  0: 0x1237_8086,
  /** Status: medium DEVSEL timing, fast back-to-back. Command: bus master and memory, both wired. */
  4: 0x0280_0006,
  /** Class: bridge, host bridge; revision 2. */
  8: 0x0600_0002,
};

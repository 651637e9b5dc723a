/** What is behind an address of PCI configuration space. */

/** One function of a device on bus 0. Registers are dwords, by their offset: a multiple of 4, 0 to FCh. */
export interface PciFunction {
  readRegister(offset: number): number;
  /** `bytes`: bits 0 to 3 say which bytes of `value` are written. */
  writeRegister(offset: number, value: number, bytes: number): void;
}

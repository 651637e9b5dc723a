/**
 * What the interrupt controllers in memory have in common: registers of 32 bits, one at the beginning of each 16 bytes (Intel SDM
 * volume 3A, section 10.4.1; 82093AA data sheet, section 3.0). "All 32-bit registers should be accessed using 128-bit aligned 32-bit
 * loads or stores"; what else comes is model specific, and here:
 *
 * - A read gives the bytes of a register that it covers, and zeros between registers.
 * - A write of an aligned dword, or the low half of an aligned quadword, is one; others are ignored.
 */
import type { AddressRange, Device } from '../device.js';
import type { StateTable } from '../state/fields.js';
import { StateDevice } from './state-device.js';

const SLOT = 16;

/** A device of 32-bit registers in 16-byte slots. */
export abstract class SlotDevice<T extends StateTable> extends StateDevice<T> implements Device {
  readonly ports: readonly AddressRange[] = [];

  constructor(
    name: string,
    readonly mmio: readonly AddressRange[],
    stateTable: T,
  ) {
    super(name, stateTable);
  }

  /** The register at `offset` of the device's window, a multiple of 16: a u32. Called once for each access that covers it. */
  protected abstract readRegister(offset: number): number;
  /** `value` is a u32. */
  protected abstract writeRegister(offset: number, value: number): void;
  /** The offset of an address in the device's window. Bytes outside it read ones. */
  protected abstract offsetOf(address: number): number | undefined;

  readMmio(address: number, size: number, bytes: DataView, at: number): void {
    let slot = -1;
    let value = 0;
    for (let index = 0; index < size; index++) {
      const offset = this.offsetOf(address + index);
      if (offset === undefined) {
        bytes.setUint8(at + index, 0xff);
        continue;
      }
      const lane = offset % SLOT;
      if (lane < 4 && offset - lane !== slot) {
        slot = offset - lane;
        value = this.readRegister(slot);
      }
      bytes.setUint8(at + index, lane < 4 ? (value >>> (8 * lane)) & 0xff : 0);
    }
  }

  writeMmio(address: number, size: number, bytes: DataView, at: number): void {
    const offset = this.offsetOf(address);
    if (offset === undefined || offset % SLOT !== 0 || (size !== 4 && size !== 8)) return;
    this.writeRegister(offset, bytes.getUint32(at, true));
  }

  /** There are no ports: ones. */
  readPort(_port: number, _size: number): number {
    return 0xffff_ffff;
  }
  /** There are no ports: ignored. */
  writePort(_port: number, _size: number, _value: number): void {}
}

/**
 * What the old devices of the PC have in common: they are 8 bits wide, and know ports only. The ISA bus splits a wider
 * access into bytes in ascending order (IEEE P996, 8-bit slaves); bytes past the device's ports read ones.
 */
import type { AddressRange, Device } from '../device.js';
import type { StateTable } from '../state/fields.js';
import { StateDevice } from './state-device.js';

/** A device that answers bytes. Subclasses answer each port and drive their outputs; everything else is here. */
export abstract class ByteDevice<T extends StateTable> extends StateDevice<T> implements Device {
  readonly mmio: readonly AddressRange[] = [];

  constructor(
    name: string,
    readonly ports: readonly AddressRange[],
    stateTable: T,
  ) {
    super(name, stateTable);
  }

  /** The byte at `port`, which is one of {@link ports}. */
  protected abstract readByte(port: number): number;
  /** `value` is 0 to 255, `port` one of {@link ports}. */
  protected abstract writeByte(port: number, value: number): void;

  readPort(port: number, size: number): number {
    let value = 0;
    for (let index = 0; index < size; index++) {
      const byte = this.#claims(port + index) ? this.readByte(port + index) : 0xff;
      value |= (byte & 0xff) << (8 * index);
    }
    return value >>> 0;
  }

  writePort(port: number, size: number, value: number): void {
    for (let index = 0; index < size; index++) {
      if (this.#claims(port + index)) this.writeByte(port + index, (value >>> (8 * index)) & 0xff);
    }
  }

  /** There is no MMIO: ones. */
  readMmio(_address: number, size: number, bytes: DataView, offset: number): void {
    for (let index = 0; index < size; index++) bytes.setUint8(offset + index, 0xff);
  }
  /** There is no MMIO: ignored. */
  writeMmio(_address: number, _size: number, _bytes: DataView, _offset: number): void {}

  #claims(port: number): boolean {
    for (const range of this.ports) if (port >= range.base && port < range.base + range.length) return true;
    return false;
  }
}

/**
 * The reset control register CF9h (82371AB data sheet, section 4.2.4.3): a reset when bit 2 goes from 0 to 1. It is
 * reached by byte accesses only, for it lies within the dword CF8h, the configuration address of PCI (see pci-host).
 */
import type { AddressRange, Device, ResetLine } from '../../device.js';
import { type Register, register } from '../../register.js';
import { copyState } from '../../state/compare.js';
import { initialState, stateTable, u8 } from '../../state/fields.js';

const PORT = 0xcf9;
/** Bits 1 (hard reset), 2 (reset) and 3 (full reset) can be written. */
const WRITABLE = 0b1110;
const RESET = 0b0100;

/** The register as written. */
export const resetControlState = stateTable('reset-control', 1, { control: u8({ max: WRITABLE }) });

const RC = register('RC', '- SRST RCPU FULL');

/** See the head of the file. */
export class ResetControl implements Device {
  readonly name = 'reset-control';
  readonly ports: readonly AddressRange[] = [{ base: PORT, length: 1, bytesOnly: true }];
  readonly mmio: readonly AddressRange[] = [];
  readonly stateTable = resetControlState;
  #state = initialState(resetControlState);

  constructor(readonly resetLine: ResetLine) {}

  registerAt(): Register {
    return RC;
  }

  readPort(port: number, size: number): number {
    return port === PORT && size === 1 ? this.#state.control : 0xffff_ffff;
  }
  writePort(port: number, size: number, value: number): void {
    if (port !== PORT || size !== 1) return;
    const rises = (value & ~this.#state.control & RESET) !== 0;
    this.#state.control = value & WRITABLE;
    if (rises) this.resetLine.request();
  }
  /** There is no MMIO: ones. */
  readMmio(_address: number, size: number, bytes: DataView, offset: number): void {
    for (let index = 0; index < size; index++) bytes.setUint8(offset + index, 0xff);
  }
  /** There is no MMIO: ignored. */
  writeMmio(): void {}
  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }
  advance(): void {}
  reset(): void {
    this.#state = initialState(resetControlState);
  }
  saveState(): Record<string, unknown> {
    return copyState(resetControlState, this.#state);
  }
  loadState(state: Record<string, unknown>): void {
    this.#state = copyState(resetControlState, state);
  }
}

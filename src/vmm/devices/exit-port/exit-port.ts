/**
 * The exit port F4h, as QEMU's isa-debug-exit (iobase F4h, iosize 4): a write of v ends the run with exit code
 * (v << 1) | 1. The code is a whole number; a shell sees its low 8 bits. Reads give 0.
 */
import type { AddressRange, Device } from '../../device.js';
import { type Register, register } from '../../register.js';
import { stateTable } from '../../state/fields.js';

/** Who ends the run. */
export interface ExitSink {
  /** `code` is a u32. The machine acts after the access. */
  exit(code: number): void;
}

/** It has no state: the run is over when it was used. */
export const exitPortState = stateTable('exit-port', 1, {});

const CODE = register('code', '', 4);

/** See the head of the file. */
export class ExitPort implements Device {
  readonly name = 'exit-port';
  readonly ports: readonly AddressRange[] = [{ base: 0xf4, length: 4 }];
  readonly mmio: readonly AddressRange[] = [];
  readonly stateTable = exitPortState;

  constructor(readonly out: ExitSink) {}

  registerAt(port: number): Register | undefined {
    return port === 0xf4 ? CODE : undefined;
  }

  readPort(): number {
    return 0;
  }
  writePort(_port: number, _size: number, value: number): void {
    this.out.exit(((value << 1) | 1) >>> 0);
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
  reset(): void {}
  saveState(): Record<string, unknown> {
    return {};
  }
  loadState(): void {}
}

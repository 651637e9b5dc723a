/** What a device is to the machine, and what the machine is to a device. */
import type { Register } from './register.js';
import type { StateTable } from './state/fields.js';

/** Guest time. A device knows no other time. */
export interface Clock {
  /** Nanoseconds of guest time since the machine was made; a whole number, never decreasing. */
  now(): number;
}

/** One interrupt line. Its level is state of the device that drives it. */
export interface IrqLine {
  set(level: boolean): void;
}

/** Where a device sends bytes for the host: the console, the debug port. */
export interface ByteSink {
  write(byte: number): void;
}

/** A range of I/O ports or of guest-physical addresses. */
export interface AddressRange {
  readonly base: number;
  readonly length: number;
  /** Ports: the device decodes bytes only; wider accesses within the range are those of another device. */
  readonly bytesOnly?: boolean;
}

/**
 * A device of the machine. It answers every access of every width at every offset of its ranges and throws for none.
 * It never reads a host clock and does no I/O but through the sinks it was given.
 */
export interface Device {
  /** Lower case, unique in a machine: `uart`, `pic`, `pit`, `rtc` … */
  readonly name: string;
  readonly ports: readonly AddressRange[];
  readonly mmio: readonly AddressRange[];
  /**
   * For MMIO that software moves or switches off (the local APIC's): whether the device answers at `address` now, before all others.
   * {@link mmio} then says where it is after power-on.
   */
  claims?(address: number): boolean;
  /**
   * The register that an access at a port, or an address, of the device would reach now, for people; undefined: it has no name. `value`:
   * what is written, a byte of it where the device has 8 bits; 0 for a read. Changes nothing.
   */
  registerAt?(address: number, isWrite: boolean, value: number): Register | undefined;
  /** `size` is 1, 2 or 4; the answer is a u32, of which the low `size` bytes count. */
  readPort(port: number, size: number): number;
  writePort(port: number, size: number, value: number): void;
  /** Little-endian bytes at `offset` of `bytes`, `size` 1 to 8. */
  readMmio(address: number, size: number, bytes: DataView, offset: number): void;
  writeMmio(address: number, size: number, bytes: DataView, offset: number): void;
  /** The guest time of the next thing that happens by itself; Infinity when nothing will. */
  nextDeadline(): number;
  /** Guest time is `now`: do what is due. */
  advance(now: number): void;
  /** To the state after power-on. */
  reset(): void;
  /** The declaration of the state; see state/fields.ts. */
  readonly stateTable: StateTable;
  /** The state as a plain object of the table's shape; shares nothing with the device. */
  saveState(): Record<string, unknown>;
  /** `state` was checked against the table. Raises no interrupt and does no I/O. Throws VMTAPE_STATE if fields contradict
   * each other, and then has changed nothing. */
  loadState(state: Record<string, unknown>): void;
}

/** Asks the machine to reset: the keyboard controller, port 92h, CF9. The machine acts after the access. */
export interface ResetLine {
  request(): void;
}

/** The processor's pin IGNNE#. */
export interface FerrLine {
  /** x87 instructions go on in spite of the error that FERR# reports, until it is cleared. */
  ignoreFerr(): void;
}

/** Switches the machine off. The machine acts after the access. */
export interface PowerLine {
  off(): void;
}

/** The names of the devices, and of their registers, that a machine of today's vmtape has at its ports and addresses. */
import { VmtapeError } from '../base/errors.js';
import type { TraceHeader } from '../trace/header.js';
import { RecordKind, type TraceRecord } from '../trace/record.js';
import { Bus } from '../vmm/bus.js';
import { hasApic } from '../vmm/cpu/cpuid-features.js';
import type { Device } from '../vmm/device.js';
import { APIC_ADDRESS, BASE_ENABLE } from '../vmm/devices/lapic/registers.js';
import { createDevices } from '../vmm/machine-devices.js';
import { RAM_MIN } from '../vmm/memory.js';
import { bitNames, type Register } from '../vmm/register.js';
import { decodeState } from '../vmm/state/codec.js';
import { atReset, type TraceStart } from './trace-start.js';

const IA32_APIC_BASE = 0x1b;

/** A part of an access: all of it, but where several registers are reached at once. */
export interface AccessName {
  /** The device; undefined: nobody answers. */
  readonly device: string | undefined;
  /** `uart.LSR`, `pic1.ICW2`; the device's name where the register has none; `unclaimed`. */
  readonly register: string;
  /** The port or address of the part, and its bytes. */
  readonly address: number;
  readonly size: number;
  /** The fields of the register that are not 0. */
  readonly bits: readonly string[];
}

/** The machine's devices, of which the processor can move the local APIC. */
function busOf({ cpuid, rtcTime, chipset }: TraceHeader, { parts }: TraceStart) {
  const nowhere = { write() {} };
  const processor = hasApic(cpuid) ? { cr8: 0, apicBase: APIC_ADDRESS + BASE_ENABLE } : undefined;
  const bus = new Bus();
  const { all, chipset: chips } = createDevices({
    clock: { now: () => 0 },
    memorySize: RAM_MIN,
    rtcTime,
    serial: nowhere,
    debugConsole: nowhere,
    chipset: chipset === undefined ? undefined : { ram: { writeRam() {} }, ports: bus },
    processor,
    ferr: { ignoreFerr() {} },
    onEnd() {},
  });
  for (const device of all) {
    restore(device, parts);
    bus.attach(device);
  }
  const settle = () => chips && bus.movePorts(chips.south, chips.south.pmPorts);
  settle();
  return { bus, processor, settle };
}

/** As the device was before the first record. A state that it would not restore is left out: it is for names only. */
function restore(device: Device, parts: TraceStart['parts']): void {
  const part = Object.hasOwn(parts, device.stateTable.name) ? parts[device.stateTable.name] : undefined;
  if (!part) return;
  try {
    device.loadState(decodeState(device.stateTable, part));
  } catch (error) {
    if (!(error instanceof VmtapeError)) throw error;
  }
}

/**
 * Names the registers of accesses. Which register a port is may depend on what the guest did before, as with an index or a
 * divisor latch: so devices of the kind that answered it follow the accesses. Their time stands still, and their lines lead nowhere.
 */
export class AccessNames {
  readonly #bus: Bus;
  readonly #processor: { apicBase: number } | undefined;
  /** Ports are where the chipset has them. */
  readonly #settle: () => void;
  readonly #view = new DataView(new ArrayBuffer(8));
  readonly #hasBits: boolean;
  /** The names of registers, with what they are part of. */
  readonly #known = new WeakMap<Register, string>();

  /** `hasBits`: false leaves the bits out, which takes less time. `start`: how the devices are before the first record. */
  constructor(header: TraceHeader, hasBits = true, start: TraceStart = atReset) {
    this.#hasBits = hasBits;
    const { bus, processor, settle } = busOf(header, start);
    this.#settle = settle;
    this.#bus = bus;
    this.#processor = processor;
  }

  /** The parts of an access; empty for a record that is none. Call it for every record in order. */
  follow(record: TraceRecord): AccessName[] {
    switch (record.kind) {
      case RecordKind.IoRead:
      case RecordKind.IoWrite:
        return this.#ports(record, record.kind === RecordKind.IoWrite);
      case RecordKind.MmioRead:
      case RecordKind.MmioWrite:
        return this.#memory(record, record.kind === RecordKind.MmioWrite);
      case RecordKind.MsrWrite:
        if (record.address === IA32_APIC_BASE && !record.fault && this.#processor) {
          this.#processor.apicBase = numberAt(record, 0, 6);
        }
        return [];
      default:
        return [];
    }
  }

  #ports(record: TraceRecord, isWrite: boolean): AccessName[] {
    const { address: port, size } = record;
    const value = numberAt(record, 0, size);
    const whole = this.#name(this.#bus.portDevice(port, size), record, 0, isWrite);
    if (whole.size === size) {
      if (isWrite) this.#bus.writePort(port, size, value);
      else this.#bus.readPort(port, size);
      if (isWrite && whole.device === 'pci-host') this.#settle();
      return [whole];
    }
    // As the ISA bus splits it: the second byte may reach what the first one has chosen.
    const parts: AccessName[] = [];
    for (let at = 0; at < size; ) {
      const part = this.#name(this.#bus.portDevice((port + at) & 0xffff, 1), record, at, isWrite);
      parts.push(part);
      for (let end = at + part.size; at < end; at++) {
        if (isWrite) this.#bus.writePort((port + at) & 0xffff, 1, numberAt(record, at, 1));
        else this.#bus.readPort((port + at) & 0xffff, 1);
      }
    }
    return parts;
  }

  #memory(record: TraceRecord, isWrite: boolean): AccessName[] {
    const { address, size, data } = record;
    const name = this.#name(this.#bus.mmioDevice(address, size), record, 0, isWrite);
    for (let index = 0; index < size; index++) this.#view.setUint8(index, data[index] as number);
    if (isWrite) this.#bus.writeMmio(address, size, this.#view, 0);
    else this.#bus.readMmio(address, size, this.#view, 0);
    return [{ ...name, size }];
  }

  /** The register that the bytes of the access from `at` on reach first. */
  #name(device: Device | undefined, record: TraceRecord, at: number, isWrite: boolean): AccessName {
    const address = record.address + at;
    const left = record.size - at;
    if (!device) return { device: undefined, register: 'unclaimed', address, size: at === 0 ? left : 1, bits: [] };
    const first = isWrite ? numberAt(record, at, 1) : 0;
    const found: Register | undefined = device.registerAt?.(address, isWrite, first);
    const size = Math.min(left, found?.bytes ?? 1);
    const bits = found && this.#hasBits ? bitNames(found, numberAt(record, at, size)) : NONE;
    return {
      device: device.name,
      register: found ? this.#registerName(found, device) : device.name,
      address,
      size,
      bits,
    };
  }

  #registerName(register: Register, device: Device): string {
    const known = this.#known.get(register);
    if (known !== undefined) return known;
    const name = `${register.unit ?? device.name}.${register.name}`;
    this.#known.set(register, name);
    return name;
  }
}

const NONE: readonly string[] = [];

/** `count` bytes of an access from `at` on, as a number. */
function numberAt({ data }: TraceRecord, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + (data[at + index] as number);
  return value;
}

/**
 * The board: everything of a machine but the vCPU and the decision when interrupts land. A recording, a plain run and a
 * machine replay use the same board; it cannot tell which it is in.
 */
import { assert } from '../base/assert.js';
import { Prng } from '../base/prng.js';
import { Bus } from './bus.js';
import { clockState, MachineClock } from './clock.js';
import { hasApic } from './cpu/cpuid-features.js';
import { type CpuidEntry, ExitReason, type ExitRecord, HaltCause } from './cpu/vcpu.js';
import type { ByteSink, FerrLine } from './device.js';
import type { ApicProcessor } from './devices/lapic/lapic.js';
import { DATA_PORT } from './devices/pci-host/registers.js';
import { HookPerformer } from './hooks/perform.js';
import { ConsoleSink } from './machine-console.js';
import { lookUpCpuid } from './machine-cpuid.js';
import { createDevices, type MachineDevices } from './machine-devices.js';
import { firmwareRan, MsrStore, msrState } from './machine-msrs.js';
import type { LoadedGuest, MachineEnd } from './machine-options.js';
import type { GuestMemory } from './memory.js';
import { decodeState, encodeState } from './state/codec.js';
import { array, type StateOf, type StateTable, stateTable, u32 } from './state/fields.js';

/** Leaf 1, EDX: the bit is 0 while IA32_APIC_BASE disables the local APIC (Intel SDM volume 3A, section 10.4.3). */
const APIC_FEATURE = 1 << 9;

/** What a board is made of. */
export interface BoardOptions {
  /** As it was loaded. */
  readonly guest: LoadedGuest;
  readonly cpuid: readonly CpuidEntry[];
  readonly rtcTime: number;
  readonly seed: number;
  readonly strictBus: boolean;
  readonly serial?: ByteSink | undefined;
  readonly debugConsole?: ByteSink | undefined;
  /** What the board is wired to of the vCPU. The board has APICs if the CPUID table says so. */
  readonly processor: ApicProcessor & FerrLine;
  /** IA32_TSC_AUX of the vCPU, for a hooked RDTSCP. */
  readonly timestampAux: () => number;
}

/** The machine's random numbers: the words of a Prng. */
const randomState = stateTable('random', 1, { words: array(u32(), 4) });

/** See the head of the file. */
export class Board {
  readonly bus = new Bus();
  readonly clock = new MachineClock();
  readonly msrs: MsrStore;
  readonly hooks: HookPerformer;
  readonly serial: ConsoleSink;
  readonly debugConsole: ConsoleSink;
  readonly devices: MachineDevices;
  /** A device ended the run: the exit port, a reset line. */
  end: MachineEnd | undefined;
  readonly #random: Prng;
  readonly #memory: GuestMemory;
  /** Configuration space was written since {@link settle}. */
  #isUnsettled = false;
  #deadline = 0;

  constructor(options: BoardOptions) {
    this.#memory = options.guest.memory;
    this.msrs = new MsrStore(this.clock, { cpuid: options.cpuid, firmware: firmwareRan(options.guest.cpu) });
    this.serial = new ConsoleSink(options.serial);
    this.debugConsole = new ConsoleSink(options.debugConsole);
    this.devices = createDevices({
      clock: this.clock,
      memorySize: options.guest.memory.ramSize,
      chipset: options.guest.memory.hasWindows ? { ram: options.guest.memory, ports: this.bus } : undefined,
      rtcTime: options.rtcTime,
      serial: this.serial,
      debugConsole: this.debugConsole,
      processor: hasApic(options.cpuid) ? options.processor : undefined,
      ferr: options.processor,
      onEnd: (end) => {
        this.end ??= end;
      },
    });
    for (const device of this.devices.all) this.bus.attach(device);
    this.bus.strict = options.strictBus;
    this.#random = new Prng(options.seed);
    this.hooks = new HookPerformer(options.guest.hooks, {
      timestamp: () => this.msrs.timestamp(),
      timestampAux: options.timestampAux,
      random: () => this.#random.u32(),
      cpuid: (leaf, index, out) => {
        lookUpCpuid(options.cpuid, leaf, index, out);
        if (leaf === 1 && !this.devices.apics?.local.isEnabled) out[3] = (out[3] as number) & ~APIC_FEATURE;
      },
    });
    this.#deadline = this.bus.nextDeadline();
  }

  /** An interrupt waits at the processor's INTR. */
  get intr(): boolean {
    const { pic, apics } = this.devices;
    if (apics === undefined) return pic.intr;
    return (pic.intr && apics.local.passesExtInt) || apics.local.pending >= 0;
  }
  /** A non-maskable interrupt waits for a boundary. */
  get nmi(): boolean {
    return this.devices.apics?.local.hasNmi ?? false;
  }
  /** It is brought to the processor. */
  takeNmi(): void {
    this.devices.apics?.local.takeNmi();
  }
  /** One can come without the guest doing anything for it. */
  get canNmi(): boolean {
    const { pic, apics } = this.devices;
    if (apics === undefined || !apics.local.isEnabled) return false;
    return this.nmi || apics.io.canNmi || (apics.local.wiresNmi && !pic.isMasked);
  }
  /** No interrupt can come: the controllers mask every input, and the local APIC's timer does not run. */
  get isMasked(): boolean {
    const { pic, apics } = this.devices;
    if (this.intr || this.canNmi) return false;
    if (apics === undefined) return pic.isMasked;
    return (pic.isMasked || !apics.local.passesExtInt) && !apics.local.canInterrupt && !apics.io.canInterrupt;
  }
  /** The time of the next thing that a device does by itself. */
  get deadline(): number {
    return this.#deadline;
  }
  /** All state of the board and its devices: each part by its name, encoded by its table. */
  saveState(): Map<string, Uint8Array> {
    const parts = new Map<string, Uint8Array>();
    const save = (table: StateTable, state: Record<string, unknown>): void =>
      void parts.set(table.name, encodeState(table, state));
    save(clockState, this.clock.saveState());
    save(msrState, this.msrs.saveState());
    save(randomState, { words: this.#random.save() });
    for (const device of this.devices.all) save(device.stateTable, device.saveState());
    return parts;
  }

  /** Goes on with a saved state, of which nothing is believed. Throws VMTAPE_STATE; the board is of no use then. */
  loadState(part: (name: string) => Uint8Array): void {
    const load = <T extends StateTable>(table: T): StateOf<T> => decodeState(table, part(table.name));
    this.clock.loadState(load(clockState));
    this.msrs.loadState(load(msrState));
    this.#random.load(load(randomState).words);
    for (const device of this.devices.all) device.loadState(load(device.stateTable));
    this.#isUnsettled = true;
    this.settle();
    this.#deadline = this.bus.nextDeadline();
  }

  /** Memory and ports are what the chipset makes of them. Between two instructions: the one that switched them is done with what was there. */
  settle(): void {
    const { chipset } = this.devices;
    if (!this.#isUnsettled || chipset === undefined) return;
    this.#isUnsettled = false;
    this.#memory.show(chipset.north.views);
    this.bus.movePorts(chipset.south, chipset.south.pmPorts);
  }

  /** The vector of the interrupt that is being delivered. */
  acknowledge(): number {
    const { pic, apics } = this.devices;
    const isExternal = apics === undefined || (pic.intr && apics.local.passesExtInt);
    const vector = isExternal ? pic.acknowledge() : apics.local.acknowledge();
    this.#deadline = this.bus.nextDeadline();
    return vector;
  }

  /** The guest stands still: for HLT, or because FERR# is asserted. */
  halt(exit: ExitRecord): void {
    if (exit.address === HaltCause.Ferr) this.devices.fpuError.assertFerr();
  }

  /** The clock was set: devices do what is due. */
  advance(): void {
    this.bus.advance(this.clock.last);
    this.#deadline = this.bus.nextDeadline();
  }

  /** A byte from the host for the serial port; false: no room. */
  receive(byte: Uint8Array): boolean {
    const taken = this.devices.uart.receive(byte) > 0;
    this.#deadline = this.bus.nextDeadline();
    return taken;
  }

  /**
   * Does element `element` of an I/O, MMIO or MSR exit: for a read, the answer comes into the exit's data. True: an MSR
   * access is refused.
   */
  access(exit: ExitRecord, element: number): boolean {
    const { bytes, size, address, isWrite } = exit;
    const offset = exit.dataOffset + element * size;
    let fault = false;
    switch (exit.reason) {
      case ExitReason.Io:
        if (isWrite) {
          this.bus.writePort(address, size, getUint(bytes, offset, size));
          this.#isUnsettled ||= address >= DATA_PORT && address < DATA_PORT + 4;
        } else setUint(bytes, offset, size, this.bus.readPort(address, size));
        break;
      case ExitReason.Mmio:
        if (isWrite) this.bus.writeMmio(address, size, bytes, offset);
        else this.bus.readMmio(address, size, bytes, offset);
        break;
      case ExitReason.MsrRead:
        fault = !this.msrs.read(address, bytes, offset);
        break;
      case ExitReason.MsrWrite:
        fault = !this.msrs.write(address, bytes, offset);
        break;
      default:
        assert(false, 'only I/O, MMIO and MSR exits are accesses');
    }
    this.#deadline = this.bus.nextDeadline();
    return fault;
  }
}

/** The little-endian number of 1, 2 or 4 bytes. */
export function getUint(bytes: DataView, offset: number, size: number): number {
  if (size === 1) return bytes.getUint8(offset);
  if (size === 2) return bytes.getUint16(offset, true);
  return bytes.getUint32(offset, true);
}

/** Puts the low `size` bytes of a u32. */
export function setUint(bytes: DataView, offset: number, size: number, value: number): void {
  if (size === 1) bytes.setUint8(offset, value);
  else if (size === 2) bytes.setUint16(offset, value, true);
  else bytes.setUint32(offset, value, true);
}

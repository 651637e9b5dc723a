/**
 * The bus: who answers a port or a guest-physical address outside memory. What nobody claims reads all ones and ignores
 * writes, as on a PC, and is counted; a strict bus refuses it instead with VMTAPE_UNCLAIMED.
 *
 * An access whose bytes belong to more than one device, or only partly to any, is done byte by byte in ascending order,
 * as the ISA bus splits it; a device therefore never sees an access that leaves its ranges. Within a range of wider ports a
 * device may claim the bytes alone ({@link AddressRange.bytesOnly}), as CF9h lies within the configuration address of PCI.
 */
import { assert } from '../base/assert.js';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { hex } from '../base/hex.js';
import type { AddressRange, Device } from './device.js';
import type { Register } from './register.js';

const PORTS = 0x1_0000;
/** More unclaimed addresses than this are counted together. */
const MMIO_COUNTED = 1024;

/** How often the guest accessed something that nobody claims. */
export interface UnclaimedCount {
  readonly space: 'port' | 'mmio';
  /** The port, or the guest-physical address; -1 stands for all further addresses together. */
  readonly address: number;
  readonly reads: number;
  readonly writes: number;
}

interface MmioRange {
  readonly base: number;
  readonly end: number;
  readonly device: Device;
}

interface MutableCount {
  reads: number;
  writes: number;
}

/** See the head of the file. */
export class Bus {
  readonly devices: Device[] = [];
  /** Refuse what nobody claims. */
  strict = false;
  /** For each port 1 + the index of its device in {@link devices}; 0: nobody's. */
  readonly #owners = new Uint8Array(PORTS);
  /** The same for accesses of one byte. */
  readonly #byteOwners = new Uint8Array(PORTS);
  readonly #mmio: MmioRange[] = [];
  /** Devices that say themselves which addresses are theirs. */
  readonly #movable: Device[] = [];
  readonly #unclaimedPorts = new Map<number, MutableCount>();
  readonly #unclaimedMmio = new Map<number, MutableCount>();

  /** Claims the ranges of `device`. Ranges must not overlap those of another. */
  attach(device: Device): void {
    assert(this.devices.length < 255, 'a bus has at most 255 devices');
    assert(!this.devices.some((other) => other.name === device.name), 'the names of devices are unique');
    this.devices.push(device);
    for (const range of device.ports) this.#claimPorts(range);
    if (device.claims !== undefined) {
      this.#movable.push(device);
      return;
    }
    for (const { base, length } of device.mmio) {
      const end = base + length;
      assert(!this.#mmio.some((range) => base < range.end && range.base < end), 'an address has one device');
      this.#mmio.push({ base, end, device });
    }
  }

  /** The device of that name. */
  device(name: string): Device | undefined {
    return this.devices.find((device) => device.name === name);
  }

  /** The device that answers at `port`, or its first byte where several do; undefined: nobody. */
  portDevice(port: number, size: number): Device | undefined {
    const owner = this.#portOwner(port, size);
    return this.devices[(owner < 0 ? (this.#byteOwners[port] as number) : owner) - 1];
  }

  /** The register that an access at `port` would reach; see Device. */
  registerAt(port: number, isWrite: boolean, value: number): Register | undefined {
    return this.portDevice(port, 1)?.registerAt?.(port, isWrite, value);
  }

  /** The device that answers at the guest-physical `address`, or its first byte where several do; undefined: nobody. */
  mmioDevice(address: number, size: number): Device | undefined {
    return this.#mmioDevice(address, size) ?? this.#mmioDevice(address, 1);
  }

  /** The ports of a device that has had none, or others, are these from now on: as many of them as are nobody else's. */
  movePorts(device: Device, range: AddressRange | undefined): void {
    const owner = this.devices.indexOf(device) + 1;
    assert(owner > 0, 'the device is on the bus');
    for (const owners of [this.#owners, this.#byteOwners]) {
      for (let port = owners.indexOf(owner); port >= 0; port = owners.indexOf(owner, port + 1)) owners[port] = 0;
    }
    if (range === undefined) return;
    for (let port = range.base; port < Math.min(range.base + range.length, PORTS); port++) {
      if (this.#owners[port] !== 0 || this.#byteOwners[port] !== 0) continue;
      this.#owners[port] = owner;
      this.#byteOwners[port] = owner;
    }
  }

  /** The answer to IN: `size` is 1, 2 or 4; the result is a u32 whose low `size` bytes count. */
  readPort(port: number, size: number): number {
    const owner = this.#portOwner(port, size);
    if (owner > 0) return (this.devices[owner - 1] as Device).readPort(port, size);
    if (owner === 0) {
      this.#unclaimed('port', port, size, false);
      return 0xffff_ffff;
    }
    let value = 0;
    for (let index = 0; index < size; index++) {
      const byte = this.readPort((port + index) & 0xffff, 1) & 0xff;
      value |= byte << (8 * index);
    }
    return value >>> 0;
  }

  /** OUT: the low `size` bytes of `value`. */
  writePort(port: number, size: number, value: number): void {
    const owner = this.#portOwner(port, size);
    if (owner > 0) {
      (this.devices[owner - 1] as Device).writePort(port, size, value);
    } else if (owner === 0) {
      this.#unclaimed('port', port, size, true);
    } else {
      for (let index = 0; index < size; index++)
        this.writePort((port + index) & 0xffff, 1, (value >>> (8 * index)) & 0xff);
    }
  }

  /** Puts the `size` (1 to 8) bytes at `address` to `offset` of `bytes`. */
  readMmio(address: number, size: number, bytes: DataView, offset: number): void {
    const device = this.#mmioDevice(address, size);
    if (device !== undefined) {
      device.readMmio(address, size, bytes, offset);
    } else if (!this.#mmioPartly(address, size)) {
      this.#unclaimed('mmio', address, size, false);
      for (let index = 0; index < size; index++) bytes.setUint8(offset + index, 0xff);
    } else {
      for (let index = 0; index < size; index++) this.readMmio(address + index, 1, bytes, offset + index);
    }
  }

  /** Takes the `size` (1 to 8) bytes at `offset` of `bytes`. */
  writeMmio(address: number, size: number, bytes: DataView, offset: number): void {
    const device = this.#mmioDevice(address, size);
    if (device !== undefined) device.writeMmio(address, size, bytes, offset);
    else if (!this.#mmioPartly(address, size)) this.#unclaimed('mmio', address, size, true);
    else for (let index = 0; index < size; index++) this.writeMmio(address + index, 1, bytes, offset + index);
  }

  /** The time of the next thing that a device does by itself; Infinity when none will. */
  nextDeadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const device of this.devices) next = Math.min(next, device.nextDeadline());
    return next;
  }

  /** Lets every device do what is due at `now`. */
  advance(now: number): void {
    for (const device of this.devices) device.advance(now);
  }

  /** Every device to the state after power-on. */
  reset(): void {
    for (const device of this.devices) device.reset();
  }

  /** What was accessed and is nobody's, ports first, ascending. */
  unclaimed(): UnclaimedCount[] {
    const list = (space: 'port' | 'mmio', counts: Map<number, MutableCount>): UnclaimedCount[] =>
      [...counts].map(([address, count]) => ({ space, address, ...count })).sort((a, b) => a.address - b.address);
    return [...list('port', this.#unclaimedPorts), ...list('mmio', this.#unclaimedMmio)];
  }

  /** Gives a range to the device that came last. One that takes bytes only goes before the others, whichever came first. */
  #claimPorts({ base, length, bytesOnly = false }: AddressRange): void {
    assert(base >= 0 && length > 0 && base + length <= PORTS, 'a range of ports lies in 0 to 0xffff');
    for (let port = base; port < base + length; port++) {
      const wide = this.#owners[port] as number;
      const narrow = this.#byteOwners[port] as number;
      assert(bytesOnly ? narrow === wide : wide === 0, 'a port has one device');
      if (bytesOnly || narrow === 0) this.#byteOwners[port] = this.devices.length;
      if (!bytesOnly) this.#owners[port] = this.devices.length;
    }
  }

  /** 1 + index of the device that owns all bytes of the access; 0: nobody owns any; -1: mixed. */
  #portOwner(port: number, size: number): number {
    if (size === 1) return this.#byteOwners[port] as number;
    const owner = this.#owners[port] as number;
    for (let index = 1; index < size; index++) {
      if (this.#owners[(port + index) & 0xffff] !== owner) return -1;
    }
    // An access that wraps round the last port is never one device's.
    return port + size > PORTS && owner !== 0 ? -1 : owner;
  }

  /** The device to which all bytes of the access belong. */
  #mmioDevice(address: number, size: number): Device | undefined {
    for (const device of this.#movable) {
      const isFirst = device.claims?.(address) ?? false;
      if (isFirst && device.claims?.(address + size - 1)) return device;
      if (isFirst || device.claims?.(address + size - 1)) return undefined;
    }
    for (const range of this.#mmio) if (address >= range.base && address + size <= range.end) return range.device;
    return undefined;
  }

  /** Some byte of the access belongs to a device. A movable range is longer than any access. */
  #mmioPartly(address: number, size: number): boolean {
    const last = address + size - 1;
    if (size > 1 && this.#movable.some((device) => device.claims?.(address) || device.claims?.(last))) return true;
    return this.#mmio.some((range) => address < range.end && range.base < address + size);
  }

  #unclaimed(space: 'port' | 'mmio', address: number, size: number, isWrite: boolean): void {
    if (this.strict) {
      throw new VmtapeError(
        'VMTAPE_UNCLAIMED',
        `the guest ${isWrite ? 'wrote' : 'read'} ${size} byte(s) at ${space === 'port' ? 'port' : 'address'} ${hex(address)}, which no device claims`,
        ExitCode.GuestFailed,
        'without --strict-bus such reads give all ones and such writes are ignored',
      );
    }
    const counts = space === 'port' ? this.#unclaimedPorts : this.#unclaimedMmio;
    let count = counts.get(address);
    if (count === undefined) {
      const key = space === 'mmio' && counts.size >= MMIO_COUNTED ? -1 : address;
      count = counts.get(key) ?? { reads: 0, writes: 0 };
      counts.set(key, count);
    }
    if (isWrite) count.writes++;
    else count.reads++;
  }
}

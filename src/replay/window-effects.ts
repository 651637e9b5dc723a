/** What a CPU replay, which has no devices, needs of the host bridge of a machine with windows: what the processor sees through them. */
import { Bus } from '../vmm/bus.js';
import { ExitReason, type ExitRecord } from '../vmm/cpu/vcpu.js';
import { I440fx } from '../vmm/devices/i440fx/i440fx.js';
import { i440fxState } from '../vmm/devices/i440fx/state.js';
import { PciHost } from '../vmm/devices/pci-host/pci-host.js';
import { pciHostState } from '../vmm/devices/pci-host/state.js';
import { getUint } from '../vmm/machine-board.js';
import type { GuestMemory } from '../vmm/memory.js';
import { decodeState } from '../vmm/state/codec.js';

/** See the head of the file. */
export class WindowEffects {
  readonly #memory: GuestMemory;
  readonly #bridge: I440fx;
  readonly #host: PciHost;
  readonly #bus = new Bus();

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#bridge = new I440fx(memory);
    this.#host = new PciHost(new Map([[0, this.#bridge]]));
    this.#bus.attach(this.#bridge);
    this.#bus.attach(this.#host);
  }

  /** The guest wrote what is at `offset` of the exit's bytes. */
  written({ reason, address, size, bytes }: ExitRecord, offset: number): void {
    if (reason === ExitReason.Io && this.#bus.portDevice(address, size) === this.#host) {
      this.#bus.writePort(address, size, getUint(bytes, offset, size));
    } else if (reason === ExitReason.Mmio && this.#bus.mmioDevice(address, size) === this.#bridge) {
      this.#bus.writeMmio(address, size, bytes, offset);
    }
  }

  /** The instruction is done: memory is what the bridge makes of it. */
  settle(): void {
    this.#memory.show(this.#bridge.views);
  }

  /** Goes on from a checkpoint. Throws VMTAPE_STATE. */
  resume(part: (name: string) => Uint8Array): void {
    this.#host.loadState(decodeState(pciHostState, part('pci-host')));
    this.#bridge.loadState(decodeState(i440fxState, part('i440fx')));
    this.settle();
  }
}

/**
 * What a guest's writes do in a CPU replay, which has no devices: bytes for the consoles, the task priority, IGNNE#, and what is seen through
 * the windows of memory. TPR of the local APIC and CR8 are one register (Intel SDM volume 3A, section 10.8.6.1): a write to the one is seen in
 * the other.
 */
import type { TraceHeader } from '../trace/header.js';
import { LINE_CONTROL, MODEM_CONTROL, SerialDecoder } from '../trace/serial-decoder.js';
import { hasApic } from '../vmm/cpu/cpuid-features.js';
import { ExitReason, type ExitRecord } from '../vmm/cpu/vcpu.js';
import type { FerrLine } from '../vmm/device.js';
import { assertsIgnne } from '../vmm/devices/fpu-error/fpu-error.js';
import type { ApicProcessor } from '../vmm/devices/lapic/lapic.js';
import { APIC_SIZE, BASE_ENABLE, TASK_PRIORITY } from '../vmm/devices/lapic/registers.js';
import { uartState } from '../vmm/devices/uart/state.js';
import type { ConsoleSink } from '../vmm/machine-console.js';
import type { GuestMemory } from '../vmm/memory.js';
import { decodeState } from '../vmm/state/codec.js';
import { WindowEffects } from './window-effects.js';

/** See the head of the file. */
export class WriteEffects {
  readonly #decoder: SerialDecoder;
  readonly #hasApic: boolean;
  readonly #windows: WindowEffects | undefined;

  constructor(
    readonly processor: ApicProcessor & FerrLine,
    { cpuid, chipset }: Pick<TraceHeader, 'cpuid' | 'chipset'>,
    memory: GuestMemory,
    serial: ConsoleSink,
    debugConsole: ConsoleSink,
  ) {
    this.#decoder = new SerialDecoder(serial, debugConsole, chipset);
    this.#hasApic = hasApic(cpuid);
    this.#windows = memory.hasWindows ? new WindowEffects(memory) : undefined;
  }

  /** The instruction is done. */
  settle(): void {
    this.#windows?.settle();
  }

  /** Goes on from a checkpoint. Throws VMTAPE_STATE. */
  resume(part: (name: string) => Uint8Array): void {
    const { lcr, mcr } = decodeState(uartState, part('uart'));
    this.#windows?.resume(part);
    this.#decoder.writeByte(LINE_CONTROL, lcr);
    this.#decoder.writeByte(MODEM_CONTROL, mcr);
  }

  /** The guest wrote what is at `offset` of the exit's bytes. */
  written(exit: ExitRecord, offset: number): void {
    this.#windows?.written(exit, offset);
    if (exit.reason === ExitReason.Io) {
      this.#decoder.write(exit.address, exit.size, exit.bytes, offset);
      if (assertsIgnne(exit.address, exit.size)) this.processor.ignoreFerr();
    } else if (exit.reason === ExitReason.Mmio && this.#hasApic) this.#followTaskPriority(exit, offset);
  }

  #followTaskPriority({ address, size, bytes }: ExitRecord, offset: number): void {
    const { apicBase } = this.processor;
    const base = Math.floor(apicBase / APIC_SIZE) * APIC_SIZE;
    const isDword = size === 4 || size === 8;
    if (!isDword || (apicBase & BASE_ENABLE) === 0 || address !== base + TASK_PRIORITY) return;
    this.processor.cr8 = (bytes.getUint8(offset) >> 4) & 15;
  }
}

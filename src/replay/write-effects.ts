/**
 * What a guest's writes do in a CPU replay, which has no devices: bytes for the consoles, the task priority, and IGNNE#. TPR of the local APIC
 * and CR8 are one register (Intel SDM volume 3A, section 10.8.6.1): a write to the one is seen in the other.
 */
import { LINE_CONTROL, MODEM_CONTROL, SerialDecoder } from '../trace/serial-decoder.js';
import { hasApic } from '../vmm/cpu/cpuid-features.js';
import { type CpuidEntry, ExitReason, type ExitRecord } from '../vmm/cpu/vcpu.js';
import type { FerrLine } from '../vmm/device.js';
import { assertsIgnne } from '../vmm/devices/fpu-error/fpu-error.js';
import type { ApicProcessor } from '../vmm/devices/lapic/lapic.js';
import { APIC_SIZE, BASE_ENABLE, TASK_PRIORITY } from '../vmm/devices/lapic/registers.js';
import type { ConsoleSink } from '../vmm/machine-console.js';

/** See the head of the file. */
export class WriteEffects {
  readonly #decoder: SerialDecoder;
  readonly #hasApic: boolean;

  constructor(
    readonly processor: ApicProcessor & FerrLine,
    cpuid: readonly CpuidEntry[],
    serial: ConsoleSink,
    debugConsole: ConsoleSink,
  ) {
    this.#decoder = new SerialDecoder(serial, debugConsole);
    this.#hasApic = hasApic(cpuid);
  }

  /** Goes on with a serial port in this state. */
  resume({ lcr, mcr }: { readonly lcr: number; readonly mcr: number }): void {
    this.#decoder.writeByte(LINE_CONTROL, lcr);
    this.#decoder.writeByte(MODEM_CONTROL, mcr);
  }

  /** The guest wrote what is at `offset` of the exit's bytes. */
  written(exit: ExitRecord, offset: number): void {
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

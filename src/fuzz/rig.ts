/** A rig: one device on a bench, with a clock and with everything that leaves the device written down. */
import { MachineClock } from '../vmm/clock.js';
import type { ByteSink, Device, IrqLine, ResetLine } from '../vmm/device.js';
import type { ExitSink } from '../vmm/devices/exit-port/exit-port.js';

/** Something that happened at a device's outputs, or that it answered; `what` says which. */
export interface RigEvent {
  readonly what: string;
  readonly value: number;
}

/** What a device on the bench is wired to. */
export class Bench implements ByteSink, ResetLine, ExitSink {
  readonly clock = new MachineClock();
  /** Since the last {@link take}. */
  #events: RigEvent[] = [];
  /** The levels of the interrupt lines by number, as a controller would hold them. */
  readonly levels = new Map<number, boolean>();
  /** What of the CPU's state a local APIC uses. */
  readonly processor = { cr8: 0, apicBase: 0xfee0_0900 };

  constructor(now: number) {
    this.clock.set(now);
  }

  /** An interrupt line that writes down edges. */
  irq(number: number): IrqLine {
    this.levels.set(number, false);
    return {
      set: (level) => {
        if (this.levels.get(number) === level) return;
        this.levels.set(number, level);
        this.note(`irq ${number}`, level ? 1 : 0);
      },
    };
  }
  write(byte: number): void {
    this.note('out', byte);
  }
  request(): void {
    this.note('reset', 1);
  }
  exit(code: number): void {
    this.note('exit', code);
  }

  note(what: string, value: number): void {
    this.#events.push({ what, value });
  }
  /** What happened since the last time. */
  take(): RigEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

/** A device that can be fuzzed, with what else can be done to it from outside. */
export interface Rig {
  readonly device: Device;
  readonly bench: Bench;
  /** Inputs that are neither ports nor time: `value` is a u32 to choose by. They write down what they answer. */
  readonly inputs: readonly ((value: number) => void)[];
  /** Writes down outputs that are levels to be asked for, not calls. Called after every operation. */
  readonly observe?: () => void;
}

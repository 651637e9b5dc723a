/**
 * The I/O APIC of the PC: 24 inputs, each with an entry that says which message it becomes (sources: registers.ts).
 *
 * Decisions:
 * - Polarity is stored and has no effect: a line of this machine is asserted or not, as in KVM and QEMU.
 * - An edge that no local APIC takes is lost, as one at a masked input is ("ignored (i.e., not delivered or held pending)"). A level
 *   that nobody takes is sent again when its entry is written.
 * - A message that is delivered as ExtINT, NMI or SMI goes where the local APIC says.
 * - An entry that becomes edge-triggered loses its remote IRR: Linux ends an interrupt that way on a version without EOI register.
 */
import { assert } from '../../../base/assert.js';
import type { IrqLine } from '../../device.js';
import type { Register } from '../../register.js';
import { stateError } from '../../state/check.js';
import type { ApicMessage } from '../lapic/message.js';
import { Delivery } from '../lapic/registers.js';
import { SlotDevice } from '../slot-device.js';
import { ioapicRegister } from './names.js';
import * as bits from './registers.js';
import { type IoapicState, ioapicState, type PinState } from './state.js';

/** What the I/O APIC is wired to. */
export interface IoapicPorts {
  /** The APIC bus; false: no local APIC took the message. */
  readonly send: (message: ApicMessage) => boolean;
}

/** See the head of the file. */
export class Ioapic extends SlotDevice<typeof ioapicState> {
  constructor(readonly wiring: IoapicPorts) {
    super('ioapic', [{ base: bits.IOAPIC_ADDRESS, length: bits.IOAPIC_SIZE }], ioapicState);
  }

  /** Input 0 to 23, for a device to drive. */
  line(pin: number): IrqLine {
    assert(pin >= 0 && pin < bits.PINS, 'an input of the I/O APIC is 0 to 23');
    return {
      set: (level) => {
        const state = this.#pin(pin);
        if (state.line === level) return;
        state.line = level;
        if (level) this.#service(state, true);
      },
    };
  }

  /** A local APIC ended a level-triggered interrupt: entries with its vector can send again. */
  endOfInterrupt(vector: number): void {
    for (const state of this.state.pins) {
      if ((state.entry & 0xff) !== vector || (state.entry & bits.REMOTE_IRR) === 0) continue;
      state.entry &= ~bits.REMOTE_IRR;
      this.#service(state, false);
    }
  }

  /** An interrupt can come through an entry that is not masked. */
  get canInterrupt(): boolean {
    return this.state.pins.some(({ entry }) => (entry & bits.MASKED) === 0);
  }

  /** So can an NMI. */
  get canNmi(): boolean {
    return this.state.pins.some(
      ({ entry }) => (entry & bits.MASKED) === 0 && ((entry >> bits.DELIVERY_SHIFT) & 7) === Delivery.Nmi,
    );
  }

  protected override checkConsistency(state: IoapicState): void {
    for (const [index, pin] of state.pins.entries()) {
      if ((pin.entry & ~bits.ENTRY_MASK) !== 0)
        throw stateError(`ioapic.pins[${index}].entry`, 'has bits that are reserved');
      if (!isLevel(pin) && (pin.entry & bits.REMOTE_IRR) !== 0) {
        throw stateError(`ioapic.pins[${index}].entry`, 'has a remote IRR though it is edge-triggered');
      }
    }
  }

  registerAt(address: number): Register | undefined {
    return ioapicRegister(address - bits.IOAPIC_ADDRESS, this.state.select);
  }

  protected offsetOf(address: number): number | undefined {
    const offset = address - bits.IOAPIC_ADDRESS;
    return offset >= 0 && offset < bits.IOAPIC_SIZE ? offset : undefined;
  }

  protected readRegister(offset: number): number {
    if (offset === bits.SELECT) return this.state.select;
    switch (this.state.select) {
      case bits.ID:
      case bits.ARBITRATION:
        return this.state.id << 24;
      case bits.VERSION:
        return bits.VERSION_VALUE;
      default: {
        const pin = this.#selectedPin();
        if (pin === undefined) return 0;
        return this.state.select % 2 === 0 ? pin.entry : (pin.destination << 24) >>> 0;
      }
    }
  }

  protected writeRegister(offset: number, value: number): void {
    if (offset === bits.SELECT) {
      this.state.select = value & 0xff;
      return;
    }
    if (this.state.select === bits.ID) this.state.id = (value >>> 24) & 15;
    const pin = this.#selectedPin();
    if (pin === undefined) return;
    if (this.state.select % 2 === 1) pin.destination = value >>> 24;
    else this.#writeEntry(pin, value & bits.WRITABLE);
  }

  #writeEntry(pin: PinState, written: number): void {
    const remote = (written & bits.LEVEL) === 0 ? 0 : pin.entry & bits.REMOTE_IRR;
    pin.entry = written | remote;
    this.#service(pin, false);
  }

  /** The input whose entry is selected; registers beyond the table are not there. */
  #selectedPin(): PinState | undefined {
    const index = (this.state.select - bits.TABLE) >> 1;
    return this.state.pins[index];
  }

  #pin(pin: number): PinState {
    return this.state.pins[pin] as PinState;
  }

  /** Sends the message of an input that asks for it and may; `isEdge`: its line was asserted just now. */
  #service(pin: PinState, isEdge: boolean): void {
    const { entry } = pin;
    if ((entry & bits.MASKED) !== 0) return;
    if (!(isLevel(pin) ? pin.line && (entry & bits.REMOTE_IRR) === 0 : isEdge)) return;
    const isTaken = this.wiring.send({
      vector: entry & 0xff,
      delivery: (entry >> bits.DELIVERY_SHIFT) & 7,
      isLogical: (entry & bits.LOGICAL) !== 0,
      destination: pin.destination,
      isLevel: isLevel(pin),
    });
    if (isTaken && isLevel(pin)) pin.entry |= bits.REMOTE_IRR;
  }
}

function isLevel(pin: PinState): boolean {
  return (pin.entry & bits.LEVEL) !== 0;
}

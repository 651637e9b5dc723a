/**
 * The local APIC of the only processor, in xAPIC mode (sources: registers.ts).
 *
 * Decisions:
 * - The class of TPR is CR8 and belongs to the CPU; so MOV to CR8 leaves TPR[3:0] alone, which silicon clears.
 * - After power-on LINT0 is ExtINT and LINT1 NMI, not masked: virtual wire mode, as firmware leaves it (MultiProcessor
 *   Specification 1.4, section 3.6.2.2), so that a guest that knows no APIC gets the 8259A's interrupts. All else is as after reset.
 * - An interrupt of the 8259A by LINT0 goes before the APIC's own, which no document decides.
 * - The APIC id is 0 and cannot be written. The timer's clock is 1 GHz. A vector below 16 in an LVT entry is an error when it is
 *   delivered, not when it is written (section 10.5.1: "may").
 * - Nobody drives LINT1, the thermal sensor and the performance counters. LINT0 in fixed and in NMI mode is edge-triggered.
 * - NMIs come by messages and by LINT0, whether or not software has enabled the APIC (section 10.4.7.2). Those that are sent by the shorthands
 *   "self" and "all including self", which table 10-3 calls invalid, come too: as with KVM and QEMU.
 * - SMI and start-up messages have no effect: there is no SMM, and the processor never waits for a start-up (section 8.4.4.1: it then ignores
 *   them). An INIT of this processor is a reset of the machine.
 * - Globally disabled (IA32_APIC_BASE), it answers nothing, accepts nothing, and keeps its registers.
 */
import type { Clock, ResetLine } from '../../device.js';
import type { Register } from '../../register.js';
import { initialState } from '../../state/fields.js';
import { SlotDevice } from '../slot-device.js';
import { checkLapicState } from './check.js';
import { type ApicMessage, isDestination } from './message.js';
import { lapicRegister } from './names.js';
import * as bits from './registers.js';
import { type LapicState, lapicState } from './state.js';
import { changeDivide, currentCount, startTimer, takeExpiry } from './timer.js';
import { hasVector, highestVector, putVector } from './vectors.js';

const { Delivery, Lvt } = bits;

/** What of the CPU's state is the APIC's too. */
export interface ApicProcessor {
  /** CR8: the class of the task priority, 0 to 15. */
  cr8: number;
  /** IA32_APIC_BASE, below 2^53. */
  readonly apicBase: number;
}

/** What the local APIC is wired to. */
export interface LapicPorts {
  readonly clock: Clock;
  readonly processor: ApicProcessor;
  /** The end of a level-triggered interrupt, told to the I/O APICs. */
  readonly eoi: (vector: number) => void;
  /** INIT. */
  readonly resetLine: ResetLine;
}

/** See the head of the file. */
export class Lapic extends SlotDevice<typeof lapicState> {
  constructor(readonly wiring: LapicPorts) {
    super('lapic', [{ base: bits.APIC_ADDRESS, length: bits.APIC_SIZE }], lapicState);
    this.state = this.powerOn();
  }

  /** IA32_APIC_BASE enables the APIC. */
  get isEnabled(): boolean {
    return (this.wiring.processor.apicBase & bits.BASE_ENABLE) !== 0;
  }

  /** It answers where IA32_APIC_BASE says. */
  claims(address: number): boolean {
    return this.offsetOf(address) !== undefined;
  }

  /** The 8259A's interrupts reach the processor. */
  get passesExtInt(): boolean {
    const lint0 = this.#lvt(Lvt.Lint0);
    return !this.isEnabled || ((lint0 & bits.LVT_MASKED) === 0 && deliveryOf(lint0) === Delivery.ExtInt);
  }

  /** The 8259A's interrupts are NMIs. */
  get wiresNmi(): boolean {
    const lint0 = this.#lvt(Lvt.Lint0);
    return (lint0 & bits.LVT_MASKED) === 0 && deliveryOf(lint0) === Delivery.Nmi;
  }

  /** An NMI waits. */
  get hasNmi(): boolean {
    return this.state.nmi;
  }

  /** The processor was told of it. */
  takeNmi(): void {
    this.state.nmi = false;
  }

  /** The vector that the processor would take now; -1: none. */
  get pending(): number {
    if (!this.isEnabled) return -1;
    const vector = highestVector(this.state.irr);
    return vector >> 4 > this.#processorPriority() >> 4 ? vector : -1;
  }

  /** An interrupt can come without the guest doing anything for it. */
  get canInterrupt(): boolean {
    const isTimed = this.state.timerZero !== Number.POSITIVE_INFINITY && (this.#lvt(Lvt.Timer) & bits.LVT_MASKED) === 0;
    return this.isEnabled && (isTimed || this.pending >= 0);
  }

  /** The processor takes {@link pending}, which there is; else it gets the spurious vector (section 10.9). */
  acknowledge(): number {
    const vector = this.pending;
    if (vector < 0) return this.state.spurious & 0xff;
    putVector(this.state.irr, vector, false);
    putVector(this.state.isr, vector, true);
    return vector;
  }

  /** A message comes; false: it is not for this APIC, or is not accepted. */
  receive(message: ApicMessage): boolean {
    if (!this.isEnabled || !isDestination(this.state, message.destination, message.isLogical)) return false;
    return this.#deliver(message.delivery, message.vector, message.isLevel);
  }

  /** The 8259A's INTR. */
  readonly lint0 = {
    set: (level: boolean): void => {
      if (this.state.lint0 === level) return;
      this.state.lint0 = level;
      if (!level) return;
      if (deliveryOf(this.#lvt(Lvt.Lint0)) === Delivery.Fixed) this.#local(Lvt.Lint0);
      else if (this.isEnabled && this.wiresNmi) this.state.nmi = true;
    },
  };

  override nextDeadline(): number {
    return (this.#lvt(Lvt.Timer) & bits.LVT_MASKED) === 0 ? this.state.timerZero : Number.POSITIVE_INFINITY;
  }

  override advance(now: number): void {
    if (takeExpiry(this.state, now)) this.#local(Lvt.Timer);
  }

  protected override powerOn(): LapicState {
    const state = initialState(lapicState);
    state.lvt.fill(bits.LVT_MASKED);
    state.lvt[Lvt.Lint0] = Delivery.ExtInt << 8;
    state.lvt[Lvt.Lint1] = Delivery.Nmi << 8;
    return state;
  }

  protected override checkConsistency(state: LapicState): void {
    checkLapicState(state, this.wiring.clock.now());
  }

  registerAt(address: number): Register | undefined {
    return lapicRegister(this.offsetOf(address) ?? -1);
  }

  protected offsetOf(address: number): number | undefined {
    if (!this.isEnabled) return undefined;
    const offset = address - Math.floor(this.wiring.processor.apicBase / bits.APIC_SIZE) * bits.APIC_SIZE;
    return offset >= 0 && offset < bits.APIC_SIZE ? offset : undefined;
  }

  protected readRegister(offset: number): number {
    const { state } = this;
    const now = this.wiring.clock.now();
    this.advance(now);
    switch (offset) {
      case bits.ID:
      case bits.ARBITRATION_PRIORITY:
      case bits.REMOTE_READ:
      case bits.END_OF_INTERRUPT:
        return 0;
      case bits.VERSION:
        return bits.VERSION_VALUE;
      case bits.TASK_PRIORITY:
        return this.#taskPriority();
      case bits.PROCESSOR_PRIORITY:
        return this.#processorPriority();
      case bits.LOGICAL_DESTINATION:
        return (state.logicalId << 24) >>> 0;
      case bits.DESTINATION_FORMAT:
        return ((state.model << 28) | bits.FORMAT_ONES) >>> 0;
      case bits.SPURIOUS:
        return state.spurious;
      case bits.ERROR_STATUS:
        return state.errorStatus;
      case bits.COMMAND_LOW:
        return state.commandLow;
      case bits.COMMAND_HIGH:
        return (state.commandTo << 24) >>> 0;
      case bits.TIMER_INITIAL:
        return state.timerInitial;
      case bits.TIMER_CURRENT:
        return currentCount(state, now);
      case bits.TIMER_DIVIDE:
        return state.timerDivide;
      default:
        return this.#readListed(offset);
    }
  }

  #readListed(offset: number): number {
    const { state } = this;
    const word = (offset >> 4) & 7;
    if (offset >= bits.IN_SERVICE && offset < bits.TRIGGER_MODE) return state.isr[word] as number;
    if (offset >= bits.TRIGGER_MODE && offset < bits.REQUESTS) return state.tmr[word] as number;
    if (offset >= bits.REQUESTS && offset < bits.VECTORS_END) return state.irr[word] as number;
    if (offset >= bits.LVT_TIMER && offset < bits.LVT_END) return this.#lvt((offset - bits.LVT_TIMER) >> 4);
    this.#error(bits.ERROR_REGISTER);
    return 0;
  }

  protected writeRegister(offset: number, value: number): void {
    const { state } = this;
    const now = this.wiring.clock.now();
    this.advance(now);
    switch (offset) {
      case bits.TASK_PRIORITY:
        this.wiring.processor.cr8 = (value >> 4) & 15;
        state.subclass = value & 15;
        return;
      case bits.END_OF_INTERRUPT:
        this.#endInterrupt();
        return;
      case bits.LOGICAL_DESTINATION:
        state.logicalId = value >>> 24;
        return;
      case bits.DESTINATION_FORMAT:
        state.model = value >>> 28;
        return;
      case bits.SPURIOUS:
        this.#writeSpurious(value & bits.SPURIOUS_MASK);
        return;
      case bits.ERROR_STATUS:
        // "This write clears any previously logged errors and updates the ESR with any errors detected since."
        state.errorStatus = state.errors;
        state.errors = 0;
        return;
      case bits.COMMAND_LOW:
        state.commandLow = value & bits.COMMAND_MASK;
        this.#send();
        return;
      case bits.COMMAND_HIGH:
        state.commandTo = value >>> 24;
        return;
      case bits.TIMER_INITIAL:
        state.timerInitial = value;
        startTimer(state, value, now);
        return;
      case bits.TIMER_DIVIDE:
        changeDivide(state, value & bits.DIVIDE_MASK, now);
        return;
      default:
        this.#writeListed(offset, value);
    }
  }

  /** The LVT; what is read-only is left alone, and what is not there is an error. */
  #writeListed(offset: number, value: number): void {
    if (offset >= bits.LVT_TIMER && offset < bits.LVT_END) {
      const index = (offset - bits.LVT_TIMER) >> 4;
      const isOff = (this.state.spurious & bits.SOFTWARE_ENABLE) === 0;
      this.state.lvt[index] = (value & (bits.LVT_MASKS[index] as number)) | (isOff ? bits.LVT_MASKED : 0);
      return;
    }
    const isVectors = offset >= bits.IN_SERVICE && offset < bits.VECTORS_END;
    if (!isVectors && !READ_ONLY.has(offset)) this.#error(bits.ERROR_REGISTER);
  }

  /** Section 10.4.7.2: off, "the mask bits for all the LVT entries are set. Attempts to reset these bits will be ignored." */
  #writeSpurious(value: number): void {
    this.state.spurious = value;
    if ((value & bits.SOFTWARE_ENABLE) !== 0) return;
    this.state.lvt = this.state.lvt.map((entry) => entry | bits.LVT_MASKED);
  }

  /** Section 10.8.5. */
  #endInterrupt(): void {
    const { isr, tmr } = this.state;
    const vector = highestVector(isr);
    if (vector < 0) return;
    putVector(isr, vector, false);
    if (hasVector(tmr, vector)) this.wiring.eoi(vector);
  }

  /** Section 10.6.1: an interprocessor interrupt; only this processor can hear it. */
  #send(): void {
    const { commandLow, commandTo } = this.state;
    const delivery = deliveryOf(commandLow);
    const vector = commandLow & 0xff;
    const isFixed = delivery === Delivery.Fixed || delivery === Delivery.Lowest;
    if (isFixed && vector < bits.FIRST_VECTOR) {
      this.#error(bits.ERROR_SEND_VECTOR);
      return;
    }
    const shorthand = commandLow >> 18;
    const isMine =
      shorthand === bits.Shorthand.Self ||
      shorthand === bits.Shorthand.AllIncludingSelf ||
      (shorthand === bits.Shorthand.None &&
        isDestination(this.state, commandTo, (commandLow & bits.COMMAND_LOGICAL) !== 0));
    // INIT Level De-assert synchronises arbitration ids, which there are not.
    const isDeassert = (commandLow & bits.COMMAND_LEVEL) !== 0 && (commandLow & bits.COMMAND_ASSERT) === 0;
    if (isMine && !(delivery === Delivery.Init && isDeassert)) this.#deliver(delivery, vector, false);
  }

  #deliver(delivery: number, vector: number, isLevel: boolean): boolean {
    switch (delivery) {
      case Delivery.Fixed:
      case Delivery.Lowest:
        return this.#accept(vector, isLevel);
      case Delivery.Init:
        this.wiring.resetLine.request();
        return true;
      case Delivery.Nmi:
        this.state.nmi = true;
        return true;
      default:
        return true;
    }
  }

  /** Section 10.8.3. */
  #accept(vector: number, isLevel: boolean): boolean {
    if ((this.state.spurious & bits.SOFTWARE_ENABLE) === 0) return false;
    if (vector < bits.FIRST_VECTOR) {
      this.#error(bits.ERROR_RECEIVE_VECTOR);
      return true;
    }
    putVector(this.state.irr, vector, true);
    putVector(this.state.tmr, vector, isLevel);
    return true;
  }

  /** The event of an LVT entry in fixed mode. */
  #local(index: number): void {
    const entry = this.#lvt(index);
    if (this.isEnabled && (entry & bits.LVT_MASKED) === 0) this.#accept(entry & 0xff, false);
  }

  /** Section 10.5.3. A write to ESR "also rearms the APIC error interrupt triggering mechanism". */
  #error(error: number): void {
    const isArmed = this.state.errors === 0;
    this.state.errors |= error;
    if (isArmed) this.#local(Lvt.Error);
  }

  #lvt(index: number): number {
    return this.state.lvt[index] as number;
  }

  #taskPriority(): number {
    return (this.wiring.processor.cr8 << 4) | this.state.subclass;
  }

  /** Section 10.8.3.1. */
  #processorPriority(): number {
    const task = this.#taskPriority();
    const serving = Math.max(0, highestVector(this.state.isr));
    return task >> 4 >= serving >> 4 ? task : serving & 0xf0;
  }
}

/** Registers that a write leaves alone without an error. */
const READ_ONLY = new Set([
  bits.ID,
  bits.VERSION,
  bits.ARBITRATION_PRIORITY,
  bits.PROCESSOR_PRIORITY,
  bits.REMOTE_READ,
  bits.TIMER_CURRENT,
]);

function deliveryOf(entry: number): number {
  return (entry >> 8) & 7;
}

/**
 * The assist (design, section 2): where KVM stops because its in-kernel emulator does not know an instruction, the
 * interpreter executes that one instruction on the same memory, and KVM goes on. Handing over is copying the CPU state.
 */
import { ENGINE_ERROR_EMULATION } from '../../interp/layout.js';
import { hexBytes } from '../base/hex.js';
import { decodeOne } from '../base/mnemonic.js';
import type { CpuState } from './cpu/state.js';
import {
  type AssistListener,
  type CpuidEntry,
  ExitReason,
  type ExitRecord,
  type UnhookedInstruction,
  type UnhookedSite,
  type Vcpu,
} from './cpu/vcpu.js';
import { codeBits, codeBytes, translate } from './machine-walk.js';
import type { GuestMemory } from './memory.js';
import type { MemoryWindow } from './shadow-ram.js';

const PAGE = 0x1000;
/** The longest instruction. */
const LENGTH_MAX = 15;
/** Instructions whose lengths are remembered. */
const LENGTHS_MAX = 0x1000;

/** A vCPU of KVM with the interpreter at its side. */
export class AssistedVcpu implements Vcpu {
  readonly engine: 'kvm' | 'interp';
  /** Instructions that the interpreter executed. */
  assists = 0;
  onAssist: AssistListener | undefined;
  readonly #kvm: Vcpu;
  readonly #openInterpreter: () => Vcpu;
  readonly #memory: GuestMemory;
  #interpreter: Vcpu | undefined;
  #cpuid: readonly CpuidEntry[] = [];
  #hidden: readonly string[] = [];
  /** The engine whose exit is the last one. */
  #exiting: Vcpu;
  /** The interpreter is within an instruction: it waits for an answer. */
  #isWithin = false;
  #isStepping = false;
  /** The lengths of instructions seen, by bits and bytes. */
  readonly #lengths = new Map<string, number>();

  constructor(kvm: Vcpu, openInterpreter: () => Vcpu, memory: GuestMemory) {
    this.engine = kvm.engine;
    this.#kvm = kvm;
    this.#exiting = kvm;
    this.#openInterpreter = openInterpreter;
    this.#memory = memory;
    // What was loaded was not written by the guest.
    memory.takeMarkedPages();
  }

  get exit(): ExitRecord {
    return this.#exiting.exit;
  }

  run(limit: number): ExitReason {
    if (this.#isWithin) {
      const further = this.complete();
      if (further !== undefined) return further;
    }
    this.#exiting = this.#kvm;
    for (;;) {
      const reason = this.#kvm.run(limit);
      if (reason !== ExitReason.EngineError || this.#kvm.exit.errorCode !== ENGINE_ERROR_EMULATION) return reason;
      const assisted = this.#assist();
      if (assisted !== undefined) return assisted;
      if (this.#isStepping) return ExitReason.Debug;
    }
  }

  complete(): ExitReason | undefined {
    if (!this.#isWithin) return this.#kvm.complete();
    const interpreter = this.#interpreter as Vcpu;
    const further = interpreter.complete();
    if (further === undefined) this.#handBack(interpreter);
    return further;
  }

  /** One instruction. Undefined: KVM goes on; otherwise the exit that it made, or that nobody can execute it. */
  #assist(): ExitReason | undefined {
    const state = this.#kvm.getState();
    this.#interpreter ??= this.#open();
    const interpreter = this.#interpreter;
    this.#forgetCode(interpreter, state);
    const bits = codeBits(state);
    const code = this.#instructionAt(state, bits);
    interpreter.setState(state);
    interpreter.setSingleStep(true);
    const reason = interpreter.run(Number.POSITIVE_INFINITY);
    if (reason === ExitReason.EngineError) return reason;
    this.assists++;
    this.onAssist?.(code, bits);
    if (reason >= ExitReason.Io && reason <= ExitReason.MsrWrite) {
      this.#isWithin = true;
    } else {
      this.#handBack(interpreter);
      if (reason === ExitReason.Debug) return undefined;
    }
    this.#exiting = interpreter;
    return reason;
  }

  /** The bytes of the instruction at RIP: read before it is executed, as it may write to itself. */
  #instructionAt(state: CpuState, bits: 16 | 32 | 64): Uint8Array {
    const code = codeBytes(this.#memory, state, LENGTH_MAX);
    const key = `${bits} ${hexBytes(code)}`;
    let length = this.#lengths.get(key);
    if (length === undefined) {
      if (this.#lengths.size >= LENGTHS_MAX) this.#lengths.clear();
      length = decodeOne(code, bits).length;
      this.#lengths.set(key, length);
    }
    return code.subarray(0, length);
  }

  #open(): Vcpu {
    const interpreter = this.#openInterpreter();
    interpreter.setCpuid(this.#cpuid, this.#hidden);
    return interpreter;
  }

  /** KVM may have written the code at RIP since the interpreter decoded it. */
  #forgetCode(interpreter: Vcpu, state: CpuState): void {
    for (const linear of [state.cs.base + state.rip, state.cs.base + state.rip + BigInt(LENGTH_MAX - 1)]) {
      const physical = translate(this.#memory, state, BigInt.asUintN(64, linear));
      if (physical !== undefined) interpreter.invalidateCode(Math.floor(Number(physical) / PAGE) * PAGE, PAGE);
    }
  }

  #handBack(interpreter: Vcpu): void {
    this.#isWithin = false;
    this.#kvm.setState(interpreter.getState());
  }

  get retired(): number {
    return this.#kvm.retired;
  }
  get canInject(): boolean {
    return !this.#isWithin && this.#kvm.canInject;
  }
  requestWindow(on: boolean): void {
    this.#kvm.requestWindow(on);
  }
  injectInterrupt(vector: number): void {
    this.#kvm.injectInterrupt(vector);
  }
  get canInjectNmi(): boolean {
    return !this.#isWithin && this.#kvm.canInjectNmi;
  }
  injectNmi(): void {
    this.#kvm.injectNmi();
  }
  readRegisters(out: Uint8Array): void {
    this.#current.readRegisters(out);
  }
  get rip(): number {
    return this.#current.rip;
  }
  get cr8(): number {
    return this.#current.cr8;
  }
  set cr8(value: number) {
    this.#current.cr8 = value;
  }
  get apicBase(): number {
    return this.#current.apicBase;
  }
  setRegister(index: number, low: number, high: number): void {
    this.#current.setRegister(index, low, high);
  }
  setRip(low: number, high: number): void {
    this.#current.setRip(low, high);
  }
  setFlags(low: number): void {
    this.#current.setFlags(low);
  }
  get timestampAux(): number {
    return this.#current.timestampAux;
  }
  getState(): CpuState {
    return this.#current.getState();
  }
  setState(state: CpuState): void {
    this.#kvm.setState(state);
    this.#isWithin = false;
  }
  setCpuid(entries: readonly CpuidEntry[], hidden: readonly string[] = []): void {
    this.#cpuid = entries;
    this.#hidden = hidden;
    this.#kvm.setCpuid(entries);
    this.#interpreter?.setCpuid(entries, hidden);
  }
  setSingleStep(on: boolean): void {
    this.#isStepping = on;
    this.#kvm.setSingleStep(on);
  }
  failMsr(): void {
    this.#current.failMsr();
  }
  ignoreFerr(): void {
    this.#current.ignoreFerr();
  }
  armTimer(microseconds: number): void {
    this.#kvm.armTimer?.(microseconds);
  }
  /** What the interpreter executed in KVM's place; what KVM executed itself is not seen. */
  unhooked(): readonly UnhookedInstruction[] {
    return this.#interpreter?.unhooked?.() ?? [];
  }
  get unhookedCount(): number {
    return this.#interpreter?.unhookedCount ?? 0;
  }
  unhookedSites(): readonly UnhookedSite[] {
    return this.#interpreter?.unhookedSites?.() ?? [];
  }
  kick(): void {
    this.#kvm.kick();
  }
  takeDirtyPages(): Uint32Array {
    const pages = this.#kvm.takeDirtyPages();
    const marked = this.#interpreter ? this.#interpreter.takeDirtyPages() : this.#memory.takeMarkedPages();
    return marked.length === 0 ? pages : Uint32Array.from(new Set([...pages, ...marked])).sort();
  }
  invalidateCode(address: number, length: number): void {
    this.#kvm.invalidateCode(address, length);
    this.#interpreter?.invalidateCode(address, length);
  }
  remap(memory: GuestMemory, changed: readonly MemoryWindow[]): void {
    this.#kvm.remap(memory, changed);
    this.#interpreter?.remap(memory, changed);
  }
  close(): void {
    this.#interpreter?.close();
    this.#kvm.close();
  }

  get #current(): Vcpu {
    return this.#isWithin ? (this.#interpreter as Vcpu) : this.#kvm;
  }
}

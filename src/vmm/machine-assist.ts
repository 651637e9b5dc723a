/**
 * The assist (design, section 2): where KVM stops because its in-kernel emulator does not know an instruction, the
 * interpreter executes that one instruction on the same memory, and KVM goes on. Handing over is copying the CPU state.
 *
 * Where KVM cannot bring user code back to the kernel (`vmtape doctor`: SYSCALL, INT 80H), it never begins any: breakpoints stop it before the
 * kernel's returns to user mode (hooks/user-returns.ts), the interpreter executes the return, and goes on until the kernel is entered.
 *
 * Where KVM has no paging outside long mode, it refuses the MOV to CR0 that turns it on, and a kernel that has no handlers yet shuts down there.
 * The interpreter executes that instruction, too, and goes on for as long as there is such paging.
 */
import { ENGINE_ERROR_EMULATION } from '../../interp/layout.js';
import { hexBytes } from '../base/hex.js';
import { decodeOne } from '../base/mnemonic.js';
import { CR0_PE, CR0_PG, CR0_WP, EFER_LME, pagesOutsideLongMode, RFLAGS_VM } from './cpu/control-bits.js';
import type { InterpVcpu } from './cpu/interp.js';
import type { KvmVcpu } from './cpu/kvm.js';
import { type CpuState, GPR_NAMES } from './cpu/state.js';
import {
  type AssistListener,
  type CpuidEntry,
  ExitReason,
  type ExitRecord,
  isAccess,
  type UnhookedInstruction,
  type UnhookedSite,
  type Vcpu,
} from './cpu/vcpu.js';
import { findReturnsAround } from './hooks/user-returns.js';
import { codeBits, codeBytes } from './machine-walk.js';
import type { GuestMemory } from './memory.js';
import type { MemoryWindow } from './shadow-ram.js';

/** The longest instruction. */
const LENGTH_MAX = 15;
/** Instructions whose lengths are remembered. */
const LENGTHS_MAX = 0x1000;

/** The privilege level of user code. */
const USER = 3;
const DPL_SHIFT = 5;
/** The interpreter looks for a kick after so many instructions of user code, or as much work (interp/work.ts): about a millisecond. */
const USER_CHUNK = 200_000;
/** Linux has all of its entry code in less. */
const ENTRY_CODE = 0x4000n;
/** More work than any instruction is. */
const WORK_MAX = 2 ** 52;

/** What the interpreter executes in KVM's place, besides what KVM's emulator does not know. */
export interface AssistOptions {
  /** All user code: where the kernel's returns to user mode stand, four linear addresses at most. */
  readonly userReturns?: readonly bigint[] | undefined;
  /** All user code, as soon as the kernel has set where SYSCALL leads: the returns stand there. */
  readonly findsUserReturns?: boolean;
  /** All code under paging outside long mode, where KVM refuses to turn it on. */
  readonly assistsPaging?: boolean;
  /** All code, from the first instruction on. */
  readonly assistsAll?: boolean;
}

/** A vCPU of KVM with the interpreter at its side. */
export class AssistedVcpu implements Vcpu {
  readonly engine: 'kvm' | 'interp';
  readonly #assistsUser: boolean;
  #findsUserReturns: boolean;
  /** Instructions that the interpreter executed. */
  assists = 0;
  onAssist: AssistListener | undefined;
  readonly #kvm: KvmVcpu;
  readonly #openInterpreter: () => InterpVcpu;
  readonly #memory: GuestMemory;
  readonly #assistsPaging: boolean;
  readonly #assistsAll: boolean;
  #interpreter: InterpVcpu | undefined;
  #cpuid: readonly CpuidEntry[] = [];
  #hidden: readonly string[] = [];
  /** The engine whose exit is the last one. */
  #exiting: Vcpu;
  /** The interpreter is within an instruction: it waits for an answer. */
  #isWithin = false;
  /** The guest is where the interpreter executes all, and has its state: in user mode, or under paging outside long mode. */
  #isKept = false;
  #isStepping = false;
  #wantsWindow = false;
  /** The lengths of instructions seen, by bits and bytes. */
  readonly #lengths = new Map<string, number>();

  constructor(kvm: KvmVcpu, openInterpreter: () => InterpVcpu, memory: GuestMemory, options: AssistOptions = {}) {
    const { userReturns, findsUserReturns = false, assistsPaging = false, assistsAll = false } = options;
    this.engine = kvm.engine;
    this.#assistsUser = userReturns !== undefined || findsUserReturns;
    this.#findsUserReturns = findsUserReturns;
    this.#assistsPaging = assistsPaging;
    this.#assistsAll = assistsAll;
    if (userReturns !== undefined) kvm.setBreakpoints(userReturns);
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
    for (;;) {
      if (this.#isKept) {
        const reason = this.#runKept();
        if (reason !== undefined) return reason;
      }
      this.#exiting = this.#kvm;
      if (this.#findsUserReturns) this.#findUserReturns();
      if (!this.#isStepping || !this.#kvm.isAtBreakpoint) {
        const reason = this.#kvm.run(limit);
        if (!this.#wantsAssist(reason)) return reason;
      }
      const assisted = this.#assist();
      if (assisted !== undefined) return assisted;
      if (this.#isStepping) return ExitReason.Debug;
    }
  }

  /** KVM stands before an instruction that the interpreter executes. */
  #wantsAssist(reason: ExitReason): boolean {
    if (reason === ExitReason.EngineError) return this.#kvm.exit.errorCode === ENGINE_ERROR_EMULATION;
    if (reason === ExitReason.Shutdown) return this.#assistsPaging && this.#isPagingRefused();
    return reason === ExitReason.Debug && !this.#isStepping && this.#kvm.isAtBreakpoint;
  }

  /**
   * The guest shut down at a MOV to CR0 that turns paging on outside long mode. The state is that before the instruction, as a fault leaves it: if
   * it has to fault, it does so on the interpreter.
   */
  #isPagingRefused(): boolean {
    const state = this.#kvm.getState();
    if (state.cr0 & CR0_PG || state.efer & EFER_LME) return false;
    const [first, second, modrm = 0] = codeBytes(this.#memory, state, LENGTH_MAX);
    if (first !== 0x0f || second !== 0x22 || (modrm >> 3) % 8 !== 0) return false;
    const value = state[GPR_NAMES[modrm % 8] as (typeof GPR_NAMES)[number]];
    return (value & CR0_PG) !== 0n;
  }

  /** SYSCALL leads to the entry code of the kernel, which has its returns, too. */
  #findUserReturns(): void {
    if (this.#kvm.isWithinInstruction) return;
    const entry = this.#kvm.syscallEntry;
    if (entry === 0n) return;
    this.#findsUserReturns = false;
    const before = entry % ENTRY_CODE;
    const state = { ...this.#kvm.getState(), rip: entry - before };
    const code = codeBytes(this.#memory, state, Number(before + ENTRY_CODE));
    this.#kvm.setBreakpoints(findReturnsAround(entry, code, state.rip));
  }

  /** Executes what the interpreter keeps. Undefined: KVM goes on; otherwise why it stopped. */
  #runKept(): ExitReason | undefined {
    const interpreter = this.#interpreter as InterpVcpu;
    this.#exiting = interpreter;
    for (;;) {
      // Between two rounds of a repeated string instruction nothing is landed: it is finished first.
      const isBoundary = !interpreter.isWithinString;
      if (isBoundary && this.#kvm.takeKick()) return ExitReason.Kicked;
      interpreter.requestWindow(isBoundary && this.#wantsWindow);
      interpreter.limitWork(USER_CHUNK);
      const reason = interpreter.run(interpreter.retired + (isBoundary ? USER_CHUNK : 1));
      if (reason === ExitReason.LeftUser) {
        this.#handBack(interpreter);
        return undefined;
      }
      if (isAccess(reason)) this.#isWithin = true;
      if (reason !== ExitReason.Limit && reason !== ExitReason.Kicked) return reason;
    }
  }

  complete(): ExitReason | undefined {
    if (!this.#isWithin) return this.#kvm.complete();
    const interpreter = this.#interpreter as InterpVcpu;
    const further = interpreter.complete();
    if (further !== undefined) return further;
    this.#isWithin = false;
    this.#settle(interpreter);
    return undefined;
  }

  /** One instruction. Undefined: KVM goes on; otherwise the exit that it made, or that nobody can execute it. */
  #assist(): ExitReason | undefined {
    const state = this.#kvm.getState();
    this.#interpreter ??= this.#open();
    const interpreter = this.#interpreter;
    const bits = codeBits(state);
    const code = this.#instructionAt(state, bits);
    interpreter.distrustCode();
    interpreter.setState(state);
    interpreter.setSingleStep(true);
    interpreter.setStayUser(false);
    let reason: ExitReason;
    do {
      interpreter.limitWork(WORK_MAX);
      reason = interpreter.run(Number.POSITIVE_INFINITY);
    } while (reason === ExitReason.Kicked);
    if (reason === ExitReason.EngineError) return reason;
    this.assists++;
    this.onAssist?.(code, bits);
    if (isAccess(reason)) {
      this.#isWithin = true;
    } else {
      this.#settle(interpreter);
      if (reason === ExitReason.Debug) return undefined;
    }
    this.#exiting = interpreter;
    return reason;
  }

  /** The interpreter has executed the instruction of KVM: it goes on itself in what it keeps. */
  #settle(interpreter: InterpVcpu): void {
    const hasAll = this.#assistsAll || (this.#assistsPaging && interpreter.pagesOutsideLongMode);
    if (hasAll || (this.#assistsUser && interpreter.privilege === USER)) this.#keep(interpreter, !hasAll);
    else this.#handBack(interpreter);
  }

  #keep(interpreter: InterpVcpu, onlyUser: boolean): void {
    this.#isKept = true;
    interpreter.setSingleStep(this.#isStepping);
    interpreter.setStayUser(onlyUser);
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

  #open(): InterpVcpu {
    const interpreter = this.#openInterpreter();
    interpreter.setCpuid(this.#cpuid, this.#hidden);
    return interpreter;
  }

  #handBack(interpreter: InterpVcpu): void {
    this.#isKept = false;
    interpreter.requestWindow(false);
    this.#kvm.setState(interpreter.getState());
  }

  get retired(): number {
    return this.#kvm.retired;
  }
  get canInject(): boolean {
    if (this.#isWithin || (this.#isKept && this.#interpreter?.isWithinString)) return false;
    return this.#current.canInject;
  }
  requestWindow(on: boolean): void {
    this.#wantsWindow = on;
    this.#kvm.requestWindow(on);
  }
  injectInterrupt(vector: number): void {
    this.#current.injectInterrupt(vector);
  }
  get canInjectNmi(): boolean {
    return !this.#isWithin && this.#current.canInjectNmi;
  }
  get isSettled(): boolean {
    return !this.#isWithin && !(this.#isKept && this.#interpreter?.isWithinString) && this.#current.isSettled;
  }
  injectNmi(): void {
    this.#current.injectNmi();
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
    this.#isWithin = false;
    this.#isKept = false;
    this.#kvm.setState(state);
    const hasAll = this.#assistsAll || (this.#assistsPaging && pagesOutsideLongMode(state));
    if (!hasAll && (!this.#assistsUser || privilegeOf(state) !== USER)) return;
    this.#interpreter ??= this.#open();
    this.#interpreter.distrustCode();
    this.#interpreter.setState(state);
    this.#keep(this.#interpreter, !hasAll);
  }
  /** See {@link Vcpu.beginInterpreting}. */
  beginInterpreting(): Vcpu | undefined {
    this.#interpreter ??= this.#open();
    const interpreter = this.#interpreter;
    if (!this.#isKept) {
      if (this.#kvm.isWithinInstruction) return undefined;
      const state = this.#kvm.getState();
      interpreter.distrustCode();
      interpreter.setState(state);
    }
    this.#keep(interpreter, false);
    this.#exiting = interpreter;
    return interpreter;
  }
  endInterpreting(): void {
    this.#settle(this.#interpreter as InterpVcpu);
    if (this.#isKept) return;
    // It may have changed page tables, and told nobody but itself: where CR0 changes, KVM has the processor forget its translations.
    const state = this.#kvm.getState();
    this.#kvm.setState({ ...state, cr0: state.cr0 ^ CR0_WP });
    this.#kvm.setState(state);
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
    if (this.#isKept) this.#interpreter?.setSingleStep(on);
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
    this.#kvm.remap(memory);
    this.#interpreter?.remap(memory, changed);
  }
  close(): void {
    this.#interpreter?.close();
    this.#kvm.close();
  }

  get #current(): Vcpu {
    return this.#isWithin || this.#isKept ? (this.#interpreter as Vcpu) : this.#kvm;
  }
}

/** CPL of a state. */
function privilegeOf(state: CpuState): number {
  if (!(state.cr0 & CR0_PE)) return 0;
  return state.rflags & RFLAGS_VM ? USER : (state.ss.attributes >> DPL_SHIFT) & USER;
}

/**
 * The vCPU that KVM runs (Documentation/virt/kvm/api.rst). The general registers travel in the kvm_run page
 * (KVM_CAP_SYNC_REGS), so that an exit costs one system call; between two runs the page always has their current values.
 *
 * KVM finishes the instruction of an exit when it is entered again. To finish it without going on costs an entry of its own
 * (immediate_exit), so {@link KvmVcpu.complete} only notes that it may be finished: the next run() does it on its way, or
 * whoever asks for registers or state before. A further exit of the same instruction then comes from run().
 */
import { assert } from '../../base/assert.js';
import type { GuestMemory } from '../memory.js';
import { checkState } from '../state/check.js';
import { initialState } from '../state/fields.js';
import { checkNumber, checkResult, closedError, KvmError, kickVcpu, type NativeVcpu } from './addon.js';
import { KVM_REGS_ORDER, KVM_REGS_SIZE, KvmExit, RunPage, SYNC_EVENTS, SYNC_REGS } from './kvm-constants.js';
import { DR6_CAUSES, KvmDebug } from './kvm-debug.js';
import { KvmExitRecord } from './kvm-exit.js';
import { blocksNmi, EVENTS_SIZE, encodeEvents, hasPendingDebug, isDelivering, KvmStateAccess } from './kvm-state.js';
import { isRepeatedString } from './kvm-string.js';
import type { KvmRegion, SeenMemory } from './kvm-vm.js';
import { encodeCpuid, IA32_DEBUGCTL, IA32_TSC_AUX, MachineVm, regionsOf } from './kvm-vm.js';
import { type CpuState, cpuStateTable, GPR_NAMES, powerOnState } from './state.js';
import { type CpuidEntry, ExitReason, REGISTERS_SIZE, type Vcpu } from './vcpu.js';

const EINTR = -4;
const EAGAIN = -11;
const RIP = 16;
const RFLAGS = 17;
const RFLAGS_IF = 0x200;
const RFLAGS_TF = 0x100;
const RESERVED_FLAGS = ~0x3f_7fd5;
/** Branch single step, the one bit of IA32_DEBUGCTL that the model has. */
const DEBUGCTL_BTF = 2n;
const IA32_LSTAR = 0xc000_0082;

/** How a {@link KvmVcpu} is opened. */
export interface KvmVcpuOptions {
  /** Pages that the guest writes are logged from the start: {@link KvmVcpu.takeDirtyPages} is exact at its first call. */
  readonly logDirty?: boolean;
  /** False leaves all MSRs to the kernel. Only for probes. */
  readonly filterMsrs?: boolean;
  /** Default /dev/kvm. */
  readonly device?: string;
}

/** A vCPU on KVM. */
export class KvmVcpu implements Vcpu {
  readonly engine = 'kvm';
  readonly exit: KvmExitRecord;
  /** The VM below, for probes and tests. */
  readonly machine: MachineVm;
  readonly #native: NativeVcpu;
  readonly #state: KvmStateAccess;
  readonly #page: DataView;
  /** struct kvm_regs in the page, as u32 halves. */
  readonly #registers: Uint32Array;
  /** Used for the last `out` of {@link readRegisters}: nothing is allocated while it stays the same. */
  #out: Uint8Array | undefined;
  #outWords: Uint32Array | undefined;
  #closed = false;
  /** The instruction of the last exit waits for its answer. */
  #pending = false;
  /** It has its answer, and KVM finishes it at the next entry. */
  #deferred = false;
  /** It made another exit when it was to be finished: KVM_RUN's result, which run() gives out. */
  #furtherExit: number | undefined;
  #halted = false;
  /** An event was injected that ends HLT and occupies the next entry. */
  #injected = false;
  /** Known instead of the page's ready_for_interrupt_injection until the next entry. */
  #readyKnown: boolean | undefined;
  readonly #debug: KvmDebug;
  #token: number;

  /** Over the given memory; {@link KvmVcpu.open} takes a GuestMemory. */
  constructor(regions: readonly KvmRegion[], options: KvmVcpuOptions = {}) {
    this.machine = new MachineVm(regions, options);
    const { vcpu, has } = this.machine;
    try {
      if ((has.SyncRegs & SYNC_REGS) === 0 || has.ImmediateExit === 0) {
        throw new KvmError(
          'KVM_CHECK_EXTENSION',
          'missing',
          'This KVM lacks KVM_CAP_SYNC_REGS or KVM_CAP_IMMEDIATE_EXIT',
        );
      }
      this.#native = vcpu.native;
      this.#debug = new KvmDebug(vcpu.native);
      const page = vcpu.page;
      this.#page = new DataView(page);
      this.#registers = new Uint32Array(page, RunPage.regs, KVM_REGS_SIZE / 4);
      this.exit = new KvmExitRecord(this.#page);
      this.#page.setBigUint64(RunPage.validRegs, BigInt(SYNC_REGS), true);
      this.#state = new KvmStateAccess(vcpu, {
        hasSregs2: has.Sregs2 > 0,
        hasXcrs: has.Xcrs > 0,
        xsaveSize: has.Xsave2,
      });
      this.#token = vcpu.kickToken;
      this.setState(powerOnState());
    } catch (error) {
      this.machine.close();
      throw error;
    }
  }

  /** Opens a vCPU over a machine's memory (src/vmm/memory.ts GuestMemory). */
  static open(memory: SeenMemory, options: KvmVcpuOptions = {}): KvmVcpu {
    return new KvmVcpu(regionsOf(memory), options);
  }

  run(limit: number): ExitReason {
    this.#check();
    if (this.#furtherExit === undefined) {
      if (this.#halted && !this.#injected) return this.exit.decode(KvmExit.Halt);
      if (this.#debug.isStepping && (this.#pending || this.#deferred)) {
        this.complete();
        this.#finish();
        if (this.#furtherExit === undefined) return this.exit.decode(KvmExit.Debug);
      }
    }
    const further = this.#furtherExit;
    if (further !== undefined) {
      this.#furtherExit = undefined;
      return this.#decode(further);
    }
    this.#halted = false;
    this.#injected = false;
    this.#deferred = false;
    this.#readyKnown = undefined;
    this.#state.invalidate();
    let code = this.#native.run();
    // The guest lowered CR8, and KVM would have us look for interrupts: they are landed elsewhere. The instruction is done.
    while (code === KvmExit.SetTpr) code = this.#debug.isStepping ? KvmExit.Debug : this.#native.run();
    if (code < 0 && code !== EINTR && code !== EAGAIN) checkResult(code, 'KVM_RUN');
    if (code === KvmExit.Debug && this.#returnDebug()) return this.run(limit);
    const reason = this.#decode(code);
    return this.#serveMsr(reason) ? this.run(limit) : reason;
  }

  complete(): ExitReason | undefined {
    this.#check();
    if (this.#pending) {
      this.#pending = false;
      this.#deferred = true;
    }
    return undefined;
  }

  get retired(): number {
    return Number.NaN;
  }

  get canInject(): boolean {
    this.#check();
    if (this.#injected || this.#pending) return false;
    if (this.#readyKnown !== undefined) return this.#readyKnown;
    if (this.isWithinInstruction || this.#page.getUint8(RunPage.readyForInterruptInjection) === 0) return false;
    this.#readyKnown = !this.#isWithinString;
    return this.#readyKnown;
  }

  /** The instruction of the last exit is completed, and makes another exit. */
  get isWithinInstruction(): boolean {
    this.#finish();
    return this.#furtherExit !== undefined;
  }

  get canInjectNmi(): boolean {
    this.#check();
    if (this.#injected || this.#pending || this.isWithinInstruction) return false;
    return !this.#isWithinString && !blocksNmi(this.#state.readEvents());
  }

  get isSettled(): boolean {
    return this.canInjectNmi && !isDelivering(this.#state.readEvents());
  }

  /** The exit may be one of a string instruction that goes on. KVM comes back between its iterations; the interpreter goes on to its next access. An event
   * that lands there has no place in the exit stream, so it waits until the instruction is done. */
  get #isWithinString(): boolean {
    const { reason } = this.exit;
    return (reason === ExitReason.Io || reason === ExitReason.Mmio) && isRepeatedString(this.#codeAtRip(4));
  }

  requestWindow(on: boolean): void {
    this.#check();
    this.#page.setUint8(RunPage.requestInterruptWindow, on ? 1 : 0);
  }

  injectInterrupt(vector: number): void {
    this.#check();
    checkNumber(vector, 255, 'The vector');
    assert(this.canInject, 'an interrupt is injected only where it can be taken');
    this.#state.invalidate();
    checkResult(this.#native.interrupt(vector), 'KVM_INTERRUPT');
    this.#injected = true;
  }

  injectNmi(): void {
    this.#check();
    this.#state.invalidate();
    checkResult(this.#native.nmi(), 'KVM_NMI');
    if (this.#halted) this.#injected = true;
  }

  readRegisters(out: Uint8Array): void {
    this.#check();
    this.#finish();
    const words = this.#wordsOf(out);
    const registers = this.#registers;
    for (let i = 0; i < KVM_REGS_ORDER.length; i++) {
      const from = (KVM_REGS_ORDER[i] as number) * 2;
      words[i * 2] = registers[from] as number;
      words[i * 2 + 1] = registers[from + 1] as number;
    }
  }

  get rip(): number {
    this.#check();
    this.#finish();
    return (this.#registers[RIP * 2] as number) + (this.#registers[RIP * 2 + 1] as number) * 2 ** 32;
  }

  get cr8(): number {
    this.#check();
    return this.#page.getUint8(RunPage.cr8);
  }

  /** KVM takes it from the page at the next entry. */
  set cr8(value: number) {
    this.#check();
    this.#page.setBigUint64(RunPage.cr8, BigInt(value), true);
  }

  get apicBase(): number {
    this.#check();
    const low = this.#page.getUint32(RunPage.apicBase, true);
    return low + this.#page.getUint32(RunPage.apicBase + 4, true) * 2 ** 32;
  }

  setRegister(index: number, low: number, high: number): void {
    assert(index >= 0 && index < 16, 'a general register has a number from 0 to 15');
    this.#setWords(KVM_REGS_ORDER[index] as number, low, high);
  }

  setRip(low: number, high: number): void {
    this.#setWords(RIP, low, high);
  }

  setFlags(low: number): void {
    this.complete();
    this.#finish();
    const kept = (this.#registers[RFLAGS * 2] as number) & RESERVED_FLAGS;
    this.#setWords(RFLAGS, ((low & ~RESERVED_FLAGS) | kept) >>> 0, 0);
  }

  get timestampAux(): number {
    return Number(this.getState().tscAux);
  }

  getState(): CpuState {
    this.#check();
    assert(!this.#pending, 'the pending instruction is completed before the state is read');
    this.#finish();
    const state: CpuState = initialState(cpuStateTable);
    this.#state.read(state);
    for (const [i, name] of GPR_NAMES.entries()) state[name] = this.#register64(KVM_REGS_ORDER[i] as number);
    state.rip = this.#register64(RIP);
    state.rflags = this.#register64(RFLAGS);
    state.cr8 = BigInt(this.cr8);
    state.halted = this.#halted;
    return state;
  }

  setState(state: CpuState): void {
    this.#check();
    checkState(cpuStateTable, state);
    this.complete();
    this.#finish();
    this.#state.write(state);
    this.#furtherExit = undefined;
    for (const [i, name] of GPR_NAMES.entries()) this.#setRegister64(KVM_REGS_ORDER[i] as number, state[name]);
    this.#setRegister64(RIP, state.rip);
    this.#setRegister64(RFLAGS, state.rflags | 2n);
    this.#markDirty(SYNC_REGS);
    if (state.pendingDebug !== 0) this.#syncEvents(state);
    this.#page.setBigUint64(RunPage.cr8, state.cr8, true);
    this.#page.setBigUint64(RunPage.apicBase, state.apicBase, true);
    this.#halted = state.halted;
    this.#injected = state.injectedInterrupt !== 0 || (state.halted && state.nmiPending);
    this.#readyKnown =
      (Number(state.rflags) & RFLAGS_IF) !== 0 && !state.interruptShadow && state.injectedInterrupt === 0;
  }

  setCpuid(entries: readonly CpuidEntry[]): void {
    this.#check();
    checkResult(this.#native.transfer('KVM_SET_CPUID2', encodeCpuid(entries)), 'KVM_SET_CPUID2');
  }

  setSingleStep(on: boolean): void {
    this.#check();
    this.#debug.isStepping = on;
  }

  /** run() ends with ExitReason.Debug before the instruction at each of these, instead of executing it. See {@link KvmDebug}. */
  setBreakpoints(addresses: readonly bigint[]): void {
    this.#check();
    this.#debug.breakpoints = addresses;
  }

  /** RIP is one of {@link setBreakpoints}. */
  get isAtBreakpoint(): boolean {
    this.#check();
    this.#finish();
    return this.#debug.breakpoints.includes(this.#register64(RIP));
  }

  /** IA32_LSTAR: where SYSCALL leads; 0 until the guest has set it. */
  get syscallEntry(): bigint {
    return this.#state.readMsr(IA32_LSTAR) ?? 0n;
  }

  /** While there are breakpoints, KVM brings the guest's own debug exceptions to us: they are given back. */
  #returnDebug(): boolean {
    if (this.#debug.isStepping || this.isAtBreakpoint) return false;
    const state = this.getState();
    state.pendingDebug = Number(this.#page.getBigUint64(RunPage.debug.dr6, true)) & DR6_CAUSES;
    this.setState(state);
    return true;
  }

  /** A kick waits: it is taken, without entering the guest. */
  takeKick(): boolean {
    this.#check();
    if (this.#page.getUint8(RunPage.immediateExit) === 0) return false;
    this.#finish();
    this.#state.invalidate();
    this.#native.run();
    return true;
  }

  failMsr(): void {
    this.#check();
    assert(
      this.#pending && (this.exit.reason === ExitReason.MsrRead || this.exit.reason === ExitReason.MsrWrite),
      'only the MSR access of the last exit can be refused',
    );
    this.#page.setUint8(RunPage.msr.error, 1);
  }

  ignoreFerr(): void {
    this.#state.ignoreFerr();
  }

  armTimer(microseconds: number): void {
    this.#check();
    checkNumber(microseconds, 1e12, 'The time in microseconds');
    checkResult(this.#native.armTimer(microseconds), 'timer_settime');
  }

  kick(): void {
    this.#check();
    kickVcpu(this.#token);
  }

  /** What {@link kickVcpu} of addon.ts takes, in any thread of the process. */
  get kickToken(): number {
    this.#check();
    return this.#token;
  }

  takeDirtyPages(): Uint32Array {
    this.#check();
    if (this.machine.logsDirtyPages) return Uint32Array.from(this.machine.takeDirtyPages());
    this.machine.logDirtyPages();
    return Uint32Array.from(this.machine.allPages());
  }

  invalidateCode(_address: number, _length: number): void {
    // KVM has no decoded code: the processor (or the kernel's emulator) reads guest memory itself.
  }

  remap(memory: GuestMemory): void {
    this.#check();
    this.complete();
    this.#finish();
    this.machine.remap(regionsOf(memory));
  }

  close(): void {
    this.#closed = true;
    this.machine.close();
  }

  #decode(code: number): ExitReason {
    const { exit } = this;
    const reason = exit.decode(code);
    this.#pending = exit.needsCompletion;
    if (reason === ExitReason.Halt) this.#halted = true;
    else if (reason === ExitReason.EngineError && exit.errorBytes.length === 0) this.#fetchErrorBytes();
    return reason;
  }

  /** Does what RDMSR and WRMSR of IA32_TSC_AUX and IA32_DEBUGCTL do; false: the exit is another one. See kvm-vm.ts. */
  #serveMsr(reason: ExitReason): boolean {
    if (reason !== ExitReason.MsrRead && reason !== ExitReason.MsrWrite) return false;
    const { bytes, dataOffset, address } = this.exit;
    if (address !== IA32_TSC_AUX && address !== IA32_DEBUGCTL) return false;
    if (reason === ExitReason.MsrRead) {
      const value = address === IA32_DEBUGCTL ? this.#state.debugCtl : (this.#state.readMsr(IA32_TSC_AUX) ?? 0n);
      bytes.setBigUint64(dataOffset, value, true);
      return true;
    }
    const value = bytes.getBigUint64(dataOffset, true);
    if (address === IA32_DEBUGCTL) {
      if ((value & ~DEBUGCTL_BTF) !== 0n) this.failMsr();
      else this.#state.debugCtl = value;
    } else if (value > 0xffff_ffffn || !this.#state.writeMsr(IA32_TSC_AUX, value)) this.failMsr();
    return true;
  }

  /** Finishes the instruction that complete() left to the next entry. */
  #finish(): void {
    if (!this.#deferred) return;
    this.#deferred = false;
    this.#state.invalidate();
    const code = this.#native.complete();
    if (code === EINTR || (code === KvmExit.Debug && this.#debug.isStepping)) return;
    if (code < 0) checkResult(code, 'KVM_RUN');
    this.#furtherExit = code;
  }

  /** The kernel did not say at which bytes it failed: they are read from guest memory. */
  #fetchErrorBytes(): void {
    this.exit.errorBytes = this.#codeAtRip(15);
  }

  /** Up to `length` bytes at CS:RIP, less at the end of a page; none where nothing is mapped. */
  #codeAtRip(length: number): Uint8Array {
    const translation = new Uint8Array(24);
    const view = new DataView(translation.buffer);
    view.setBigUint64(0, BigInt.asUintN(64, this.#state.readCodeBase() + this.#register64(RIP)), true);
    if (this.#native.transfer('KVM_TRANSLATE', translation) < 0 || view.getUint8(16) === 0) return new Uint8Array(0);
    const physical = Number(view.getBigUint64(8, true));
    return this.machine.memoryAt(physical, Math.min(length, 4096 - (physical % 4096))).slice();
  }

  #setWords(register: number, low: number, high: number): void {
    this.#check();
    this.complete();
    this.#finish();
    assert(this.#furtherExit === undefined, 'the instruction is finished before a register is set');
    if ((this.#page.getUint8(RunPage.dirtyRegs) & SYNC_REGS) === 0) this.#keepStep();
    this.#registers[register * 2] = low;
    this.#registers[register * 2 + 1] = high;
    this.#markDirty(SYNC_REGS);
  }

  /** Taking registers from the page, KVM drops the #DB of a guest that steps itself: it is given back with the events. */
  #keepStep(): void {
    if (((this.#registers[RFLAGS * 2] as number) & RFLAGS_TF) === 0) return;
    const events = this.#state.readEvents();
    if (!hasPendingDebug(events)) return;
    new Uint8Array(this.#page.buffer, this.#page.byteOffset + RunPage.events).set(new Uint8Array(events.buffer));
    this.#markDirty(SYNC_EVENTS);
  }

  #markDirty(what: number): void {
    this.#page.setUint8(RunPage.dirtyRegs, this.#page.getUint8(RunPage.dirtyRegs) | what);
  }

  /** KVM drops a pending exception when it takes the registers from the page, and takes the events after them. */
  #syncEvents(state: CpuState): void {
    const events = new Uint8Array(this.#page.buffer, this.#page.byteOffset + RunPage.events, EVENTS_SIZE).fill(0);
    encodeEvents(state, new DataView(events.buffer, events.byteOffset, EVENTS_SIZE));
    this.#markDirty(SYNC_EVENTS);
  }

  #register64(register: number): bigint {
    return this.#page.getBigUint64(RunPage.regs + register * 8, true);
  }

  #setRegister64(register: number, value: bigint): void {
    this.#page.setBigUint64(RunPage.regs + register * 8, value, true);
  }

  #wordsOf(out: Uint8Array): Uint32Array {
    if (this.#out !== out || this.#outWords === undefined) {
      assert(out.length >= REGISTERS_SIZE && out.byteOffset % 4 === 0, 'registers go to 144 aligned bytes');
      this.#out = out;
      this.#outWords = new Uint32Array(out.buffer, out.byteOffset, REGISTERS_SIZE / 4);
    }
    return this.#outWords;
  }

  #check(): void {
    if (this.#closed) throw closedError('vCPU');
  }
}

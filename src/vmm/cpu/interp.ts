/**
 * The vCPU that the interpreter runs (interp/, compiled to dist/interp/vmtape.wasm). Registers live in the WebAssembly memory at the
 * offsets of interp/layout.ts; between two runs they are exact.
 */
import '../../base/webassembly.js';
import { existsSync, readFileSync } from 'node:fs';
import * as layout from '../../../interp/layout.js';
import { assert } from '../../base/assert.js';
import { ExitCode, VmtapeError } from '../../base/errors.js';
import type { GuestMemory } from '../memory.js';
import type { MemoryWindow } from '../shadow-ram.js';
import { checkState } from '../state/check.js';
import { decodeState, encodeState } from '../state/codec.js';
import { CPUID_FEATURES } from './cpuid-features.js';
import { InterpExitRecord, type InterpExports } from './interp-exit.js';
import { interpResumptionTable, readResumption, readUnhookedSites, writeResumption } from './interp-resumption.js';
import { InterpSeeker } from './interp-seek.js';
import { readInterpState, writeInterpState } from './interp-state.js';
import { type CpuState, cpuStateTable, powerOnState } from './state.js';
import {
  type CpuidEntry,
  type ExitReason,
  REGISTERS_SIZE,
  type UnhookedInstruction,
  type UnhookedSite,
  type Vcpu,
} from './vcpu.js';

const IF = 0x200;
const VM = 0x2_0000;
const CR0_PG = 0x8000_0000;
const EFER_LMA = 0x400;
/** The number of SS. */
const SS = 2;
const TWO_32 = 0x1_0000_0000;
/** Bits of RFLAGS that are fixed: what setFlags leaves alone. */
const RESERVED_FLAGS = ~0x3f_7fd5;
const CPUID_REGISTERS = ['eax', 'ebx', 'ecx', 'edx'];
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;

/** Bytes of the sixteen general registers. */
const GENERAL_SIZE = 128;

/** What the import `unwind` throws: one object, made once. */
const UNWIND = Object.freeze({ name: 'unwind' });

let compiled: WebAssembly.Module | undefined;

/** The code, from dist/interp, whether this runs from dist/src or from src. */
export function interpreterModule(): WebAssembly.Module {
  if (compiled) return compiled;
  const places = ['../../../interp/vmtape.wasm', '../../../dist/interp/vmtape.wasm'];
  const place = places.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  if (place === undefined) {
    throw new VmtapeError('VMTAPE_BUILD', 'the interpreter is not built', ExitCode.HostCannot, 'npm run build');
  }
  compiled = new WebAssembly.Module(readFileSync(place));
  return compiled;
}

/** A vCPU on the interpreter. */
export class InterpVcpu implements Vcpu {
  readonly engine = 'interp';
  readonly exit: InterpExitRecord;
  readonly seeker: InterpSeeker;
  stopAt = Number.POSITIVE_INFINITY;
  readonly #memory: GuestMemory;
  readonly #view: DataView;
  readonly #words: Uint32Array;
  /** As readRegisters gives them: sixteen, then RIP and RFLAGS, which are neighbours too. */
  readonly #generalRegisters: Uint8Array;
  readonly #ripAndFlags: Uint8Array;
  readonly #code: InterpExports;
  #closed = false;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#view = memory.view;
    this.#words = new Uint32Array(memory.memory.buffer, 0, layout.SCRATCH / 4);
    const { buffer } = memory.memory;
    this.#generalRegisters = new Uint8Array(buffer, layout.CPU_GPR, GENERAL_SIZE);
    this.#ripAndFlags = new Uint8Array(buffer, layout.CPU_RIP, REGISTERS_SIZE - GENERAL_SIZE);
    const instance = new WebAssembly.Instance(interpreterModule(), {
      env: {
        memory: memory.memory,
        unwind: () => {
          throw UNWIND;
        },
      },
    });
    this.#code = instance.exports as unknown as InterpExports;
    this.exit = new InterpExitRecord(this.#view);
    this.seeker = new InterpSeeker(memory, this.#code);
    this.#code.initialize();
    this.#view.setBigUint64(layout.RUN_WORK_END, NO_LIMIT, true);
    this.setState(powerOnState());
  }

  /** As `new InterpVcpu`: both engines are opened alike. */
  static open(memory: GuestMemory): InterpVcpu {
    return new InterpVcpu(memory);
  }

  run(limit: number): ExitReason {
    this.#check();
    const last = Math.min(limit, this.stopAt);
    const end = Number.isFinite(last) ? BigInt(Math.max(0, Math.floor(last))) : NO_LIMIT;
    this.#view.setBigUint64(layout.RUN_LIMIT, end, true);
    return this.#enter() as ExitReason;
  }

  complete(): ExitReason | undefined {
    this.#check();
    if (this.#code.ioPending() === 0) return undefined;
    this.#set(layout.RUN_COMPLETE_ONLY, 1);
    const reason = this.#enter();
    this.#set(layout.RUN_COMPLETE_ONLY, 0);
    return reason === layout.EXIT_COMPLETED ? undefined : (reason as ExitReason);
  }

  get retired(): number {
    this.#check();
    return this.#get(layout.RUN_RETIRED) + this.#get(layout.RUN_RETIRED + 4) * TWO_32;
  }

  get canInject(): boolean {
    this.#check();
    return (
      (this.#get(layout.CPU_RFLAGS) & IF) !== 0 &&
      this.#get(layout.CPU_INTERRUPT_SHADOW) === 0 &&
      this.#get(layout.CPU_INJECTED_INTERRUPT) === 0 &&
      this.#code.ioPending() === 0
    );
  }

  get work(): number {
    this.#check();
    return this.#get(layout.RUN_WORK) + this.#get(layout.RUN_WORK + 4) * TWO_32;
  }

  limitWork(units: number): void {
    this.#view.setBigUint64(layout.RUN_WORK_END, BigInt(this.work + units), true);
  }

  requestWindow(on: boolean): void {
    this.#check();
    this.#set(layout.RUN_WINDOW_REQUEST, on ? 1 : 0);
  }

  injectInterrupt(vector: number): void {
    assert(Number.isInteger(vector) && vector >= 0 && vector <= 255, 'a vector is a number from 0 to 255');
    assert(this.canInject, 'an interrupt is injected only where it can be taken');
    this.#set(layout.CPU_INJECTED_INTERRUPT, 0x100 | vector);
  }

  get canInjectNmi(): boolean {
    this.#check();
    const holds = [
      layout.CPU_NMI_MASKED,
      layout.CPU_NMI_PENDING,
      layout.CPU_INTERRUPT_SHADOW,
      layout.CPU_INJECTED_INTERRUPT,
    ];
    return holds.every((at) => this.#get(at) === 0) && this.#code.ioPending() === 0;
  }

  get isSettled(): boolean {
    return this.canInjectNmi && this.#get(layout.CPU_PENDING_DEBUG) === 0;
  }

  injectNmi(): void {
    this.#check();
    this.#set(layout.CPU_NMI_PENDING, 1);
  }

  readRegisters(out: Uint8Array): void {
    this.#check();
    out.set(this.#generalRegisters);
    out.set(this.#ripAndFlags, GENERAL_SIZE);
  }

  get rip(): number {
    this.#check();
    return this.#get(layout.CPU_RIP) + this.#get(layout.CPU_RIP + 4) * TWO_32;
  }

  get cr8(): number {
    this.#check();
    return this.#get(layout.CPU_CR8);
  }

  set cr8(value: number) {
    this.#check();
    this.#set(layout.CPU_CR8, value);
  }

  get apicBase(): number {
    this.#check();
    return this.#get(layout.CPU_MSR_APIC_BASE) + this.#get(layout.CPU_MSR_APIC_BASE + 4) * TWO_32;
  }

  setRegister(index: number, low: number, high: number): void {
    this.#check();
    assert(index >= 0 && index < 16, 'a general register has a number from 0 to 15');
    this.#set(layout.CPU_GPR + index * 8, low);
    this.#set(layout.CPU_GPR + index * 8 + 4, high);
  }

  setRip(low: number, high: number): void {
    this.#check();
    this.#set(layout.CPU_RIP, low);
    this.#set(layout.CPU_RIP + 4, high);
  }

  setFlags(low: number): void {
    this.#check();
    const kept = this.#get(layout.CPU_RFLAGS) & RESERVED_FLAGS;
    this.#set(layout.CPU_RFLAGS, (low & ~RESERVED_FLAGS) | kept);
    this.#code.stateChanged();
  }

  get timestampAux(): number {
    this.#check();
    return this.#get(layout.CPU_MSR_TSC_AUX);
  }

  getState(): CpuState {
    this.#check();
    assert(this.#code.ioPending() === 0, 'the pending instruction is completed before the state is read');
    return readInterpState(this.#view);
  }

  setState(state: CpuState): void {
    this.#check();
    checkState(cpuStateTable, state);
    writeInterpState(this.#view, state);
    this.#code.forgetInstruction();
    this.#code.stateChanged();
  }

  setCpuid(entries: readonly CpuidEntry[], hidden: readonly string[] = []): void {
    this.#check();
    if (entries.length > layout.CPUID_MAX_ENTRIES) {
      throw new VmtapeError(
        'VMTAPE_STATE',
        `a CPUID table has at most ${layout.CPUID_MAX_ENTRIES} rows, not ${entries.length}`,
        ExitCode.Usage,
      );
    }
    this.#set(layout.CPUID_TABLE, entries.length);
    let at = layout.CPUID_TABLE + 4;
    for (const entry of entries) {
      const row = [entry.function, entry.index, entry.indexed ? 1 : 0, entry.eax, entry.ebx, entry.ecx, entry.edx, 0];
      for (const word of row) {
        this.#set(at, word);
        at += 4;
      }
    }
    this.#code.hideAll();
    for (const { name, leaf, register, bit } of CPUID_FEATURES) {
      if (hidden.includes(name)) this.#code.executeHidden(leaf, CPUID_REGISTERS.indexOf(register) * 256 + bit);
    }
    this.#code.stateChanged();
  }

  setSingleStep(on: boolean): void {
    this.#check();
    this.#set(layout.RUN_SINGLE_STEP, on ? 1 : 0);
  }

  failMsr(): void {
    this.#check();
    assert(
      this.exit.reason === layout.EXIT_MSR_READ || this.exit.reason === layout.EXIT_MSR_WRITE,
      'only the MSR access of the last exit can be refused',
    );
    this.#set(layout.EXIT_MSR_FAULT, 1);
  }

  /** run() ends with ExitReason.LeftUser at the first boundary at which CPL is not 3. */
  setStayUser(on: boolean): void {
    this.#check();
    this.#set(layout.RUN_STAY_USER, on ? 1 : 0);
  }

  /** What is executed by an interpreter wherever the guest runs: user code, all code under paging outside long mode, all code. */
  assist(user: boolean, paging: boolean, all = false): void {
    this.#check();
    const bits = [user && layout.ASSISTED_USER, paging && layout.ASSISTED_PAGING, all && layout.ASSISTED_ALL];
    this.#set(
      layout.RUN_ASSISTED,
      bits.reduce((sum: number, bit) => sum | Number(bit), 0),
    );
  }

  clearWithFxsave(on: boolean): void {
    this.#check();
    this.#set(layout.RUN_FXSAVE_CLEARS, on ? 1 : 0);
  }

  /** Another engine ran over the same memory, and may have written code: call it before {@link setState}. */
  distrustCode(): void {
    this.#check();
    this.#code.distrustCode();
  }

  /** CPL of the instruction at RIP. */
  get privilege(): number {
    this.#check();
    const isProtected = (this.#get(layout.CPU_CR0) & 1) !== 0;
    if (!isProtected) return 0;
    if ((this.#get(layout.CPU_RFLAGS) & VM) !== 0) return 3;
    return (this.#get(layout.CPU_SEGMENTS + SS * layout.SEGMENT_SIZE + layout.SEGMENT_ATTRIBUTES) >> 5) & 3;
  }

  /** Paging is on outside long mode. */
  get pagesOutsideLongMode(): boolean {
    this.#check();
    return (this.#get(layout.CPU_CR0) & CR0_PG) !== 0 && (this.#get(layout.CPU_EFER) & EFER_LMA) === 0;
  }

  /** The vCPU stands between two iterations of a REP instruction. */
  get isWithinString(): boolean {
    this.#check();
    return this.#code.isUnfinished() !== 0;
  }

  skipTicks(ticks: number): void {
    this.#check();
    const low = this.#get(layout.CPU_TSC_OFFSET) + (ticks % TWO_32);
    this.#set(layout.CPU_TSC_OFFSET, low);
    const high = Math.floor(ticks / TWO_32) + (low >= TWO_32 ? 1 : 0);
    if (high !== 0) this.#set(layout.CPU_TSC_OFFSET + 4, this.#get(layout.CPU_TSC_OFFSET + 4) + high);
  }

  ignoreFerr(): void {
    this.#check();
    if (this.#get(layout.CPU_FERR) !== 0) this.#set(layout.CPU_IGNNE, 1);
  }

  saveResumption(): Uint8Array {
    this.#check();
    return encodeState(interpResumptionTable, readResumption(this.#memory, this.#code));
  }

  loadResumption(encoded: Uint8Array): void {
    this.#check();
    writeResumption(this.#memory, this.#code, decodeState(interpResumptionTable, encoded));
  }

  get unhookedCount(): number {
    return this.#get(layout.RUN_UNHOOKED_TSC) + this.#get(layout.RUN_UNHOOKED_CPUID);
  }

  unhookedSites(): UnhookedSite[] {
    this.#check();
    return readUnhookedSites(this.#view);
  }

  unhooked(): readonly UnhookedInstruction[] {
    this.#check();
    const counters = [
      ['RDTSC', layout.RUN_UNHOOKED_TSC],
      ['CPUID', layout.RUN_UNHOOKED_CPUID],
    ] as const;
    return counters.flatMap(([name, at]) => {
      const count = this.#view.getUint32(at, true);
      return count === 0 ? [] : [{ name, count, rip: this.#view.getBigUint64(at + 8, true) }];
    });
  }

  kick(): void {
    if (!this.#closed) this.#set(layout.RUN_KICK, 1);
  }

  takeDirtyPages(): Uint32Array {
    this.#check();
    this.#code.armWrites();
    return this.#memory.takeMarkedPages();
  }

  invalidateCode(address: number, length: number): void {
    this.#check();
    this.#code.invalidateCode(address, length);
  }

  remap(_memory: GuestMemory, changed: readonly MemoryWindow[]): void {
    this.#check();
    for (const { gpa, length } of changed) this.#code.invalidateCode(gpa, length);
    this.#code.forgetTranslations();
  }

  close(): void {
    this.#closed = true;
  }

  /** Enters the code, and comes back to it after each unwinding, until there is a reason. */
  #enter(): number {
    const code = this.#code;
    let reason = 0;
    let next = code.run;
    while (reason === 0) {
      try {
        reason = next();
        next = code.resume;
      } catch (thrown) {
        if (thrown !== UNWIND) throw thrown;
        next = code.afterUnwind;
      }
    }
    return reason;
  }

  #check(): void {
    if (this.#closed) {
      throw new VmtapeError('VMTAPE_CLOSED', 'the vCPU is closed', ExitCode.Usage);
    }
  }

  #get(offset: number): number {
    return this.#words[offset >> 2] as number;
  }

  #set(offset: number, value: number): void {
    this.#words[offset >> 2] = value;
  }
}

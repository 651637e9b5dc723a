/**
 * One contract, two engines (docs: design section 2): what a vCPU does for the machine, whether KVM or the interpreter
 * stands behind it.
 */
import * as layout from '../../../interp/layout.js';
import type { HookKind } from '../hooks/table.js';
import type { GuestMemory } from '../memory.js';
import type { MemoryWindow } from '../shadow-ram.js';
import type { CpuState } from './state.js';

/** Why {@link Vcpu.run} came back. */
export const ExitReason = {
  Io: layout.EXIT_IO,
  Mmio: layout.EXIT_MMIO,
  MsrRead: layout.EXIT_MSR_READ,
  MsrWrite: layout.EXIT_MSR_WRITE,
  Halt: layout.EXIT_HALT,
  Shutdown: layout.EXIT_SHUTDOWN,
  Window: layout.EXIT_WINDOW,
  Debug: layout.EXIT_DEBUG,
  Kicked: layout.EXIT_KICKED,
  Limit: layout.EXIT_LIMIT,
  EngineError: layout.EXIT_ENGINE_ERROR,
  Arrived: layout.EXIT_ARRIVED,
  LeftUser: layout.EXIT_LEFT_USER,
} as const;
/** A value of {@link ExitReason}. */
export type ExitReason = (typeof ExitReason)[keyof typeof ExitReason];

/** What the processor waits for an interrupt for: `address` of an exit Halt. */
export const HaltCause = { Hlt: layout.HALT_HLT, Ferr: layout.HALT_FERR } as const;

/** An exit for I/O, MMIO or an MSR: its instruction waits for the machine. */
export function isAccess(reason: ExitReason): boolean {
  return reason >= ExitReason.Io && reason <= ExitReason.MsrWrite;
}

/** The one exit record of a vCPU, reused for every exit: copy what must outlive the next run. */
export interface ExitRecord {
  readonly reason: ExitReason;
  /** Io: the port. Mmio: the guest-physical address. MSR exits: the index. Halt: {@link HaltCause}. */
  readonly address: number;
  /** Bytes of one element: Io 1, 2 or 4; Mmio 1 to 8 (a piece never crosses a page); MSR 8. */
  readonly size: number;
  /** The guest writes. */
  readonly isWrite: boolean;
  /** Elements; more than 1 only for an Io read or write that KVM batched (REP INS/OUTS). */
  readonly count: number;
  /**
   * The data, little-endian, element i at byte i × size, whose first byte is `dataOffset` of `bytes`. For a read, the
   * machine writes the answer there before the next run.
   */
  readonly bytes: DataView;
  readonly dataOffset: number;
  /** EngineError: what it is (an ENGINE_ERROR_… of interp/layout.ts) and the instruction bytes known. */
  readonly errorCode: number;
  readonly errorBytes: Uint8Array;
}

/** Bytes of {@link Vcpu.readRegisters}: 16 general registers in encoding order, RIP, RFLAGS; u64 little-endian each. */
export const REGISTERS_SIZE = 18 * 8;

/** A virtual processor. All methods throw a VmtapeError with code VMTAPE_CLOSED after {@link Vcpu.close}. */
export interface Vcpu {
  readonly engine: 'kvm' | 'interp';
  readonly exit: ExitRecord;
  /**
   * Runs until an exit. `limit` is the value of {@link Vcpu.retired} at which the run ends with ExitReason.Limit; only an
   * engine that counts obeys it (Infinity: none).
   */
  run(limit: number): ExitReason;
  /** Interpreter only: no run goes beyond this value of {@link Vcpu.retired}, whatever its limit. Infinity at first. */
  stopAt?: number;
  /**
   * Interpreter only: what the guest cost beyond its instructions (faults, decoding, page walks, rounds of REP), in instructions of usual speed
   * (interp/work.ts). It depends on nothing but what the guest did since the vCPU was made.
   */
  readonly work?: number;
  /** Interpreter only: the run ends with Kicked when {@link Vcpu.work} has grown by so many units. No limit at first. */
  limitWork?(units: number): void;
  /**
   * Finishes the I/O, MMIO or MSR instruction of the last exit (its answer is taken from the exit record) without
   * executing another instruction, so that the state is that of an instruction boundary. Returns ExitReason of a further
   * exit that the same instruction made before it was finished (a page-crossing MMIO, the next element of REP INS), or
   * undefined when it is finished. Nothing pending: returns undefined at once. KVM finishes it only with the next entry, or
   * when registers or state are asked for; a further exit of the instruction then comes from run(), and canInject is false
   * until it was taken.
   */
  complete(): ExitReason | undefined;
  /** Instructions retired so far; NaN where the engine does not count (KVM). */
  readonly retired: number;
  /** RFLAGS.IF is set, no STI or MOV SS shadow, no event waits: an interrupt injected now is taken before the next
   * instruction. Meaningful after an exit whose instruction needs no completion, or after complete(). */
  readonly canInject: boolean;
  /** Asks that run() ends with ExitReason.Window as soon as canInject holds. Stays asked until it is taken back. */
  requestWindow(on: boolean): void;
  /** Delivers the external interrupt `vector` (0 to 255) at the next entry. canInject must hold. */
  injectInterrupt(vector: number): void;
  /** The vCPU stands at an instruction boundary, as {@link canInject} means it, and no NMI is handled or waits: one comes before the next instruction. */
  readonly canInjectNmi: boolean;
  /** It does, and no exception waits or is being delivered either: an interrupt only has to be allowed. */
  readonly isSettled: boolean;
  /** Makes an NMI pending. */
  injectNmi(): void;
  /** Copies REGISTERS_SIZE bytes to the start of `out`, without allocation. */
  readRegisters(out: Uint8Array): void;
  /** CR8: what the guest has in it at the last exit, or what was set since; 0 to 15. Read at every exit, it costs nothing. */
  cr8: number;
  /** IA32_APIC_BASE likewise; below 2^53. */
  readonly apicBase: number;
  /** RIP, exact to 2^53; for the whole value use readRegisters. */
  readonly rip: number;
  /** Sets general register `index` (0 RAX to 15 R15) from two u32 halves; takes effect before the next instruction. */
  setRegister(index: number, low: number, high: number): void;
  /** Sets RIP likewise. */
  setRip(low: number, high: number): void;
  /** Sets the low 32 bits of RFLAGS likewise (hooked RDRAND and RDSEED set CF); the reserved bits are as read before. */
  setFlags(low: number): void;
  /** IA32_TSC_AUX, which a hooked RDTSCP gives, without the rest of the state. */
  readonly timestampAux: number;
  /** The whole architectural state. Complete the pending instruction first. */
  getState(): CpuState;
  /** Replaces the whole architectural state. Throws VMTAPE_STATE if a field is out of range, and then changes nothing. */
  setState(state: CpuState): void;
  /**
   * Installs the CPUID table. `hidden` names features whose instructions execute although the table does not show them, as on the
   * processor of a recording (cpu/hidden.ts); KVM's processor needs no list.
   */
  setCpuid(entries: readonly CpuidEntry[], hidden?: readonly string[]): void;
  /** run() ends with ExitReason.Debug after each instruction. */
  setSingleStep(on: boolean): void;
  /** Refuses the RDMSR or WRMSR of the last exit: it raises #GP(0) when it is finished. */
  failMsr(): void;
  /** Interpreter only: looks for landmarks. */
  readonly seeker?: Seeker;
  /** KVM only: kicks the run under way, or the next one, in `microseconds` of host time; 0 takes that back. */
  armTimer?(microseconds: number): void;
  /** Interpreter only: the guest's TSC jumps forward by `ticks` (a whole number): idle time that was skipped, or what exits took. */
  skipTicks?(ticks: number): void;
  /**
   * The board asserted IGNNE#: x87 instructions do not wait for the pending exception any more. Without effect unless FERR# is asserted, which
   * KVM never says; there it matters to instructions that the interpreter executes for it.
   */
  ignoreFerr(): void;
  /** KVM only: instructions that the interpreter executed for it (machine-assist.ts). */
  readonly assists?: number;
  /**
   * KVM only: the interpreter takes the guest over at this boundary, whatever it executes, until {@link endInterpreting}: it counts, and finds
   * landmarks. Undefined: the instruction of the last exit goes on, and run() has its next exit.
   */
  beginInterpreting?(): Vcpu | undefined;
  /** At a boundary. */
  endInterpreting?(): void;
  /** KVM only: is told each of them, with its bytes and the bits of its code, before the exits that it makes. */
  onAssist?: AssistListener | undefined;
  /** Interpreter only: what it goes on with, besides the architectural state, after a checkpoint; as cpu/interp-resumption.ts declares it. */
  saveResumption?(): Uint8Array;
  /** Goes on so; {@link setState} comes first. Throws VMTAPE_STATE for what {@link saveResumption} cannot have given. */
  loadResumption?(encoded: Uint8Array): void;
  /** Interpreter only: what it executed although another processor would answer differently and no hook was there. */
  unhooked?(): readonly UnhookedInstruction[];
  /** How many times it did, for looking often: the sum of their counts. */
  readonly unhookedCount?: number;
  /** Where they stand: the first 10,000 places that were met, in their order. */
  unhookedSites?(): readonly UnhookedSite[];
  /** Ends the run under way (from a signal handler, a timer or an I/O callback), or the next one, with Kicked. */
  kick(): void;
  /**
   * Guest-physical pages (numbers, ascending) that the guest wrote since the last call, and on the interpreter the host too. The guest cannot
   * tell that they were taken. There is one such log: what needs it beside others takes part in a DirtyLog.
   */
  takeDirtyPages(): Uint32Array;
  /** Forgets decoded code of guest-physical [address, address + length): the host wrote there. */
  invalidateCode(address: number, length: number): void;
  /** These windows of the memory show something else now (GuestMemory.show). The vCPU stands at a boundary. */
  remap(memory: GuestMemory, changed: readonly MemoryWindow[]): void;
  /** Idempotent. */
  close(): void;
}

/**
 * Looking for a landmark (docs/determinism.md). From {@link Seeker.begin} to {@link Seeker.end}, run() ends with ExitReason.Arrived at
 * each boundary, the present one included, where RIP, all general registers, RFLAGS but RF and the hashed state are the wanted
 * ones, interrupts are not held back by STI or MOV SS, and memory has the hashes given to {@link Seeker.pass}.
 */
export interface Seeker {
  /** `registers` as of Vcpu.readRegisters; `cpuHash` as of MemoryHash.cpu. */
  begin(registers: Uint8Array, cpuHash: Uint8Array): void;
  /**
   * The boundary arrived at is not the one: the next run goes on from it. With `page`, a number, because its hash was not `hash`
   * (8 bytes): it is asked for beforehand from now on.
   */
  pass(page?: number, hash?: Uint8Array): void;
  /** No more. With `resumeFlag`: an interrupt delivered at this boundary pushes RFLAGS with RF as it says. */
  end(resumeFlag?: boolean): void;
  /** Boundaries at that RIP that were not arrived at, since begin(). */
  readonly passed: number;
  /** Those of them at which all registers were the wanted ones. */
  readonly ambiguous: number;
  /** The registers at the one that was nearest to the wanted; undefined: there was none. */
  readonly nearest: Uint8Array | undefined;
  /** The page was read by a page walk since the last {@link Seeker.forgetWalks}. */
  wasWalked(page: number): boolean;
  forgetWalks(): void;
}

/** See {@link Vcpu.onAssist}. `instruction` must be copied to be kept. */
export type AssistListener = (instruction: Uint8Array, bits: 16 | 32 | 64) => void;

/** See {@link Vcpu.unhooked}. */
export interface UnhookedInstruction {
  readonly name: 'RDTSC' | 'CPUID';
  /** How often it was executed, and where first. */
  readonly count: number;
  readonly rip: bigint;
}

/** See {@link Vcpu.unhookedSites}. */
export interface UnhookedSite {
  readonly rip: bigint;
  readonly kind: HookKind;
}

/** One row of the CPUID table; u32 each. */
export interface CpuidEntry {
  readonly function: number;
  readonly index: number;
  /** The row is for this index (ECX) only. */
  readonly indexed: boolean;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/**
 * Between {@link CpuState} and the kernel's structures (linux/kvm.h, asm/kvm.h): struct kvm_sregs2, kvm_vcpu_events,
 * kvm_debugregs, kvm_msrs, kvm_xsave and kvm_xcrs. The general registers are in the kvm_run page: kvm.ts.
 */
import { ExitCode, VmtapeError } from '../../base/errors.js';
import { checkState } from '../state/check.js';
import { compareStates } from '../state/compare.js';
import { initialState } from '../state/fields.js';
import { KvmError, type KvmVcpuHandle } from './addon.js';
import { usesPdptes } from './control-bits.js';
import { canonicalFxsave, FXSAVE_SIZE } from './fxsave.js';
import { RFLAGS_IF } from './kvm-constants.js';
import { type CpuState, cpuStateTable, SegmentAttribute, type SegmentState, STATE_MSRS } from './state.js';

/** The order of segments in struct kvm_sregs. */
const SREGS_SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldtr'] as const;
const CONTROL = {
  gdt: 192,
  idt: 208,
  cr0: 224,
  cr2: 232,
  cr3: 240,
  cr4: 248,
  cr8: 256,
  efer: 264,
  apicBase: 272,
} as const;
const SREGS2_FLAGS = 280;
const SREGS2_PDPTRS = 288;
/** Bytes of struct kvm_vcpu_events. */
export const EVENTS_SIZE = 64;
const EVENTS = {
  exceptionInjected: 0,
  exceptionVector: 1,
  exceptionPending: 3,
  interrupt: 8,
  vector: 9,
  soft: 10,
  shadow: 11,
  nmiInjected: 12,
  nmiPending: 13,
  nmiMasked: 14,
  flags: 20,
  hasPayload: 55,
  payload: 56,
} as const;
const VECTOR_DB = 1;
const EVENTS_VALID_NMI_PENDING = 1;
const EVENTS_VALID_SHADOW = 4;
const EVENTS_VALID_PAYLOAD = 16;
const SHADOW_MOV_SS = 1;
const SHADOW_STI = 2;
const XSTATE_BV = 512;
const MSR_HEADER = 8;
const MSR_ENTRY = 16;

/** A structure of the kernel as it was last read or written, and the fields of the state that are in it. */
class Part {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(
    size: number,
    readonly getter: `KVM_${string}`,
    readonly setter: `KVM_${string}`,
    readonly fields: readonly (keyof CpuState)[],
    readonly decode: (state: CpuState, view: DataView) => void,
    /** Fills a structure of zeros. */
    readonly encode: (state: CpuState, view: DataView) => void,
  ) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** The MSRs of the state that are read by KVM_GET_MSRS; IA32_APIC_BASE is in kvm_sregs, IA32_DEBUGCTL is carried along. */
const MSRS = STATE_MSRS.filter(([, field]) => field !== 'apicBase' && field !== 'debugCtl');
const CONTROL_FIELDS = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'] as const;
/** The low byte of FSW in the FXSAVE image, and ES in it: an unmasked exception waits. */
const FSW = 2;
const FSW_SUMMARY = 0x80;
/** Fields that no KVM has a place for. */
const CARRIED = ['tscOffset', 'debugCtl'] as const;
const DEBUG_FIELDS = ['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'] as const;

/** What of the kernel's interface there is; `xsaveSize`: KVM_CAP_XSAVE2. */
export interface KvmStateOptions {
  readonly hasSregs2: boolean;
  readonly hasXcrs: boolean;
  readonly xsaveSize: number;
}

/**
 * Reads and writes the state of one vCPU, but for its general registers, RIP and RFLAGS. Each ioctl costs as much as an exit on
 * some hosts: what was read is kept until {@link invalidate}, and only what differs from it is written.
 */
export class KvmStateAccess {
  readonly #handle: KvmVcpuHandle;
  readonly #parts: readonly Part[];
  readonly #oneMsr = new Uint8Array(MSR_HEADER + MSR_ENTRY);
  readonly #codeBase = new Uint8Array(312);
  readonly #known: (typeof MSRS)[number][] = [];
  /** Fields that this kernel has no place for: carried along. */
  readonly #carried: CpuState = initialState(cpuStateTable);
  #isFresh = false;

  constructor(handle: KvmVcpuHandle, options: KvmStateOptions) {
    this.#handle = handle;
    for (const entry of MSRS) if (this.readMsr(entry[0]) !== undefined) this.#known.push(entry);
    this.#parts = [
      sregsPart(options.hasSregs2),
      msrsPart(this.#known),
      debugPart(),
      xsavePart(options.xsaveSize),
      eventsPart(),
    ];
    if (options.hasXcrs) this.#parts = [...this.#parts, xcrsPart()];
  }

  /** Indices of the MSRs of the state that the kernel does not have. */
  get missingMsrs(): number[] {
    return MSRS.filter((entry) => !this.#known.includes(entry)).map(([index]) => index);
  }

  /** A struct kvm_vcpu_events as the kernel has it now, which no part of the state read before is. */
  readEvents(): DataView {
    const events = new Uint8Array(EVENTS_SIZE);
    this.#handle.transfer('KVM_GET_VCPU_EVENTS', events);
    return new DataView(events.buffer);
  }

  /** The guest ran, or the kernel was told something: what was read is no longer true. */
  invalidate(): void {
    this.#isFresh = false;
  }

  /** Fills everything of `state` but the general registers, RIP, RFLAGS and `halted`. */
  read(state: CpuState): void {
    if (!this.#isFresh) {
      for (const part of this.#parts) {
        if (part.setter === 'KVM_SET_MSRS') writeIndices(part.view, this.#known);
        this.#handle.transfer(part.getter, part.bytes);
      }
      this.#isFresh = true;
    }
    for (const [, field] of MSRS) state[field] = this.#carried[field];
    for (const field of CARRIED) Object.assign(state, { [field]: this.#carried[field] });
    for (const part of this.#parts) part.decode(state, part.view);
    // What clears an exception on the processor itself is not seen here.
    const hasError = ((state.fxsave[FSW] as number) & FSW_SUMMARY) !== 0;
    state.ferr = hasError && this.#carried.ferr;
    state.ignne = hasError && this.#carried.ignne;
  }

  /** See Vcpu.ignoreFerr. */
  ignoreFerr(): void {
    this.#carried.ignne = this.#carried.ferr;
  }

  /** Writes what {@link read} reads. Where the kernel refuses a field, all is as before and VMTAPE_STATE says which ioctl refused. */
  write(state: CpuState): void {
    checkState(cpuStateTable, state);
    const before: CpuState = initialState(cpuStateTable);
    this.read(before);
    const changed = new Set(compareStates(cpuStateTable, before, state).map(({ path }) => path.split(/[.[]/)[1]));
    const written: Part[] = [];
    try {
      for (const part of this.#parts) {
        if (!part.fields.some((field) => changed.has(field))) continue;
        written.push(part);
        this.#set(part, state);
      }
    } catch (error) {
      for (const part of written) this.#set(part, before);
      this.#isFresh = false;
      if (!(error instanceof KvmError)) throw error;
      throw new VmtapeError(
        'VMTAPE_STATE',
        `KVM does not take the CPU state: ${error.ioctl} says ${error.errno}`,
        ExitCode.BadFile,
        'fields of the state contradict each other, or this host lacks a feature that the state needs',
      );
    }
    if (written.length > 0) this.#isFresh = false;
    for (const [, field] of MSRS) this.#carried[field] = state[field];
    for (const field of CARRIED) Object.assign(this.#carried, { [field]: state[field] });
    this.#carried.ferr = state.ferr;
    this.#carried.ignne = state.ignne;
  }

  /** One MSR as the host sees it; undefined where the kernel does not have it. */
  readMsr(index: number): bigint | undefined {
    const view = this.#msr(index);
    return this.#handle.transfer('KVM_GET_MSRS', this.#oneMsr) === 1
      ? view.getBigUint64(MSR_HEADER + 8, true)
      : undefined;
  }

  /** Sets one MSR as the host does; false where the kernel refuses. */
  writeMsr(index: number, value: bigint): boolean {
    this.#msr(index).setBigUint64(MSR_HEADER + 8, value, true);
    this.#isFresh = false;
    return this.#handle.transfer('KVM_SET_MSRS', this.#oneMsr) === 1;
  }

  /** IA32_DEBUGCTL, which KVM only carries along: state.ts. */
  get debugCtl(): bigint {
    return this.#carried.debugCtl;
  }

  set debugCtl(value: bigint) {
    this.#carried.debugCtl = value;
  }

  /** The base of CS: KVM_GET_SREGS begins with it. */
  readCodeBase(): bigint {
    this.#handle.transfer('KVM_GET_SREGS', this.#codeBase);
    return new DataView(this.#codeBase.buffer).getBigUint64(0, true);
  }

  #set(part: Part, state: CpuState): void {
    part.bytes.fill(0);
    part.encode(state, part.view);
    const result = this.#handle.transfer(part.setter, part.bytes);
    const refused = part.setter === 'KVM_SET_MSRS' ? this.#known[result] : undefined;
    if (refused) throw new KvmError(`KVM_SET_MSRS 0x${refused[0].toString(16)}`, 'EINVAL');
  }

  #msr(index: number): DataView {
    const view = new DataView(this.#oneMsr.buffer);
    view.setUint32(0, 1, true);
    view.setUint32(MSR_HEADER, index, true);
    return view;
  }
}

/** struct kvm_sregs2, or kvm_sregs with a bitmap of interrupts in the place of the flags. */
function sregsPart(hasSregs2: boolean): Part {
  return new Part(
    320,
    hasSregs2 ? 'KVM_GET_SREGS2' : 'KVM_GET_SREGS',
    hasSregs2 ? 'KVM_SET_SREGS2' : 'KVM_SET_SREGS',
    [...SREGS_SEGMENTS, 'gdtr', 'idtr', ...CONTROL_FIELDS, 'pdpte'],
    (state, view) => {
      for (const [i, name] of SREGS_SEGMENTS.entries()) state[name] = readSegment(view, i * 24);
      state.gdtr = { base: view.getBigUint64(CONTROL.gdt, true), limit: view.getUint16(CONTROL.gdt + 8, true) };
      state.idtr = { base: view.getBigUint64(CONTROL.idt, true), limit: view.getUint16(CONTROL.idt + 8, true) };
      for (const name of CONTROL_FIELDS) state[name] = view.getBigUint64(CONTROL[name], true);
      const valid = hasSregs2 && usesPdptes(state);
      state.pdpte = [0, 1, 2, 3].map((i) => (valid ? view.getBigUint64(SREGS2_PDPTRS + i * 8, true) : 0n));
    },
    (state, view) => {
      for (const [i, name] of SREGS_SEGMENTS.entries()) writeSegment(view, i * 24, state[name]);
      view.setBigUint64(CONTROL.gdt, state.gdtr.base, true);
      view.setUint16(CONTROL.gdt + 8, state.gdtr.limit, true);
      view.setBigUint64(CONTROL.idt, state.idtr.base, true);
      view.setUint16(CONTROL.idt + 8, state.idtr.limit, true);
      for (const name of CONTROL_FIELDS) view.setBigUint64(CONTROL[name], state[name], true);
      if (!hasSregs2 || !usesPdptes(state)) return;
      view.setBigUint64(SREGS2_FLAGS, 1n, true);
      for (const [i, entry] of state.pdpte.entries()) view.setBigUint64(SREGS2_PDPTRS + i * 8, entry, true);
    },
  );
}

/** struct kvm_msrs: u32 count, u32, then 16 bytes each: u32 index, u32, u64 value. */
function msrsPart(known: readonly (typeof MSRS)[number][]): Part {
  return new Part(
    MSR_HEADER + known.length * MSR_ENTRY,
    'KVM_GET_MSRS',
    'KVM_SET_MSRS',
    known.map(([, field]) => field),
    (state, view) => {
      for (const [i, [, field]] of known.entries())
        state[field] = view.getBigUint64(MSR_HEADER + i * MSR_ENTRY + 8, true);
    },
    (state, view) => {
      writeIndices(view, known);
      for (const [i, [, field]] of known.entries())
        view.setBigUint64(MSR_HEADER + i * MSR_ENTRY + 8, state[field], true);
    },
  );
}

function writeIndices(view: DataView, known: readonly (typeof MSRS)[number][]): void {
  view.setUint32(0, known.length, true);
  for (const [i, [index]] of known.entries()) view.setUint32(MSR_HEADER + i * MSR_ENTRY, index, true);
}

/** struct kvm_debugregs. */
function debugPart(): Part {
  return new Part(
    128,
    'KVM_GET_DEBUGREGS',
    'KVM_SET_DEBUGREGS',
    DEBUG_FIELDS,
    (state, view) => {
      for (const [i, name] of DEBUG_FIELDS.entries()) state[name] = view.getBigUint64(i * 8, true);
    },
    (state, view) => {
      for (const [i, name] of DEBUG_FIELDS.entries()) view.setBigUint64(i * 8, state[name], true);
    },
  );
}

/** struct kvm_xsave: the standard form of XSAVE; x87 and SSE are written, all else goes to its initial state. */
function xsavePart(xsaveSize: number): Part {
  return new Part(
    Math.max(4096, xsaveSize),
    xsaveSize > 4096 ? 'KVM_GET_XSAVE2' : 'KVM_GET_XSAVE',
    'KVM_SET_XSAVE',
    ['fxsave'],
    (state, view) => {
      state.fxsave = canonicalFxsave(new Uint8Array(view.buffer, 0, FXSAVE_SIZE));
    },
    (state, view) => {
      new Uint8Array(view.buffer).set(state.fxsave);
      view.setBigUint64(XSTATE_BV, 3n, true);
    },
  );
}

/** struct kvm_xcrs: XCR0. */
function xcrsPart(): Part {
  return new Part(
    392,
    'KVM_GET_XCRS',
    'KVM_SET_XCRS',
    ['xcr0'],
    (state, view) => {
      state.xcr0 = view.getBigUint64(16, true);
    },
    (state, view) => {
      view.setUint32(0, 1, true);
      view.setBigUint64(16, state.xcr0, true);
    },
  );
}

/**
 * struct kvm_vcpu_events. An exception that KVM has not delivered yet is left out: RIP is at its instruction, which raises it
 * again. But a debug exception is due for the instruction before; its payload is what it adds to DR6 (KVM_CAP_EXCEPTION_PAYLOAD).
 */
function eventsPart(): Part {
  return new Part(
    EVENTS_SIZE,
    'KVM_GET_VCPU_EVENTS',
    'KVM_SET_VCPU_EVENTS',
    ['injectedInterrupt', 'interruptShadow', 'shadowHoldsTraps', 'pendingDebug', 'nmiPending', 'nmiMasked'],
    decodeEvents,
    encodeEvents,
  );
}

/** Does a struct kvm_vcpu_events hold a debug exception that waits for the next entry? */
export function hasPendingDebug(view: DataView): boolean {
  return view.getUint8(EVENTS.exceptionPending) !== 0 && view.getUint8(EVENTS.exceptionVector) === VECTOR_DB;
}

/** Does it hold an NMI that waits, is being delivered or was not yet ended by IRET; or hold NMIs back by STI or MOV SS? */
export function blocksNmi(view: DataView): boolean {
  return [EVENTS.nmiPending, EVENTS.nmiInjected, EVENTS.nmiMasked, EVENTS.shadow].some((at) => view.getUint8(at) !== 0);
}

/** Does it hold an exception or an interrupt that waits or is being delivered? */
export function isDelivering(view: DataView): boolean {
  return [EVENTS.exceptionInjected, EVENTS.exceptionPending, EVENTS.interrupt].some((at) => view.getUint8(at) !== 0);
}

function decodeEvents(state: CpuState, view: DataView): void {
  const injected = view.getUint8(EVENTS.interrupt) !== 0 && view.getUint8(EVENTS.soft) === 0;
  const nmiInjected = view.getUint8(EVENTS.nmiInjected) !== 0;
  const isDebug = hasPendingDebug(view);
  const shadow = view.getUint8(EVENTS.shadow);
  state.injectedInterrupt = injected ? 0x100 | view.getUint8(EVENTS.vector) : 0;
  state.interruptShadow = shadow !== 0;
  state.shadowHoldsTraps = (shadow & SHADOW_MOV_SS) !== 0;
  state.pendingDebug =
    isDebug && view.getUint8(EVENTS.hasPayload) !== 0 ? view.getUint16(EVENTS.payload, true) & 0xe00f : 0;
  state.nmiPending = nmiInjected || view.getUint8(EVENTS.nmiPending) !== 0;
  state.nmiMasked = !nmiInjected && view.getUint8(EVENTS.nmiMasked) !== 0;
}

/** Fills a struct kvm_vcpu_events of zeros. */
export function encodeEvents(state: CpuState, view: DataView): void {
  view.setUint8(EVENTS.interrupt, state.injectedInterrupt === 0 ? 0 : 1);
  view.setUint8(EVENTS.vector, state.injectedInterrupt & 0xff);
  // VT-x refuses a shadow of STI while IF is clear.
  const bySti = (state.rflags & RFLAGS_IF) !== 0n && !state.shadowHoldsTraps;
  view.setUint8(EVENTS.shadow, state.interruptShadow ? (bySti ? SHADOW_STI : SHADOW_MOV_SS) : 0);
  view.setUint8(EVENTS.nmiPending, state.nmiPending ? 1 : 0);
  view.setUint8(EVENTS.nmiMasked, state.nmiMasked ? 1 : 0);
  let flags = EVENTS_VALID_NMI_PENDING | EVENTS_VALID_SHADOW;
  if (state.pendingDebug !== 0) {
    flags |= EVENTS_VALID_PAYLOAD;
    view.setUint8(EVENTS.exceptionPending, 1);
    view.setUint8(EVENTS.exceptionVector, VECTOR_DB);
    view.setUint8(EVENTS.hasPayload, 1);
    view.setBigUint64(EVENTS.payload, BigInt(state.pendingDebug), true);
  }
  view.setUint32(EVENTS.flags, flags, true);
}

/** struct kvm_segment: u64 base, u32 limit, u16 selector, then a byte each: type, present, dpl, db, s, l, g, avl, unusable. */
function readSegment(view: DataView, at: number): SegmentState {
  const bit = (offset: number, value: number) => (view.getUint8(at + offset) !== 0 ? value : 0);
  const a = SegmentAttribute;
  const attributes =
    (view.getUint8(at + 14) & a.typeMask) |
    bit(15, a.present) |
    ((view.getUint8(at + 16) & 3) << a.dplShift) |
    bit(17, a.defaultBig) |
    bit(18, a.codeOrData) |
    bit(19, a.long) |
    bit(20, a.granularity) |
    bit(21, a.available) |
    bit(22, a.unusable);
  return {
    selector: view.getUint16(at + 12, true),
    base: view.getBigUint64(at, true),
    limit: view.getUint32(at + 8, true),
    attributes: (attributes & a.unusable) !== 0 ? a.unusable : attributes,
  };
}

function writeSegment(view: DataView, at: number, segment: SegmentState): void {
  const a = SegmentAttribute;
  const { attributes } = segment;
  const flag = (offset: number, value: number) => view.setUint8(at + offset, (attributes & value) !== 0 ? 1 : 0);
  view.setBigUint64(at, segment.base, true);
  view.setUint32(at + 8, segment.limit, true);
  view.setUint16(at + 12, segment.selector, true);
  view.setUint8(at + 14, attributes & a.typeMask);
  flag(15, a.present);
  view.setUint8(at + 16, (attributes >> a.dplShift) & 3);
  flag(17, a.defaultBig);
  flag(18, a.codeOrData);
  flag(19, a.long);
  flag(20, a.granularity);
  flag(21, a.available);
  view.setUint8(at + 22, (attributes & a.unusable) !== 0 || (attributes & a.present) === 0 ? 1 : 0);
}

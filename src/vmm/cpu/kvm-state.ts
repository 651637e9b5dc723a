/**
 * Between {@link CpuState} and the kernel's structures (linux/kvm.h, asm/kvm.h): struct kvm_sregs2, kvm_vcpu_events,
 * kvm_debugregs, kvm_msrs, kvm_xsave and kvm_xcrs. The general registers are in the kvm_run page: kvm.ts.
 */
import { ExitCode, VmtapeError } from '../../base/errors.js';
import { checkState } from '../state/check.js';
import { initialState } from '../state/fields.js';
import { KvmError, type KvmVcpuHandle } from './addon.js';
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
const EVENTS = {
  interrupt: 8,
  vector: 9,
  soft: 10,
  shadow: 11,
  nmiInjected: 12,
  nmiPending: 13,
  nmiMasked: 14,
  flags: 20,
} as const;
const EVENTS_VALID_NMI_PENDING = 1;
const EVENTS_VALID_SHADOW = 4;
const SHADOW_MOV_SS = 1;
const SHADOW_STI = 2;
const XSTATE_BV = 512;
const MSR_HEADER = 8;
const MSR_ENTRY = 16;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;

/** A structure and its view. */
class Structure {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** The MSRs of the state that are read by KVM_GET_MSRS; IA32_APIC_BASE is in kvm_sregs. */
const MSRS = STATE_MSRS.filter(([, field]) => field !== 'apicBase');

/** Reads and writes the state of one vCPU, but for its general registers, RIP and RFLAGS. */
export class KvmStateAccess {
  readonly #handle: KvmVcpuHandle;
  readonly #sregs = new Structure(320);
  readonly #events = new Structure(64);
  readonly #debug = new Structure(128);
  readonly #xsave: Structure;
  readonly #xcrs = new Structure(392);
  readonly #msrs = new Structure(MSR_HEADER + MSRS.length * MSR_ENTRY);
  readonly #oneMsr = new Structure(MSR_HEADER + MSR_ENTRY);
  readonly #hasSregs2: boolean;
  readonly #hasXcrs: boolean;
  /** MSRs that this kernel does not let us read: carried along. */
  readonly #carried: CpuState = initialState(cpuStateTable);
  readonly #known: (typeof MSRS)[number][] = [];

  /** `xsaveSize`: KVM_CAP_XSAVE2, at least 4096. */
  constructor(handle: KvmVcpuHandle, options: { hasSregs2: boolean; hasXcrs: boolean; xsaveSize: number }) {
    this.#handle = handle;
    this.#hasSregs2 = options.hasSregs2;
    this.#hasXcrs = options.hasXcrs;
    this.#xsave = new Structure(Math.max(4096, options.xsaveSize));
    for (const entry of MSRS) if (this.readMsr(entry[0]) !== undefined) this.#known.push(entry);
  }

  /** One MSR as the host sees it; undefined where the kernel does not have it. */
  readMsr(index: number): bigint | undefined {
    const { view, bytes } = this.#oneMsr;
    view.setUint32(0, 1, true);
    view.setUint32(MSR_HEADER, index, true);
    return this.#handle.transfer('KVM_GET_MSRS', bytes) === 1 ? view.getBigUint64(MSR_HEADER + 8, true) : undefined;
  }

  /** Sets one MSR as the host does; false where the kernel refuses. */
  writeMsr(index: number, value: bigint): boolean {
    const { view, bytes } = this.#oneMsr;
    view.setUint32(0, 1, true);
    view.setUint32(MSR_HEADER, index, true);
    view.setBigUint64(MSR_HEADER + 8, value, true);
    return this.#handle.transfer('KVM_SET_MSRS', bytes) === 1;
  }

  /** Indices of the MSRs of the state that the kernel does not have. */
  get missingMsrs(): number[] {
    return MSRS.filter((entry) => !this.#known.includes(entry)).map(([index]) => index);
  }

  /** Fills everything of `state` but the general registers, RIP, RFLAGS and `halted`. */
  read(state: CpuState): void {
    this.#readSregs(state);
    this.#readMsrs(state);
    this.#readEvents(state);
    this.#readDebug(state);
    this.#handle.transfer(this.#xsave.bytes.length > 4096 ? 'KVM_GET_XSAVE2' : 'KVM_GET_XSAVE', this.#xsave.bytes);
    state.fxsave = canonicalFxsave(this.#xsave.bytes.subarray(0, FXSAVE_SIZE));
    state.xcr0 = 1n;
    if (this.#hasXcrs) {
      this.#handle.transfer('KVM_GET_XCRS', this.#xcrs.bytes);
      state.xcr0 = this.#xcrs.view.getBigUint64(16, true);
    }
    state.tscOffset = this.#carried.tscOffset;
  }

  /** Writes what {@link read} reads. Where the kernel refuses a field, all is as before and VMTAPE_STATE says which ioctl refused. */
  write(state: CpuState): void {
    checkState(cpuStateTable, state);
    const before: CpuState = initialState(cpuStateTable);
    this.read(before);
    try {
      this.#apply(state);
    } catch (error) {
      this.#apply(before);
      if (!(error instanceof KvmError)) throw error;
      throw new VmtapeError(
        'VMTAPE_STATE',
        `KVM does not take the CPU state: ${error.ioctl} says ${error.errno}`,
        ExitCode.BadFile,
        'fields of the state contradict each other, or this host lacks a feature that the state needs',
      );
    }
  }

  /** The base of CS: KVM_GET_SREGS begins with it. */
  readCodeBase(): bigint {
    const { view, bytes } = this.#sregs;
    this.#handle.transfer('KVM_GET_SREGS', bytes);
    return view.getBigUint64(0, true);
  }

  #apply(state: CpuState): void {
    this.#writeSregs(state);
    this.#writeMsrs(state);
    this.#writeDebug(state);
    if (this.#hasXcrs) {
      const { view, bytes } = this.#xcrs;
      bytes.fill(0);
      view.setUint32(0, 1, true);
      view.setBigUint64(16, state.xcr0, true);
      this.#handle.transfer('KVM_SET_XCRS', bytes);
    }
    this.#xsave.bytes.fill(0);
    this.#xsave.bytes.set(state.fxsave);
    this.#xsave.view.setBigUint64(XSTATE_BV, 3n, true);
    this.#handle.transfer('KVM_SET_XSAVE', this.#xsave.bytes);
    this.#writeEvents(state);
    this.#carried.tscOffset = state.tscOffset;
  }

  #readSregs(state: CpuState): void {
    const { view, bytes } = this.#sregs;
    this.#handle.transfer(this.#hasSregs2 ? 'KVM_GET_SREGS2' : 'KVM_GET_SREGS', bytes);
    for (const [i, name] of SREGS_SEGMENTS.entries()) state[name] = readSegment(view, i * 24);
    state.gdtr = { base: view.getBigUint64(CONTROL.gdt, true), limit: view.getUint16(CONTROL.gdt + 8, true) };
    state.idtr = { base: view.getBigUint64(CONTROL.idt, true), limit: view.getUint16(CONTROL.idt + 8, true) };
    for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'] as const) {
      state[name] = view.getBigUint64(CONTROL[name], true);
    }
    const valid = this.#hasSregs2 && hasPdpte(state);
    state.pdpte = [0, 1, 2, 3].map((i) => (valid ? view.getBigUint64(SREGS2_PDPTRS + i * 8, true) : 0n));
  }

  #writeSregs(state: CpuState): void {
    const { view, bytes } = this.#sregs;
    bytes.fill(0);
    for (const [i, name] of SREGS_SEGMENTS.entries()) writeSegment(view, i * 24, state[name]);
    for (const [name, at] of [
      ['gdtr', CONTROL.gdt],
      ['idtr', CONTROL.idt],
    ] as const) {
      view.setBigUint64(at, state[name].base, true);
      view.setUint16(at + 8, state[name].limit, true);
    }
    for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'] as const) {
      view.setBigUint64(CONTROL[name], state[name], true);
    }
    if (this.#hasSregs2 && hasPdpte(state)) {
      view.setBigUint64(SREGS2_FLAGS, 1n, true);
      for (const [i, entry] of state.pdpte.entries()) view.setBigUint64(SREGS2_PDPTRS + i * 8, entry, true);
    }
    this.#handle.transfer(this.#hasSregs2 ? 'KVM_SET_SREGS2' : 'KVM_SET_SREGS', bytes);
  }

  #readMsrs(state: CpuState): void {
    const { view, bytes } = this.#msrs;
    this.#fillIndices();
    this.#handle.transfer('KVM_GET_MSRS', bytes);
    for (const [, field] of MSRS) state[field] = this.#carried[field];
    for (const [i, [, field]] of this.#known.entries()) {
      state[field] = view.getBigUint64(MSR_HEADER + i * MSR_ENTRY + 8, true);
    }
  }

  #writeMsrs(state: CpuState): void {
    const { view, bytes } = this.#msrs;
    this.#fillIndices();
    for (const [i, [, field]] of this.#known.entries()) {
      view.setBigUint64(MSR_HEADER + i * MSR_ENTRY + 8, state[field], true);
    }
    const taken = this.#handle.transfer('KVM_SET_MSRS', bytes);
    const refused = this.#known[taken];
    if (refused) throw new KvmError(`KVM_SET_MSRS 0x${refused[0].toString(16)}`, 'EINVAL');
    for (const [, field] of MSRS) this.#carried[field] = state[field];
  }

  #fillIndices(): void {
    const { view, bytes } = this.#msrs;
    bytes.fill(0);
    view.setUint32(0, this.#known.length, true);
    for (const [i, [index]] of this.#known.entries()) view.setUint32(MSR_HEADER + i * MSR_ENTRY, index, true);
  }

  /** An exception that KVM has not delivered yet is left out: RIP is at its instruction, which raises it again. */
  #readEvents(state: CpuState): void {
    const { view, bytes } = this.#events;
    this.#handle.transfer('KVM_GET_VCPU_EVENTS', bytes);
    const injected = view.getUint8(EVENTS.interrupt) !== 0 && view.getUint8(EVENTS.soft) === 0;
    const nmiInjected = view.getUint8(EVENTS.nmiInjected) !== 0;
    state.injectedInterrupt = injected ? 0x100 | view.getUint8(EVENTS.vector) : 0;
    state.interruptShadow = view.getUint8(EVENTS.shadow) !== 0;
    state.nmiPending = nmiInjected || view.getUint8(EVENTS.nmiPending) !== 0;
    state.nmiMasked = !nmiInjected && view.getUint8(EVENTS.nmiMasked) !== 0;
  }

  #writeEvents(state: CpuState): void {
    const { view, bytes } = this.#events;
    bytes.fill(0);
    view.setUint8(EVENTS.interrupt, state.injectedInterrupt === 0 ? 0 : 1);
    view.setUint8(EVENTS.vector, state.injectedInterrupt & 0xff);
    // VT-x refuses a shadow of STI while IF is clear.
    const shadow = (state.rflags & RFLAGS_IF) !== 0n ? SHADOW_STI : SHADOW_MOV_SS;
    view.setUint8(EVENTS.shadow, state.interruptShadow ? shadow : 0);
    view.setUint8(EVENTS.nmiPending, state.nmiPending ? 1 : 0);
    view.setUint8(EVENTS.nmiMasked, state.nmiMasked ? 1 : 0);
    view.setUint32(EVENTS.flags, EVENTS_VALID_NMI_PENDING | EVENTS_VALID_SHADOW, true);
    this.#handle.transfer('KVM_SET_VCPU_EVENTS', bytes);
  }

  #readDebug(state: CpuState): void {
    const { view, bytes } = this.#debug;
    this.#handle.transfer('KVM_GET_DEBUGREGS', bytes);
    for (const [i, name] of (['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'] as const).entries()) {
      state[name] = view.getBigUint64(i * 8, true);
    }
  }

  #writeDebug(state: CpuState): void {
    const { view, bytes } = this.#debug;
    bytes.fill(0);
    for (const [i, name] of (['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'] as const).entries()) {
      view.setBigUint64(i * 8, state[name], true);
    }
    this.#handle.transfer('KVM_SET_DEBUGREGS', bytes);
  }
}

/** PAE paging outside long mode: the PDPTE registers are in use. */
function hasPdpte(state: CpuState): boolean {
  return (state.cr0 & CR0_PG) !== 0n && (state.cr4 & CR4_PAE) !== 0n && (state.efer & EFER_LMA) === 0n;
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

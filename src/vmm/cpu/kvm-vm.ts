/** One virtual machine with one vCPU, set up as vmtape needs it: memory slots, MSR filter, exits for what cannot be emulated. */

import type { MemoryRegion } from '../memory.js';
import { KvmSystem, type KvmVcpuHandle, type KvmVm, type MsrFilterRange } from './addon.js';
import {
  Capability,
  CPUID_FLAG_INDEX,
  MSR_EXIT_FILTER,
  MSR_FILTER_DEFAULT_DENY,
  MSR_FILTER_READ,
  MSR_FILTER_WRITE,
} from './kvm-constants.js';
import { STATE_MSRS } from './state.js';
import type { CpuidEntry } from './vcpu.js';

/** A run of guest-physical memory over host memory that never moves. */
export interface KvmRegion {
  readonly gpa: number;
  readonly bytes: Uint8Array;
  readonly readonly: boolean;
}

/** What of a GuestMemory a vCPU is opened over. */
export interface SeenMemory {
  readonly whole: Uint8Array;
  readonly regions: readonly MemoryRegion[];
}

/** The memory that the guest sees. */
export function regionsOf({ whole, regions }: SeenMemory): KvmRegion[] {
  return regions.map(({ gpa, offset, length, readonly }) => {
    return { gpa, bytes: whole.subarray(offset, offset + length), readonly };
  });
}

/** Addresses that Intel hosts without unrestricted guests need, below the ROM at the top of 4 GiB. */
const IDENTITY_MAP_ADDRESS = 0xfeff_c000;
const TSS_ADDRESS = 0xfeff_d000;
/** KVM_X86_QUIRK_FIX_HYPERCALL_INSN: the kernel would rewrite VMCALL in guest memory. */
const QUIRK_FIX_HYPERCALL = 1 << 5;
/** KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS: MONITOR and MWAIT would be NOPs though CPUID has them not. */
const QUIRK_MWAIT = 1 << 6;
/**
 * IA32_TSC_AUX is CPU state, but some kernels (kvm_pvm) raise #GP for the guest's access while they let the host set it: it is
 * filtered like a foreign MSR, and KvmVcpu answers the exit itself.
 */
export const IA32_TSC_AUX = 0xc000_0103;
/** IA32_DEBUGCTL likewise: KVM takes BTF and drops it (vmx_set_msr), and takes reserved bits. */
export const IA32_DEBUGCTL = 0x1d9;
const EFER = 0xc000_0080;
const FS_BASE = 0xc000_0100;
const GS_BASE = 0xc000_0101;

/** A VM and its vCPU; {@link MachineVm.close} closes both. */
export class MachineVm {
  readonly vm: KvmVm;
  readonly vcpu: KvmVcpuHandle;
  /** KVM_CAP_… by name, as the VM answers. */
  readonly has: Readonly<Record<keyof typeof Capability, number>>;
  /** By slot; undefined: the slot is free. */
  #regions: (KvmRegion | undefined)[];
  /** Pages written in slots that are no more. */
  readonly #leftDirty = new Set<number>();
  #logsDirtyPages: boolean;

  /** `filterMsrs`: false leaves all MSRs to the kernel (for probes). */
  constructor(
    regions: readonly KvmRegion[],
    options: { filterMsrs?: boolean; logDirty?: boolean; device?: string } = {},
  ) {
    const system = new KvmSystem(options.device);
    this.#regions = [...regions];
    this.#logsDirtyPages = options.logDirty ?? false;
    try {
      this.vm = system.createVm();
    } finally {
      system.close();
    }
    try {
      const has: Record<string, number> = {};
      for (const [name, number] of Object.entries(Capability)) has[name] = this.vm.checkExtension(number);
      this.has = has as Record<keyof typeof Capability, number>;
      this.#setUp(options.filterMsrs ?? true);
      this.vcpu = this.vm.createVcpu(0);
      if (this.has.EnforcePvFeatureCpuid > 0) this.vcpu.enableCapability(Capability.EnforcePvFeatureCpuid, 1);
    } catch (error) {
      this.vm.close();
      throw error;
    }
  }

  /** KVM logs which pages the guest writes. */
  get logsDirtyPages(): boolean {
    return this.#logsDirtyPages;
  }

  /** Switches the dirty log on. */
  logDirtyPages(): void {
    this.#logsDirtyPages = true;
    this.#setMemory();
  }

  /** Pages of RAM (numbers, ascending) written since the last call; the log must be on. */
  takeDirtyPages(): number[] {
    const pages: number[] = [...this.#leftDirty];
    this.#leftDirty.clear();
    for (const [slot, region] of this.#regions.entries()) if (region) this.#takeDirty(slot, region, pages);
    return pages.sort((a, b) => a - b);
  }

  /** The guest sees these regions from now on. Slots of regions that stay are left alone. */
  remap(regions: readonly KvmRegion[]): void {
    const isSame = (a: KvmRegion, b: KvmRegion | undefined) =>
      b !== undefined &&
      a.gpa === b.gpa &&
      a.readonly === b.readonly &&
      a.bytes.byteOffset === b.bytes.byteOffset &&
      a.bytes.length === b.bytes.length;
    for (const [slot, old] of this.#regions.entries()) {
      if (old === undefined || regions.some((region) => isSame(region, old))) continue;
      const pages: number[] = [];
      if (this.#logsDirtyPages) this.#takeDirty(slot, old, pages);
      for (const page of pages) this.#leftDirty.add(page);
      this.vm.deleteMemory(slot);
      this.#regions[slot] = undefined;
    }
    for (const region of regions) {
      if (this.#regions.some((old) => isSame(region, old))) continue;
      const free = this.#regions.indexOf(undefined);
      const slot = free < 0 ? this.#regions.length : free;
      this.#regions[slot] = region;
      this.#setSlot(slot, region);
    }
  }

  /** All pages of RAM. */
  allPages(): number[] {
    const pages: number[] = [];
    for (const { gpa, bytes, readonly } of this.#present) {
      if (readonly) continue;
      for (let page = 0; page < bytes.length / 4096; page++) pages.push(gpa / 4096 + page);
    }
    return pages.sort((a, b) => a - b);
  }

  /** The host's view of guest-physical [gpa, gpa + length), shortened at the end of a region; empty where there is no memory. */
  memoryAt(gpa: number, length: number): Uint8Array {
    for (const region of this.#present) {
      const offset = gpa - region.gpa;
      if (offset >= 0 && offset < region.bytes.length) return region.bytes.subarray(offset, offset + length);
    }
    return new Uint8Array(0);
  }

  /** Idempotent. */
  close(): void {
    this.vcpu.close();
    this.vm.close();
  }

  #setUp(filterMsrs: boolean): void {
    const { vm, has } = this;
    if (has.SetTssAddress > 0) {
      vm.setIdentityMapAddress(IDENTITY_MAP_ADDRESS);
      vm.setTssAddress(TSS_ADDRESS);
    }
    if (has.ExceptionPayload > 0) vm.enableCapability(Capability.ExceptionPayload, 1);
    if (has.ExitOnEmulationFailure > 0) vm.enableCapability(Capability.ExitOnEmulationFailure, 1);
    const quirks = has.DisableQuirks2 & (QUIRK_FIX_HYPERCALL | QUIRK_MWAIT);
    if (quirks !== 0) vm.enableCapability(Capability.DisableQuirks2, quirks);
    if (filterMsrs && has.UserSpaceMsr > 0 && has.MsrFilter > 0) {
      vm.enableCapability(Capability.UserSpaceMsr, MSR_EXIT_FILTER);
      vm.setMsrFilter(MSR_FILTER_DEFAULT_DENY, msrFilterRanges());
    }
    this.#setMemory();
  }

  #setMemory(): void {
    for (const [slot, region] of this.#regions.entries()) if (region) this.#setSlot(slot, region);
  }

  #setSlot(slot: number, { gpa, bytes, readonly }: KvmRegion): void {
    this.vm.setMemory(slot, gpa, bytes, { readonly, logDirty: this.#logsDirtyPages && !readonly });
  }

  #takeDirty(slot: number, { gpa, bytes, readonly }: KvmRegion, pages: number[]): void {
    if (readonly) return;
    const bitmap = new Uint8Array(Math.ceil(bytes.length / 4096 / 64) * 8);
    this.vm.getDirtyLog(slot, bitmap);
    collectBits(bitmap, gpa / 4096, pages);
  }

  get #present(): KvmRegion[] {
    return this.#regions.filter((region) => region !== undefined);
  }
}

function collectBits(bitmap: Uint8Array, first: number, pages: number[]): void {
  for (const [i, byte] of bitmap.entries()) {
    if (byte === 0) continue;
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) pages.push(first + i * 8 + bit);
  }
}

/** The MSRs that the guest reaches without an exit: pure CPU state (state.ts) but IA32_TSC_AUX and IA32_DEBUGCTL. All others are exits. */
export function msrFilterRanges(): MsrFilterRange[] {
  const indices = [...STATE_MSRS.map(([index]) => index as number), EFER, FS_BASE, GS_BASE]
    .filter((index) => index !== IA32_TSC_AUX && index !== IA32_DEBUGCTL)
    .sort((a, b) => a - b);
  const ranges: { flags: number; base: number; allowed: boolean[] }[] = [];
  for (const index of indices) {
    const last = ranges.at(-1);
    if (last && index === last.base + last.allowed.length) last.allowed.push(true);
    else ranges.push({ flags: MSR_FILTER_READ | MSR_FILTER_WRITE, base: index, allowed: [true] });
  }
  return ranges;
}

/** struct kvm_cpuid2. */
export function encodeCpuid(entries: readonly CpuidEntry[]): Uint8Array {
  const bytes = new Uint8Array(8 + entries.length * 40);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length, true);
  for (const [i, entry] of entries.entries()) {
    const at = 8 + i * 40;
    const words = [
      entry.function,
      entry.index,
      entry.indexed ? CPUID_FLAG_INDEX : 0,
      entry.eax,
      entry.ebx,
      entry.ecx,
      entry.edx,
    ];
    for (const [k, word] of words.entries()) view.setUint32(at + k * 4, word, true);
  }
  return bytes;
}

/** The rows of a struct kvm_cpuid2. */
export function decodeCpuid(bytes: Uint8Array): CpuidEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: CpuidEntry[] = [];
  for (let i = 0; i < view.getUint32(0, true); i++) {
    const word = (k: number) => view.getUint32(8 + i * 40 + k * 4, true);
    const indexed = (word(2) & CPUID_FLAG_INDEX) !== 0;
    entries.push({
      function: word(0),
      index: word(1),
      indexed,
      eax: word(3),
      ebx: word(4),
      ecx: word(5),
      edx: word(6),
    });
  }
  return entries;
}

/**
 * The typed wrapper of the native addon (native/): checks every argument with a sentence, and turns errors of the kernel
 * into {@link KvmError}s that name the ioctl and errno. Handles may be closed in any order, more than once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import { ExitCode, VmtapeError } from '../../base/errors.js';
import { MEMORY_LOG_DIRTY_PAGES, MEMORY_READONLY } from './kvm-constants.js';

/** What the addon exports; every number is a result, or -errno. */
interface Addon {
  openSystem(path: string): NativeSystem | number;
  kick(token: number): number;
}
interface NativeSystem {
  close(): void;
  apiVersion(): number;
  checkExtension(capability: number): number;
  transfer(name: string, bytes: Uint8Array): number;
  createVm(): NativeVm | number;
}
interface NativeVm {
  close(): void;
  checkExtension(capability: number): number;
  enableCapability(capability: number, argument: number): number;
  setMemory(slot: number, flags: number, address: number, bytes: Uint8Array): number;
  deleteMemory(slot: number): number;
  setTssAddress(address: number): number;
  setIdentityMapAddress(address: number): number;
  setMsrFilter(flags: number, ranges: Uint8Array, bitmaps: Uint8Array): number;
  getDirtyLog(slot: number, bitmap: Uint8Array): number;
  clearDirtyLog(slot: number, firstPage: number, pages: number, bitmap: Uint8Array): number;
  createVcpu(id: number): NativeVcpu | number;
}
/** The raw vCPU; src/vmm/cpu/kvm.ts calls its `run` without the wrapper. */
export interface NativeVcpu {
  close(): void;
  run(): number;
  complete(): number;
  runPage(): ArrayBuffer;
  transfer(name: string, bytes: Uint8Array): number;
  enableCapability(capability: number, argument: number): number;
  interrupt(vector: number): number;
  nmi(): number;
  armTimer(microseconds: number): number;
  kickToken(): number;
}

/** The kernel refused: which ioctl, and why. */
export class KvmError extends VmtapeError {
  constructor(
    /** KVM_SET_SREGS … or open. */
    readonly ioctl: string,
    /** EINVAL … */
    readonly errno: string,
    message = `KVM failed: ${ioctl}: ${errno}`,
    hint = 'See what this host can do with: vmtape doctor',
  ) {
    super('VMTAPE_KVM', message, ExitCode.HostCannot, hint);
  }
}

/** A result that is no error; otherwise throws. */
export function checkResult(result: number, ioctl: string): number {
  if (result < 0) throw new KvmError(ioctl, getSystemErrorName(result));
  return result;
}

/** VMTAPE_CLOSED. */
export function closedError(what: string): VmtapeError {
  return new VmtapeError('VMTAPE_CLOSED', `The ${what} is closed.`, ExitCode.HostCannot);
}

function argumentError(sentence: string): VmtapeError {
  return new VmtapeError('VMTAPE_ARGUMENT', sentence, ExitCode.Usage);
}

/** `value` is a whole number of [0, maximum], or an error says so. */
export function checkNumber(value: number, maximum: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value > maximum) {
    throw argumentError(`${what} must be a whole number from 0 to ${maximum}, not ${String(value)}.`);
  }
  return value;
}

function checkBytes(value: Uint8Array, minimum: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw argumentError(`${what} must be a Uint8Array.`);
  if (value.length < minimum) throw argumentError(`${what} must have ${minimum} bytes or more, not ${value.length}.`);
  return value;
}

/** The directory that has package.json: two up from src/vmm, or three from dist/src/vmm. */
function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json')) && dirname(directory) !== directory)
    directory = dirname(directory);
  return directory;
}

let loaded: Addon | undefined;

/** The addon, loaded at the first call. Throws VMTAPE_NO_ADDON with the reason where it was not built. */
export function loadAddon(): Addon {
  if (loaded) return loaded;
  const build = join(packageRoot(), 'build');
  try {
    loaded = createRequire(import.meta.url)(join(build, 'Release', 'vmtape_kvm.node')) as Addon;
    return loaded;
  } catch (error) {
    let reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    try {
      reason = readFileSync(join(build, 'native.reason'), 'utf8');
    } catch {
      // Nothing was noted when it was installed.
    }
    throw new VmtapeError(
      'VMTAPE_NO_ADDON',
      `The KVM addon is not there: ${reason}.`,
      ExitCode.HostCannot,
      'Build it with: npm rebuild vmtape (or npm run install in a clone), or use --engine interp',
    );
  }
}

/** The handle on /dev/kvm. */
export class KvmSystem {
  #native: NativeSystem | undefined;

  /** Opens `path`, usually /dev/kvm. */
  constructor(path = '/dev/kvm') {
    if (typeof path !== 'string' || path.includes('\0'))
      throw argumentError('The path of the KVM device must be a string.');
    const opened = loadAddon().openSystem(path);
    if (typeof opened === 'number') throw openError(path, getSystemErrorName(opened));
    this.#native = opened;
    const version = this.apiVersion;
    if (version !== 12) {
      this.close();
      throw new KvmError(
        'KVM_GET_API_VERSION',
        'version',
        `${path} speaks version ${version} of the KVM interface, not 12`,
      );
    }
  }

  /** KVM_GET_API_VERSION. */
  get apiVersion(): number {
    return checkResult(this.#open().apiVersion(), 'KVM_GET_API_VERSION');
  }

  /** KVM_CHECK_EXTENSION: 0 where the kernel does not have it. */
  checkExtension(capability: number): number {
    checkNumber(capability, 0xffffffff, 'The capability');
    return checkResult(this.#open().checkExtension(capability), 'KVM_CHECK_EXTENSION');
  }

  /** KVM_GET_SUPPORTED_CPUID or KVM_GET_EMULATED_CPUID: struct kvm_cpuid2. */
  cpuid(kind: 'supported' | 'emulated'): Uint8Array {
    const name = kind === 'supported' ? 'KVM_GET_SUPPORTED_CPUID' : 'KVM_GET_EMULATED_CPUID';
    return this.#list(name, 8, 40);
  }

  /** KVM_GET_MSR_INDEX_LIST or, for 'feature', KVM_GET_MSR_FEATURE_INDEX_LIST. */
  msrIndices(kind: 'all' | 'feature'): Uint32Array {
    const name = kind === 'all' ? 'KVM_GET_MSR_INDEX_LIST' : 'KVM_GET_MSR_FEATURE_INDEX_LIST';
    const bytes = this.#list(name, 4, 4);
    const count = new DataView(bytes.buffer).getUint32(0, true);
    return new Uint32Array(bytes.buffer, 4, count).slice();
  }

  /** KVM_CREATE_VM. */
  createVm(): KvmVm {
    const made = this.#open().createVm();
    if (typeof made === 'number') throw new KvmError('KVM_CREATE_VM', getSystemErrorName(made));
    return new KvmVm(made);
  }

  /** Idempotent. VMs that were made live on. */
  close(): void {
    this.#native?.close();
    this.#native = undefined;
  }

  /** Grows the list until the kernel is content. */
  #list(name: string, header: number, entry: number): Uint8Array {
    for (let room = 64; ; room *= 2) {
      const bytes = new Uint8Array(header + room * entry);
      new DataView(bytes.buffer).setUint32(0, room, true);
      const result = this.#open().transfer(name, bytes);
      if (result >= 0) return bytes;
      if (getSystemErrorName(result) !== 'E2BIG' || room > 1 << 16) checkResult(result, name);
    }
  }

  #open(): NativeSystem {
    if (!this.#native) throw closedError('KVM handle');
    return this.#native;
  }
}

function openError(path: string, errno: string): KvmError {
  const sentences: Record<string, string> = {
    ENOENT: `${path} does not exist: this host has no KVM, or its module is not loaded`,
    EACCES: `${path} may not be opened: no permission`,
    EPERM: `${path} may not be opened: no permission`,
    ENXIO: `${path} has no driver behind it: the KVM module is not loaded`,
    ENODEV: `${path} has no driver behind it: the KVM module is not loaded`,
    EBUSY: `${path} is in use by another hypervisor`,
    ENOTTY: `${path} is not the KVM device`,
  };
  const hints: Record<string, string> = {
    EACCES: `Add yourself to the group that owns ${path} (usually kvm), or use --engine interp`,
    EPERM: `Add yourself to the group that owns ${path} (usually kvm), or use --engine interp`,
  };
  const message = sentences[errno] ?? `${path} cannot be opened: ${errno}`;
  return new KvmError('open', errno, message, hints[errno] ?? 'Use --engine interp');
}

/** One range of KVM_X86_SET_MSR_FILTER. */
export interface MsrFilterRange {
  /** MSR_FILTER_READ | MSR_FILTER_WRITE. */
  readonly flags: number;
  readonly base: number;
  /** One element an MSR: the guest may access it without an exit. */
  readonly allowed: readonly boolean[];
}

/** A virtual machine. */
export class KvmVm {
  #native: NativeVm | undefined;

  /** Made by {@link KvmSystem.createVm}. */
  constructor(native: NativeVm) {
    this.#native = native;
  }

  /** KVM_CHECK_EXTENSION of the VM. */
  checkExtension(capability: number): number {
    checkNumber(capability, 0xffffffff, 'The capability');
    return checkResult(this.#open().checkExtension(capability), 'KVM_CHECK_EXTENSION');
  }

  /** KVM_ENABLE_CAP. */
  enableCapability(capability: number, argument: number): void {
    checkNumber(capability, 0xffffffff, 'The capability');
    checkNumber(argument, Number.MAX_SAFE_INTEGER, "The capability's argument");
    checkResult(this.#open().enableCapability(capability, argument), `KVM_ENABLE_CAP ${capability}`);
  }

  /**
   * KVM_SET_USER_MEMORY_REGION: `bytes` (page-aligned, whole pages) become guest memory at `address`. The memory is
   * referenced until the slot is deleted, or the VM and its vCPUs are closed; it must never move (a WebAssembly.Memory
   * whose initial size is its maximum).
   */
  setMemory(
    slot: number,
    address: number,
    bytes: Uint8Array,
    options: { readonly?: boolean; logDirty?: boolean } = {},
  ): void {
    checkNumber(slot, 0x7fff, 'The memory slot');
    checkNumber(address, 2 ** 52 - 4096, 'The guest-physical address');
    checkBytes(bytes, 4096, 'The memory of a slot');
    if (address % 4096 !== 0) throw argumentError('The guest-physical address of a slot must be a multiple of 4096.');
    if (bytes.length % 4096 !== 0) throw argumentError('The length of a slot must be a multiple of 4096.');
    const flags = (options.readonly ? MEMORY_READONLY : 0) | (options.logDirty ? MEMORY_LOG_DIRTY_PAGES : 0);
    checkResult(this.#open().setMemory(slot, flags, address, bytes), 'KVM_SET_USER_MEMORY_REGION');
  }

  /** Takes the slot away. */
  deleteMemory(slot: number): void {
    checkNumber(slot, 0x7fff, 'The memory slot');
    checkResult(this.#open().deleteMemory(slot), 'KVM_SET_USER_MEMORY_REGION');
  }

  /** KVM_SET_TSS_ADDR: three pages that the guest must not use, for Intel hosts without unrestricted guests. */
  setTssAddress(address: number): void {
    checkNumber(address, 0xffffd000, 'The TSS address');
    checkResult(this.#open().setTssAddress(address), 'KVM_SET_TSS_ADDR');
  }

  /** KVM_SET_IDENTITY_MAP_ADDR: one page likewise. Before the first vCPU. */
  setIdentityMapAddress(address: number): void {
    checkNumber(address, 0xfffff000, 'The identity map address');
    checkResult(this.#open().setIdentityMapAddress(address), 'KVM_SET_IDENTITY_MAP_ADDR');
  }

  /** KVM_X86_SET_MSR_FILTER. */
  setMsrFilter(flags: number, ranges: readonly MsrFilterRange[]): void {
    if (ranges.length > 16) throw argumentError(`KVM takes at most 16 ranges of MSRs, not ${ranges.length}.`);
    const table = new Uint8Array(ranges.length * 12);
    const view = new DataView(table.buffer);
    const bitmaps: number[] = [];
    for (const [i, range] of ranges.entries()) {
      view.setUint32(i * 12, range.flags, true);
      view.setUint32(i * 12 + 4, range.base, true);
      view.setUint32(i * 12 + 8, range.allowed.length, true);
      const bits = new Uint8Array(Math.ceil(range.allowed.length / 8));
      for (const [k, allowed] of range.allowed.entries())
        if (allowed) bits[k >> 3] = (bits[k >> 3] ?? 0) | (1 << (k & 7));
      bitmaps.push(...bits);
    }
    checkResult(this.#open().setMsrFilter(flags, table, Uint8Array.from(bitmaps)), 'KVM_X86_SET_MSR_FILTER');
  }

  /** KVM_GET_DIRTY_LOG: one bit per page of the slot into `bitmap`; the log is empty afterwards. */
  getDirtyLog(slot: number, bitmap: Uint8Array): void {
    checkNumber(slot, 0x7fff, 'The memory slot');
    checkBytes(bitmap, 8, 'The bitmap');
    checkResult(this.#open().getDirtyLog(slot, bitmap), 'KVM_GET_DIRTY_LOG');
  }

  /** KVM_CLEAR_DIRTY_LOG, where KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is on. */
  clearDirtyLog(slot: number, firstPage: number, pages: number, bitmap: Uint8Array): void {
    checkNumber(slot, 0x7fff, 'The memory slot');
    checkNumber(firstPage, Number.MAX_SAFE_INTEGER, 'The first page');
    checkNumber(pages, 0xffffffff, 'The number of pages');
    checkBytes(bitmap, 8, 'The bitmap');
    checkResult(this.#open().clearDirtyLog(slot, firstPage, pages, bitmap), 'KVM_CLEAR_DIRTY_LOG');
  }

  /** KVM_CREATE_VCPU. */
  createVcpu(id = 0): KvmVcpuHandle {
    checkNumber(id, 0xffff, "The vCPU's number");
    const made = this.#open().createVcpu(id);
    if (typeof made === 'number') throw new KvmError('KVM_CREATE_VCPU', getSystemErrorName(made));
    return new KvmVcpuHandle(made);
  }

  /** Idempotent. vCPUs that were made live on. */
  close(): void {
    this.#native?.close();
    this.#native = undefined;
  }

  #open(): NativeVm {
    if (!this.#native) throw closedError('virtual machine');
    return this.#native;
  }
}

/** A virtual processor of the kernel. {@link KvmVcpu} of kvm.ts makes a Vcpu of it. */
export class KvmVcpuHandle {
  #native: NativeVcpu | undefined;

  /** Made by {@link KvmVm.createVcpu}. */
  constructor(native: NativeVcpu) {
    this.#native = native;
  }

  /** The raw object; VMTAPE_CLOSED after close. */
  get native(): NativeVcpu {
    if (!this.#native) throw closedError('vCPU');
    return this.#native;
  }

  /** The kvm_run page and what follows it. Detached by close. */
  get page(): ArrayBuffer {
    return this.native.runPage();
  }

  /** KVM_RUN: the exit reason (KvmExit), or -errno. Blocks the thread. EINTR and EAGAIN are results; others throw. */
  run(): number {
    const result = this.native.run();
    if (result < 0 && result !== -4 && result !== -11) checkResult(result, 'KVM_RUN');
    return result;
  }

  /** A structure ioctl ("KVM_GET_SREGS") on `bytes`, which has the structure's layout. Returns the ioctl's result. */
  transfer(name: `KVM_${string}`, bytes: Uint8Array): number {
    checkBytes(bytes, 1, 'The structure');
    return checkResult(this.native.transfer(name, bytes), name);
  }

  /** KVM_ENABLE_CAP of the vCPU. */
  enableCapability(capability: number, argument: number): void {
    checkNumber(capability, 0xffffffff, 'The capability');
    checkNumber(argument, Number.MAX_SAFE_INTEGER, "The capability's argument");
    checkResult(this.native.enableCapability(capability, argument), `KVM_ENABLE_CAP ${capability}`);
  }

  /** KVM_INTERRUPT. */
  interrupt(vector: number): void {
    checkNumber(vector, 255, 'The vector');
    checkResult(this.native.interrupt(vector), 'KVM_INTERRUPT');
  }

  /** KVM_NMI. */
  nmi(): void {
    checkResult(this.native.nmi(), 'KVM_NMI');
  }

  /** Kicks the run under way, or the next one, in `microseconds`; 0 takes that back. On the vCPU's thread. */
  armTimer(microseconds: number): void {
    checkNumber(microseconds, 1e12, 'The time in microseconds');
    checkResult(this.native.armTimer(microseconds), 'timer_settime');
  }

  /** What {@link kickVcpu} takes, in any thread of the process. */
  get kickToken(): number {
    return this.native.kickToken();
  }

  /** Idempotent. */
  close(): void {
    this.#native?.close();
    this.#native = undefined;
  }
}

/** Ends the run under way (or the next one) of the vCPU with that token, from any thread. False: there is none. */
export function kickVcpu(token: number): boolean {
  checkNumber(token, Number.MAX_SAFE_INTEGER, 'The token');
  const result = loadAddon().kick(token);
  if (result === -3) return false;
  checkResult(result, 'tgkill');
  return true;
}

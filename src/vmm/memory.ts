/**
 * Guest-physical memory: RAM from address 0, and optionally a ROM at the top of the first MiB and of 4 GiB, inside the
 * one WebAssembly.Memory that both engines see (interp/layout.ts). Its initial size is its maximum: it never moves.
 *
 *     0 ─────────────── RAM ───────────── 1 MiB - n ── ROM (last n ≤ 128 KiB of it) ── 1 MiB ─── RAM ─── ramSize
 *     4 GiB - length ── ROM ── 4 GiB
 *
 * Without a ROM, RAM has no hole: there is no VGA memory at 0xa0000. RAM "under" the ROM's lower copy is not reachable, unless the memory
 * has windows (shadow-ram.ts): then {@link GuestMemory.regions} is what the processor sees now, and {@link GuestMemory.storage} all there is.
 */
import '../base/webassembly.js';
import {
  PAGE_DIRTY,
  PAGE_MAP,
  PAGE_PRESENT,
  PAGE_WRITABLE,
  RAM_BASE,
  RAM_MAX,
  ROM_BASE,
  ROM_MAX,
} from '../../interp/layout.js';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { hex } from '../base/hex.js';
import { CLOSED_WINDOWS, type MemoryWindow, WINDOWS, type WindowView, windowRegion } from './shadow-ram.js';

const PAGE = 0x1000;
const MIB = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;
/** The most of a ROM that is seen below 1 MiB. */
const LOW_ROM_MAX = 0x2_0000;
const WASM_PAGE = 0x1_0000;

/** Least RAM of a machine, in bytes. */
export const RAM_MIN = MIB;

/** A run of guest-physical memory; KVM makes a memory slot of each. */
export interface MemoryRegion {
  readonly gpa: number;
  /** Where it lies in the WebAssembly.Memory. */
  readonly offset: number;
  readonly length: number;
  readonly readonly: boolean;
}

/** What {@link GuestMemory} is made of. */
export interface MemoryOptions {
  /** Bytes of RAM: a multiple of 4096 from {@link RAM_MIN} to RAM_MAX. */
  readonly ramSize: number;
  /** The ROM's image: 1 byte to ROM_MAX. Its last byte is at 4 GiB - 1; it is filled up with ones in front. */
  readonly rom?: Uint8Array;
  /** A host bridge switches what is between A0000h and FFFFFh: {@link GuestMemory.show}. At first the bus is there. */
  readonly hasWindows?: boolean;
}

function memoryError(message: string, hint?: string): VmtapeError {
  return new VmtapeError('VMTAPE_MEMORY', message, ExitCode.Usage, hint);
}

/** The memory of one machine. Addresses are guest-physical; an access outside RAM and ROM throws VMTAPE_MEMORY. */
export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  readonly ramSize: number;
  /** All RAM and the ROM below 4 GiB, ascending by address, without overlap: what has contents of its own. */
  readonly storage: readonly MemoryRegion[];
  /** {@link show} may be called. */
  readonly hasWindows: boolean;
  /** The whole WebAssembly.Memory. */
  readonly whole: Uint8Array;
  readonly view: DataView;
  /** What a boot loader put here from a file, as views of the file: so that memory can be told by its files. */
  readonly placed: { readonly gpa: number; readonly bytes: Uint8Array }[] = [];
  /**
   * Called after the host wrote [gpa, gpa + length): the machine makes the vCPU forget code decoded from there. Set it
   * once the vCPU exists. Whoever writes through {@link bytes} or {@link whole} calls {@link noteWrite} itself.
   */
  onHostWrite: ((gpa: number, length: number) => void) | undefined;
  /** Called after {@link show} changed these windows: the machine makes the vCPU see it. */
  onRemap: ((changed: readonly MemoryWindow[]) => void) | undefined;
  #regions: readonly MemoryRegion[];
  #views: readonly WindowView[] = CLOSED_WINDOWS;
  readonly #lowRom: MemoryRegion | undefined;

  constructor(options: MemoryOptions) {
    const { ramSize, rom, hasWindows = false } = options;
    if (!Number.isInteger(ramSize) || ramSize < RAM_MIN || ramSize > RAM_MAX || ramSize % PAGE !== 0) {
      throw memoryError(
        `a machine cannot have ${ramSize} bytes of memory`,
        `give a multiple of 4 KiB from ${RAM_MIN / MIB}M to ${RAM_MAX / MIB}M`,
      );
    }
    if (rom !== undefined && (rom.length === 0 || rom.length > ROM_MAX)) {
      throw memoryError(`a ROM cannot have ${rom.length} bytes`, `give a ROM of 1 byte to ${ROM_MAX / MIB} MiB`);
    }
    const pages = Math.ceil((RAM_BASE + ramSize) / WASM_PAGE);
    this.memory = allocate(pages, ramSize);
    this.ramSize = ramSize;
    this.whole = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.hasWindows = hasWindows;
    const high = rom && this.#placeRom(rom);
    this.#lowRom = high && lowCopy(high);
    const roms = high ? [high] : [];
    const unseen = hasWindows ? undefined : this.#lowRom;
    this.storage = [...ramAround(unseen, ramSize), ...roms];
    this.#regions = hasWindows
      ? this.#throughWindows()
      : [...this.storage, ...(unseen ? [unseen] : [])].sort(ascending);
    this.#fillPageMap(0, FOUR_GIB);
  }

  /** What the processor sees: ascending by address, without overlap. */
  get regions(): readonly MemoryRegion[] {
    return this.#regions;
  }

  /** Switches the windows, in their order, and tells {@link onRemap} if that changes one. */
  show(views: readonly WindowView[]): void {
    const changed = WINDOWS.filter((_, index) => views[index] !== this.#views[index]);
    if (changed.length === 0) return;
    this.#views = [...views];
    this.#regions = this.#throughWindows();
    for (const { gpa, length } of changed) this.#fillPageMap(gpa, length);
    this.onRemap?.(changed);
  }

  /** Where page number `page` of RAM lies in {@link whole}, whether the processor sees it or not. */
  ramPageOffset(page: number): number {
    const isHidden = this.hasWindows && (page + 1) * PAGE <= this.ramSize;
    return isHidden ? RAM_BASE + page * PAGE : this.offsetOf(page * PAGE, PAGE, false);
  }

  /** Copies `bytes` to RAM, whether the processor sees it there or not. */
  writeRam(gpa: number, bytes: Uint8Array): void {
    if (!this.hasWindows || gpa + bytes.length > this.ramSize) {
      this.write(gpa, bytes);
      return;
    }
    this.whole.set(bytes, RAM_BASE + gpa);
    this.noteWrite(gpa, bytes.length);
  }

  /** The region of `gpa`, or undefined where there is no memory. */
  regionAt(gpa: number): MemoryRegion | undefined {
    for (const region of this.regions) {
      if (gpa >= region.gpa && gpa < region.gpa + region.length) return region;
    }
    return undefined;
  }

  /** Whether [gpa, gpa + length) lies wholly within one region. */
  contains(gpa: number, length: number): boolean {
    const region = this.regionAt(gpa);
    return region !== undefined && gpa + length <= region.gpa + region.length;
  }

  /** Where `length` bytes at `gpa` lie in {@link whole}. They must lie in one region, and in RAM if `write`. */
  offsetOf(gpa: number, length: number, write: boolean): number {
    const region = this.regionAt(gpa);
    if (region === undefined || length < 0 || gpa + length > region.gpa + region.length) {
      throw memoryError(`there is no memory for ${length} bytes at guest address ${hex(gpa)}`);
    }
    if (write && region.readonly) throw memoryError(`the memory at guest address ${hex(gpa)} is a ROM`);
    return region.offset + (gpa - region.gpa);
  }

  /** The live bytes of [gpa, gpa + length): no copy. Who writes to them calls {@link noteWrite}. */
  bytes(gpa: number, length: number): Uint8Array {
    const offset = this.offsetOf(gpa, length, false);
    return this.whole.subarray(offset, offset + length);
  }

  /** Tells that the host wrote [gpa, gpa + length). */
  noteWrite(gpa: number, length: number): void {
    if (length > 0) {
      const last = Math.floor((gpa + length - 1) / PAGE);
      this.whole.fill(1, PAGE_DIRTY + Math.floor(gpa / PAGE), PAGE_DIRTY + last + 1);
    }
    this.onHostWrite?.(gpa, length);
  }

  /**
   * The guest-physical numbers of pages, ascending, that the host or the interpreter wrote since the last call. Of what the guest writes on
   * KVM nothing is known here: that is Vcpu.takeDirtyPages.
   */
  takeMarkedPages(): Uint32Array {
    const marks = this.whole.subarray(PAGE_DIRTY, PAGE_DIRTY + this.ramSize / PAGE);
    const pages: number[] = [];
    for (let page = marks.indexOf(1); page >= 0; page = marks.indexOf(1, page + 1)) pages.push(page);
    marks.fill(0);
    return Uint32Array.from(pages);
  }

  /** Copies `bytes` to RAM. */
  write(gpa: number, bytes: Uint8Array): void {
    const offset = this.offsetOf(gpa, bytes.length, true);
    this.whole.set(bytes, offset);
    this.noteWrite(gpa, bytes.length);
  }

  /** Fills RAM with `value`. */
  fill(gpa: number, length: number, value: number): void {
    const offset = this.offsetOf(gpa, length, true);
    this.whole.fill(value, offset, offset + length);
    this.noteWrite(gpa, length);
  }

  readU8(gpa: number): number {
    return this.view.getUint8(this.offsetOf(gpa, 1, false));
  }
  readU16(gpa: number): number {
    return this.view.getUint16(this.offsetOf(gpa, 2, false), true);
  }
  readU32(gpa: number): number {
    return this.view.getUint32(this.offsetOf(gpa, 4, false), true);
  }
  readU64(gpa: number): bigint {
    return this.view.getBigUint64(this.offsetOf(gpa, 8, false), true);
  }
  writeU8(gpa: number, value: number): void {
    this.view.setUint8(this.offsetOf(gpa, 1, true), value);
    this.noteWrite(gpa, 1);
  }
  writeU16(gpa: number, value: number): void {
    this.view.setUint16(this.offsetOf(gpa, 2, true), value, true);
    this.noteWrite(gpa, 2);
  }
  writeU32(gpa: number, value: number): void {
    this.view.setUint32(this.offsetOf(gpa, 4, true), value, true);
    this.noteWrite(gpa, 4);
  }
  writeU64(gpa: number, value: bigint): void {
    this.view.setBigUint64(this.offsetOf(gpa, 8, true), value, true);
    this.noteWrite(gpa, 8);
  }

  /** Copies the image to the end of the ROM's place. */
  #placeRom(rom: Uint8Array): MemoryRegion {
    const length = Math.ceil(rom.length / PAGE) * PAGE;
    this.whole.fill(0xff, ROM_BASE, ROM_BASE + length);
    this.whole.set(rom, ROM_BASE + length - rom.length);
    return { gpa: FOUR_GIB - length, offset: ROM_BASE, length, readonly: true };
  }

  #throughWindows(): MemoryRegion[] {
    const first = (WINDOWS[0] as MemoryWindow).gpa;
    const seen = WINDOWS.map((window, index) =>
      windowRegion(window, this.#views[index] as WindowView, RAM_BASE, this.#lowRom),
    );
    return [
      ramRegion(0, first),
      ...seen.filter((region) => region !== undefined),
      ...(this.ramSize > MIB ? [ramRegion(MIB, this.ramSize - MIB)] : []),
      ...this.storage.filter((region) => region.readonly),
    ];
  }

  /** Of [gpa, gpa + length), in which a region lies wholly or not at all. */
  #fillPageMap(gpa: number, length: number): void {
    const map = new Uint32Array(this.memory.buffer, PAGE_MAP, FOUR_GIB / PAGE);
    map.fill(0, gpa / PAGE, (gpa + length) / PAGE);
    for (const region of this.#regions) {
      if (region.gpa < gpa || region.gpa >= gpa + length) continue;
      const flags = region.readonly ? PAGE_PRESENT : PAGE_PRESENT | PAGE_WRITABLE;
      const first = region.gpa / PAGE;
      for (let page = 0; page < region.length / PAGE; page++) map[first + page] = region.offset + page * PAGE + flags;
    }
  }
}

function ramRegion(gpa: number, length: number): MemoryRegion {
  return { gpa, offset: RAM_BASE + gpa, length, readonly: false };
}

/** RAM, without what lies under `hole`. */
function ramAround(hole: MemoryRegion | undefined, ramSize: number): MemoryRegion[] {
  if (hole === undefined) return [ramRegion(0, ramSize)];
  return [ramRegion(0, hole.gpa), ...(ramSize > MIB ? [ramRegion(MIB, ramSize - MIB)] : [])];
}

/** The end of the ROM, seen at the end of the first MiB. */
function lowCopy({ offset, length }: MemoryRegion): MemoryRegion {
  const low = Math.min(length, LOW_ROM_MAX);
  return { gpa: MIB - low, offset: offset + length - low, length: low, readonly: true };
}

function ascending(a: MemoryRegion, b: MemoryRegion): number {
  return a.gpa - b.gpa;
}

function allocate(pages: number, ramSize: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch {
    throw memoryError(`this host cannot give a machine ${ramSize / MIB} MiB of memory`, 'give it less: --mem 128M');
  }
}

/** The region of the ROM is the one that ends at 4 GiB. */
export function isRom({ gpa, length }: { readonly gpa: number; readonly length: number }): boolean {
  return gpa + length === FOUR_GIB;
}

/** RAM, and the ROM below 4 GiB, as a trace sees them: live views, ascending. */
export function memoryRuns(memory: GuestMemory): { readonly gpa: number; readonly bytes: Uint8Array }[] {
  return memory.storage.map(({ gpa, offset, length }) => ({
    gpa,
    bytes: memory.whole.subarray(offset, offset + length),
  }));
}

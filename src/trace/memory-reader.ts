/** Guest memory out of a trace: that of the start, and those of checkpoints. */
import { ExitCode, VmtapeError } from '../base/errors.js';
import { BlobFrame } from './blobs.js';
import { damagedTrace, truncatedTrace } from './errors.js';
import { FrameKind, PAGE_SIZE } from './format.js';
import type { Frame } from './frame.js';
import type { FrameFile } from './frame-file.js';
import type { TraceHeader } from './header.js';
import { applyRuns, CHAIN_MAX, PAGES_MAX, type PageMapFrame, PageTable, parsePageMap, ZERO_PAGE } from './image.js';
import { type Patch, type Placement, parsePlacements } from './placements.js';
import { type FoundFrame, parsed, type TraceIndex } from './trace-index.js';

/** Gives a file of the guest by its SHA-256 in hex; undefined: it is not at hand. */
export type GuestFiles = (sha256: string) => Uint8Array | undefined;

/** See the head of the file. */
export class MemoryReader {
  readonly #file: FrameFile;
  readonly #index: TraceIndex;
  readonly #header: TraceHeader;
  readonly #files: GuestFiles | undefined;

  constructor(file: FrameFile, index: TraceIndex, header: TraceHeader, files: GuestFiles | undefined) {
    this.#file = file;
    this.#index = index;
    this.#header = header;
    this.#files = files;
  }

  /** See TraceReader.loadMemory. */
  load(onBytes: (gpa: number, bytes: Uint8Array) => void, set: number): void {
    this.#load(onBytes, set, 0, this.#header.memorySize);
  }

  /** The bytes of the ROM. */
  rom(): Uint8Array {
    const rom = new Uint8Array(Math.ceil(this.#header.romSize / PAGE_SIZE) * PAGE_SIZE);
    const start = PAGES_MAX * PAGE_SIZE - rom.length;
    this.#load((gpa, bytes) => rom.set(bytes, gpa - start), 0, start, PAGES_MAX * PAGE_SIZE);
    return rom.subarray(rom.length - this.#header.romSize);
  }

  /** A frame of blobs, whole. */
  blobs({ place, first }: FoundFrame): BlobFrame {
    const frame = this.#file.read(place);
    const blobs = parsed(frame, (payload) => new BlobFrame(payload));
    if (frame.kind !== FrameKind.Blobs || blobs.first !== first || blobs.count !== frame.count || blobs.count === 0) {
      throw damagedTrace(place, `does not have the contents from ${first} on that it should have`);
    }
    return blobs;
  }

  /** Which blob each page of a memory has. */
  table(set: number): PageTable {
    const table = new PageTable(this.#header.memorySize, this.#header.romSize);
    for (const frames of this.#chain(set)) {
      const place = { page: 0, blob: 0 };
      for (const { frame, map } of frames) {
        parsed(frame, () => applyRuns(map.runs, place, table, this.#index.root.blobs));
      }
    }
    return table;
  }

  #load(onBytes: (gpa: number, bytes: Uint8Array) => void, set: number, from: number, to: number): void {
    const table = this.table(set);
    const slots: number[] = [];
    const last = table.slot(to / PAGE_SIZE - 1);
    for (let slot = table.slot(from / PAGE_SIZE); slot <= last; slot++) {
      if (table.blobs[slot] !== ZERO_PAGE) slots.push(slot);
    }
    slots.sort((a, b) => (table.blobs[a] as number) - (table.blobs[b] as number));
    let frame: BlobFrame | undefined;
    let place = this.#file.place(0, 0);
    for (const slot of slots) {
      const blob = table.blobs[slot] as number;
      if (!frame || blob >= frame.first + frame.count) {
        const found = this.#index.find(FrameKind.Blobs, blob);
        if (!found)
          throw truncatedTrace(
            this.#file.place(this.#index.frames, this.#index.bytes),
            'is missing: it has contents of memory',
          );
        frame = this.blobs(found);
        ({ place } = found);
      }
      const bytes = frame.bytes(blob);
      if (bytes.length !== PAGE_SIZE) throw damagedTrace(place, `has a page of ${bytes.length} bytes`);
      onBytes(table.page(slot) * PAGE_SIZE, bytes);
    }
    if (set === 0) for (const { gpa, bytes } of this.placed()) onPart(gpa, bytes, from, to, onBytes);
  }

  /** The frames of the memory and of those that it differs from, the first one first. */
  #chain(set: number): { frame: Frame; map: PageMapFrame }[][] {
    const chain: { frame: Frame; map: PageMapFrame }[][] = [];
    for (let next = set; next >= 0; ) {
      const frames = this.#index.root.maps
        .filter((listed) => listed.set === next)
        .map((listed) => this.#file.read(this.#file.place(listed.frame, listed.byte)))
        .filter(({ kind }) => kind === FrameKind.PageMap)
        .map((frame) => ({ frame, map: parsed(frame, (payload) => parsePageMap(payload, next)) }));
      const last = frames.at(-1);
      if (!last?.map.isLast) {
        const end = this.#file.place(this.#index.frames, this.#index.bytes);
        throw truncatedTrace(end, 'is missing: the memory of the guest is not whole');
      }
      if (chain.length >= CHAIN_MAX) throw damagedTrace(last.frame.place, 'differs from too long a chain of memories');
      chain.unshift(frames);
      next = last.map.base;
    }
    return chain;
  }

  /** What stands over the pages of the page map at the start: parts of files, and patches, in the order in which they are done. */
  placed(): Patch[] {
    const placements: Placement[] = [];
    const patches: Patch[] = [];
    for (const { frame, byte, set } of this.#index.root.maps) {
      if (set !== 0) continue;
      const found = this.#file.read(this.#file.place(frame, byte));
      if (found.kind !== FrameKind.Placements) continue;
      const more = parsed(found, parsePlacements);
      placements.push(...more.placements);
      patches.push(...more.patches);
      for (const placement of more.placements) this.#check(placement, found);
    }
    const parts = placements.map(({ file, offset, length, gpa }) => ({
      gpa,
      bytes: this.#fileBytes(file).subarray(offset, offset + length),
    }));
    return [...parts, ...patches];
  }

  #check({ file, offset, length }: Placement, frame: Frame): void {
    const named = this.#header.files[file];
    if (!named || offset + length > named.size)
      throw damagedTrace(frame.place, `places what file ${file} does not have`);
  }

  #fileBytes(number: number): Uint8Array {
    const named = this.#header.files[number] as TraceHeader['files'][number];
    const bytes = this.#files?.(named.sha256);
    if (bytes?.length === named.size) return bytes;
    const what = `${JSON.stringify(named.name)}, SHA-256 ${named.sha256}`;
    throw new VmtapeError(
      'VMTAPE_TRACE_GUEST',
      `${this.#file.path} was recorded without its guest, and needs the ${named.role} ${what}`,
      ExitCode.Usage,
      'give the file with --image FILE',
    );
  }
}

/** The part of the bytes that lies in [from, to). */
function onPart(
  gpa: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  onBytes: (gpa: number, bytes: Uint8Array) => void,
): void {
  const start = Math.max(gpa, from);
  const end = Math.min(gpa + bytes.length, to);
  if (start < end) onBytes(start, bytes.subarray(start - gpa, end - gpa));
}

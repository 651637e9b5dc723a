/** Reading a trace: one frame in memory at a time, everything checked before it is used. */
import { ExitCode, VmtapeError } from '../base/errors.js';
import { ColumnError } from './columns.js';
import { damagedTrace, type TracePlace } from './errors.js';
import { FrameKind, PAGE_SIZE, PAGES_PER_FRAME } from './format.js';
import { type Frame, FrameReader } from './frame.js';
import { parseEnd, parseHeader, type TraceEnd, type TraceHeader } from './header.js';
import { type PageMap, parseBytes, parsePageMap } from './image.js';
import { unpackMessage } from './msgpack.js';
import { TraceRecord } from './record.js';
import { RecordFrameReader } from './record-frame.js';

/** A trace that is open for reading. */
export class TraceReader {
  readonly header: TraceHeader;
  /** The image of the ROM, if the machine had one. */
  readonly rom: Uint8Array | undefined;
  readonly #frames: FrameReader;
  readonly #pages: TracePlace[] = [];
  readonly #map: PageMap;
  readonly #records: TracePlace;

  /** Opens the file and reads all that comes before the records; the pages are checked, and read by {@link loadPages}. */
  constructor(readonly path: string) {
    this.#frames = new FrameReader(path);
    try {
      const first = this.#expect(FrameKind.Header);
      this.header = parsed(first, (payload) => parseHeader(unpackMessage(payload), this.#frames.id, this.#frames.date));
      this.rom = this.header.romSize > 0 ? this.#readRom() : undefined;
      this.#map = this.#readImage();
      this.#records = this.#frames.place;
    } catch (error) {
      this.#frames.close();
      throw error;
    }
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#frames.size;
  }

  /** Calls `onPage` with each page of RAM that is not all zeros. Each frame of pages is read once. */
  loadPages(onPage: (gpa: number, bytes: Uint8Array) => void): void {
    const { pages, content } = this.#map;
    const users = new Map<number, number[]>();
    for (let index = 0; index < pages.length; index++) {
      const list = users.get(content[index] as number);
      if (list) list.push(pages[index] as number);
      else users.set(content[index] as number, [pages[index] as number]);
    }
    for (const [number, place] of this.#pages.entries()) {
      this.#frames.seek(place);
      const bytes = parsed(this.#frames.read(), parseBytes);
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
        const list = users.get(number * PAGES_PER_FRAME + at / PAGE_SIZE) ?? [];
        for (const page of list) onPage(page * PAGE_SIZE, bytes.subarray(at, at + PAGE_SIZE));
      }
    }
  }

  /** Reads the records from the first on. One cursor at a time. */
  cursor(): TraceCursor {
    this.#frames.seek(this.#records);
    return new TraceCursor(this.#frames, this.header.counting);
  }

  /** Idempotent. */
  close(): void {
    this.#frames.close();
  }

  #expect(kind: FrameKind): Frame {
    const frame = this.#frames.read();
    if (frame.kind !== kind) throw damagedTrace(frame.place, `has the kind ${frame.kind} where ${kind} must come`);
    return frame;
  }

  #readRom(): Uint8Array {
    const frame = this.#expect(FrameKind.Rom);
    const rom = parsed(frame, parseBytes);
    if (rom.length !== this.header.romSize) throw damagedTrace(frame.place, `has a ROM of ${rom.length} bytes`);
    return rom;
  }

  #readImage(): PageMap {
    let contents = 0;
    for (;;) {
      const frame = this.#frames.read();
      if (frame.kind === FrameKind.Pages) {
        const { length } = parsed(frame, parseBytes);
        if (contents % PAGES_PER_FRAME !== 0 || length === 0 || length % PAGE_SIZE !== 0) {
          throw damagedTrace(frame.place, `has ${length} bytes of pages`);
        }
        contents += length / PAGE_SIZE;
        if (length > PAGES_PER_FRAME * PAGE_SIZE) throw damagedTrace(frame.place, 'has too many pages');
        this.#pages.push(frame.place);
        continue;
      }
      if (frame.kind !== FrameKind.PageMap) throw damagedTrace(frame.place, 'stands where the page map must come');
      const map = parsed(frame, (payload) => parsePageMap(payload, this.header.memorySize));
      if (map.contents !== contents) throw damagedTrace(frame.place, `knows ${map.contents} pages of ${contents}`);
      return map;
    }
  }
}

/** Reads records in order. */
export class TraceCursor {
  /** The record that {@link next} read last; reused. */
  readonly record = new TraceRecord();
  /** How the recording ended, once {@link next} has returned false; undefined: it did not end cleanly. */
  end: TraceEnd | undefined;
  /** Why nothing more can be read although no end was marked: VMTAPE_TRACE_TRUNCATED or _DAMAGED. */
  damage: VmtapeError | undefined;
  /** Records read so far. */
  count = 0;
  /** Frames of records read so far. */
  frameCount = 0;
  readonly #frames: FrameReader;
  readonly #counting: boolean;
  #frame: RecordFrameReader | undefined;
  #place: TracePlace | undefined;
  #retired = 0;

  constructor(frames: FrameReader, counting: boolean) {
    this.#frames = frames;
    this.#counting = counting;
  }

  /** Reads the next record. False: there is none; see {@link end} and {@link damage}. */
  next(): boolean {
    if (this.end !== undefined || this.damage !== undefined) return false;
    try {
      for (;;) {
        if (this.#frame?.next(this.record)) {
          if (this.#counting) this.#retired = this.record.retired;
          this.count++;
          return true;
        }
        if (!this.#open()) return false;
      }
    } catch (error) {
      this.damage = this.#damageOf(error);
      return false;
    }
  }

  /** Opens the next frame of records; false: it was the end. */
  #open(): boolean {
    const frame = this.#frames.read();
    this.#place = frame.place;
    if (frame.kind === FrameKind.End) {
      const end = parseEnd(unpackMessage(frame.payload));
      if (end.records !== this.count) {
        throw new ColumnError(`says that there are ${end.records} records, and there are ${this.count}`);
      }
      if (!this.#frames.atEnd) throw damagedTrace(this.#frames.place, 'comes after the end');
      this.end = end;
      return false;
    }
    if (frame.kind !== FrameKind.Records) throw new ColumnError(`has the kind ${frame.kind} among the records`);
    const reader = new RecordFrameReader(frame.payload);
    if (reader.first !== this.count)
      throw new ColumnError(`begins with record ${reader.first} in place of ${this.count}`);
    if (this.#counting ? reader.retired !== this.#retired : !Number.isNaN(reader.retired)) {
      throw new ColumnError('does not go on with the instruction count of the frame before');
    }
    this.#frame = reader;
    this.frameCount++;
    return true;
  }

  #damageOf(error: unknown): VmtapeError {
    if (error instanceof VmtapeError && error.exitCode === ExitCode.BadFile) return error;
    if (error instanceof ColumnError && this.#place) return damagedTrace(this.#place, error.message);
    throw error;
  }
}

/** Parses the payload of a frame, adding its place to what is wrong with it. */
function parsed<T>(frame: Frame, parse: (payload: Uint8Array) => T): T {
  try {
    return parse(frame.payload);
  } catch (error) {
    if (error instanceof ColumnError) throw damagedTrace(frame.place, error.message);
    throw error;
  }
}

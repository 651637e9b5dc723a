/** What the index of a file says, or, where there is none, what its frames say: the totals, and where which frame is. */
import type { VmtapeError } from '../base/errors.js';
import { parseCheckpoint } from './checkpoint.js';
import { ColumnError } from './columns.js';
import { damagedTrace, isTraceError, type TracePlace } from './errors.js';
import {
  FRAME_HEAD_SIZE,
  FrameKind,
  PRELUDE_SIZE,
  TRAILER_MAGIC,
  TRAILER_PAYLOAD_SIZE,
  TRAILER_SIZE,
} from './format.js';
import type { Frame } from './frame.js';
import type { FrameFile } from './frame-file.js';
import {
  compactList,
  type FrameList,
  type FrameListSummary,
  IndexBuilder,
  type ListedCheckpoint,
  parseIndex,
  parseRoot,
  type TraceRoot,
} from './frame-index.js';

/** Lists that were read and are kept: enough for 16 million records without a second look. */
const LISTS_KEPT = 64;

/** A frame and what is before it. */
export interface FoundFrame {
  readonly place: TracePlace;
  /** The first record or blob of the frame. */
  readonly first: number;
}

/** The index of an open file. */
export class TraceIndex {
  readonly root: TraceRoot;
  /** The file ends with the root, as it was closed cleanly. */
  readonly isClosed: boolean;
  /** Where a file that was not closed cleanly stops being one, and why. */
  readonly damage: VmtapeError | undefined;
  /** Of the frames that are there as a whole. */
  readonly frames: number;
  readonly bytes: number;
  readonly #file: FrameFile;
  /** Lists that were read, or found: by the number of their first frame. */
  readonly #lists = new Map<number, FrameList>();

  constructor(file: FrameFile) {
    this.#file = file;
    const root = readRoot(file);
    if (root) {
      this.root = root;
      this.isClosed = true;
      this.frames = root.frames + 2;
      this.bytes = file.size;
    } else {
      const found = scan(file, this.#lists);
      this.root = found.root;
      this.damage = found.damage;
      this.isClosed = false;
      this.frames = found.frames;
      this.bytes = found.bytes;
    }
  }

  /** The frame of records, or of blobs, that has the one of this number; undefined: there is none. */
  find(kind: typeof FrameKind.Records | typeof FrameKind.Blobs, number: number): FoundFrame | undefined {
    const list = this.#listOf(kind === FrameKind.Records ? 'record' : 'blob', number);
    let byte = list.byte;
    let first = kind === FrameKind.Records ? list.record : list.blob;
    for (let index = 0; index < list.kinds.length; index++) {
      if (list.kinds[index] === kind) {
        const count = list.counts[index] as number;
        if (number < first + count) return { place: this.#file.place(list.frame + index, byte), first };
        first += count;
      }
      byte += list.sizes[index] as number;
    }
    return undefined;
  }

  /** All frames of a kind, in their order. */
  *framesOf(kind: number): Generator<TracePlace, void> {
    for (const summary of [...this.root.lists, undefined]) {
      const list = summary ? this.#read(summary) : this.root.tail;
      let { byte } = list;
      for (let index = 0; index < list.kinds.length; index++) {
        if (list.kinds[index] === kind) yield this.#file.place(list.frame + index, byte);
        byte += list.sizes[index] as number;
      }
    }
  }

  /** The last checkpoint at or before the record of this ordinal. */
  checkpointBefore(record: number): ListedCheckpoint | undefined {
    let best: ListedCheckpoint | undefined;
    for (const checkpoint of this.root.checkpoints) {
      if (checkpoint.record <= record && checkpoint.record >= (best?.record ?? 0)) best = checkpoint;
    }
    return best;
  }

  #listOf(what: 'record' | 'blob', number: number): FrameList {
    const { lists, tail } = this.root;
    if (number >= tail[what]) return tail;
    let low = 0;
    let high = lists.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((lists[middle]?.[what] ?? 0) <= number) low = middle;
      else high = middle - 1;
    }
    const summary = lists[low];
    return summary ? this.#read(summary) : tail;
  }

  #read(summary: FrameListSummary): FrameList {
    const known = this.#lists.get(summary.frame);
    if (known) return known;
    const { frame, byte } = summary.at ?? { frame: 0, byte: 0 };
    const list = parsed(this.#file.read(this.#file.place(frame, byte)), parseIndex);
    if (this.isClosed && this.#lists.size >= LISTS_KEPT) this.#lists.clear();
    this.#lists.set(summary.frame, list);
    return list;
  }
}

/** The root of a file that was closed cleanly. */
function readRoot(file: FrameFile): TraceRoot | undefined {
  const at = file.size - TRAILER_SIZE;
  if (at < PRELUDE_SIZE) return undefined;
  const bytes = file.bytes(at, TRAILER_SIZE);
  if (TRAILER_MAGIC.some((byte, index) => byte !== bytes[TRAILER_SIZE - TRAILER_MAGIC.length + index]))
    return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + FRAME_HEAD_SIZE, TRAILER_PAYLOAD_SIZE);
  const byte = Number(view.getBigUint64(0, true));
  const frame = view.getUint32(8, true);
  if (byte < PRELUDE_SIZE || byte > at)
    throw damagedTrace(file.place(frame + 1, at), 'says that the root is outside the file');
  file.read(file.place(frame + 1, at));
  const found = file.read(file.place(frame, byte));
  if (found.kind !== FrameKind.Root || byte + FRAME_HEAD_SIZE + found.stored !== at) {
    throw damagedTrace(found.place, 'is not the root that the trailer follows');
  }
  const root = parsed(found, (payload) => parseRoot(payload, Math.floor(file.size / FRAME_HEAD_SIZE)));
  if (root.frames !== frame) throw damagedTrace(found.place, `says that there are ${root.frames} frames before it`);
  return root;
}

interface Scanned {
  readonly root: TraceRoot;
  readonly damage: VmtapeError | undefined;
  readonly frames: number;
  readonly bytes: number;
}

/** Goes from head to head. Payloads are checked when they are read, but for that of the last frame. */
function scan(file: FrameFile, lists: Map<number, FrameList>): Scanned {
  const builder = new IndexBuilder();
  let damage: VmtapeError | undefined;
  while (damage === undefined) {
    const place = file.place(builder.frames, builder.bytes);
    try {
      const head = file.head(place);
      const record = head.kind === FrameKind.Checkpoint ? parsed(file.read(place), parseCheckpoint).record : 0;
      if (head.kind === FrameKind.Index && builder.isListDue) lists.set(builder.next.frame, compactList(builder.next));
      builder.add(head.kind, FRAME_HEAD_SIZE + head.stored, head.count, record);
    } catch (error) {
      if (!isTraceError(error)) throw error;
      damage = error;
    }
  }
  const { frames, bytes, records, blobs, maps, checkpoints, end, tail, unlisted } = builder;
  for (const list of unlisted) lists.set(list.frame, list);
  const root = {
    complete: end !== undefined,
    frames,
    records,
    blobs,
    lists: [
      ...builder.lists,
      ...unlisted.map(({ frame, byte, record, blob }) => ({ frame, byte, record, blob, at: undefined })),
    ],
    tail,
    maps,
    checkpoints,
    end,
  };
  return { root, damage, frames, bytes };
}

/** Parses the payload of a frame, adding its place to what is wrong with it. */
export function parsed<T>(frame: Frame, parse: (payload: Uint8Array) => T): T {
  try {
    return parse(frame.payload);
  } catch (error) {
    if (error instanceof ColumnError) throw damagedTrace(frame.place, error.message);
    throw error;
  }
}

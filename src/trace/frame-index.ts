/**
 * The index: lists of frames, FRAMES_PER_INDEX a list, as frames among the others, and at the end the root with the
 * totals and the list of the lists, so that a file of any size is opened by reading kilobytes of it.
 */
import { bounded, ColumnError, ColumnReader, ColumnWriter, plainBytes, wholeNumber } from './columns.js';
import { Fields } from './fields.js';
import { FRAME_HEAD_SIZE, FRAMES_PER_INDEX, FrameKind, PAYLOAD_MAX, PRELUDE_SIZE } from './format.js';
import { packMessage, unpackMessage } from './msgpack.js';

/** A list is due at FRAMES_PER_INDEX frames; roots of before, and what was queued, may have come meanwhile. Of more frames there are several. */
const LIST_MAX = 2 * FRAMES_PER_INDEX;

/** A column of a list: an array, or, where there may be many lists, what takes less room. */
export type Numbers = ArrayLike<number> & Iterable<number>;

/** The count of a frame is a u32. */
const COUNT_MAX = 0xffff_ffff;

/** Frames that follow each other. */
export interface FrameList {
  /** Of the first frame: its number, its byte in the file, and the records and blobs before it. */
  readonly frame: number;
  readonly byte: number;
  readonly record: number;
  readonly blob: number;
  /** Of each frame: its kind, its bytes with the head, and its count. */
  readonly kinds: Numbers;
  readonly sizes: Numbers;
  readonly counts: Numbers;
}

/** The same in as little room as can be. */
export function compactList(list: FrameList): FrameList {
  const { kinds, sizes, counts } = list;
  return { ...list, kinds: Uint8Array.from(kinds), sizes: Uint32Array.from(sizes), counts: Uint32Array.from(counts) };
}

/** A list that grows. */
interface TailList extends FrameList {
  readonly kinds: number[];
  readonly sizes: number[];
  readonly counts: number[];
}

/** Where a list begins, and which frame it is. */
export interface FrameListSummary {
  readonly frame: number;
  readonly byte: number;
  readonly record: number;
  readonly blob: number;
  /** The frame of kind Index with the list: its number and byte; undefined: the root has the list. */
  readonly at: { readonly frame: number; readonly byte: number } | undefined;
}

/** The place of a frame that is listed by itself. */
export interface ListedFrame {
  readonly frame: number;
  readonly byte: number;
}

/** A frame of kind PageMap or Placements. */
export interface ListedMap extends ListedFrame {
  /** The memory that it belongs to: 0 that of the start, others those of checkpoints. */
  readonly set: number;
}

/** A checkpoint of the file. */
export interface ListedCheckpoint extends ListedFrame {
  /** The state is that before the record of this ordinal. */
  readonly record: number;
}

/** The root. */
export interface TraceRoot {
  /** The recorder wrote the end. False: it died, and the file was repaired. */
  readonly complete: boolean;
  readonly frames: number;
  readonly records: number;
  readonly blobs: number;
  /** All lists but the last. */
  readonly lists: readonly FrameListSummary[];
  /** The frames behind those. */
  readonly tail: FrameList;
  /** Frames of kind PageMap and Placements, and of kind Checkpoint. */
  readonly maps: readonly ListedMap[];
  readonly checkpoints: readonly ListedCheckpoint[];
  readonly end: ListedFrame | undefined;
}

/** Collects what the index says while frames are written or found. */
export class IndexBuilder {
  frames = 0;
  bytes = PRELUDE_SIZE;
  records = 0;
  blobs = 0;
  readonly lists: FrameListSummary[] = [];
  readonly maps: ListedMap[] = [];
  readonly checkpoints: ListedCheckpoint[] = [];
  end: ListedFrame | undefined;
  /** Lists that no index has yet: so many frames came without one, as in a file that lost its indexes. */
  readonly unlisted: FrameList[] = [];
  #tail: TailList = emptyList(0, PRELUDE_SIZE, 0, 0);

  /** Goes on with the index of a file. */
  static from(root: TraceRoot): IndexBuilder {
    const builder = new IndexBuilder();
    builder.lists.push(...root.lists);
    builder.maps.push(...root.maps);
    builder.checkpoints.push(...root.checkpoints);
    builder.end = root.end;
    builder.records = root.records;
    builder.blobs = root.blobs;
    const { tail } = root;
    builder.frames = root.frames;
    builder.bytes = [...tail.sizes].reduce((sum, size) => sum + size, tail.byte);
    builder.#tail = { ...tail, kinds: [...tail.kinds], sizes: [...tail.sizes], counts: [...tail.counts] };
    return builder;
  }

  /** The next frame is to be an index: see {@link list}. */
  get isListDue(): boolean {
    return this.unlisted.length > 0 || this.#tail.kinds.length >= FRAMES_PER_INDEX;
  }
  /** The frames behind the last list. */
  get tail(): TailList {
    return this.#tail;
  }
  /** What the next index lists. */
  get next(): FrameList {
    return this.unlisted[0] ?? this.#tail;
  }

  /**
   * A frame of so many bytes, with its head, is at the end of the file. `record`: of a checkpoint. `isList`: it is the index that was due; false
   * for one of foreign make that lists something else.
   */
  add(
    kind: number,
    size: number,
    count: number,
    record = 0,
    isList = kind === FrameKind.Index && this.isListDue,
  ): void {
    const place = { frame: this.frames, byte: this.bytes };
    if (isList) this.#closeList(place);
    this.#tail.kinds.push(kind);
    this.#tail.sizes.push(size);
    this.#tail.counts.push(count);
    if (kind === FrameKind.PageMap || kind === FrameKind.Placements) this.maps.push({ ...place, set: count });
    if (kind === FrameKind.Checkpoint) this.checkpoints.push({ ...place, record });
    if (kind === FrameKind.End) this.end = place;
    if (kind === FrameKind.Records) this.records += count;
    if (kind === FrameKind.Blobs) this.blobs += count;
    this.frames++;
    this.bytes += size;
    if (this.#tail.kinds.length > LIST_MAX) this.#divide();
  }

  /** The payload of a frame of kind Index: the list of the frames since the last one. */
  list(): Uint8Array {
    return packMessage(listMessage(this.next));
  }

  #closeList(at: ListedFrame): void {
    const { frame, byte, record, blob } = this.next;
    this.lists.push({ frame, byte, record, blob, at });
    if (this.unlisted.shift() === undefined) this.#tail = emptyList(this.frames, this.bytes, this.records, this.blobs);
  }

  /** The first frames of the tail are a list of their own. */
  #divide(): void {
    const { frame, byte, record, blob, kinds, sizes, counts } = this.#tail;
    const list = {
      ...{ frame, byte, record, blob, kinds: kinds.splice(0, FRAMES_PER_INDEX) },
      ...{ sizes: sizes.splice(0, FRAMES_PER_INDEX), counts: counts.splice(0, FRAMES_PER_INDEX) },
    };
    const counted = (wanted: number) =>
      list.counts.reduce((sum, count, index) => sum + (list.kinds[index] === wanted ? count : 0), 0);
    this.unlisted.push(compactList(list));
    this.#tail = {
      ...{ frame: frame + FRAMES_PER_INDEX, byte: list.sizes.reduce((sum, size) => sum + size, byte) },
      ...{ record: record + counted(FrameKind.Records), blob: blob + counted(FrameKind.Blobs), kinds, sizes, counts },
    };
  }

  /** The payload of the root. */
  root(complete: boolean): Uint8Array {
    return packMessage({
      complete,
      frames: this.frames,
      records: this.records,
      blobs: this.blobs,
      lists: packRows(
        this.lists.map(({ frame, byte, record, blob, at }) => [
          frame,
          byte,
          record,
          blob,
          at?.frame ?? 0,
          at?.byte ?? 0,
        ]),
      ),
      tail: listMessage(this.#tail),
      maps: packRows(this.maps.map(({ frame, byte, set }) => [frame, byte, set])),
      checkpoints: packRows(this.checkpoints.map(({ frame, byte, record }) => [frame, byte, record])),
      end: packRows(this.end ? [[this.end.frame, this.end.byte]] : []),
    });
  }
}

function emptyList(frame: number, byte: number, record: number, blob: number) {
  return { frame, byte, record, blob, kinds: [] as number[], sizes: [] as number[], counts: [] as number[] };
}

function listMessage(list: FrameList): unknown[] {
  const [kinds, sizes, counts] = [new ColumnWriter(), new ColumnWriter(), new ColumnWriter()];
  for (const kind of list.kinds) kinds.u8(kind);
  for (const size of list.sizes) sizes.varint(size);
  for (const count of list.counts) counts.varint(count);
  return [list.frame, list.byte, list.record, list.blob, kinds.peek(), sizes.peek(), counts.peek()];
}

/** Rows of whole numbers, each the difference from the number above it. */
function packRows(rows: readonly (readonly number[])[]): Uint8Array {
  const column = new ColumnWriter();
  for (const [index, row] of rows.entries()) {
    for (const [place, value] of row.entries()) column.signed(value - (rows[index - 1]?.[place] ?? 0));
  }
  return column.peek();
}

/** Rows whose first number is that of a frame: ascending, and below `frames`, so that there are no more rows than frames. */
function unpackRows(value: unknown, width: number, name: string, frames: number): number[][] {
  const column = new ColumnReader(plainBytes(value, name), name);
  const rows: number[][] = [];
  let last = new Array<number>(width).fill(0);
  while (column.left > 0) {
    const row = last.map((before) => bounded(before + column.signed(), name));
    const [frame = 0] = row;
    if (frame >= frames || (rows.length > 0 && frame <= (last[0] as number))) {
      throw new ColumnError(`does not list frames of the file in their order: ${name}`);
    }
    rows.push(row);
    last = row;
  }
  return rows;
}

/** Reads a list. Throws {@link ColumnError} for what no writer writes. */
export function parseList(message: unknown): FrameList {
  if (!Array.isArray(message) || message.length !== 7) throw new ColumnError('is not a list of 7 values');
  const [frame, byte, record, blob] = message
    .slice(0, 4)
    .map((value: unknown) => wholeNumber(value, 0, Number.MAX_SAFE_INTEGER, 'place'));
  const kinds = [...plainBytes(message[4], 'kinds')];
  if (kinds.length > LIST_MAX) throw new ColumnError('lists more frames than an index has');
  const sizeColumn = new ColumnReader(plainBytes(message[5], 'sizes'), 'sizes');
  const countColumn = new ColumnReader(plainBytes(message[6], 'counts'), 'counts');
  const sizes = kinds.map(() => sizeColumn.varint());
  const counts = kinds.map(() => countColumn.varint());
  sizeColumn.finish();
  countColumn.finish();
  if (sizes.some((size) => size < FRAME_HEAD_SIZE || size > FRAME_HEAD_SIZE + PAYLOAD_MAX)) {
    throw new ColumnError('lists a frame of an impossible size');
  }
  if (counts.some((count) => count > COUNT_MAX)) throw new ColumnError('lists a frame with an impossible count');
  return {
    frame: frame as number,
    byte: byte as number,
    record: record as number,
    blob: blob as number,
    kinds,
    sizes,
    counts,
  };
}

/** Reads the payload of a frame of kind Index. */
export function parseIndex(payload: Uint8Array): FrameList {
  return parseList(unpackMessage(payload));
}

/** Reads the payload of the root. `most`: more frames than this the file cannot have. */
export function parseRoot(payload: Uint8Array, most = 0xffff_ffff): TraceRoot {
  const fields = new Fields(unpackMessage(payload), 'root');
  const frames = fields.number('frames', most);
  const lists = unpackRows(fields.value('lists'), 6, 'lists', frames).map(
    ([frame = 0, byte = 0, record = 0, blob = 0, at = 0, atByte = 0]) => ({
      frame,
      byte,
      record,
      blob,
      at: { frame: at, byte: atByte },
    }),
  );
  const maps = unpackRows(fields.value('maps'), 3, 'maps', frames);
  const checkpoints = unpackRows(fields.value('checkpoints'), 3, 'checkpoints', frames);
  const [end, another] = unpackRows(fields.value('end'), 2, 'end', frames);
  if (another) throw new ColumnError('lists more than one end');
  return {
    complete: fields.flag('complete'),
    frames,
    records: fields.number('records', Number.MAX_SAFE_INTEGER),
    blobs: fields.number('blobs', 0x7fff_ffff),
    lists,
    tail: parseList(fields.value('tail')),
    maps: maps.map(([frame = 0, byte = 0, set = 0]) => ({ frame, byte, set })),
    checkpoints: checkpoints.map(([frame = 0, byte = 0, record = 0]) => ({ frame, byte, record })),
    end: end && { frame: end[0] as number, byte: end[1] as number },
  };
}

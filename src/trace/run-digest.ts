/**
 * The rolling digest of a run: of all architectural records so far, in their order. A recording writes it as a record (kind Digest)
 * every {@link MARK_DISTANCE} of them, a *mark*, and lists the marks at the end of the file: so two traces are compared by their marks, and
 * only the records between two of them are read.
 *
 * Two lanes of 32 bits; each word of a record goes through a multiply-rotate round in each of them, with the constants of MurmurHash3
 * (Austin Appleby, public domain). It does not withstand an adversary. The digest is the whole state: one can go on from it.
 */
import { bounded, ColumnError, ColumnReader, ColumnWriter, listOf, plainBytes } from './columns.js';
import { packMessage, unpackMessage } from './msgpack.js';
import { LAST_ARCHITECTURAL, RecordKind, type TraceRecord } from './record.js';

/** Architectural records from one mark to the next. */
export const MARK_DISTANCE = 4096;
/** Bytes of a rolling digest. */
export const RUN_DIGEST_SIZE = 8;
/** Marks of one frame at most. */
const MARKS_PER_FRAME = 0x8000;

const FIRST = 0x9e37_79b9;
const SECOND = 0x7f4a_7c15;

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** See the head of the file. Nothing is allocated but by {@link bytes}. */
export class RunDigest {
  #first = FIRST;
  #second = SECOND;

  #word(word: number): void {
    this.#first = Math.imul(rotate(this.#first ^ Math.imul(word, 0xcc9e_2d51), 15), 5) + 0xe654_6b64;
    this.#second = Math.imul(rotate(this.#second ^ Math.imul(word, 0x1b87_3593), 13), 9) + 0x3ad8_025f;
  }
  #begin(kind: number, form: number, address: number): void {
    this.#word(kind | (form << 8));
    this.#word(address | 0);
    this.#word(Math.floor(address / 0x1_0000_0000));
  }
  #end(): void {
    this.#first = (this.#first ^ rotate(this.#second, 16)) | 0;
    this.#second = (this.#second + Math.imul(this.#first, 5)) | 0;
  }

  /** An Io or Mmio record: `size` bytes, 1 to 8, of `view`. */
  access(kind: RecordKind, address: number, size: number, view: DataView, offset: number): void {
    this.#begin(kind, size, address);
    let low = 0;
    let high = 0;
    for (let index = 0; index < size; index++) {
      const byte = view.getUint8(offset + index);
      if (index < 4) low |= byte << (index * 8);
      else high |= byte << (index * 8 - 32);
    }
    this.#word(low);
    this.#word(high);
    this.#end();
  }
  /** An Msr record. What a refused read would have answered does not count. */
  msr(kind: RecordKind, index: number, fault: boolean, view: DataView, offset: number): void {
    const isEmpty = fault && kind === RecordKind.MsrRead;
    this.#begin(kind, fault ? 1 : 0, index);
    this.#word(isEmpty ? 0 : view.getInt32(offset, true));
    this.#word(isEmpty ? 0 : view.getInt32(offset + 4, true));
    this.#end();
  }
  /** Halt or Shutdown. */
  plain(kind: RecordKind): void {
    this.#begin(kind, 0, 0);
    this.#end();
  }
  /** A hooked instruction and its answer. */
  hook(site: number, hookKind: number, low: number, high: number, aux: number, ebx: number): void {
    this.#begin(RecordKind.Hook, hookKind, site);
    this.#word(low);
    this.#word(high);
    // What the kind does not answer is not in a trace.
    this.#word(hookKind === 2 || hookKind === 5 ? aux : 0);
    this.#word(hookKind === 5 ? ebx : 0);
    this.#end();
  }
  /** A record as it was read; one that is not architectural changes nothing. */
  add(record: TraceRecord): void {
    const { kind, address, data } = record;
    const view = new DataView(data.buffer, data.byteOffset);
    switch (kind) {
      case RecordKind.IoRead:
      case RecordKind.IoWrite:
      case RecordKind.MmioRead:
      case RecordKind.MmioWrite:
        this.access(kind, address, record.size, view, 0);
        return;
      case RecordKind.MsrRead:
      case RecordKind.MsrWrite:
        this.msr(kind, address, record.fault, view, 0);
        return;
      case RecordKind.Hook:
        this.hook(address, record.hookKind, record.low, record.high, record.aux, record.ebx);
        return;
      case RecordKind.Halt:
      case RecordKind.Shutdown:
        this.plain(kind);
    }
  }

  /** The digest so far: RUN_DIGEST_SIZE bytes, a copy. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(RUN_DIGEST_SIZE);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, this.#first, true);
    view.setInt32(4, this.#second, true);
    return bytes;
  }
  /** The digest is `digest`, of RUN_DIGEST_SIZE bytes. */
  is(digest: Uint8Array): boolean {
    const view = new DataView(digest.buffer, digest.byteOffset, digest.length);
    return (
      digest.length === RUN_DIGEST_SIZE &&
      view.getInt32(0, true) === (this.#first | 0) &&
      view.getInt32(4, true) === (this.#second | 0)
    );
  }
  /** Goes on from a digest that {@link bytes} gave, as a replay does that begins at a checkpoint. */
  resume(digest: Uint8Array): void {
    const view = new DataView(digest.buffer, digest.byteOffset, RUN_DIGEST_SIZE);
    this.#first = view.getInt32(0, true);
    this.#second = view.getInt32(4, true);
  }
}

/** The digest of all architectural records before one record of a trace, which has it. */
export interface RunMark {
  /** How many architectural records there are before it. */
  readonly architectural: number;
  /** The ordinal of the record that has the digest. */
  readonly record: number;
  /** RUN_DIGEST_SIZE bytes. */
  readonly digest: Uint8Array;
}

/** A record is a mark: it has the rolling digest, and no digest of the state. */
export function isMark(record: TraceRecord): boolean {
  return (
    record.kind === RecordKind.Digest && record.stateDigest.length === 0 && record.bytes.length === RUN_DIGEST_SIZE
  );
}

/** Collects the marks of records that are read in their order, and recomputes their digests. */
export class MarkCollector {
  readonly marks: RunMark[] = [];
  readonly #digest = new RunDigest();
  #architectural = 0;

  /** The next record; false: it is a digest, and not that of the records before it. */
  add(record: TraceRecord): boolean {
    if (record.kind <= LAST_ARCHITECTURAL) {
      this.#architectural++;
      this.#digest.add(record);
    }
    if (record.kind !== RecordKind.Digest || record.bytes.length !== RUN_DIGEST_SIZE) return true;
    if (isMark(record)) {
      this.marks.push({
        architectural: this.#architectural,
        record: record.ordinal,
        digest: Uint8Array.from(record.bytes),
      });
    }
    return this.#digest.is(record.bytes);
  }
}

/** The payloads of the frames with these marks, in their order, and how many marks each has. */
export function marksMessages(marks: readonly RunMark[]): { readonly payload: Uint8Array; readonly count: number }[] {
  const messages = [];
  for (let from = 0; from < marks.length; from += MARKS_PER_FRAME) {
    const part = marks.slice(from, from + MARKS_PER_FRAME);
    const [counts, records, digests] = [new ColumnWriter(), new ColumnWriter(), new ColumnWriter()];
    let [lastCount, lastRecord] = [0, 0];
    for (const { architectural, record, digest } of part) {
      counts.varint(architectural - lastCount);
      records.varint(record - lastRecord);
      digests.bytes(digest);
      [lastCount, lastRecord] = [architectural, record];
    }
    messages.push({ payload: packMessage([counts.peek(), records.peek(), digests.peek()]), count: part.length });
  }
  return messages;
}

/** Reads the payload of one frame. Throws {@link ColumnError} for what no writer writes. */
export function parseMarks(payload: Uint8Array): RunMark[] {
  const message = listOf(unpackMessage(payload), 3);
  const column = (index: number, name: string) => new ColumnReader(plainBytes(message[index], name), name);
  const [counts, records, digests] = [column(0, 'counts'), column(1, 'ordinals'), column(2, 'digests')];
  const marks: RunMark[] = [];
  let [architectural, record] = [0, 0];
  while (digests.left > 0) {
    if (marks.length === MARKS_PER_FRAME) throw new ColumnError('has more marks than a frame can have');
    architectural = bounded(architectural + counts.varint(), 'count of records');
    record = bounded(record + records.varint(), 'ordinal');
    marks.push({ architectural, record, digest: digests.bytes(RUN_DIGEST_SIZE) });
  }
  counts.finish();
  records.finish();
  return marks;
}

/** A pair of marks of two traces at the same number of architectural records. */
export interface CommonMark {
  readonly a: RunMark;
  readonly b: RunMark;
}

/**
 * The last marks up to which the architectural records of two traces are equal; undefined: not even the first ones are, or there are none. Marks
 * behind the first difference differ too, so that it is found by bisection: nothing of the records is read.
 */
export function lastCommonMark(a: readonly RunMark[], b: readonly RunMark[]): CommonMark | undefined {
  const other = new Map(b.map((mark) => [mark.architectural, mark]));
  const pairs = a.flatMap((mark) => {
    const same = other.get(mark.architectural);
    return same ? [{ a: mark, b: same }] : [];
  });
  let low = 0;
  let high = pairs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const pair = pairs[middle] as CommonMark;
    if (pair.a.digest.every((byte, index) => byte === pair.b.digest[index])) low = middle + 1;
    else high = middle;
  }
  return pairs[low - 1];
}

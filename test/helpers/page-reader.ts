/**
 * A reader of traces that was written from docs/trace-format.md alone and shares no code with src/: the page is enough. It reads a whole
 * file into memory, and throws where the file is not as the page says.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { Column, crcOf, must, unpack, type Value } from './page-columns.js';
import { FrameState, hexOf, kinds } from './page-records.js';

/** A record, with the fields of `vmtape export --format jsonl`. */
export type PageRecord = Record<string, unknown>;

interface Frame {
  readonly kind: number;
  readonly number: number;
  readonly count: number;
  readonly byte: number;
  readonly size: number;
  readonly payload: Uint8Array;
}

/** All that a file has. */
export interface PageTrace {
  readonly id: Uint8Array;
  readonly date: number;
  readonly header: { readonly [name: string]: Value };
  readonly end: { readonly [name: string]: Value } | undefined;
  readonly records: readonly PageRecord[];
  /** Memories by their numbers: pages by theirs. */
  readonly memories: readonly ReadonlyMap<number, Uint8Array>[];
  readonly placements: readonly (readonly [file: number, offset: number, length: number, address: number])[];
  readonly patches: readonly (readonly [address: number, bytes: Uint8Array])[];
  readonly checkpoints: readonly { readonly [name: string]: Value }[];
  /** Marks that are listed: [architectural records, ordinal, digest]. */
  readonly marks: readonly (readonly [number, number, string])[];
  /** Marks whose digest was reckoned anew of the records, and is equal. */
  readonly reckoned: number;
}

const LAST_ARCHITECTURAL = 9;

const rotl = (value: number, by: number) => (value << by) | (value >>> (32 - by));

/** The rolling digest of the architectural records. */
class Rolling {
  #a = 0x9e37_79b9;
  #b = 0x7f4a_7c15;
  architectural = 0;
  add(words: readonly number[]): void {
    for (const word of words) {
      this.#a = Math.imul(rotl(this.#a ^ Math.imul(word, 0xcc9e_2d51), 15), 5) + 0xe654_6b64;
      this.#b = Math.imul(rotl(this.#b ^ Math.imul(word, 0x1b87_3593), 13), 9) + 0x3ad8_025f;
    }
    this.#a ^= rotl(this.#b, 16);
    this.#b = (this.#b + Math.imul(this.#a, 5)) | 0;
    this.architectural++;
  }
  get text(): string {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32LE(this.#a | 0, 0);
    bytes.writeInt32LE(this.#b | 0, 4);
    return bytes.toString('hex');
  }
}

/** Reads the file at `path`. */
export function readByThePage(path: string): PageTrace {
  return new Reader(new Uint8Array(readFileSync(path))).read();
}

class Reader {
  readonly #file: Column;
  readonly #blobs: Uint8Array[] = [];
  readonly #memories: Map<number, Uint8Array>[] = [];
  #open: { page: number; blob: number } | undefined;
  readonly #records: PageRecord[] = [];
  readonly #rolling = new Rolling();
  #reckoned = 0;
  #retired: number | undefined;
  #time: number | undefined;
  #counting = false;
  #counted = 0;
  #lastCount: number | undefined;

  constructor(file: Uint8Array) {
    this.#file = new Column(file);
  }

  read(): PageTrace {
    const file = this.#file;
    const prelude = file.take(48);
    must(hexOf(prelude.subarray(0, 8)) === '89564d544150450a', 'the magic');
    must(file.view.getUint16(8, true) === 1, 'version 1');
    must(file.view.getUint32(44, true) === crcOf(prelude.subarray(0, 44)), 'the CRC of the prelude');
    const frames: Frame[] = [];
    while (!file.isEmpty) frames.push(this.#frame(frames.length));
    must(frames[0]?.kind === 1, 'the header is the first frame');
    const header = unpack((frames[0] as Frame).payload) as PageTrace['header'];
    this.#counting = header['counting'] as boolean;
    let end: PageTrace['end'];
    const checkpoints: PageTrace['checkpoints'][number][] = [];
    const marks: (readonly [number, number, string])[] = [];
    const placements: (readonly [number, number, number, number])[] = [];
    const patches: (readonly [number, Uint8Array])[] = [];
    for (const { kind, payload, count } of frames) {
      if (kind === 2) this.#pageMap(unpack(payload), count);
      else if (kind === 3) placed(unpack(payload), placements, patches);
      else if (kind === 4) this.#blobFrame(unpack(payload), count);
      else if (kind === 5) this.#recordFrame(unpack(payload), count);
      else if (kind === 6) end = unpack(payload) as PageTrace['header'];
      else if (kind === 7) {
        const checkpoint = unpack(payload) as PageTrace['header'];
        checkpoints.push(checkpoint);
        must((checkpoint['set'] as number) < this.#memories.length, 'the memory of a checkpoint stands before it');
        if (this.#records.length === 0) {
          this.#retired = this.#lastCount = checkpoint['retired'] as number;
          this.#time = undefined;
        }
      } else if (kind === 11) marks.push(...listedMarks(unpack(payload), count));
      else if (kind === 12) this.#counts(unpack(payload), count);
    }
    must(this.#counted === 0 || this.#counted === this.#records.length, 'all records have a count, or none');
    checkIndex(frames, this.#records.length, this.#blobs.length);
    return {
      id: prelude.subarray(16, 32),
      date: Number(file.view.getBigUint64(32, true)),
      ...{ header, end, placements, patches, checkpoints, marks },
      ...{ records: this.#records, memories: this.#memories, reckoned: this.#reckoned },
    };
  }

  #frame(number: number): Frame {
    const byte = this.#file.at;
    const head = this.#file.take(24);
    const view = new DataView(head.buffer, head.byteOffset, 24);
    const [kind, codec] = [view.getUint8(0), view.getUint8(1)];
    const stored = view.getUint32(4, true);
    const bytes = this.#file.take(stored);
    must(view.getUint32(12, true) === number, 'frames are numbered');
    must(view.getUint32(20, true) === crcOf(head.subarray(0, 20), bytes), 'the CRC of a frame');
    const payload = codec === 0 ? bytes : new Uint8Array(brotliDecompressSync(bytes));
    must(codec <= 1 && payload.length === view.getUint32(8, true) && payload.length <= 0x10_0000, 'raw bytes');
    return { kind, number, count: view.getUint32(16, true), byte, size: 24 + stored, payload };
  }

  #blobFrame(value: Value, count: number): void {
    const [first, sizes, hashes, bytes] = value as [number, Uint8Array, Uint8Array, Uint8Array];
    must(first === this.#blobs.length, 'blobs are numbered');
    const [lengths, contents, sums] = [new Column(sizes), new Column(bytes), new Column(hashes)];
    for (let index = 0; index < count; index++) {
      const blob = contents.take(lengths.varint());
      must(createHash('sha256').update(blob).digest('hex') === hexOf(sums.take(32)), 'the SHA-256 of a blob');
      this.#blobs.push(blob);
    }
    must(lengths.isEmpty && contents.isEmpty && sums.isEmpty, 'the columns of blobs are used up');
  }

  #pageMap(value: Value, set: number): void {
    const [base, last, column] = value as [number, boolean, Uint8Array];
    if (!this.#open) {
      must(set === this.#memories.length, 'memories are numbered');
      this.#memories.push(new Map(base < 0 ? [] : this.#memories[base]));
      this.#open = { page: 0, blob: 0 };
    }
    const memory = this.#memories[set] as Map<number, Uint8Array>;
    const open = this.#open;
    for (const runs = new Column(column); !runs.isEmpty; ) {
      open.page += runs.varint();
      const word = runs.varint();
      const pages = Math.floor(word / 2);
      if (word % 2 === 0) open.blob += runs.signed();
      for (let left = pages; left > 0; left--, open.page++) {
        if (word % 2 === 1) memory.delete(open.page);
        else memory.set(open.page, this.#blobs[open.blob++] as Uint8Array);
      }
    }
    if (last) this.#open = undefined;
  }

  #counts(value: Value, count: number): void {
    const [first, before, column] = value as [number, number, Uint8Array];
    must(first === this.#counted && before === (this.#lastCount ?? 0), 'counts go on');
    const counts = new Column(column);
    let retired = before;
    for (let index = 0; index < count; index++) {
      retired += counts.varint();
      (this.#records[this.#counted++] as PageRecord)['retired'] = retired;
    }
    this.#lastCount = retired;
  }

  #recordFrame(value: Value, inHead: number): void {
    const [first, count, retired, time, shapes, order, counts, data, registers, vcpus] = value as [
      ...[number, number, number, number],
      ...[Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array],
    ];
    must(first === this.#records.length && count === inHead && count <= 65_536, 'records are numbered');
    must(this.#counting ? retired === (this.#retired ?? 0) : retired === -1, 'the count goes on');
    must(time === (this.#time ?? time), 'the time goes on');
    const rows: { kind: number; form: number; address: number; data: Column }[] = [];
    const all = new Column(data);
    for (const list = new Column(shapes); !list.isEmpty; ) {
      const [kind, form] = [list.u8(), list.u8()];
      const address = list.varint();
      rows.push({ kind, form, address, data: new Column(all.take(list.varint())) });
    }
    const frame = new FrameState(retired, time, registers, vcpus);
    const deltas = new Column(counts);
    for (const shape = new Column(order); !shape.isEmpty; ) {
      const row = rows[shape.varint()];
      must(row !== undefined, 'a shape is there');
      const { kind, form, address, data: column } = row as (typeof rows)[number];
      if (this.#counting) frame.retired += deltas.varint();
      const where = form & 0x10 ? frame.farAddress(column) : address;
      const { fields, words } = frame.fields(kind, form & 15, (form & 0x20) !== 0, where, column, this.#blobs);
      const known = {
        ordinal: this.#records.length,
        kind: kinds[kind],
        retired: this.#counting ? frame.retired : null,
      };
      if (kind <= LAST_ARCHITECTURAL) {
        const high = Math.floor(where / 2 ** 32);
        this.#rolling.add([kind + 0x100 * (form & 15), where | 0, high, ...words]);
      } else if (fields['state'] === '') {
        must(this.#rolling.architectural % 4096 === 0, 'a mark is behind each 4,096th');
        must(fields['run'] === this.#rolling.text, 'the rolling digest is that of the records');
        this.#reckoned++;
      }
      this.#records.push({ ...known, vcpu: frame.vcpu(), ...fields });
    }
    must(this.#records.length === first + count, 'as many records as the frame says');
    must(all.isEmpty && deltas.isEmpty && rows.every(({ data: { isEmpty } }) => isEmpty), 'all data is used up');
    this.#retired = frame.retired;
    this.#time = frame.time;
  }
}

function placed(
  value: Value,
  placements: (readonly [number, number, number, number])[],
  patches: (readonly [number, Uint8Array])[],
): void {
  const [rows, changes] = value as [Uint8Array, Uint8Array];
  for (const column = new Column(rows); !column.isEmpty; )
    placements.push([column.varint(), column.varint(), column.varint(), column.varint()]);
  for (const column = new Column(changes); !column.isEmpty; )
    patches.push([column.varint(), column.take(column.varint())]);
}

function listedMarks(value: Value, count: number): (readonly [number, number, string])[] {
  const [counts, ordinals, digests] = (value as Uint8Array[]).map((column) => new Column(column)) as [
    ...[Column, Column, Column],
  ];
  let [architectural, ordinal] = [0, 0];
  return Array.from({ length: count }, () => {
    architectural += counts.varint();
    ordinal += ordinals.varint();
    return [architectural, ordinal, hexOf(digests.take(8))] as const;
  });
}

/** The trailer names the root, and root and indexes list every frame before it where it is. */
function checkIndex(frames: readonly Frame[], records: number, blobs: number): void {
  const trailer = frames.at(-1) as Frame;
  const root = frames.at(-2) as Frame;
  must(trailer.kind === 10 && root.kind === 9, 'root and trailer end the file');
  const place = new DataView(trailer.payload.buffer, trailer.payload.byteOffset, 24);
  must(Number(place.getBigUint64(0, true)) === root.byte && place.getUint32(8, true) === root.number, 'the root');
  must(hexOf(trailer.payload.subarray(16)) === '656e64544150450a', 'the end of the trailer');
  const map = unpack(root.payload) as { readonly [name: string]: Value };
  must(map['frames'] === root.number && map['records'] === records && map['blobs'] === blobs, 'the totals');
  const lists = [...rowsOf(map['lists'], 6).map((row) => frames[row[4] as number] as Frame)];
  const indexes = [...lists.map(({ payload }) => unpack(payload)), map['tail'] as Value];
  let next = 0;
  for (const value of indexes) {
    const [first, byte, , , kindColumn, sizes, counts] = value as [
      number,
      number,
      number,
      number,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    must(first === next && byte === (frames[first] as Frame).byte, 'an index begins where the one before ended');
    const [kind, size, count] = [new Column(kindColumn), new Column(sizes), new Column(counts)];
    while (!kind.isEmpty) {
      const frame = frames[next++] as Frame;
      const isSame = kind.u8() === frame.kind && size.varint() === frame.size && count.varint() === frame.count;
      must(isSame, `frame ${frame.number} stands in the index`);
    }
  }
  must(next === root.number, 'the index lists all frames before the root');
  for (const [name, kind, columns] of [
    ['maps', 2, 3],
    ['checkpoints', 7, 3],
    ['end', 6, 2],
  ] as const) {
    for (const row of rowsOf(map[name], columns)) {
      const frame = frames[row[0] as number] as Frame;
      must(frame.byte === row[1] && (frame.kind === kind || frame.kind === 3), `the root names the ${name}`);
    }
  }
}

/** Rows of signed varints, each the difference from the number above it. */
function rowsOf(value: Value | undefined, columns: number): number[][] {
  const column = new Column(value as Uint8Array);
  const rows: number[][] = [];
  while (!column.isEmpty) {
    const above = rows.at(-1);
    rows.push(Array.from({ length: columns }, (_, index) => (above?.[index] ?? 0) + column.signed()));
  }
  return rows;
}

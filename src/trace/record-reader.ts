/** Reading a frame of records; record-writer.ts is the other direction. */
import { bounded, ColumnError, ColumnReader, listOf, plainBytes, wholeNumber } from './columns.js';
import { DMA_BYTES_PER_FRAME, DMA_MAX, LANDMARK_PAGES_MAX, RECORDS_PER_FRAME } from './format.js';
import { unpackMessage } from './msgpack.js';
import {
  DIGEST_MAX,
  DmaWay,
  HASH_SIZE,
  HOOK_WORDS,
  hasLandmark,
  isTimestamp,
  LANDING_LAST,
  REGISTER_COUNT,
  RecordKind,
  recordNames,
  type TraceLandmark,
  type TraceRecord,
} from './record.js';
import { FORM_FAR, FORM_RAW, FORM_WAY } from './shapes.js';

/** Kinds whose shape has an address. */
const ADDRESSED: readonly boolean[] = recordNames.map(
  (_, kind) => (kind >= 1 && kind <= 6) || kind === RecordKind.Hook || kind === RecordKind.Inject,
);
/** Forms that there are, by kind. */
const isForm: readonly ((way: number) => boolean)[] = recordNames.map((_, kind) => {
  switch (kind) {
    case RecordKind.IoRead:
    case RecordKind.IoWrite:
      return (way) => way === 1 || way === 2 || way === 4;
    case RecordKind.MmioRead:
    case RecordKind.MmioWrite:
      return (way) => way >= 1 && way <= 8;
    case RecordKind.MsrRead:
    case RecordKind.MsrWrite:
      return (way) => way <= 1;
    case RecordKind.Hook:
      return (way) => way >= 1 && way < HOOK_WORDS.length;
    case RecordKind.Inject:
      return (way) => way <= LANDING_LAST;
    case RecordKind.Dma:
      return (way) => way <= DmaWay.Zeros;
    case RecordKind.Assist:
      return () => true;
    default:
      return (way) => way === 0;
  }
});

const NOTHING = new Uint8Array(0);
const ZEROS = new Uint8Array(DMA_MAX);

/** The contents that records refer to. Throws {@link ColumnError} if there is none of that number. */
export type BlobSource = (number: number) => Uint8Array;

/** Reads the records of one frame, in order. Throws {@link ColumnError} for what no writer writes. */
export class RecordFrameReader {
  readonly first: number;
  readonly count: number;
  /** Of the shapes. */
  readonly #kinds: number[] = [];
  readonly #forms: number[] = [];
  readonly #addresses: number[] = [];
  /** Bytes of data of a record, where the shape tells; else -1. */
  readonly #widths: number[] = [];
  readonly #data: ColumnReader[] = [];
  readonly #order: ColumnReader;
  readonly #retired: ColumnReader;
  readonly #registers: ColumnReader[] = [];
  readonly #vcpus: ColumnReader;
  readonly #lastRegisters = new Uint8Array(REGISTER_COUNT * 8);
  readonly #counting: boolean;
  readonly #blobs: BlobSource | undefined;
  #lastRetired: number;
  #lastTime: number;
  #farAddress = 0;
  #dmaAddress = 0;
  /** Bytes of DMA so far that are not in the frame. */
  #dmaBytes = 0;
  #skew = 0;
  #vcpu = 0;
  #runEnd: number;
  #next = 0;
  #isSkipping = false;

  /** Without `blobs`, a DMA whose bytes are a blob is read without its bytes. */
  constructor(payload: Uint8Array, blobs?: BlobSource) {
    const message = listOf(unpackMessage(payload), 10);
    this.first = wholeNumber(message[0], 0, Number.MAX_SAFE_INTEGER, 'first ordinal');
    this.count = wholeNumber(message[1], 0, RECORDS_PER_FRAME, 'number of records');
    this.#lastRetired = wholeNumber(message[2], -1, Number.MAX_SAFE_INTEGER, 'instruction count');
    this.#counting = this.#lastRetired >= 0;
    this.#lastTime = wholeNumber(message[3], 0, Number.MAX_SAFE_INTEGER, 'time');
    this.#blobs = blobs;
    const column = (index: number, name: string) => new ColumnReader(plainBytes(message[index], name), name);
    this.#order = column(5, 'order');
    this.#retired = column(6, 'instruction counts');
    this.#vcpus = column(9, 'vCPUs');
    this.#runEnd = this.#vcpus.left === 0 ? this.count : 0;
    this.#readShapes(column(4, 'shapes'), plainBytes(message[7], 'data'));
    this.#readRegisters(plainBytes(message[8], 'registers'));
  }

  #readShapes(shapes: ColumnReader, data: Uint8Array): void {
    let at = 0;
    while (shapes.left > 0) {
      const kind = shapes.u8();
      const form = shapes.u8();
      const address = shapes.varint();
      const length = shapes.varint();
      if (kind === 0 || kind >= recordNames.length) throw new ColumnError(`has a record of the unknown kind ${kind}`);
      const flags = form & ~FORM_WAY;
      const isKnown = flags === 0 || (flags === FORM_FAR && ADDRESSED[kind]) || kind === RecordKind.Hook;
      if (!isKnown || (flags & ~(FORM_FAR | FORM_RAW)) !== 0 || !isForm[kind]?.(form & FORM_WAY)) {
        throw new ColumnError(`has a record ${recordNames[kind]} of the impossible form ${form}`);
      }
      if (kind === RecordKind.Hook && flags < FORM_RAW && !isTimestamp(form & FORM_WAY)) {
        throw new ColumnError('has a hook whose answer is no time and is a difference');
      }
      if (length > data.length - at) throw new ColumnError('has shapes with more data than there is');
      this.#kinds.push(kind);
      this.#forms.push(form);
      this.#addresses.push(address);
      this.#widths.push(widthOf(kind, form));
      this.#data.push(new ColumnReader(data, `data of ${recordNames[kind]}`, at, at + length));
      at += length;
    }
    if (at < data.length) throw new ColumnError('has data that belongs to no shape');
  }

  #readRegisters(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const lengths = new ColumnReader(bytes, 'registers');
    const sizes = Array.from({ length: REGISTER_COUNT }, () => lengths.varint());
    let at = bytes.length - lengths.left;
    for (const size of sizes) {
      if (size > bytes.length - at) throw new ColumnError('has registers with more data than there is');
      this.#registers.push(new ColumnReader(bytes, 'registers', at, at + size));
      at += size;
    }
    if (at < bytes.length) throw new ColumnError('has data that belongs to no register');
  }

  /** The instructions retired before the next record; NaN where the engine did not count. */
  get retired(): number {
    return this.#counting ? this.#lastRetired : Number.NaN;
  }
  /** The time of the last record that had one, in this frame or before it. */
  get time(): number {
    return this.#lastTime;
  }

  /** Goes on to the record of this ordinal, using `record`; false: the frame does not have it. No contents are looked up. */
  skipTo(ordinal: number, record: TraceRecord): boolean {
    this.#isSkipping = true;
    try {
      while (this.first + this.#next < ordinal) {
        this.#passOver(ordinal);
        if (this.first + this.#next < ordinal && !this.next(record)) return false;
      }
      return this.#next < this.count;
    } finally {
      this.#isSkipping = false;
    }
  }

  /** Passes over records whose data is as long as their shape tells, which nothing behind them refers to, up to that of the ordinal. */
  #passOver(ordinal: number): void {
    const end = Math.min(ordinal - this.first, this.count);
    while (this.#next < end) {
      const shape = this.#order.peek();
      const width = this.#widths[shape];
      if (width === undefined || width < 0 || shape >= 0x80) return;
      this.#order.skip(1);
      if (this.#next >= this.#runEnd) this.#nextRun();
      this.#next++;
      if (this.#counting) this.#lastRetired = bounded(this.#lastRetired + this.#retired.varint(), 'instruction count');
      (this.#data[shape] as ColumnReader).skip(width);
    }
  }

  /** Reads the next record into `record`; false: there is none, and all columns were used up. */
  next(record: TraceRecord): boolean {
    if (this.#next === this.count) {
      this.#finish();
      return false;
    }
    const shape = this.#order.varint();
    const kind = this.#kinds[shape] as RecordKind | undefined;
    if (kind === undefined) throw new ColumnError(`has a record of shape ${shape}, which there is not`);
    const data = this.#data[shape] as ColumnReader;
    const form = this.#forms[shape] as number;
    record.ordinal = this.first + this.#next;
    if (this.#next >= this.#runEnd) this.#nextRun();
    this.#next++;
    record.vcpu = this.#vcpu;
    record.kind = kind;
    if (this.#counting) {
      this.#lastRetired = bounded(this.#lastRetired + this.#retired.varint(), 'instruction count');
      record.retired = this.#lastRetired;
    } else {
      record.retired = Number.NaN;
    }
    record.size = 0;
    record.fault = false;
    record.landmark = undefined;
    if (form & FORM_FAR) {
      this.#farAddress = bounded(this.#farAddress + data.signed(), 'address');
      record.address = this.#farAddress;
    } else {
      record.address = this.#addresses[shape] as number;
    }
    this.#body(record, kind, form & FORM_WAY, data, (form & FORM_RAW) !== 0);
    return true;
  }

  #body(record: TraceRecord, kind: RecordKind, way: number, data: ColumnReader, isRaw: boolean): void {
    switch (kind) {
      case RecordKind.IoRead:
      case RecordKind.IoWrite:
      case RecordKind.MmioRead:
      case RecordKind.MmioWrite:
        record.size = way;
        data.copy(record.data, way);
        return;
      case RecordKind.MsrRead:
      case RecordKind.MsrWrite:
        record.fault = way === 1;
        record.size = 8;
        data.copy(record.data, 8);
        return;
      case RecordKind.Halt:
      case RecordKind.Shutdown:
        return;
      case RecordKind.Hook:
        this.#hook(record, way, data, isRaw);
        return;
      case RecordKind.Time:
        this.#lastTime = bounded(this.#lastTime + data.varint(), 'time');
        record.time = this.#lastTime;
        return;
      case RecordKind.Inject:
        this.#inject(record, way, data);
        return;
      case RecordKind.Input:
        record.bytes = data.bytes(1);
        return;
      case RecordKind.Dma:
        this.#dma(record, way, data);
        return;
      case RecordKind.Assist:
        record.bytes = data.bytes(way);
        return;
      case RecordKind.Digest:
        record.bytes = readDigest(data);
        record.stateDigest = readDigest(data);
        return;
    }
  }

  #hook(record: TraceRecord, way: number, data: ColumnReader, isRaw: boolean): void {
    record.hookKind = way;
    if (isRaw) {
      record.low = data.u32();
      record.high = data.u32();
    } else {
      const base = (this.#counting ? this.#lastRetired : this.#lastTime) + this.#skew;
      const difference = data.signed();
      const value = bounded(base + difference, 'answer of a hook');
      this.#skew += difference;
      record.high = Math.floor(value / 0x1_0000_0000);
      record.low = value >>> 0;
    }
    const words = HOOK_WORDS[way] as number;
    record.aux = words > 2 ? data.u32() : 0;
    record.ebx = words > 3 ? data.u32() : 0;
  }

  #inject(record: TraceRecord, landing: number, data: ColumnReader): void {
    record.vector = record.address;
    record.landing = landing;
    record.address = 0;
    if (record.vector > 0xff) throw new ColumnError(`has an injection of the vector ${record.vector}`);
    const changed = data.varint();
    if (changed >= 2 ** REGISTER_COUNT) throw new ColumnError('has an injection with a register that there is not');
    for (let index = 0; index < REGISTER_COUNT; index++) {
      if ((changed & (1 << index)) === 0) continue;
      const column = this.#registers[index];
      if (!column) throw new ColumnError('has an injection without its registers');
      this.#lastRegisters.set(column.bytes(8), index * 8);
    }
    record.registers.set(this.#lastRegisters);
    if (hasLandmark(landing)) record.landmark = readLandmark(data);
  }

  #dma(record: TraceRecord, way: number, data: ColumnReader): void {
    this.#dmaAddress = bounded(this.#dmaAddress + data.signed(), 'address');
    record.address = this.#dmaAddress;
    const length = data.varint();
    if (length > DMA_MAX) throw new ColumnError(`has a DMA of ${length} bytes`);
    record.size = length;
    if (way !== DmaWay.Inline) {
      if (this.#dmaBytes >= DMA_BYTES_PER_FRAME) throw new ColumnError('has more DMA than a frame can have');
      this.#dmaBytes += length;
    }
    if (way === DmaWay.Inline) {
      record.bytes = data.bytes(length);
    } else if (way === DmaWay.Zeros) {
      record.bytes = ZEROS.subarray(0, length);
    } else {
      const number = data.varint();
      const blobs = this.#isSkipping ? undefined : this.#blobs;
      record.bytes = blobs?.(number) ?? NOTHING;
      if (blobs && record.bytes.length !== length) throw new ColumnError(`has a DMA of part of blob ${number}`);
    }
  }

  #nextRun(): void {
    this.#vcpu = this.#vcpus.varint();
    const length = this.#vcpus.varint();
    if (length === 0 || length > this.count - this.#next) throw new ColumnError('has a bad run of a vCPU');
    this.#runEnd = this.#next + length;
  }

  #finish(): void {
    for (const column of [this.#order, this.#retired, this.#vcpus, ...this.#data, ...this.#registers]) column.finish();
  }
}

function widthOf(kind: number, form: number): number {
  if (form & FORM_FAR) return -1;
  switch (kind) {
    case RecordKind.IoRead:
    case RecordKind.IoWrite:
    case RecordKind.MmioRead:
    case RecordKind.MmioWrite:
      return form & FORM_WAY;
    case RecordKind.MsrRead:
    case RecordKind.MsrWrite:
      return 8;
    case RecordKind.Halt:
    case RecordKind.Shutdown:
      return 0;
    default:
      return -1;
  }
}

function readLandmark(data: ColumnReader): TraceLandmark {
  const cpuHash = data.bytes(HASH_SIZE);
  const count = data.varint();
  // Each page has a byte of its number and its hash.
  if (count > LANDMARK_PAGES_MAX || count > data.left / (1 + HASH_SIZE)) {
    throw new ColumnError('has a landmark of more pages than bytes');
  }
  const pages: number[] = [];
  let last = -1;
  for (let index = 0; index < count; index++) {
    last = bounded(last + 1 + data.varint(), 'page number');
    pages.push(last);
  }
  return { cpuHash, pages, hashes: data.bytes(count * HASH_SIZE) };
}

function readDigest(data: ColumnReader): Uint8Array {
  const length = data.u8();
  if (length > DIGEST_MAX) throw new ColumnError(`has a digest of ${length} bytes`);
  return data.bytes(length);
}

/**
 * A frame of records, in columns. Both directions stand here, side by side.
 *
 *     kinds      a byte a record: the kind, and in the upper four bits the size of an access, 1 for an MSR access that was
 *                refused, the HookKind, or the Landing
 *     retired    the instructions retired since the record before (empty where the engine does not count)
 *     addresses  ports, addresses, MSR indices, hook sites: the difference from the last one of the same kind; times: the
 *                difference from the last
 *     data       what was read or written; answers of hooks; vectors; registers that changed since the last injection;
 *                landmarks, instructions, digests
 *
 * The payload is the msgpack array [first ordinal, records, retired before the first or -1, time before the first, kinds,
 * retired, addresses, data]. All that differences refer to, but for these two numbers, is 0 at the start of a frame.
 */
import { assert } from '../base/assert.js';
import { ColumnError, ColumnReader, ColumnWriter } from './columns.js';
import { RECORD_BYTES_PER_FRAME, RECORDS_MAX, RECORDS_PER_FRAME } from './format.js';
import { packMessage, unpackMessage } from './msgpack.js';
import {
  DIGEST_MAX,
  HASH_SIZE,
  INSTRUCTION_MAX,
  LANDING_LANDMARK,
  REGISTER_COUNT,
  RecordKind,
  recordNames,
  type TraceLandmark,
  type TraceRecord,
} from './record.js';

const KINDS = recordNames.length;
/** Registers and vector, at most; see {@link RecordFrameWriter.full}. */
const ADDRESSED: readonly boolean[] = recordNames.map(
  (_, kind) => kind >= 1 && (kind <= 6 || kind === RecordKind.Hook || kind === RecordKind.Dma),
);
/** Which of low, high, aux, ebx an answer has, by HookKind: RDTSC, RDTSCP, RDRAND, RDSEED, CPUID. */
const HOOK_WORDS = [0, 2, 3, 2, 2, 4];

/** Collects records and makes a frame of them. Allocates nothing until {@link take}. */
export class RecordFrameWriter {
  readonly #kinds = new ColumnWriter();
  readonly #retired = new ColumnWriter();
  readonly #addresses = new ColumnWriter();
  readonly #data = new ColumnWriter();
  readonly #lastAddress = new Float64Array(KINDS);
  readonly #lastRegisters = new Uint8Array(REGISTER_COUNT * 8);
  #first = 0;
  #count = 0;
  #firstRetired = -1;
  #lastRetired = -1;
  #firstTime = 0;
  #lastTime = 0;

  /** `counting`: every record has a number of retired instructions. */
  constructor(readonly counting: boolean) {
    this.#firstRetired = this.#lastRetired = counting ? 0 : -1;
  }

  /** Records so far, with those of earlier frames. */
  get total(): number {
    return this.#first + this.#count;
  }
  /** Records in this frame. */
  get count(): number {
    return this.#count;
  }
  /** It is time to {@link take} the frame. */
  get full(): boolean {
    return this.#count >= RECORDS_PER_FRAME || this.#data.length >= RECORD_BYTES_PER_FRAME;
  }

  #begin(kind: RecordKind, upper: number, retired: number): void {
    this.#kinds.u8(kind | (upper << 4));
    this.#count++;
    if (!this.counting) return;
    this.#retired.varint(retired - this.#lastRetired);
    this.#lastRetired = retired;
  }
  #address(kind: RecordKind, address: number): void {
    this.#addresses.signed(address - (this.#lastAddress[kind] as number));
    this.#lastAddress[kind] = address;
  }

  /** Io and Mmio kinds: `size` bytes of `view`. */
  access(kind: RecordKind, retired: number, address: number, size: number, view: DataView, offset: number): void {
    this.#begin(kind, size, retired);
    this.#address(kind, address);
    this.#data.view(view, offset, size);
  }
  /** Msr kinds. */
  msr(kind: RecordKind, retired: number, index: number, fault: boolean, view: DataView, offset: number): void {
    this.#begin(kind, fault ? 1 : 0, retired);
    this.#address(kind, index);
    this.#data.view(view, offset, 8);
  }
  /** Halt and Shutdown. */
  plain(kind: RecordKind, retired: number): void {
    this.#begin(kind, 0, retired);
  }
  hook(retired: number, site: number, hookKind: number, low: number, high: number, aux: number, ebx: number): void {
    this.#begin(RecordKind.Hook, hookKind, retired);
    this.#address(RecordKind.Hook, site);
    const words = HOOK_WORDS[hookKind] as number;
    this.#data.u32(low);
    this.#data.u32(high);
    if (words > 2) this.#data.u32(aux);
    if (words > 3) this.#data.u32(ebx);
  }
  time(retired: number, time: number): void {
    this.#begin(RecordKind.Time, 0, retired);
    this.#addresses.varint(time - this.#lastTime);
    this.#lastTime = time;
  }
  /** `landmark`: given with the landing 3, and only then. */
  inject(
    retired: number,
    vector: number,
    landing: number,
    registers: Uint8Array,
    landmark?: TraceLandmark | undefined,
  ): void {
    assert((landmark !== undefined) === (landing === LANDING_LANDMARK), 'the landing landmark has a landmark');
    this.#begin(RecordKind.Inject, landing, retired);
    this.#data.u8(vector);
    const last = this.#lastRegisters;
    let changed = 0;
    for (let index = 0; index < REGISTER_COUNT; index++) {
      if (differs(last, registers, index * 8)) changed |= 1 << index;
    }
    this.#data.u32(changed);
    for (let index = 0; index < REGISTER_COUNT; index++) {
      if (!(changed & (1 << index))) continue;
      for (let at = index * 8; at < index * 8 + 8; at++) {
        const byte = registers[at] as number;
        last[at] = byte;
        this.#data.u8(byte);
      }
    }
    if (landmark) this.#landmark(landmark);
  }
  #landmark({ fpuHash, pages, hashes }: TraceLandmark): void {
    assert(fpuHash.length === HASH_SIZE && hashes.length === pages.length * HASH_SIZE, 'hashes have 8 bytes');
    this.#data.bytes(fpuHash);
    this.#data.varint(pages.length);
    let last = -1;
    for (const page of pages) {
      assert(page > last, 'the pages of a landmark ascend');
      this.#data.varint(page - last - 1);
      last = page;
    }
    this.#data.bytes(hashes);
  }
  input(retired: number, byte: number): void {
    this.#begin(RecordKind.Input, 0, retired);
    this.#data.u8(byte);
  }
  dma(retired: number, address: number, bytes: Uint8Array): void {
    this.#begin(RecordKind.Dma, 0, retired);
    this.#address(RecordKind.Dma, address);
    this.#data.varint(bytes.length);
    this.#data.bytes(bytes);
  }

  /** `instruction`: its bytes, 15 at most. */
  assist(retired: number, instruction: Uint8Array): void {
    assert(instruction.length <= INSTRUCTION_MAX, 'an instruction has at most 15 bytes');
    this.#begin(RecordKind.Assist, instruction.length, retired);
    this.#data.bytes(instruction);
  }
  /** `run`: the rolling digest of the architectural records; `state`: the digest of CPU and RAM. */
  digest(retired: number, run: Uint8Array, state: Uint8Array): void {
    assert(run.length <= DIGEST_MAX && state.length <= DIGEST_MAX, 'a digest has at most 64 bytes');
    this.#begin(RecordKind.Digest, 0, retired);
    for (const digest of [run, state]) {
      this.#data.u8(digest.length);
      this.#data.bytes(digest);
    }
  }

  /** The payload of the frame; a new frame begins. */
  take(): Uint8Array {
    const payload = packMessage([
      this.#first,
      this.#count,
      this.#firstRetired,
      this.#firstTime,
      this.#kinds.peek(),
      this.#retired.peek(),
      this.#addresses.peek(),
      this.#data.peek(),
    ]);
    this.#first += this.#count;
    this.#count = 0;
    this.#firstRetired = this.#lastRetired;
    this.#firstTime = this.#lastTime;
    this.#lastAddress.fill(0);
    this.#lastRegisters.fill(0);
    for (const column of [this.#kinds, this.#retired, this.#addresses, this.#data]) column.clear();
    return payload;
  }
}

function differs(a: Uint8Array, b: Uint8Array, start: number): boolean {
  for (let at = start; at < start + 8; at++) if (a[at] !== b[at]) return true;
  return false;
}

/** Reads the records of one frame, in order. Throws {@link ColumnError} for what no writer writes. */
export class RecordFrameReader {
  readonly first: number;
  readonly count: number;
  readonly #kinds: ColumnReader;
  readonly #retired: ColumnReader;
  readonly #addresses: ColumnReader;
  readonly #data: ColumnReader;
  readonly #lastAddress = new Float64Array(KINDS);
  readonly #lastRegisters = new Uint8Array(REGISTER_COUNT * 8);
  readonly #counting: boolean;
  #lastRetired: number;
  #lastTime: number;
  #next = 0;

  constructor(payload: Uint8Array) {
    const message = unpackMessage(payload);
    if (!Array.isArray(message) || message.length !== 8) throw new ColumnError('is not a list of eight values');
    const [first, count, retired, time, ...columns] = message as unknown[];
    this.first = wholeNumber(first, 0, Number.MAX_SAFE_INTEGER, 'first ordinal');
    this.count = wholeNumber(count, 0, RECORDS_MAX, 'number of records');
    this.#lastRetired = wholeNumber(retired, -1, Number.MAX_SAFE_INTEGER, 'instruction count');
    this.#counting = this.#lastRetired >= 0;
    this.#lastTime = wholeNumber(time, 0, Number.MAX_SAFE_INTEGER, 'time');
    const names = ['kinds', 'instruction counts', 'addresses', 'data'];
    const readers = columns.map((column, index) => {
      if (!(column instanceof Uint8Array)) throw new ColumnError(`has no bytes in its column of ${names[index]}`);
      // Not a Buffer, whose slice() does not copy.
      const plain = new Uint8Array(column.buffer, column.byteOffset, column.length);
      return new ColumnReader(plain, names[index] as string);
    });
    [this.#kinds, this.#retired, this.#addresses, this.#data] = readers as [
      ColumnReader,
      ColumnReader,
      ColumnReader,
      ColumnReader,
    ];
  }

  /** The instructions retired at the frame's start; NaN where the engine did not count. */
  get retired(): number {
    return this.#counting ? this.#lastRetired : Number.NaN;
  }

  /** Reads the next record into `record`; false: there is none, and all columns were used up. */
  next(record: TraceRecord): boolean {
    if (this.#next === this.count) {
      for (const column of [this.#kinds, this.#retired, this.#addresses, this.#data]) {
        if (column.left > 0) throw new ColumnError(`has ${column.left} bytes too many in its column of ${column.name}`);
      }
      return false;
    }
    record.ordinal = this.first + this.#next++;
    const code = this.#kinds.u8();
    const upper = code >> 4;
    const kind = code & 0xf;
    if (kind === 0 || kind >= KINDS) throw new ColumnError(`has a record of the unknown kind ${kind}`);
    record.kind = kind as RecordKind;
    if (this.#counting) {
      this.#lastRetired = bounded(this.#lastRetired + this.#retired.varint(), 'instruction count');
      record.retired = this.#lastRetired;
    } else {
      record.retired = Number.NaN;
    }
    record.size = 0;
    record.fault = false;
    record.address = 0;
    record.landmark = undefined;
    if (ADDRESSED[kind]) {
      const address = bounded((this.#lastAddress[kind] as number) + this.#addresses.signed(), 'address');
      this.#lastAddress[kind] = address;
      record.address = address;
    }
    this.#body(record, kind as RecordKind, upper);
    return true;
  }

  #body(record: TraceRecord, kind: RecordKind, upper: number): void {
    switch (kind) {
      case RecordKind.IoRead:
      case RecordKind.IoWrite:
        if (upper !== 1 && upper !== 2 && upper !== 4) throw badUpper(kind, upper);
        record.size = upper;
        this.#data.copy(record.data, upper);
        return;
      case RecordKind.MmioRead:
      case RecordKind.MmioWrite:
        if (upper < 1 || upper > 8) throw badUpper(kind, upper);
        record.size = upper;
        this.#data.copy(record.data, upper);
        return;
      case RecordKind.MsrRead:
      case RecordKind.MsrWrite:
        if (upper > 1) throw badUpper(kind, upper);
        record.fault = upper === 1;
        record.size = 8;
        this.#data.copy(record.data, 8);
        return;
      case RecordKind.Halt:
      case RecordKind.Shutdown:
        if (upper !== 0) throw badUpper(kind, upper);
        return;
      case RecordKind.Hook: {
        const words = HOOK_WORDS[upper];
        if (upper === 0 || words === undefined) throw badUpper(kind, upper);
        record.hookKind = upper;
        record.low = this.#data.u32();
        record.high = this.#data.u32();
        record.aux = words > 2 ? this.#data.u32() : 0;
        record.ebx = words > 3 ? this.#data.u32() : 0;
        return;
      }
      case RecordKind.Time:
        if (upper !== 0) throw badUpper(kind, upper);
        this.#lastTime = bounded(this.#lastTime + this.#addresses.varint(), 'time');
        record.time = this.#lastTime;
        return;
      case RecordKind.Inject:
        if (upper > LANDING_LANDMARK) throw badUpper(kind, upper);
        record.landing = upper;
        this.#inject(record);
        return;
      case RecordKind.Input:
        if (upper !== 0) throw badUpper(kind, upper);
        record.bytes = this.#data.bytes(1);
        return;
      case RecordKind.Dma:
        if (upper !== 0) throw badUpper(kind, upper);
        record.bytes = this.#data.bytes(this.#data.varint());
        return;
      case RecordKind.Assist:
        record.bytes = this.#data.bytes(upper);
        return;
      case RecordKind.Digest:
        if (upper !== 0) throw badUpper(kind, upper);
        record.bytes = this.#digest();
        record.stateDigest = this.#digest();
        return;
    }
  }

  #inject(record: TraceRecord): void {
    record.vector = this.#data.u8();
    const changed = this.#data.u32();
    if (changed >= 2 ** REGISTER_COUNT) throw new ColumnError('has an injection with a register that there is not');
    for (let index = 0; index < REGISTER_COUNT; index++) {
      if (changed & (1 << index)) this.#lastRegisters.set(this.#data.bytes(8), index * 8);
    }
    record.registers.set(this.#lastRegisters);
    if (record.landing === LANDING_LANDMARK) record.landmark = this.#landmark();
  }

  #landmark(): TraceLandmark {
    const fpuHash = this.#data.bytes(HASH_SIZE);
    const count = this.#data.varint();
    // Each page has a byte of its number and its hash.
    if (count > this.#data.left / (1 + HASH_SIZE)) throw new ColumnError('has a landmark of more pages than bytes');
    const pages: number[] = [];
    let last = -1;
    for (let index = 0; index < count; index++) {
      last = bounded(last + 1 + this.#data.varint(), 'page number');
      pages.push(last);
    }
    return { fpuHash, pages, hashes: this.#data.bytes(count * HASH_SIZE) };
  }

  #digest(): Uint8Array {
    const length = this.#data.u8();
    if (length > DIGEST_MAX) throw new ColumnError(`has a digest of ${length} bytes`);
    return this.#data.bytes(length);
  }
}

function bounded(value: number, what: string): number {
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) throw new ColumnError(`has an ${what} out of range`);
  return value;
}

function wholeNumber(value: unknown, minimum: number, maximum: number, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw new ColumnError(`has a bad ${what}`);
  }
  return value;
}

function badUpper(kind: RecordKind, upper: number): ColumnError {
  return new ColumnError(`has a record ${recordNames[kind]} with the impossible size or way ${upper}`);
}

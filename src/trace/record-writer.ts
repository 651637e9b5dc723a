/**
 * Making a frame of records, in columns; record-reader.ts is the other direction, and docs/trace-format.md the
 * explanation. The payload is the msgpack array [first ordinal, records, retired before the first or -1, time before the
 * first, shapes, order, retired, data, registers, vcpus]. All that differences refer to, but for these two numbers, is 0 at
 * the start of a frame.
 */
import { assert } from '../base/assert.js';
import { ColumnWriter } from './columns.js';
import {
  DMA_BYTES_PER_FRAME,
  DMA_MAX,
  LANDMARK_PAGES_MAX,
  RECORD_BYTES_PER_FRAME,
  RECORDS_PER_FRAME,
} from './format.js';
import { packMessage } from './msgpack.js';
import {
  DIGEST_MAX,
  DmaWay,
  HASH_SIZE,
  HOOK_WORDS,
  hasLandmark,
  INSTRUCTION_MAX,
  isTimestamp,
  LAST_ARCHITECTURAL,
  REGISTER_COUNT,
  RecordKind,
  type TraceLandmark,
} from './record.js';
import { RUN_DIGEST_SIZE, type RunMark } from './run-digest.js';
import { FORM_FAR, FORM_RAW, ShapeTable } from './shapes.js';

/** Half of what a difference may be: its sum with a count must stay a whole number. */
const TIMESTAMP_HIGH_MAX = 0x8_0000;

/** Collects records and makes a frame of them. Allocates nothing until {@link take}, but when a column grows. */
export class RecordFrameWriter {
  /** The number of the vCPU whose records follow. */
  vcpu = 0;
  readonly #shapes = new ShapeTable();
  /** The data of each shape. */
  readonly #data: ColumnWriter[] = [];
  readonly #order = new ColumnWriter();
  readonly #retired = new ColumnWriter();
  readonly #registers = Array.from({ length: REGISTER_COUNT }, () => new ColumnWriter(256));
  readonly #vcpus = new ColumnWriter(64);
  readonly #lastRegisters = new Uint8Array(REGISTER_COUNT * 8);
  #dataBytes = 0;
  /** Bytes of DMA that are not in the frame. */
  #dmaBytes = 0;
  #first = 0;
  #count = 0;
  #firstRetired = -1;
  #lastRetired = -1;
  #firstTime = 0;
  #lastTime = 0;
  #farAddress = 0;
  #dmaAddress = 0;
  #skew = 0;
  #runVcpu = 0;
  #runStart = 0;
  /** The rolling digests so far that stand alone, with those of earlier frames. */
  readonly marks: RunMark[] = [];
  /** Architectural records so far, with those of earlier frames. */
  architectural = 0;

  /** `counting`: every record has a number of retired instructions. `first`: the ordinal of the first record. */
  constructor(
    readonly counting: boolean,
    first = 0,
    retired = 0,
    time = 0,
  ) {
    this.#first = first;
    this.#firstRetired = this.#lastRetired = counting ? retired : -1;
    this.#firstTime = this.#lastTime = time;
  }

  /** Records so far, with those of earlier frames. */
  get total(): number {
    return this.#first + this.#count;
  }
  /** Records in this frame. */
  get count(): number {
    return this.#count;
  }
  /** The instructions retired before the frame's first record; -1 where the engine does not count. */
  get firstRetired(): number {
    return this.#firstRetired;
  }
  /** It is time to {@link take} the frame. */
  get full(): boolean {
    return (
      this.#count >= RECORDS_PER_FRAME ||
      this.#dmaBytes >= DMA_BYTES_PER_FRAME ||
      this.#order.length + this.#retired.length + this.#dataBytes >= RECORD_BYTES_PER_FRAME
    );
  }

  /** A record begins; the column for its data is given back. `address` is left to the data if there is no shape for it. */
  #begin(kind: RecordKind, form: number, address: number, retired: number): ColumnWriter {
    let shape = this.#shapes.find(kind, form, address);
    const isFar = shape < 0;
    if (isFar) shape = this.#shapes.find(kind, form | FORM_FAR, 0);
    this.#order.varint(shape);
    if (this.vcpu !== this.#runVcpu) this.#endRun();
    this.#count++;
    if (kind <= LAST_ARCHITECTURAL) this.architectural++;
    if (this.counting) {
      this.#retired.varint(retired - this.#lastRetired);
      this.#lastRetired = retired;
    }
    let data = this.#data[shape];
    if (data === undefined) {
      data = new ColumnWriter(64);
      this.#data.push(data);
    }
    if (isFar) {
      data.signed(address - this.#farAddress);
      this.#farAddress = address;
      this.#dataBytes += 8;
    }
    return data;
  }
  #endRun(): void {
    // No run is empty: the first record of a frame may be of another vCPU than 0.
    if (this.#count > this.#runStart) {
      this.#vcpus.varint(this.#runVcpu);
      this.#vcpus.varint(this.#count - this.#runStart);
    }
    this.#runVcpu = this.vcpu;
    this.#runStart = this.#count;
  }

  /** Io and Mmio kinds: `size` bytes of `view`. */
  access(kind: RecordKind, retired: number, address: number, size: number, view: DataView, offset: number): void {
    this.#begin(kind, size, address, retired).view(view, offset, size);
    this.#dataBytes += size;
  }
  /** Msr kinds. */
  msr(kind: RecordKind, retired: number, index: number, fault: boolean, view: DataView, offset: number): void {
    this.#begin(kind, fault ? 1 : 0, index, retired).view(view, offset, 8);
    this.#dataBytes += 8;
  }
  /** Halt and Shutdown. */
  plain(kind: RecordKind, retired: number): void {
    this.#begin(kind, 0, 0, retired);
  }
  /** What of `low`, `high`, `aux`, `ebx` the HookKind does not have is left out. */
  hook(retired: number, site: number, hookKind: number, low: number, high: number, aux: number, ebx: number): void {
    const isDifference = isTimestamp(hookKind) && high < TIMESTAMP_HIGH_MAX;
    const data = this.#begin(RecordKind.Hook, isDifference ? hookKind : hookKind | FORM_RAW, site, retired);
    if (isDifference) {
      const base = (this.counting ? retired : this.#lastTime) + this.#skew;
      const value = high * 0x1_0000_0000 + low;
      data.signed(value - base);
      this.#skew += value - base;
    } else {
      data.u32(low);
      data.u32(high);
    }
    const words = HOOK_WORDS[hookKind] as number;
    if (words > 2) data.u32(aux);
    if (words > 3) data.u32(ebx);
    this.#dataBytes += 16;
  }
  time(retired: number, time: number): void {
    this.#begin(RecordKind.Time, 0, 0, retired).varint(time - this.#lastTime);
    this.#lastTime = time;
    this.#dataBytes += 8;
  }
  /** `landmark`: given with the landing 3, and only then. */
  inject(
    retired: number,
    vector: number,
    landing: number,
    registers: Uint8Array,
    landmark?: TraceLandmark | undefined,
  ): void {
    assert((landmark !== undefined) === hasLandmark(landing), 'a landmark and a waypoint have a landmark');
    const data = this.#begin(RecordKind.Inject, landing, vector, retired);
    const last = this.#lastRegisters;
    let changed = 0;
    for (let index = 0; index < REGISTER_COUNT; index++) {
      if (!differs(last, registers, index * 8)) continue;
      changed |= 1 << index;
      const column = this.#registers[index] as ColumnWriter;
      for (let at = index * 8; at < index * 8 + 8; at++) {
        const byte = registers[at] as number;
        last[at] = byte;
        column.u8(byte);
      }
      this.#dataBytes += 8;
    }
    data.varint(changed);
    this.#dataBytes += 3;
    if (landmark) this.#landmark(data, landmark);
  }
  #landmark(data: ColumnWriter, { cpuHash, pages, hashes }: TraceLandmark): void {
    assert(cpuHash.length === HASH_SIZE && hashes.length === pages.length * HASH_SIZE, 'hashes have 8 bytes');
    assert(pages.length <= LANDMARK_PAGES_MAX, 'a landmark has at most 98,304 pages');
    const before = data.length;
    data.bytes(cpuHash);
    data.varint(pages.length);
    let last = -1;
    for (const page of pages) {
      assert(page > last, 'the pages of a landmark ascend');
      data.varint(page - last - 1);
      last = page;
    }
    data.bytes(hashes);
    this.#dataBytes += data.length - before;
  }
  input(retired: number, byte: number): void {
    this.#begin(RecordKind.Input, 0, 0, retired).u8(byte);
    this.#dataBytes++;
  }
  /** At most 64 KiB. */
  dma(retired: number, address: number, bytes: Uint8Array): void {
    assert(bytes.length <= DMA_MAX, 'a DMA record has at most 64 KiB');
    const data = this.#dma(retired, address, DmaWay.Inline, bytes.length);
    data.bytes(bytes);
    this.#dataBytes += bytes.length;
  }
  /** The bytes are those of a blob of the file. */
  dmaBlob(retired: number, address: number, length: number, blob: number): void {
    this.#dma(retired, address, DmaWay.Blob, length).varint(blob);
    this.#dmaBytes += length;
  }
  /** The bytes are all zero. At most 64 KiB. */
  dmaZeros(retired: number, address: number, length: number): void {
    assert(length <= DMA_MAX, 'a DMA record has at most 64 KiB');
    this.#dma(retired, address, DmaWay.Zeros, length);
    this.#dmaBytes += length;
  }
  #dma(retired: number, address: number, way: number, length: number): ColumnWriter {
    const data = this.#begin(RecordKind.Dma, way, 0, retired);
    data.signed(address - this.#dmaAddress);
    data.varint(length);
    this.#dmaAddress = address;
    this.#dataBytes += 16;
    return data;
  }
  /** `instruction`: its bytes, 15 at most. `bits` of the code that it stands in: 16, 32, 64, or 0: not known. */
  assist(retired: number, instruction: Uint8Array, bits = 0): void {
    assert(instruction.length <= INSTRUCTION_MAX, 'an instruction has at most 15 bytes');
    this.#begin(RecordKind.Assist, instruction.length, bits, retired).bytes(instruction);
    this.#dataBytes += instruction.length;
  }
  /** `run`: the rolling digest of the architectural records; `state`: the digest of CPU and RAM, or nothing. */
  digest(retired: number, run: Uint8Array, state: Uint8Array): void {
    assert(run.length <= DIGEST_MAX && state.length <= DIGEST_MAX, 'a digest has at most 64 bytes');
    if (state.length === 0 && run.length === RUN_DIGEST_SIZE) {
      this.marks.push({ architectural: this.architectural, record: this.total, digest: Uint8Array.from(run) });
    }
    const data = this.#begin(RecordKind.Digest, 0, 0, retired);
    for (const digest of [run, state]) {
      data.u8(digest.length);
      data.bytes(digest);
      this.#dataBytes += 1 + digest.length;
    }
  }

  /** The payload of the frame; a new frame begins. */
  take(): Uint8Array {
    const { count, kinds, forms, addresses } = this.#shapes;
    const shapes = new ColumnWriter();
    for (let shape = 0; shape < count; shape++) {
      shapes.u8(kinds[shape] as number);
      shapes.u8(forms[shape] as number);
      shapes.varint(addresses[shape] as number);
      shapes.varint((this.#data[shape] as ColumnWriter).length);
    }
    if (this.#vcpus.length > 0 || this.#runVcpu !== 0) this.#endRun();
    const registers = new ColumnWriter();
    if (this.#registers.some(({ length }) => length > 0)) {
      for (const { length } of this.#registers) registers.varint(length);
      for (const column of this.#registers) registers.bytes(column.peek());
    }
    const payload = packMessage([
      this.#first,
      this.#count,
      this.#firstRetired,
      this.#firstTime,
      shapes.peek(),
      this.#order.peek(),
      this.#retired.peek(),
      Buffer.concat(this.#data.slice(0, count).map((column) => column.peek())),
      registers.peek(),
      this.#vcpus.peek(),
    ]);
    this.#reset();
    return payload;
  }

  #reset(): void {
    this.#first += this.#count;
    this.#count = 0;
    this.#firstRetired = this.#lastRetired;
    this.#firstTime = this.#lastTime;
    this.#farAddress = this.#dmaAddress = this.#dmaBytes = this.#skew = this.#dataBytes = 0;
    this.#runVcpu = this.#runStart = 0;
    this.#lastRegisters.fill(0);
    this.#shapes.clear();
    for (const column of [this.#order, this.#retired, this.#vcpus, ...this.#registers, ...this.#data]) column.clear();
  }
}

function differs(a: Uint8Array, b: Uint8Array, start: number): boolean {
  for (let at = start; at < start + 8; at++) if (a[at] !== b[at]) return true;
  return false;
}

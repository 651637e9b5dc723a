/** The records of a frame, for the reader of test/helpers/page-reader.ts. */
import { Column, must } from './page-columns.js';
import type { PageRecord } from './page-reader.js';

const hex = (value: number | bigint) => `0x${value.toString(16)}`;
export const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
/** Little-endian bytes as a number of all their digits. */
const wide = (bytes: Uint8Array) => `0x${Buffer.from(bytes).reverse().toString('hex')}`;

export const kinds = [
  ...['', 'io-read', 'io-write', 'mmio-read', 'mmio-write', 'msr-read', 'msr-write', 'halt', 'shutdown', 'hook'],
  ...['time', 'inject', 'input', 'dma', 'assist', 'digest'],
];
const hooks = ['', 'RDTSC', 'RDTSCP', 'RDRAND', 'RDSEED', 'CPUID'];
const landings = ['exit', 'window', 'count', 'landmark', 'nmi', 'waypoint'];
const registerNames = [
  ...['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'],
  ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip', 'rflags'],
];
/** What goes on within a frame of records. */
export class FrameState {
  #far = 0;
  #dma = 0;
  #skew = 0;
  readonly #registers = registerNames.map(() => '0x0000000000000000');
  readonly #columns: readonly Column[];
  readonly #vcpus: Column;
  #vcpu = 0;
  #left = 0;

  constructor(
    public retired: number,
    public time: number,
    registers: Uint8Array,
    vcpus: Uint8Array,
  ) {
    const column = new Column(registers);
    const lengths = registers.length === 0 ? [] : registerNames.map(() => column.varint());
    this.#columns = lengths.map((length) => new Column(column.take(length)));
    this.#vcpus = new Column(vcpus);
    if (vcpus.length === 0) this.#left = Number.POSITIVE_INFINITY;
  }

  /** Of a record whose address stands in its data. */
  farAddress(data: Column): number {
    this.#far += data.signed();
    return this.#far;
  }

  /** Of the next record. */
  vcpu(): number {
    if (this.#left === 0) {
      this.#vcpu = this.#vcpus.varint();
      this.#left = this.#vcpus.varint();
      must(this.#left > 0, 'a run has records');
    }
    this.#left--;
    return this.#vcpu;
  }

  fields(
    kind: number,
    way: number,
    isRaw: boolean,
    address: number,
    data: Column,
    blobs: readonly Uint8Array[],
  ): { fields: PageRecord; words: readonly number[] } {
    if (kind <= 4) {
      const bytes = data.take(way);
      const padded = new DataView(Uint8Array.from({ length: 8 }, (_, index) => bytes[index] ?? 0).buffer);
      const place = kind <= 2 ? { port: hex(address) } : { address: hex(address) };
      const words = [padded.getInt32(0, true), padded.getInt32(4, true)];
      return { fields: { ...place, size: way, data: wide(bytes) }, words };
    }
    if (kind <= 6) {
      const bytes = data.take(8);
      const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
      const isNothing = way === 1 && kind === 5;
      const words = isNothing ? [0, 0] : [view.getInt32(0, true), view.getInt32(4, true)];
      return { fields: { msr: hex(address), ...(way === 1 ? { fault: true } : { data: wide(bytes) }) }, words };
    }
    if (kind <= 8) return { fields: {}, words: [] };
    if (kind === 9) return this.#hook(way, isRaw, address, data);
    return { fields: this.#incidental(kind, way, address, data, blobs), words: [] };
  }

  #hook(way: number, isRaw: boolean, site: number, data: Column) {
    let [low, high] = [0, 0];
    if (isRaw) [low, high] = [data.u32(), data.u32()];
    else {
      const base = this.retired >= 0 ? this.retired : this.time;
      const difference = data.signed();
      const answer = base + this.#skew + difference;
      this.#skew += difference;
      [low, high] = [answer % 2 ** 32, Math.floor(answer / 2 ** 32)];
    }
    const ecx = way === 2 || way === 5 ? data.u32() : undefined;
    const ebx = way === 5 ? data.u32() : undefined;
    const more = { ...(ecx !== undefined && { ecx: hex(ecx) }), ...(ebx !== undefined && { ebx: hex(ebx) }) };
    const fields = { hook: hooks[way], site, low: hex(low), high: hex(high), ...more };
    return { fields, words: [low, high, ecx ?? 0, ebx ?? 0] };
  }

  #incidental(kind: number, way: number, address: number, data: Column, blobs: readonly Uint8Array[]): PageRecord {
    switch (kinds[kind]) {
      case 'time':
        this.time += data.varint();
        return { time: this.time };
      case 'inject':
        return this.#inject(way, address, data);
      case 'input':
        return { bytes: hexOf(data.take(1)) };
      case 'dma': {
        this.#dma += data.signed();
        const length = data.varint();
        const bytes =
          way === 0 ? data.take(length) : way === 1 ? (blobs[data.varint()] as Uint8Array) : new Uint8Array(length);
        must(bytes.length === length, 'a blob has the length of its DMA');
        return { address: hex(this.#dma), bytes: hexOf(bytes) };
      }
      case 'assist':
        return { bytes: hexOf(data.take(way)) };
      case 'digest':
        return { run: hexOf(data.take(data.u8())), state: hexOf(data.take(data.u8())) };
      default:
        throw new Error(`not as the page says: a record of kind ${kind}`);
    }
  }

  #inject(way: number, vector: number, data: Column): PageRecord {
    const changed = data.varint();
    for (const [index, column] of this.#columns.entries())
      if ((changed >>> index) & 1) this.#registers[index] = wide(column.take(8));
    const registers = Object.fromEntries(registerNames.map((name, index) => [name, this.#registers[index]]));
    const fields = { vector, landing: landings[way], registers };
    if (way !== 3 && way !== 5) return fields;
    const cpu = hexOf(data.take(8));
    let last = -1;
    const pages = Array.from({ length: data.varint() }, () => {
      last += data.varint() + 1;
      return { page: Math.floor(last / 2), table: last % 2 === 1 };
    });
    return { ...fields, landmark: { cpu, pages: pages.map((page) => ({ ...page, hash: hexOf(data.take(8)) })) } };
  }
}

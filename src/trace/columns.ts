/** Columns of a frame: growing byte buffers, and reading them with every bound checked. */

/** A column under construction. Nothing is allocated but when it grows. */
export class ColumnWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** `capacity`: bytes to begin with. */
  constructor(capacity = 0x1000) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }
  u8(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }
  u32(value: number): void {
    if (this.#length + 4 > this.#bytes.length) this.#grow(4);
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.#length = at + 4;
  }
  /** A whole number from 0 to 2^53 - 1: seven bits a byte, the lowest first, the top bit set in all but the last. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x1000_0000) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }
  /** A whole number of either sign: 0, -1, 1, -2 … are the varints 0, 1, 2, 3 …; its magnitude is below 2^52. */
  signed(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }
  bytes(value: Uint8Array): void {
    if (this.#length + value.length > this.#bytes.length) this.#grow(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }
  /** `count` bytes of a view. */
  view(view: DataView, offset: number, count: number): void {
    if (this.#length + count > this.#bytes.length) this.#grow(count);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < count; index++) bytes[at++] = view.getUint8(offset + index);
    this.#length = at;
  }
  /** The bytes so far: a view that the next write may change. */
  peek(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
  clear(): void {
    this.#length = 0;
  }

  #grow(need: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + need));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** What is wrong with a column: the reader of the frame adds the place. */
export class ColumnError extends Error {}

/** Reads a column once, from its start to its end. */
export class ColumnReader {
  #at: number;
  readonly #end: number;

  /** The bytes from `start` to `end` of `source`. */
  constructor(
    readonly source: Uint8Array,
    readonly name: string,
    start = 0,
    end = source.length,
  ) {
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }
  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw new ColumnError(`has its column of ${this.name} end too early`);
    this.#at = at + count;
    return at;
  }
  u8(): number {
    return this.source[this.#take(1)] as number;
  }
  /** The next byte, which stays; -1: there is none. */
  peek(): number {
    return this.#at < this.#end ? (this.source[this.#at] as number) : -1;
  }
  /** Passes over so many bytes. */
  skip(count: number): void {
    this.#take(count);
  }
  u32(): number {
    const at = this.#take(4);
    const bytes = this.source;
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
    return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
  }
  varint(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 0x80;
    for (let count = 1; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new ColumnError(`has a number beyond 2^53 in its column of ${this.name}`);
  }
  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
  /** The next `count` bytes: a view of the column. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.source.subarray(at, at + count);
  }
  /** Copies the next `count` bytes to the start of `out`. */
  copy(out: Uint8Array, count: number): void {
    const at = this.#take(count);
    const { source } = this;
    for (let index = 0; index < count; index++) out[index] = source[at + index] as number;
  }
  /** Throws if something is left. */
  finish(): void {
    if (this.left > 0) throw new ColumnError(`has ${this.left} bytes too many in its column of ${this.name}`);
  }
}

/** Bytes of a decoded message as a plain array: a Buffer's slice() does not copy. Throws {@link ColumnError} otherwise. */
export function plainBytes(value: unknown, name: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new ColumnError(`has no bytes in its column of ${name}`);
  return new Uint8Array(value.buffer, value.byteOffset, value.length);
}

/** A whole number of a decoded message, in range. Throws {@link ColumnError} otherwise. */
export function wholeNumber(value: unknown, minimum: number, maximum: number, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw new ColumnError(`has a bad ${what}`);
  }
  return value;
}

/** A list of so many values of a decoded message. Throws {@link ColumnError} otherwise. */
export function listOf(message: unknown, length: number): unknown[] {
  if (!Array.isArray(message) || message.length !== length) throw new ColumnError(`is not a list of ${length} values`);
  return message;
}

/** The sum of a running number and a difference. Throws {@link ColumnError} if it is out of range. */
export function bounded(value: number, what: string): number {
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) throw new ColumnError(`has an ${what} out of range`);
  return value;
}

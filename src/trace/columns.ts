/** Columns of a frame: growing byte buffers, and reading them with every bound checked. */

/** A column under construction. Nothing is allocated but when it grows. */
export class ColumnWriter {
  #bytes = new Uint8Array(0x1000);
  #length = 0;

  get length(): number {
    return this.#length;
  }
  u8(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }
  u32(value: number): void {
    this.u8(value);
    this.u8(value >>> 8);
    this.u8(value >>> 16);
    this.u8(value >>> 24);
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
  /** A whole number of either sign: 0, -1, 1, -2 … are the varints 0, 1, 2, 3 … */
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
    for (let index = 0; index < count; index++) this.u8(view.getUint8(offset + index));
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
  #at = 0;
  constructor(
    readonly source: Uint8Array,
    readonly name: string,
  ) {}

  get left(): number {
    return this.source.length - this.#at;
  }
  #take(count: number): number {
    if (count > this.left) throw new ColumnError(`has its column of ${this.name} end too early`);
    const at = this.#at;
    this.#at += count;
    return at;
  }
  u8(): number {
    return this.source[this.#take(1)] as number;
  }
  u32(): number {
    const at = this.#take(4);
    const bytes = this.source;
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
    return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
  }
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
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
    for (let index = 0; index < count; index++) out[index] = this.source[at + index] as number;
  }
}

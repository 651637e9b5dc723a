/** Emits the few instructions of 64-bit code that the harness consists of. Memory is named by absolute addresses below 2 GiB. */
export class Assembler {
  readonly bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #jumps: { at: number; label: string }[] = [];

  constructor(readonly base: number) {}

  /** The address of the next byte. */
  get here(): number {
    return this.base + this.bytes.length;
  }

  raw(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  u32(value: number): this {
    return this.raw(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }

  label(name: string): this {
    this.#labels.set(name, this.here);
    return this;
  }

  address(name: string): number {
    const address = this.#labels.get(name);
    if (address === undefined) throw new Error(`there is no label ${name}`);
    return address;
  }

  /** ModRM and SIB of [address]. */
  #absolute(reg: number, address: number): this {
    return this.raw(0x04 | ((reg & 7) << 3), 0x25).u32(address);
  }

  /** mov r64, [address] */
  load(reg: number, address: number): this {
    return this.raw(0x48 | ((reg >> 3) << 2), 0x8b).#absolute(reg, address);
  }

  /** mov [address], r64 */
  store(address: number, reg: number): this {
    return this.raw(0x48 | ((reg >> 3) << 2), 0x89).#absolute(reg, address);
  }

  /** mov r32, value */
  set(reg: number, value: number): this {
    return this.raw(0xb8 + reg).u32(value);
  }

  /** mov qword [address], value */
  storeValue(address: number, value: number): this {
    return this.raw(0x48, 0xc7).#absolute(0, address).u32(value);
  }

  /** mov ecx, bytes / 8; rep movsq */
  copy(bytes: number): this {
    return this.set(1, bytes / 8).raw(0xf3, 0x48, 0xa5);
  }

  /** push qword [address] */
  push(address: number): this {
    return this.raw(0xff).#absolute(6, address);
  }

  /** pop qword [address] */
  pop(address: number): this {
    return this.raw(0x8f).#absolute(0, address);
  }

  /** dec qword [address] */
  decrement(address: number): this {
    return this.raw(0x48, 0xff).#absolute(1, address);
  }

  /** fxsave64 [address] (/0), fxrstor64 [address] (/1) */
  fx(extension: number, address: number): this {
    return this.raw(0x48, 0x0f, 0xae).#absolute(extension, address);
  }

  /** jmp far [address], a 16:32 pointer */
  jumpFar(address: number): this {
    return this.raw(0xff).#absolute(5, address);
  }

  /** mov [address], a segment register by its number */
  storeSegment(address: number, segment: number): this {
    return this.raw(0x8c).#absolute(segment, address);
  }

  /** An opcode with a displacement of 32 bits: E9 JMP, 0F 85 JNE … */
  jump(label: string, ...opcode: number[]): this {
    this.raw(...opcode);
    this.#jumps.push({ at: this.bytes.length, label });
    return this.u32(0);
  }

  /** The code, with its jumps resolved. */
  finish(): Uint8Array {
    const code = Uint8Array.from(this.bytes);
    const view = new DataView(code.buffer);
    for (const { at, label } of this.#jumps) view.setInt32(at, this.address(label) - (this.base + at + 4), true);
    return code;
  }
}

/**
 * Reader of the MOO format of the SingleStepTests project (https://github.com/SingleStepTests/80286, docs of the format
 * beside the tests): chunks of a four-letter tag, a u32 length and the payload, all little-endian.
 *
 *     MOO   version, number of tests, CPU
 *     META  what is tested
 *     TEST  index, then NAME text · BYTS instruction · INIT and FINA states · EXCP exception · CYCL bus · HASH
 *     INIT, FINA  REGS: u16 mask, a u16 for each set bit · RAM: count, then (u32 address, u8 value)
 *
 * A file is untrusted: every length and count is checked against what holds it.
 */
import { ExitCode, VmtapeError } from '../../base/errors.js';

/** The registers in the order of the mask's bits. */
export const REGISTER_NAMES = [
  'AX',
  'BX',
  'CX',
  'DX',
  'CS',
  'SS',
  'DS',
  'ES',
  'SP',
  'BP',
  'SI',
  'DI',
  'IP',
  'FLAGS',
] as const;
/** Index of a register in {@link MooState.registers}. */
export const Register = {
  AX: 0,
  BX: 1,
  CX: 2,
  DX: 3,
  CS: 4,
  SS: 5,
  DS: 6,
  ES: 7,
  SP: 8,
  BP: 9,
  SI: 10,
  DI: 11,
  IP: 12,
  FLAGS: 13,
} as const;

/** A state, or what changed in it. */
export interface MooState {
  /** By {@link Register}; undefined where the file gives none. */
  readonly registers: readonly (number | undefined)[];
  /** Address, value, address, value … */
  readonly ram: Uint32Array;
}

/** An exception or a software interrupt that the instruction raised. */
export interface MooException {
  readonly vector: number;
  /** Where the FLAGS that it pushed lie; cut down to an even address. */
  readonly flagsAddress: number;
}

/** One test. */
export interface MooTest {
  /** Its number in the file of the full set. */
  readonly index: number;
  /** The instruction in assembly language. */
  readonly name: string;
  /** Its bytes, with the HLT behind it. */
  readonly bytes: Uint8Array;
  readonly initial: MooState;
  /** Only what changed. */
  readonly final: MooState;
  readonly exception: MooException | undefined;
}

class Chunks {
  readonly view: DataView;
  constructor(
    readonly bytes: Uint8Array,
    readonly file: string,
    private at: number,
    private readonly end: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  fail(what: string): never {
    throw new VmtapeError('VMTAPE_MOO', `${this.file}: ${what} at byte ${this.at}`, ExitCode.BadFile);
  }

  /** Bounds checked: the next `length` bytes; returns their offset. */
  take(length: number): number {
    const start = this.at;
    if (length > this.end - start) this.fail(`${length} bytes expected, ${this.end - start} left`);
    this.at = start + length;
    return start;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  text(length: number): string {
    const start = this.take(length);
    return String.fromCharCode(...this.bytes.subarray(start, start + length));
  }

  /** The next chunk: its tag, and its payload as chunks of its own. */
  chunk(): [string, Chunks] {
    const tag = this.text(4);
    const length = this.u32();
    const start = this.take(length);
    return [tag, new Chunks(this.bytes, this.file, start, start + length)];
  }
}

function readRegisters(chunk: Chunks): (number | undefined)[] {
  const mask = chunk.u16();
  return REGISTER_NAMES.map((_, bit) => (mask & (1 << bit) ? chunk.u16() : undefined));
}

function readRam(chunk: Chunks): Uint32Array {
  const count = chunk.u32();
  if (count > 0x10000) chunk.fail(`${count} bytes of memory`);
  const ram = new Uint32Array(count * 2);
  for (let i = 0; i < count; i++) {
    ram[2 * i] = chunk.u32();
    ram[2 * i + 1] = chunk.u8();
  }
  return ram;
}

function readState(chunks: Chunks): MooState {
  let registers: (number | undefined)[] = [];
  let ram: Uint32Array = new Uint32Array(0);
  while (!chunks.done) {
    const [tag, chunk] = chunks.chunk();
    if (tag === 'REGS') registers = readRegisters(chunk);
    else if (tag === 'RAM ') ram = readRam(chunk);
  }
  return { registers, ram };
}

function readTest(chunks: Chunks): MooTest {
  const index = chunks.u32();
  let name = '';
  let bytes: Uint8Array | undefined;
  let initial: MooState | undefined;
  let final: MooState | undefined;
  let exception: MooException | undefined;
  while (!chunks.done) {
    const [tag, chunk] = chunks.chunk();
    if (tag === 'NAME') name = chunk.text(chunk.u32());
    else if (tag === 'BYTS') {
      const length = chunk.u32();
      const start = chunk.take(length);
      bytes = chunk.bytes.subarray(start, start + length);
    } else if (tag === 'INIT') initial = readState(chunk);
    else if (tag === 'FINA') final = readState(chunk);
    else if (tag === 'EXCP') exception = { vector: chunk.u8(), flagsAddress: chunk.u32() };
  }
  if (!bytes || !initial || !final) return chunks.fail('a test without BYTS, INIT or FINA');
  if (initial.registers.length !== 14 || initial.registers.includes(undefined))
    chunks.fail('an INIT without all registers');
  return { index, name, bytes, initial, final, exception };
}

/** The tests of a file, unpacked. `file` is its name, for messages. Throws VMTAPE_MOO. */
export function readMoo(bytes: Uint8Array, file: string): MooTest[] {
  const chunks = new Chunks(bytes, file, 0, bytes.length);
  const [tag, header] = chunks.chunk();
  if (tag !== 'MOO ') chunks.fail('no MOO header');
  header.take(4);
  const count = header.u32();
  const tests: MooTest[] = [];
  while (!chunks.done) {
    const [name, chunk] = chunks.chunk();
    if (name === 'TEST') tests.push(readTest(chunk));
  }
  if (tests.length !== count) chunks.fail(`${count} tests expected, ${tests.length} found`);
  return tests;
}

/**
 * A writer of AML, the byte code of ACPI's definition blocks (ACPI specification 6.5, chapter 20), and of resource descriptors
 * (section 6.4), as far as a machine without methods needs them. Each function returns the bytes of one term.
 */
import { assert } from '../../base/assert.js';

/** The bytes of a term. */
export type Aml = readonly number[];

const Op = {
  Zero: 0x00,
  One: 0x01,
  Name: 0x08,
  Byte: 0x0a,
  Word: 0x0b,
  Dword: 0x0c,
  Scope: 0x10,
  Buffer: 0x11,
} as const;
const PACKAGE_OP = 0x12;
const DEVICE_OP: Aml = [0x5b, 0x82];
const ROOT = 0x5c;

/** The low `count` bytes of a number, little-endian. */
function littleEndian(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);
}

/** PkgLength (section 20.2.4): of itself and what follows. */
function withLength(body: Aml): Aml {
  if (body.length + 1 <= 0x3f) return [body.length + 1, ...body];
  const more = body.length + 2 <= 0xfff ? 1 : 2;
  const total = body.length + 1 + more;
  assert(total <= 0xf_ffff, 'an AML package of this machine is small');
  return [(more << 6) | (total & 0xf), ...littleEndian(total >> 4, more), ...body];
}

/** A name of up to four characters, padded by underscores; `\` before it means the root (section 20.2.2). */
function nameString(name: string): Aml {
  const isRoot = name.startsWith('\\');
  const segment = name.slice(isRoot ? 1 : 0);
  assert(/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment), 'an AML name has one to four capital letters, digits or underscores');
  return [...(isRoot ? [ROOT] : []), ...new TextEncoder().encode(segment.padEnd(4, '_'))];
}

/** A whole number of up to 32 bits, in its shortest form (section 20.2.3). */
export function integer(value: number): Aml {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'an AML integer has at most 32 bits here');
  if (value === 0) return [Op.Zero];
  if (value === 1) return [Op.One];
  if (value <= 0xff) return [Op.Byte, value];
  if (value <= 0xffff) return [Op.Word, ...littleEndian(value, 2)];
  return [Op.Dword, ...littleEndian(value, 4)];
}

/** Name (name, value). */
export const name = (path: string, value: Aml): Aml => [Op.Name, ...nameString(path), ...value];
/** Scope (path) { … }. */
export const scope = (path: string, ...terms: Aml[]): Aml => [
  Op.Scope,
  ...withLength([...nameString(path), ...terms.flat()]),
];
/** Device (path) { … }. */
export const device = (path: string, ...terms: Aml[]): Aml => [
  ...DEVICE_OP,
  ...withLength([...nameString(path), ...terms.flat()]),
];
/** Package () { … }. */
export const packageOf = (...elements: Aml[]): Aml => [
  PACKAGE_OP,
  ...withLength([elements.length, ...elements.flat()]),
];
/** Buffer () { … }. */
export const buffer = (bytes: Aml): Aml => [Op.Buffer, ...withLength([...integer(bytes.length), ...bytes])];

/** EisaId ("PNP0A03"): three letters of five bits and four hexadecimal digits, big-endian (section 19.6.36). */
export function eisaId(text: string): Aml {
  assert(/^[A-Z]{3}[0-9A-F]{4}$/.test(text), 'an EISA identifier has three letters and four digits');
  const letter = (at: number): number => text.charCodeAt(at) - 0x40;
  const letters = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(text.slice(3), 16);
  return [Op.Dword, letters >> 8, letters & 0xff, product >> 8, product & 0xff];
}

/** ResourceTemplate () { … }: descriptors and an end tag whose checksum is not used (section 6.4.2.9). */
export const resources = (...descriptors: Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0x00]);

/** IO (Decode16, first, first, 1, length) (section 6.4.2.5). */
export const ioPorts = (first: number, length: number): Aml => [
  0x47,
  0x01,
  ...littleEndian(first, 2),
  ...littleEndian(first, 2),
  0x01,
  length,
];

/** IRQNoFlags () { irq }: edge, active high (section 6.4.2.1). */
export const interrupt = (irq: number): Aml => [0x22, ...littleEndian(1 << irq, 2)];

/** What a range of an address space descriptor holds: general flags say that the first and last address are fixed. */
interface Range {
  readonly type: number;
  /** Type-specific flags. */
  readonly flags: number;
  readonly first: number;
  readonly last: number;
}
const FIXED = 0x0c;

function addressSpace(tag: number, width: 2 | 4, { type, flags, first, last }: Range): Aml {
  const numbers = [0, first, last, 0, last - first + 1].flatMap((value) => littleEndian(value, width));
  return [tag, ...littleEndian(3 + numbers.length, 2), type, FIXED, flags, ...numbers];
}

/** WordBusNumber: the buses behind a bridge (section 6.4.3.5.3). */
export const busNumbers = (first: number, last: number): Aml =>
  addressSpace(0x88, 2, { type: 2, flags: 0, first, last });
/** WordIO: the ports that a bridge passes on, ISA and others. */
export const ioWindow = (first: number, last: number): Aml => addressSpace(0x88, 2, { type: 1, flags: 3, first, last });
/** DWordMemory: the addresses that a bridge passes on, not cached, read and write (section 6.4.3.5.2). */
export const memoryWindow = (first: number, last: number): Aml =>
  addressSpace(0x87, 4, { type: 0, flags: 1, first, last });

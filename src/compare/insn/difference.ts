/** In which fields two results of a case differ. */
import { hex, hexBytes } from '../../base/hex.js';
import { GPR_NAMES } from '../../vmm/cpu/state.js';
import { HUNG, LEFT, NO_VECTOR, NOT_EXECUTED, Result, SHUTDOWN, WINDOW_BYTES } from './layout.js';
import { WINDOW as REAL_WINDOW } from './layout-real.js';

/** One field. `kind` is the field without its number and, for flags, with the bits: what cases are sorted by. */
export interface FieldDifference {
  /** `RAX`, `RFLAGS`, `exception`, `CR2`, `XMM3`, `MXCSR`, `memory` … */
  readonly field: string;
  readonly kind: string;
  readonly expected: string;
  readonly actual: string;
}

interface Field {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly kind?: string;
  /** Names of bits: the kind says which differ. */
  readonly bits?: Readonly<Record<number, string>>;
}

const FLAG_BITS = {
  0: 'CF',
  2: 'PF',
  4: 'AF',
  6: 'ZF',
  7: 'SF',
  8: 'TF',
  9: 'IF',
  10: 'DF',
  11: 'OF',
  14: 'NT',
  16: 'RF',
  18: 'AC',
  21: 'ID',
};
const STATUS_BITS = {
  ...{ 0: 'IE', 1: 'DE', 2: 'ZE', 3: 'OE', 4: 'UE', 5: 'PE', 6: 'SF', 7: 'ES', 8: 'C0', 9: 'C1', 10: 'C2' },
  ...{ 11: 'TOP', 12: 'TOP', 13: 'TOP', 14: 'C3', 15: 'B' },
};
const MXCSR_BITS = { 0: 'IE', 1: 'DE', 2: 'ZE', 3: 'OE', 4: 'UE', 5: 'PE' };

function fieldTable(): Field[] {
  const { fxsave } = Result;
  const fields: Field[] = [
    { name: 'error code', offset: Result.error, length: 8 },
    { name: 'RIP', offset: Result.rip, length: 8 },
    { name: 'CS', offset: Result.cs, length: 8 },
    { name: 'pushed RFLAGS', offset: Result.frameFlags, length: 8, bits: FLAG_BITS },
    { name: 'pushed RSP', offset: Result.rsp, length: 8 },
    { name: 'pushed SS', offset: Result.ss, length: 8 },
    { name: 'CR2', offset: Result.cr2, length: 8 },
    { name: 'RFLAGS', offset: Result.flags, length: 8, bits: FLAG_BITS },
  ];
  for (const [i, name] of GPR_NAMES.entries())
    fields.push({ name: name.toUpperCase(), kind: 'register', offset: Result.registers + i * 8, length: 8 });
  for (const [i, name] of ['DS', 'ES', 'FS', 'GS'].entries())
    fields.push({ name, kind: 'segment register', offset: Result.selectors + i * 2, length: 2 });
  fields.push({ name: 'SS', kind: 'segment register', offset: Result.stackSelector, length: 2 });
  fields.push({ name: 'FS.base', offset: Result.fsBase, length: 8 });
  fields.push({ name: 'GS.base', offset: Result.gsBase, length: 8 });
  fields.push({ name: 'FCW', offset: fxsave, length: 2 });
  fields.push({ name: 'FSW', offset: fxsave + 2, length: 2, bits: STATUS_BITS });
  fields.push({ name: 'FTW', offset: fxsave + 4, length: 1 });
  fields.push({ name: 'FOP', offset: fxsave + 6, length: 2 });
  fields.push({ name: 'FIP', offset: fxsave + 8, length: 8 });
  fields.push({ name: 'FDP', offset: fxsave + 16, length: 8 });
  fields.push({ name: 'MXCSR', offset: fxsave + 24, length: 4, bits: MXCSR_BITS });
  for (let i = 0; i < 8; i++) fields.push({ name: `ST${i}`, kind: 'ST', offset: fxsave + 32 + i * 16, length: 10 });
  for (let i = 0; i < 16; i++) fields.push({ name: `XMM${i}`, kind: 'XMM', offset: fxsave + 160 + i * 16, length: 16 });
  return fields;
}

const FIELDS = fieldTable();

const EXCEPTIONS = [
  '#DE',
  '#DB',
  'NMI',
  '#BP',
  '#OF',
  '#BR',
  '#UD',
  '#NM',
  '#DF',
  '#9',
  '#TS',
  '#NP',
  '#SS',
  '#GP',
  '#PF',
];

const PAGE_FAULT = 14;
const RSP = 4;
const STRAY = 'memory around the window';

/** A result's vector in words. */
export function vectorName(vector: number): string {
  if (vector === NO_VECTOR) return 'none';
  if (vector === NOT_EXECUTED) return 'not executed';
  if (vector === LEFT) return 'an exit';
  if (vector === HUNG) return 'hung';
  if (vector === SHUTDOWN) return 'shutdown';
  return EXCEPTIONS[vector] ?? { 16: '#MF', 17: '#AC', 18: '#MC', 19: '#XM' }[vector] ?? `vector ${vector}`;
}

/** An exception with its error code and, for a page fault, CR2. */
function described(result: DataView): string {
  const vector = result.getUint32(Result.vector, true);
  if (vector >= NO_VECTOR) return vectorName(vector);
  const error = hex(result.getUint32(Result.error, true));
  const cr2 = vector === PAGE_FAULT ? `, CR2 ${hex(result.getBigUint64(Result.cr2, true), 16)}` : '';
  return `${vectorName(vector)} (error code ${error}${cr2})`;
}

/** Are two results equal? Quick; the bytes between the fields are not compared by {@link differencesOf}. */
export function isEqual(expected: Uint8Array, actual: Uint8Array): boolean {
  return Buffer.compare(expected, actual) === 0;
}

/** The fields in which they differ; where the exceptions differ, only those. */
export function differencesOf(expected: Uint8Array, actual: Uint8Array): FieldDifference[] {
  const left = new DataView(expected.buffer, expected.byteOffset, expected.byteLength);
  const right = new DataView(actual.buffer, actual.byteOffset, actual.byteLength);
  const vectors = [left.getUint32(Result.vector, true), right.getUint32(Result.vector, true)] as const;
  if (vectors[0] !== vectors[1]) {
    const [was, is] = [vectorName(vectors[0]), vectorName(vectors[1])];
    return [
      { field: 'exception', kind: `exception ${is} for ${was}`, expected: described(left), actual: described(right) },
    ];
  }
  if (vectors[0] >= NOT_EXECUTED) return [];
  const found: FieldDifference[] = [];
  for (const field of FIELDS) {
    // CR2 is what the last page fault left: it belongs to the case only if that raised one.
    if (field.offset === Result.cr2 && vectors[0] !== PAGE_FAULT) continue;
    const difference = compareField(field, left, right);
    if (difference) found.push(difference);
  }
  const memory = compareMemory(expected, actual, pushedFlags(left, right));
  if (memory) found.push({ ...memory, kind: `memory${afterFault(expected)}` });
  return found;
}

/**
 * In real mode: where the flags lie that an exception pushed, as linear addresses. What they are is a field of its own, `pushed RFLAGS`.
 * Undefined: there was no exception, or this is not real mode, where handlers have their own stack.
 */
function pushedFlags(left: DataView, right: DataView): readonly [number, number] | undefined {
  const [segment, sp] = [left.getUint16(Result.stackSelector, true), left.getUint16(Result.registers + RSP * 8, true)];
  if (segment === 0 || left.getUint32(Result.vector, true) >= NO_VECTOR) return undefined;
  if (segment !== right.getUint16(Result.stackSelector, true)) return undefined;
  if (sp !== right.getUint16(Result.registers + RSP * 8, true)) return undefined;
  const address = (offset: number) => segment * 16 + ((sp - offset) & 0xffff);
  return [address(2), address(1)];
}

/** Does the memory around the window differ? `expected` and `actual` are the results of the only case that ran, `outside` begins at `base`. */
export function hasStrayed(
  [expected, outsideExpected]: readonly [Uint8Array, Uint8Array],
  [actual, outsideActual]: readonly [Uint8Array, Uint8Array],
  base: number,
): boolean {
  if (isEqual(outsideExpected, outsideActual)) return false;
  const left = new DataView(expected.buffer, expected.byteOffset, expected.byteLength);
  const right = new DataView(actual.buffer, actual.byteOffset, actual.byteLength);
  const flags: readonly number[] = pushedFlags(left, right) ?? [];
  return outsideExpected.some((byte, i) => byte !== outsideActual[i] && !flags.includes(base + i));
}

/** Behind `memory`: the instruction raised an exception and should have left memory alone. */
function afterFault(expected: Uint8Array): string {
  const view = new DataView(expected.buffer, expected.byteOffset, expected.byteLength);
  const vector = view.getUint32(Result.vector, true);
  return vector < NO_VECTOR ? ` after ${vectorName(vector)}` : '';
}

/** Is it that of {@link strayDifference}? */
export function isStray({ kind }: FieldDifference): boolean {
  return kind.startsWith(STRAY);
}

/** The difference in the memory around the window. */
export function strayDifference(expected: Uint8Array, actual: Uint8Array): FieldDifference {
  const same = differencesOf(expected, actual).every(({ field }) => field !== 'exception');
  const kind = `${STRAY}${same ? afterFault(expected) : ''}`;
  return { field: 'memory', kind, expected: '', actual: '' };
}

function compareField(field: Field, left: DataView, right: DataView): FieldDifference | undefined {
  const { name, offset, length, bits } = field;
  let isDifferent = false;
  for (let i = 0; i < length; i++) isDifferent ||= left.getUint8(offset + i) !== right.getUint8(offset + i);
  if (!isDifferent) return undefined;
  const kind = field.kind ?? name;
  const value = (view: DataView) => readField(view, offset, length);
  const [was, is] = [value(left), value(right)];
  const names = bits ? bitNames(BigInt(was) ^ BigInt(is), bits) : '';
  return { field: name, kind: names ? `${kind} ${names}` : kind, expected: was, actual: is };
}

/** Little-endian bytes as a number. */
function readField(view: DataView, offset: number, length: number): string {
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(offset + i));
  return hex(value, length * 2);
}

function bitNames(different: bigint, bits: Readonly<Record<number, string>>): string {
  const names = new Set<string>();
  for (let bit = 0; bit < 64; bit++) if ((different >> BigInt(bit)) & 1n) names.add(bits[bit] ?? `bit ${bit}`);
  return [...names].join(' ');
}

/** But for the bytes at the linear addresses `apart` of real mode. */
function compareMemory(
  expected: Uint8Array,
  actual: Uint8Array,
  apart: readonly number[] = [],
): FieldDifference | undefined {
  let first = -1;
  let last = -1;
  for (let i = 0; i < WINDOW_BYTES; i++) {
    if (expected[Result.memory + i] === actual[Result.memory + i] || apart.includes(REAL_WINDOW + i)) continue;
    if (first < 0) first = i;
    last = i;
  }
  if (first < 0) return undefined;
  const bytes = (from: Uint8Array) => hexBytes(from.subarray(Result.memory + first, Result.memory + last + 1));
  const where = `at window+${hex(first)}: `;
  return { field: 'memory', kind: 'memory', expected: where + bytes(expected), actual: where + bytes(actual) };
}

/**
 * State is declared once (design, section 7). A {@link StateTable} lists every field of a part of the machine with its
 * type, its valid range and the version that brought it. Derived from the table are encoding and decoding (codec.ts),
 * checking (check.ts), comparing and printing (compare.ts), and the arbitraries of the fuzzer (src/fuzz). A field that
 * is not in the table does not exist.
 *
 *     const table = stateTable('uart', 1, { scratch: u8(), divisor: u16({ initial: 12 }), fifo: listUpTo(u8(), 16) });
 *     type UartState = StateOf<typeof table>;
 */
import { assert } from '../../base/assert.js';

/** What every kind of field can say. */
export interface FieldOptions<T> {
  /** The value after power-on, and in states older than the field. Default: the smallest in range. */
  readonly initial?: T;
  /** The first version of the table that has the field. Default 1. */
  readonly since?: number;
}

interface FieldBase {
  readonly since: number;
}
/** An unsigned whole number of 8, 16 or 32 bits: a JavaScript number. */
export interface UintField extends FieldBase {
  readonly kind: 'uint';
  readonly bits: 8 | 16 | 32;
  readonly min: number;
  readonly max: number;
  readonly initial: number;
}
/** A whole number of 64 bits: a bigint. */
export interface BigField extends FieldBase {
  readonly kind: 'u64' | 'i64';
  readonly min: bigint;
  readonly max: bigint;
  readonly initial: bigint;
}
/** True or false. */
export interface BoolField extends FieldBase {
  readonly kind: 'bool';
  readonly initial: boolean;
}
/** Between `minLength` and `maxLength` bytes: a Uint8Array. */
export interface BytesField extends FieldBase {
  readonly kind: 'bytes';
  readonly minLength: number;
  readonly maxLength: number;
}
/** Guest time in nanoseconds, 0 to 2^53 - 1; a whole number. With `never`, also Infinity: a deadline that is not set. */
export interface TimeField extends FieldBase {
  readonly kind: 'time';
  readonly never: boolean;
  readonly initial: number;
}
/** Between `minLength` and `maxLength` values of one type. */
export interface ArrayField<E extends Field = Field> extends FieldBase {
  readonly kind: 'array';
  readonly element: E;
  readonly minLength: number;
  readonly maxLength: number;
}
/** Fields of their own. */
export interface StructField<S extends Fields = Fields> extends FieldBase {
  readonly kind: 'struct';
  readonly fields: S;
}
/** One of a list of words. */
export interface EnumField<V extends string = string> extends FieldBase {
  readonly kind: 'enum';
  readonly values: readonly V[];
  readonly initial: V;
}
/** Any field. */
export type Field = UintField | BigField | BoolField | BytesField | TimeField | ArrayField | StructField | EnumField;
/** Named fields, in the order in which they are encoded. */
export interface Fields {
  readonly [name: string]: Field;
}

/** The declaration of one part of the machine's state. */
export interface StateTable<S extends Fields = Fields> {
  /** The name of the device or part; written into the encoding and into error messages. */
  readonly name: string;
  /** Raised whenever a field is added. */
  readonly version: number;
  readonly fields: S;
}

/** The JavaScript value of a field. */
export type ValueOf<F> = F extends { kind: 'uint' | 'time' }
  ? number
  : F extends { kind: 'u64' | 'i64' }
    ? bigint
    : F extends { kind: 'bool' }
      ? boolean
      : F extends { kind: 'bytes' }
        ? Uint8Array
        : F extends { kind: 'array'; element: infer E }
          ? ValueOf<E>[]
          : F extends { kind: 'struct'; fields: infer S }
            ? ValuesOf<S>
            : F extends { kind: 'enum'; values: readonly (infer V)[] }
              ? V
              : never;
/** The JavaScript object of named fields. */
export type ValuesOf<S> = { -readonly [K in keyof S]: ValueOf<S[K]> };
/** The JavaScript object that a table describes. */
export type StateOf<T extends StateTable> = ValuesOf<T['fields']>;

/** The largest time. */
export const TIME_MAX = Number.MAX_SAFE_INTEGER;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const I64_MAX = 0x7fff_ffff_ffff_ffffn;

interface RangeOptions<T> extends FieldOptions<T> {
  readonly min?: T;
  readonly max?: T;
}

function uint(bits: 8 | 16 | 32, options: RangeOptions<number>): UintField {
  const limit = 2 ** bits - 1;
  const { min = 0, max = limit, initial = min, since = 1 } = options;
  assert(min >= 0 && min <= max && max <= limit, 'the range of a field fits its width');
  assert(initial >= min && initial <= max, 'the initial value of a field is in range');
  return { kind: 'uint', bits, min, max, initial, since };
}

function big(kind: 'u64' | 'i64', low: bigint, high: bigint, options: RangeOptions<bigint>): BigField {
  const { min = low, max = high, since = 1 } = options;
  const initial = options.initial ?? (min > 0n || max < 0n ? min : 0n);
  assert(min >= low && min <= max && max <= high, 'the range of a field fits its width');
  assert(initial >= min && initial <= max, 'the initial value of a field is in range');
  return { kind, min, max, initial, since };
}

/** A whole number of 8 bits, or the range [min, max] of it. */
export const u8 = (options: RangeOptions<number> = {}): UintField => uint(8, options);
/** A whole number of 16 bits, or the range [min, max] of it. */
export const u16 = (options: RangeOptions<number> = {}): UintField => uint(16, options);
/** A whole number of 32 bits, or the range [min, max] of it. */
export const u32 = (options: RangeOptions<number> = {}): UintField => uint(32, options);
/** An unsigned whole number of 64 bits: a bigint. */
export const u64 = (options: RangeOptions<bigint> = {}): BigField => big('u64', 0n, U64_MAX, options);
/** A signed whole number of 64 bits: a bigint. */
export const i64 = (options: RangeOptions<bigint> = {}): BigField => big('i64', -I64_MAX - 1n, I64_MAX, options);
/** True or false; false at first. */
export const bool = (options: FieldOptions<boolean> = {}): BoolField => ({
  kind: 'bool',
  initial: options.initial ?? false,
  since: options.since ?? 1,
});

/** Exactly `length` bytes, zero at first. */
export const bytes = (length: number, options: { since?: number } = {}): BytesField => ({
  kind: 'bytes',
  minLength: length,
  maxLength: length,
  since: options.since ?? 1,
});
/** Up to `maxLength` bytes, none at first. */
export const bytesUpTo = (maxLength: number, options: { since?: number } = {}): BytesField => ({
  kind: 'bytes',
  minLength: 0,
  maxLength,
  since: options.since ?? 1,
});

/** A guest time; 0 at first. */
export const time = (options: FieldOptions<number> = {}): TimeField => ({
  kind: 'time',
  never: false,
  initial: options.initial ?? 0,
  since: options.since ?? 1,
});
/** A guest time, or Infinity for "never"; Infinity at first. */
export const deadline = (options: FieldOptions<number> = {}): TimeField => ({
  kind: 'time',
  never: true,
  initial: options.initial ?? Number.POSITIVE_INFINITY,
  since: options.since ?? 1,
});

/** Exactly `length` values. */
export const array = <E extends Field>(
  element: E,
  length: number,
  options: { since?: number } = {},
): ArrayField<E> => ({ kind: 'array', element, minLength: length, maxLength: length, since: options.since ?? 1 });
/** Up to `maxLength` values, none at first. */
export const listUpTo = <E extends Field>(
  element: E,
  maxLength: number,
  options: { since?: number } = {},
): ArrayField<E> => ({ kind: 'array', element, minLength: 0, maxLength, since: options.since ?? 1 });
/** Fields of their own. */
export const struct = <const S extends Fields>(fields: S, options: { since?: number } = {}): StructField<S> => ({
  kind: 'struct',
  fields,
  since: options.since ?? 1,
});
/** One of `values` (at most 256); the first at first. Append only: the position is what is encoded. */
export function oneOf<const V extends string>(values: readonly V[], options: FieldOptions<V> = {}): EnumField<V> {
  const first = values[0];
  assert(first !== undefined && values.length <= 256, 'an enum has 1 to 256 values');
  return { kind: 'enum', values, initial: options.initial ?? first, since: options.since ?? 1 };
}

/** Declares a table. `version` starts at 1. */
export function stateTable<const S extends Fields>(name: string, version: number, fields: S): StateTable<S> {
  assert(/^[a-z0-9-]{1,64}$/.test(name), 'the name of a state table is 1 to 64 of a-z, 0-9 and -');
  assert(version >= 1 && version <= 0xffff, 'the version of a state table is 1 to 65535');
  for (const field of Object.values(fields)) assert(field.since <= version, 'a field is no newer than its table');
  return { name, version, fields };
}

/** A new value of a field as it is after power-on. */
export function initialValue<F extends Field>(field: F): ValueOf<F> {
  return make(field) as ValueOf<F>;
}

/** A new state as it is after power-on. */
export function initialState<T extends StateTable>(table: T): StateOf<T> {
  return makeAll(table.fields) as StateOf<T>;
}

function make(field: Field): unknown {
  switch (field.kind) {
    case 'bytes':
      return new Uint8Array(field.minLength);
    case 'array':
      return Array.from({ length: field.minLength }, () => make(field.element));
    case 'struct':
      return makeAll(field.fields);
    default:
      return field.initial;
  }
}

function makeAll(fields: Fields): Record<string, unknown> {
  const state: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) state[name] = make(field);
  return state;
}

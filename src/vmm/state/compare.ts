/** Comparing, printing and copying states by their table. */
import { hexBytes } from '../../base/hex.js';
import { showValue } from './check.js';
import type { Field, Fields, StateOf, StateTable } from './fields.js';

/** One field that differs: `uart.fifo[3]` and both values. */
export interface StateDifference {
  readonly path: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

type Values = Readonly<Record<string, unknown>>;

/** Every field in which two valid states differ, in the order of the table; none when they are equal. */
export function compareStates(table: StateTable, expected: Values, actual: Values): StateDifference[] {
  const found: StateDifference[] = [];
  compareFields(table.fields, expected, actual, table.name, found);
  return found;
}

/** One line a difference, for reports. */
export function printDifference(difference: StateDifference): string {
  return `${difference.path}: expected ${printValue(difference.expected)}, actual ${printValue(difference.actual)}`;
}

/** The whole state, one line a field, numbers in hexadecimal. */
export function printState(table: StateTable, state: Values): string {
  const lines: string[] = [];
  printFields(table.fields, state, table.name, lines);
  return `${lines.join('\n')}\n`;
}

/** A deep copy that shares nothing with `state`. */
export function copyState<T extends StateTable>(table: T, state: Values): StateOf<T> {
  return copyFields(table.fields, state) as StateOf<T>;
}

/**
 * The state for JSON: bigints as `0x…` strings, bytes as hexadecimal strings, "never" as null. For people and other
 * programs to read (`--dump-state`); what is read back is the encoding of codec.ts.
 */
export function stateToJson(table: StateTable, state: Values): Record<string, unknown> {
  return jsonFields(table.fields, state);
}

function compareFields(fields: Fields, expected: Values, actual: Values, path: string, found: StateDifference[]): void {
  for (const [name, field] of Object.entries(fields)) {
    compareField(field, expected[name], actual[name], `${path}.${name}`, found);
  }
}

function compareField(field: Field, expected: unknown, actual: unknown, path: string, found: StateDifference[]): void {
  switch (field.kind) {
    case 'struct':
      compareFields(field.fields, expected as Values, actual as Values, path, found);
      return;
    case 'array': {
      const [left, right] = [expected as unknown[], actual as unknown[]];
      if (left.length !== right.length) found.push({ path, expected, actual });
      else
        for (const [index, value] of left.entries())
          compareField(field.element, value, right[index], `${path}[${index}]`, found);
      return;
    }
    case 'bytes': {
      const [left, right] = [expected as Uint8Array, actual as Uint8Array];
      if (left.length !== right.length || left.some((value, index) => value !== right[index])) {
        found.push({ path, expected, actual });
      }
      return;
    }
    default:
      if (expected !== actual) found.push({ path, expected, actual });
  }
}

function printValue(value: unknown): string {
  if (value instanceof Uint8Array) return `[${hexBytes(value)}]`;
  if (Array.isArray(value)) return `[${value.map(printValue).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([name, inner]) => `${name}: ${printValue(inner)}`)
      .join(', ')} }`;
  }
  return showValue(value);
}

function printFields(fields: Fields, values: Values, path: string, lines: string[]): void {
  for (const [name, field] of Object.entries(fields)) {
    if (field.kind === 'struct') printFields(field.fields, values[name] as Values, `${path}.${name}`, lines);
    else lines.push(`${path}.${name} = ${printValue(values[name])}`);
  }
}

function copyFields(fields: Fields, values: Values): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) copy[name] = copyField(field, values[name]);
  return copy;
}

function copyField(field: Field, value: unknown): unknown {
  switch (field.kind) {
    case 'struct':
      return copyFields(field.fields, value as Values);
    case 'array':
      return (value as unknown[]).map((element) => copyField(field.element, element));
    case 'bytes':
      return (value as Uint8Array).slice();
    default:
      return value;
  }
}

function jsonFields(fields: Fields, values: Values): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) json[name] = jsonField(field, values[name]);
  return json;
}

function jsonField(field: Field, value: unknown): unknown {
  switch (field.kind) {
    case 'struct':
      return jsonFields(field.fields, value as Values);
    case 'array':
      return (value as unknown[]).map((element) => jsonField(field.element, element));
    case 'bytes':
      return hexBytes(value as Uint8Array);
    case 'u64':
    case 'i64':
      return showValue(value);
    case 'time':
      return value === Number.POSITIVE_INFINITY ? null : value;
    default:
      return value;
  }
}

/** Checking a state against its table: everything that can be said about one field alone. */
import { ExitCode, VmtapeError } from '../../base/errors.js';
import { type Field, type Fields, type StateOf, type StateTable, TIME_MAX } from './fields.js';

/** The error of every bad state. `path` names the field: `uart.fifo[3]`. */
export function stateError(path: string, problem: string): VmtapeError {
  return new VmtapeError(
    'VMTAPE_STATE',
    `the state field ${path} ${problem}`,
    ExitCode.BadFile,
    'the saved state is damaged, or another version of vmtape made it',
  );
}

/** A value in a message: short, in decimal and hexadecimal where that helps. */
export function showValue(value: unknown): string {
  if (typeof value === 'bigint') return value < 0n ? value.toString() : `0x${value.toString(16)}`;
  if (typeof value === 'number')
    return Number.isInteger(value) && value > 9 ? `${value} (0x${value.toString(16)})` : String(value);
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value === null ? 'null' : typeof value === 'boolean' ? String(value) : typeof value;
}

/** Throws VMTAPE_STATE, naming the field, unless `value` is a valid value of `field`. Nothing more and nothing less
 * than the declared fields may be there. */
export function checkField(field: Field, value: unknown, path: string): void {
  switch (field.kind) {
    case 'uint':
      if (!Number.isInteger(value)) throw stateError(path, `must be a whole number, not ${showValue(value)}`);
      checkRange(value as number, field.min, field.max, path);
      return;
    case 'u64':
    case 'i64':
      if (typeof value !== 'bigint') throw stateError(path, `must be a bigint, not ${showValue(value)}`);
      checkRange(value, field.min, field.max, path);
      return;
    case 'bool':
      if (typeof value !== 'boolean') throw stateError(path, `must be true or false, not ${showValue(value)}`);
      return;
    case 'time':
      if (field.never && value === Number.POSITIVE_INFINITY) return;
      if (!Number.isSafeInteger(value)) throw stateError(path, `must be a time, not ${showValue(value)}`);
      checkRange(value as number, 0, TIME_MAX, path);
      return;
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw stateError(path, `must be a Uint8Array, not ${showValue(value)}`);
      checkLength(value.length, field, path);
      return;
    case 'enum':
      if (!field.values.includes(value as string)) {
        throw stateError(path, `must be one of ${field.values.join(', ')}, not ${showValue(value)}`);
      }
      return;
    case 'array':
      if (!Array.isArray(value)) throw stateError(path, `must be a list, not ${showValue(value)}`);
      checkLength(value.length, field, path);
      for (let index = 0; index < value.length; index++) checkField(field.element, value[index], `${path}[${index}]`);
      return;
    case 'struct':
      checkFields(field.fields, value, path);
  }
}

/** Throws VMTAPE_STATE unless `state` is exactly what the table describes. */
export function checkState<T extends StateTable>(table: T, state: unknown): asserts state is StateOf<T> {
  checkFields(table.fields, state, table.name);
}

function checkFields(fields: Fields, value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw stateError(path, `must be an object, not ${showValue(value)}`);
  }
  const values = value as Record<string, unknown>;
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(fields, name)) throw stateError(`${path}.${name}`, 'is not known');
  }
  for (const [name, field] of Object.entries(fields)) {
    if (!Object.hasOwn(values, name)) throw stateError(`${path}.${name}`, 'is missing');
    checkField(field, values[name], `${path}.${name}`);
  }
}

function checkRange<T extends number | bigint>(value: T, min: T, max: T, path: string): void {
  if (value < min || value > max) {
    throw stateError(path, `must be ${showValue(min)} to ${showValue(max)}, not ${showValue(value)}`);
  }
}

function checkLength(length: number, field: { minLength: number; maxLength: number }, path: string): void {
  if (length >= field.minLength && length <= field.maxLength) return;
  const allowed = field.minLength === field.maxLength ? field.minLength : `${field.minLength} to ${field.maxLength}`;
  throw stateError(path, `must have ${allowed} elements, not ${length}`);
}

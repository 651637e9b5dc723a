/** Random operations and random states, leaning towards the boundaries where devices go wrong. */
import fc from 'fast-check';
import type { Device } from '../vmm/device.js';
import { type Field, type Fields, type StateTable, TIME_MAX } from '../vmm/state/fields.js';
import type { Operation } from './operations.js';
import { phrasesOf } from './phrases.js';

/** A u32: single bits, bytes and the edges of each width come often. */
export const anyValue: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 0xff }),
  fc.integer({ min: 0, max: 31 }).map((bit) => 2 ** bit),
  fc.constantFrom(
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
  ),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

/** A span of guest time: from nothing over ticks of the PIT to days. */
export const anySpan: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 2_000 }),
  fc.integer({ min: 0, max: 2_000_000 }),
  fc.integer({ min: 0, max: 2_000_000_000 }),
  fc.constantFrom(0, 1, 838, 839, 15_085, 244_000, 976_562, 54_925_493, 500_000_000, 999_999_999, 1_000_000_000),
  fc.integer({ min: 0, max: 100_000_000_000_000 }),
);

/** An access of any width at any port of the device, also one that leaves its range at the end. */
function access(device: Device): fc.Arbitrary<Operation> {
  const places = device.ports.flatMap(({ base, length }) => Array.from({ length }, (_, index) => base + index));
  const port = fc.constantFrom(...places);
  // Bytes are what drivers use.
  const size = fc.constantFrom(1, 1, 1, 1, 2, 4);
  return fc.oneof(
    fc.record({ kind: fc.constant('read' as const), port, size }),
    fc.record({ kind: fc.constant('write' as const), port, size, value: anyValue }),
  );
}

/** The same in memory: registers of four bytes every sixteen, seldom anything else. */
function memoryAccess({ mmio }: Device): fc.Arbitrary<Operation> {
  const address = fc
    .constantFrom(...mmio)
    .chain(({ base, length }) =>
      fc.oneof(
        { weight: 6, arbitrary: fc.nat(Math.min(length, 0x400) / 16 - 1).map((slot) => base + slot * 16) },
        { weight: 1, arbitrary: fc.nat(length + 7).map((offset) => base - 4 + offset) },
      ),
    );
  const size = fc.oneof(
    { weight: 6, arbitrary: fc.constant(4) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 8 }) },
  );
  return fc.oneof(
    fc.record({ kind: fc.constant('load' as const), address, size }),
    fc.record({ kind: fc.constant('store' as const), address, size, value: anyValue }),
  );
}

/** Sequences on `device`, which has so many inputs: up to `most` operations or phrases (see phrases.ts). */
export function anyOperations(device: Device, inputs: number, most: number): fc.Arbitrary<Operation[]> {
  const single = (operation: fc.Arbitrary<Operation>) => operation.map((one) => [one]);
  const accesses = device.ports.length > 0 ? [access(device)] : device.mmio.length > 0 ? [memoryAccess(device)] : [];
  const kinds: fc.WeightedArbitrary<Operation[]>[] = [
    ...accesses.map((one) => ({ weight: 8, arbitrary: single(one) })),
    { weight: 2, arbitrary: single(fc.record({ kind: fc.constant('pass' as const), ns: anySpan })) },
    { weight: 1, arbitrary: single(fc.constant({ kind: 'deadline' as const })) },
  ];
  if (inputs > 0) {
    const input = fc.integer({ min: 0, max: inputs - 1 });
    const value = anyValue;
    kinds.push({ weight: 4, arbitrary: single(fc.record({ kind: fc.constant('input' as const), input, value })) });
  }
  for (const phrase of phrasesOf(device.name)) kinds.push({ weight: 3, arbitrary: phrase });
  // By default fast-check keeps lists short; devices need a few writes to get anywhere.
  return fc.array(fc.oneof(...kinds), { maxLength: most, size: 'max' }).map((phrases) => phrases.flat());
}

/** A change to encoded bytes: one byte set, the end cut off, or bytes added. */
export type Mutation =
  | { readonly kind: 'set'; readonly at: number; readonly value: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'add'; readonly count: number };

/** `at` is a fraction of the length in 1/65536, so that it shrinks independently of the bytes. */
export const anyMutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('set' as const), at: fc.nat(0xffff), value: fc.nat(0xff) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: fc.nat(0xffff) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 9 }) }) },
  ),
  { minLength: 1, maxLength: 6 },
);

/** Applies mutations to a copy. */
export function mutate(bytes: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (const mutation of mutations) {
    if (mutation.kind === 'add') {
      const longer = new Uint8Array(result.length + mutation.count);
      longer.set(result);
      result = longer;
      continue;
    }
    const at = Math.floor((mutation.at * result.length) / 0x1_0000);
    if (mutation.kind === 'cut') result = result.slice(0, at);
    else if (result.length > 0) result[at] = mutation.value;
  }
  return result;
}

/** Any state whose fields are each in range, derived from the table. */
export function anyState(table: StateTable): fc.Arbitrary<Record<string, unknown>> {
  return anyFields(table.fields);
}

function anyFields(fields: Fields): fc.Arbitrary<Record<string, unknown>> {
  const arbitraries: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, field] of Object.entries(fields)) arbitraries[name] = anyField(field);
  return fc.record(arbitraries, { noNullPrototype: true });
}

function anyField(field: Field): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'uint':
      return fc.oneof(
        fc.integer({ min: field.min, max: field.max }),
        fc.constantFrom(field.min, field.max, field.initial),
      );
    case 'u64':
    case 'i64':
      return fc.oneof(
        fc.bigInt({ min: field.min, max: field.max }),
        fc.constantFrom(field.min, field.max, field.initial),
      );
    case 'bool':
      return fc.boolean();
    case 'bytes':
      return fc.uint8Array({ minLength: field.minLength, maxLength: Math.min(field.maxLength, field.minLength + 256) });
    case 'time': {
      const usual = fc.oneof(fc.integer({ min: 0, max: 4_000_000_000 }), fc.integer({ min: 0, max: TIME_MAX }));
      const edges = field.never ? fc.constantFrom(0, TIME_MAX, Number.POSITIVE_INFINITY) : fc.constantFrom(0, TIME_MAX);
      return fc.oneof(usual, edges);
    }
    case 'array': {
      const maxLength = Math.min(field.maxLength, field.minLength + 64);
      return fc.array(anyField(field.element), { minLength: field.minLength, maxLength });
    }
    case 'struct':
      return anyFields(field.fields);
    case 'enum':
      return fc.constantFrom(...field.values);
  }
}

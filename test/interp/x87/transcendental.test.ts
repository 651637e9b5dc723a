/** FYL2X and FPATAN where their result is exact or nearly so, and tiny: values from an AMD Zen 5 (`npm run conformance -- softfloat`). */
import { expect, test } from 'vitest';
import { TRANSCENDENTAL_OPERATIONS } from '../../../src/compare/softfloat/operations.js';
import { routineOf, SLOT, X87Guest } from '../../../src/compare/softfloat/suite.js';

/** An 80-bit number as it is written: the digits of its highest byte first. */
function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits, 'hex').reverse());
}

/** FSW and ST0 after an operation on ST0 = a and ST1 = b. */
function compute(name: string, a: string, b: string, control: number): [string, string] {
  const operation = TRANSCENDENTAL_OPERATIONS.find((candidate) => candidate.name === name);
  if (operation === undefined) throw new Error(`no operation ${name}`);
  const slot = new Uint8Array(SLOT);
  slot.set(bytesOf(a), 0);
  slot.set([control & 0xff, control >> 8], 10);
  slot.set(bytesOf(b), 16);
  const result = new X87Guest(SLOT, 'AuthenticAMD').run(routineOf(operation, 1), slot);
  const hex = (from: number, length: number) =>
    Buffer.from(result.slice(from, from + length))
      .reverse()
      .toString('hex');
  // FNSAVE's image begins at 32: FSW 4 bytes into it, ST0 28 bytes into it.
  return [hex(36, 2), hex(60, 10)];
}

// DE 0002, UE 0010, PE 0020, C1 0200; TOP is 7 (3800). With UE unmasked, ES and B: 8080.
test.each([
  ['FYL2X', '3fec8000000000000000', '00000000000000000002', 0x37f, '3832', '80000000000000000026'],
  ['FYL2X', '40068000000000000000', '00000100000000000000', 0x77f, '3832', '00000700000000000000'],
  ['FYL2X', '00158000000000000000', '80000002000000000000', 0x27f, '3832', '00007fd4000000000000'],
  ['FYL2X', '00018000000000000000', '00000000800000000000', 0xe5b, 'b8b2', '80001fff000000000000'],
] as const)(
  '%s of %s and %s, exact and denormal, counts as inexact and underflows',
  (name, a, b, control, fsw, st0) => {
    expect(compute(name, a, b, control)).toEqual([fsw, st0]);
  },
);

test.each([
  ['FPATAN', '40288000000000000000', '000b8000001000000000', 0x37f, '3a30', '00000000000100000020'],
  ['FPATAN', '40068000000000000000', '00000100000000000000', 0x77f, '3832', '00000001ffffffffffff'],
  ['FPATAN', '7ffe8000000000000000', 'bffd8000000000000000', 0xd7f, '3830', '80000fffffffffffffff'],
  ['FPATAN', '403e8000000000000000', '80008000000000000000', 0xf7f, '3832', '80000000000000000000'],
  ['FPATAN', '7ffbffffffffffffffff', 'bfbeffffffffffffffff', 0x85f, 'b8b0', '80000000000000000000'],
  ['FPATAN', '3fffffffffffffffffff', '0001ffffffffffffffff', 0x761, 'b8b0', '6000ffffffffffffffff'],
] as const)('%s of %s and %s is a little below their exact quotient', (name, a, b, control, fsw, st0) => {
  expect(compute(name, a, b, control)).toEqual([fsw, st0]);
});

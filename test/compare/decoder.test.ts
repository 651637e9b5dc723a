/** A bounded part of `npm run conformance -- decoder`: our decoder against iced-x86 in every mode, a fixed seed. */
import { describe, expect, it } from 'vitest';
import { hexBytes } from '../../src/base/hex.js';
import { BITNESSES } from '../../src/compare/decoder/engine.js';
import { DecoderComparison, newTotals, opcodeOf, unexplained } from '../../src/compare/decoder/suite.js';

const STRINGS = 150_000;

describe('the decoder', () => {
  it.each(BITNESSES)('finds the same instructions as iced-x86 in %i-bit code', (bitness) => {
    const totals = newTotals();
    const comparison = new DecoderComparison(bitness, totals);
    comparison.structured(STRINGS, 1);
    comparison.random(STRINGS, 1);
    const found = unexplained(totals).map(
      ({ kind, opcode, bytes }) =>
        `${opcode}: ${kind}: npm run conformance -- decoder --mode ${bitness} --bytes ${hexBytes(bytes)}`,
    );
    expect(found.slice(0, 10)).toEqual([]);
    expect(totals.strings).toBe(2 * STRINGS);
    expect(totals.valid).toBeGreaterThan(STRINGS / 2);
  });

  it('says what both think of one string', () => {
    const comparison = new DecoderComparison(64, newTotals());
    const of = (...bytes: number[]) => comparison.describe(Uint8Array.from(bytes));
    expect(of(0x48, 0x8b, 0x04, 0x25, 1, 2, 3, 4).ours).toBe('8 bytes');
    expect(of(0xc5, 0xf8, 0x77).ours).toBe('#UD');
    expect(of(0xc5, 0xf8, 0x77).iced).toContain('not in the model');
    expect(of(...new Array(15).fill(0x66), 0x90).ours).toBe('longer than 15 bytes');
    expect(of(0x8e, 0xc8).raises).toBe(true);
  });

  it('names an opcode with the prefixes that count', () => {
    expect(opcodeOf(Uint8Array.of(0x67, 0xf3, 0x48, 0x0f, 0xb8, 0xc1), 64)).toBe('F3 REX.W 0F B8 /0 reg');
    expect(opcodeOf(Uint8Array.of(0x66, 0x0f, 0x38, 0x82, 0x11), 32)).toBe('66 0F 38 82 /2 mem');
  });
});

/** Makes a case that differs as small as it gets: zeros wherever the same fields still differ. */
import type { InsnCase } from './case.js';
import { type Comparison, keyOf } from './comparison.js';
import { Case, WINDOW_BYTES } from './layout.js';
import { isLegacyPrefix } from './prefixes.js';

/** The smallest case found that differs in the same way. At most some hundred runs. */
export function shrink(comparison: Comparison, one: InsnCase): InsnCase {
  const key = keyOf(one, comparison.runOne(one).unexplained);
  let best = one;
  const attempt = (candidate: InsnCase) => {
    const { unexplained } = comparison.runOne(candidate);
    if (unexplained.length > 0 && keyOf(candidate, unexplained) === key) best = candidate;
  };
  for (let at = 0; at < best.code.length && isLegacyPrefix(best.code[at] as number); ) {
    const { length } = best.code;
    attempt({ ...best, code: best.code.filter((_, i) => i !== at) });
    if (best.code.length === length) at++;
  }
  for (const [offset, bytes] of simplifications()) {
    const current = best.record.subarray(offset, offset + bytes.length);
    if (Buffer.compare(current, bytes) === 0) continue;
    const record = best.record.slice();
    record.set(bytes, offset);
    attempt({ ...best, record });
  }
  return best;
}

/** Whole blocks first, then their parts. */
function* simplifications(): Generator<[number, Uint8Array]> {
  const zeros = (length: number) => new Uint8Array(length);
  yield [Case.fxsave + 32, zeros(128)];
  yield [Case.fxsave + 160, zeros(256)];
  yield [Case.memory, zeros(WINDOW_BYTES)];
  yield [Case.flags, Uint8Array.of(0x02, 0x02, 0, 0, 0, 0, 0, 0)];
  yield [Case.fxsave, Uint8Array.of(0x7f, 0x03)];
  yield [Case.fxsave + 2, zeros(3)];
  yield [Case.fxsave + 24, Uint8Array.of(0x80, 0x1f, 0, 0)];
  for (let i = 0; i < 16; i++) yield [Case.registers + i * 8, zeros(8)];
  for (let i = 0; i < 8; i++) yield [Case.fxsave + 32 + i * 16, zeros(16)];
  for (let i = 0; i < 16; i++) yield [Case.fxsave + 160 + i * 16, zeros(16)];
  for (let i = 0; i < WINDOW_BYTES; i += 64) yield [Case.memory + i, zeros(64)];
  for (let i = 0; i < WINDOW_BYTES; i += 16) yield [Case.memory + i, zeros(16)];
}

/**
 * `npm run conformance -- decoder [--count N] [--seed S] [--mode 16|32|64] [--bytes HEX]`: length and validity of instructions, our decoder against
 * iced-x86. For each mode N random strings and as many structured ones (all of them, if N allows); in 64-bit mode every byte of the text of the Debian
 * kernel and of its busybox too, where they are. `--bytes` shows what both say of one string.
 */
import { parseArgs } from 'node:util';
import { ExitCode, VmtapeError } from '../src/base/errors.js';
import { hexBytes } from '../src/base/hex.js';
import { BITNESSES, type Bitness, WINDOW } from '../src/compare/decoder/engine.js';
import { DecoderComparison, type DecoderDifference, newTotals, unexplained } from '../src/compare/decoder/suite.js';
import { debianTexts } from '../src/compare/decoder/texts.js';

const COUNT = 10_000_000;
const GUEST = '.cache/guests/debian-amd64';
/** Differences shown. */
const SHOWN = 40;

function usage(message: string): never {
  const hint = 'npm run conformance -- decoder [--count N] [--seed S] [--mode 16|32|64] [--bytes HEX]';
  throw new VmtapeError('VMTAPE_USAGE', message, ExitCode.Usage, hint);
}

function whole(value: string | undefined, preset: number, option: string): number {
  const number = value === undefined ? preset : Number(value);
  if (!(Number.isInteger(number) && number >= 0)) usage(`${option} wants a number from 0 on`);
  return number;
}

function modes(value: string | undefined): readonly Bitness[] {
  if (value === undefined) return BITNESSES;
  const mode = BITNESSES.find((bitness) => `${bitness}` === value);
  return mode === undefined ? usage('--mode wants 16, 32 or 64') : [mode];
}

function show({ kind, opcode, bitness, bytes, ours, iced, explained, count }: DecoderDifference): void {
  console.log(
    `${bitness}-bit ${opcode}: ${kind}, ${count} times${explained ? `; explained: ${explained.reason}` : ''}`,
  );
  console.log(`    ours: ${ours}; iced-x86: ${iced}`);
  console.log(`    npm run conformance -- decoder --mode ${bitness} --bytes ${hexBytes(bytes)}`);
}

function one(bitnesses: readonly Bitness[], text: string): void {
  if (!/^([0-9a-f]{2}){1,16}$/i.test(text)) usage('--bytes wants one to sixteen bytes in hexadecimal');
  const bytes = Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  for (const bitness of bitnesses) {
    const { ours, iced, raises } = new DecoderComparison(bitness, newTotals()).describe(bytes);
    console.log(`${bitness}-bit ${hexBytes(bytes, ' ')}`);
    console.log(`    ours: ${ours}${raises ? ', raises #UD when executed' : ''}; iced-x86: ${iced}`);
  }
}

/** Runs the suite; true: no unexplained difference. */
export function conformDecoder(args: string[]): boolean {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: 'string' },
      seed: { type: 'string' },
      mode: { type: 'string' },
      bytes: { type: 'string' },
    },
  });
  const bitnesses = modes(values.mode);
  if (values.bytes !== undefined) {
    one(bitnesses, values.bytes);
    return true;
  }
  const count = whole(values.count, COUNT, '--count');
  const seed = whole(values.seed, 1, '--seed');
  let equal = true;
  for (const bitness of bitnesses) {
    const totals = newTotals();
    const comparison = new DecoderComparison(bitness, totals);
    const start = performance.now();
    const part = (name: string, run: () => void): void => {
      const before = totals.strings;
      const began = performance.now();
      run();
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(`${bitness}-bit ${name}: ${totals.strings - before} strings (${seconds} s)`);
    };
    part('structured', () => comparison.structured(count, seed));
    part('random', () => comparison.random(count, seed));
    if (bitness === 64) {
      for (const { name, code } of debianTexts(GUEST)) {
        if (code.length > WINDOW) part(name, () => comparison.text(code));
      }
    }
    const found = [...totals.differences.values()].sort((a, b) => b.count - a.count);
    for (const difference of found.slice(0, SHOWN)) show(difference);
    if (found.length > SHOWN) console.log(`and ${found.length - SHOWN} more opcodes`);
    const left = unexplained(totals);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `${bitness}-bit, seed ${seed}: ${totals.strings} strings: ${totals.valid} instructions of equal length, ${totals.invalid} invalid in both, ` +
        `${totals.raised} invalid by #UD of the handler; differences: ${left.length} opcodes unexplained, ${found.length - left.length} explained (${seconds} s)`,
    );
    equal &&= left.length === 0;
  }
  return equal;
}

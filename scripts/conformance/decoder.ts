/**
 * `npm run conformance -- decoder`: length and validity of instructions, our decoder against iced-x86. For each mode N random strings and as
 * many structured ones (all of them, if N allows); in 64-bit mode every byte of the text of the Debian kernel and of its busybox too, where
 * they are. `--bytes` shows what both say of one string.
 */
import type { Command } from 'commander';
import type { ExitCode } from '../../src/base/errors.js';
import { hexBytes } from '../../src/base/hex.js';
import { parseCount, usageError } from '../../src/cli/values.js';
import { BITNESSES, type Bitness, WINDOW } from '../../src/compare/decoder/engine.js';
import { DecoderComparison, type DecoderDifference, newTotals, unexplained } from '../../src/compare/decoder/suite.js';
import { debianTexts } from '../../src/compare/decoder/texts.js';
import { Report } from './report.js';

/** Strings of each kind in each mode. */
const COUNT = 10_000_000;
const GUEST = '.cache/guests/debian-amd64';
/** Differences shown. */
const SHOWN = 40;

const HELP = `
In 64-bit mode every byte of the text of the Debian kernel and of its busybox is compared too, where they are
(npm run guest:debian fetches them).

Examples:
  $ npm run conformance -- decoder --count 100000 --mode 32
  $ npm run conformance -- decoder --bytes 0f0b`;

interface Flags {
  readonly count: string;
  readonly seed: string;
  readonly mode?: string;
  readonly bytes?: string;
  readonly json?: true;
}

/** Adds the suite. `setExit` takes the exit code. */
export function addDecoder(program: Command, setExit: (code: number) => void): void {
  program
    .command('decoder')
    .summary('lengths and validity against iced-x86')
    .description('Compares lengths and validity of random and structured byte strings with iced-x86.')
    .option('--count <number>', 'random strings of each mode, and as many structured ones', `${COUNT}`)
    .option('--seed <number>', 'what the strings are made of', '1')
    .option('--mode <bits>', `only this mode: ${BITNESSES.join(', ')}`)
    .option('--bytes <hex>', 'only say what both make of this string')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', HELP)
    .action((flags: Flags) => setExit(conformDecoder(flags)));
}

function modes(value: string | undefined): readonly Bitness[] {
  if (value === undefined) return BITNESSES;
  const mode = BITNESSES.find((bitness) => `${bitness}` === value);
  if (mode === undefined) throw usageError(`--mode ${value} is not known`, `it is one of: ${BITNESSES.join(', ')}`);
  return [mode];
}

function show(report: Report, difference: DecoderDifference): void {
  const { kind, opcode, bitness, bytes, ours, iced, explained, count } = difference;
  const why = explained ? `; explained: ${explained.reason}` : '';
  report.line(`${bitness}-bit ${opcode}: ${kind}, ${count} times${why}`);
  report.line(`    ours: ${ours}; iced-x86: ${iced}`);
  report.line(`    npm run conformance -- decoder --mode ${bitness} --bytes ${hexBytes(bytes)}`);
}

/** What both say of one string. */
function one(bitnesses: readonly Bitness[], text: string): void {
  if (!/^([0-9a-f]{2}){1,16}$/i.test(text))
    throw usageError(`--bytes ${text} is not one to sixteen bytes in hexadecimal`);
  const bytes = Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  for (const bitness of bitnesses) {
    const { ours, iced, raises } = new DecoderComparison(bitness, newTotals()).describe(bytes);
    console.log(`${bitness}-bit ${hexBytes(bytes, ' ')}`);
    console.log(`    ours: ${ours}${raises ? ', raises #UD when executed' : ''}; iced-x86: ${iced}`);
  }
}

/** Compares in one mode. Returns the mode's part of the result. */
function compareMode(report: Report, bitness: Bitness, count: number, seed: number) {
  const totals = newTotals();
  let name = '';
  const progress = (): void => report.progress(() => `decoder: ${bitness}-bit ${name}, ${totals.strings} strings`);
  const comparison = new DecoderComparison(bitness, totals, progress);
  const began = report.seconds;
  const part = (what: string, run: () => void): void => {
    name = what;
    const before = totals.strings;
    run();
    report.line(`${bitness}-bit ${name}: ${totals.strings - before} strings`);
  };
  part('structured', () => comparison.structured(count, seed));
  part('random', () => comparison.random(count, seed));
  if (bitness === 64) {
    const texts = debianTexts(GUEST);
    if (texts.length === 0) report.line(`there is no ${GUEST} to read code from: npm run guest:debian`);
    for (const { name: text, code } of texts) if (code.length > WINDOW) part(text, () => comparison.text(code));
  }
  // What no row explains comes first.
  const isExplained = ({ explained }: { explained?: unknown }): number => (explained === undefined ? 0 : 1);
  const found = [...totals.differences.values()].sort((a, b) => isExplained(a) - isExplained(b) || b.count - a.count);
  for (const difference of found.slice(0, SHOWN)) show(report, difference);
  if (found.length > SHOWN) report.line(`and ${found.length - SHOWN} more opcodes`);
  const left = unexplained(totals).length;
  const { strings, valid, invalid, raised } = totals;
  report.line(
    `${bitness}-bit, seed ${seed}: ${strings} strings: ${valid} instructions of equal length, ${invalid} invalid in both, ` +
      `${raised} invalid by #UD of the handler; differences: ${left} opcodes unexplained, ${found.length - left} explained ` +
      `(${(report.seconds - began).toFixed(1)} s)`,
  );
  const differences = found.map((one) => ({ ...one, bytes: hexBytes(one.bytes), explained: one.explained?.reason }));
  return { bitness, strings, valid, invalid, raised, unexplained: left, differences };
}

function conformDecoder(values: Flags): ExitCode {
  const report = new Report('decoder', values.json === true);
  const bitnesses = modes(values.mode);
  if (values.bytes !== undefined) {
    one(bitnesses, values.bytes);
    return 0;
  }
  const count = parseCount('--count', values.count, 0);
  const seed = parseCount('--seed', values.seed, 0);
  const results = bitnesses.map((bitness) => compareMode(report, bitness, count, seed));
  const cases = results.reduce((sum, { strings }) => sum + strings, 0);
  const different = results.reduce((sum, { unexplained: left }) => sum + left, 0);
  const { seconds } = report;
  return report.finish(
    { seed, cases, different, seconds, modes: results },
    `${cases} strings, seed ${seed}: ${different} opcodes differ (${seconds} s)`,
  );
}

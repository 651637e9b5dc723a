/** vmtape diff: the first difference of two traces. */
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import { quoted } from '../replay/report.js';
import { diffTraces, type RecordDifference, type TraceDiff } from '../trace/diff.js';
import { TraceReader } from '../trace/reader.js';
import { counted } from './counted.js';
import { checkInput } from './files.js';
import { formatCount } from './progress.js';

const HELP = `
Compares what the guest and its devices did in two recordings, and reports the first difference. Both files list digests of their
records: the place is found by bisection, and only the records around it are read. A trace without digests (not closed, or of an
earlier vmtape) is read from its first record on.

Interrupts, input and DMA come from outside and are no part of the digests. They are compared where records are read: where the guest
goes another way because an interrupt came elsewhere, the report says so if it came shortly before. --all reads both traces through and compares
every record, with times and counts of instructions: two recordings on KVM differ there always.

Exit code: 0 if nothing differs, 1 if interrupted, 2 for a mistake in the options, 3 if something does, 5 if a trace is damaged or none.

Examples:
  $ vmtape diff good.vmtape bad.vmtape
  $ vmtape diff good.vmtape bad.vmtape --json
  Are two recordings on the interpreter the same in all?
  $ vmtape diff one.vmtape two.vmtape --all`;

/** Records that are shown on both sides of a difference. */
const AROUND = 10;

interface DiffFlags {
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addDiff(program: Command, setExit: (code: number) => void): void {
  program
    .command('diff')
    .summary('the first difference of two traces')
    .description('Finds the first difference of two traces.')
    .argument('<a>', 'a trace')
    .argument('<b>', 'another one')
    .option('--all', 'compare every record, and read both traces through')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (a: string, b: string, flags: DiffFlags) => {
      checkInput('', a);
      checkInput('', b);
      const readers: TraceReader[] = [];
      try {
        for (const path of [a, b]) readers.push(new TraceReader(path));
        setExit(await diff(readers as [TraceReader, TraceReader], flags));
      } finally {
        for (const reader of readers) reader.close();
      }
    });
}

async function diff([a, b]: [TraceReader, TraceReader], { all = false, json }: DiffFlags): Promise<number> {
  const { result, records } = await counted('compared', (onProgress) => diffTraces(a, b, { all, onProgress }));
  if (result.isStopped) {
    process.stderr.write(`vmtape: interrupted after ${formatCount(records)} records, all equal\n`);
    return ExitCode.GuestFailed;
  }
  if (json) process.stdout.write(`${JSON.stringify(plain(a, b, result), null, 2)}\n`);
  else process.stdout.write(`${lines(a, b, result, all).join('\n')}\n`);
  return result.same ? ExitCode.Ok : ExitCode.Divergence;
}

function plain(a: TraceReader, b: TraceReader, { isStopped: _isStopped, ...result }: TraceDiff): object {
  const side = (reader: TraceReader) => ({ path: reader.path, size: reader.size, records: reader.index.root.records });
  return {
    ...{ a: side(a), b: side(b), ...result },
    difference: result.difference ?? null,
    entered: result.entered ?? null,
  };
}

function lines(a: TraceReader, b: TraceReader, result: TraceDiff, all: boolean): string[] {
  const { same, start, difference, entered, end, common, read } = result;
  const text = start.map((what) => `They begin differently: ${what}`);
  if (difference) text.push(...differenceLines(a, b, difference));
  if (entered) {
    const where = difference
      ? 'Before that, something else had come in from outside'
      : 'Something else came in from outside';
    text.push(`${where}:`, `  a            ${entered.a ?? '-'}`, `  b            ${entered.b ?? '-'}`);
  }
  text.push(...end.map((what) => `They end differently: ${what}`));
  if (same) text.push(all ? 'Nothing differs.' : 'Nothing differs of what guest and devices did.');
  if (common.architectural > 0) text.push(`The digests are equal over ${formatCount(common.architectural)} exits.`);
  const bytes = ([one, size]: readonly [number, number]) => `${formatCount(one)} of ${formatCount(size)} bytes`;
  text.push(`Read: ${bytes([read.a, a.size])} of a, ${bytes([read.b, b.size])} of b`);
  return text;
}

function differenceLines(a: TraceReader, b: TraceReader, difference: RecordDifference): string[] {
  const { what, aRecord, bRecord, aRetired, bRetired, before } = difference;
  const at = aRecord === bRecord ? `at record ${aRecord}` : `at record ${aRecord} and ${bRecord}`;
  const counts = [aRetired, bRetired].map((count) => (count === undefined ? 'not counted' : formatCount(count)));
  const isCounted = aRetired !== undefined || bRetired !== undefined;
  const show = (reader: TraceReader, record: number) =>
    `  vmtape inspect ${quoted(reader.path)} --records ${Math.max(0, record - AROUND)}..${record + AROUND}`;
  return [
    `${a.path} and ${b.path} differ ${at}: ${what}`,
    `  a            ${difference.a ?? 'ends'}`,
    `  b            ${difference.b ?? 'ends'}`,
    ...(isCounted ? [`  instructions ${counts.join(' and ')}`] : []),
    ...(before.length === 0 ? [] : ['  the records before it:', ...before.map((line) => `    ${line}`)]),
    'See them with:',
    show(a, aRecord),
    show(b, bRecord),
  ];
}

/** vmtape export: a trace in the formats of other tools. */
import { once } from 'node:events';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import type { TraceCursor } from '../trace/cursor.js';
import { ConsoleExporter } from '../trace/export/console.js';
import { type Exporter, exportRecords } from '../trace/export/exporter.js';
import { JsonlExporter } from '../trace/export/jsonl.js';
import { PerfettoExporter } from '../trace/export/perfetto.js';
import { QtestExporter } from '../trace/export/qtest.js';
import { TraceReader } from '../trace/reader.js';
import { AccessNames } from './device-names.js';
import { checkInput, isSameFile } from './files.js';
import { formatCount, Progress } from './progress.js';
import { qtestArguments } from './qtest-command.js';
import { ResultFile } from './result-file.js';
import { withSignals } from './signals.js';
import { guestTimeOf, resumeSerial, traceStart } from './trace-start.js';
import { parseWord, usageError } from './values.js';

const HELP = `
Formats:
  jsonl          a record a line, as JSON: ordinal, kind, retired (null: not counted), vcpu, and the fields of its kind
  perfetto       a timeline of exits, devices, interrupts and console lines, for ui.perfetto.dev and chrome://tracing
  qtest          the accesses to ports and MMIO, and the DMA, as commands of QEMU's qtest protocol, a line each
  qtest-answers  what the recorded machine answers to each line of qtest, as QEMU would print it
  console        the bytes that the guest wrote to its serial console

The times of a timeline are guest time; a recording on KVM knows it only where a device used it. A FILE of --output is there
whole, or not at all. With --json, what was written is told on standard output: then --output is needed.

A qtest script speaks to the devices of QEMU, whose processor stands still, and so does its clock. With --clock there are clock_step
commands between the accesses, which a QEMU with the accelerator qtest obeys (-accel qtest; Debian's has none).

Exit code: 0, 1 if interrupted (then --output is not written), 2 for a mistake in the options or an output that cannot be
written, 5 if the trace is damaged, truncated or none; what can be read of it is exported all the same.

Examples:
  $ vmtape export d.vmtape --format jsonl | head
  $ vmtape export d.vmtape --format perfetto -o d.json
  $ vmtape export d.vmtape --format console
  Where do the devices of QEMU answer otherwise? (QEMU does not end by itself.)
  $ vmtape export d.vmtape --format qtest -o d.qtest     (prints the command line of QEMU)
  $ vmtape export d.vmtape --format qtest-answers -o d.answers
  $ timeout 10 qemu-system-x86_64 … -qtest stdio -qtest-log none < d.qtest > qemu.answers
  $ paste d.qtest d.answers qemu.answers | awk -F '\\t' '$2 != $3'`;

const FORMATS = ['jsonl', 'perfetto', 'qtest', 'qtest-answers', 'console'] as const;
type Format = (typeof FORMATS)[number];

interface ExportFlags {
  readonly format: string;
  readonly output?: string;
  readonly clock?: boolean;
  readonly json?: boolean;
}

/** What is asked for. */
interface Task {
  readonly format: Format;
  readonly output: string | undefined;
  readonly isTimed: boolean;
  readonly isJson: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addExport(program: Command, setExit: (code: number) => void): void {
  program
    .command('export')
    .summary('a trace in the formats of other tools')
    .description('Writes a trace as other tools read it.')
    .argument('<file>', 'the trace')
    .requiredOption('--format <format>', FORMATS.join(', '))
    .option('-o, --output <file>', 'where to (default: standard output)')
    .option('--clock', 'qtest: steps of the clock between the accesses')
    .option('--json', 'tell as JSON what was written')
    .addHelpText('after', HELP)
    .action(async (path: string, flags: ExportFlags) => {
      setExit(await exportTrace(path, flags));
    });
}

async function exportTrace(path: string, flags: ExportFlags): Promise<number> {
  const { output, clock: isTimed = false, json: isJson = false } = flags;
  const format = parseWord('--format', flags.format, FORMATS);
  if (isTimed && !isQtest(format)) throw usageError(`--clock is for the format qtest, and this is ${format}`);
  if (isJson && output === undefined) {
    throw usageError('--json needs --output', 'what is exported would be on standard output, too');
  }
  checkInput('', path);
  if (output !== undefined && isSameFile(path, output)) throw usageError('--output is the trace itself');
  const reader = new TraceReader(path);
  try {
    return await exportOpen(reader, { format, output, isTimed, isJson });
  } finally {
    reader.close();
  }
}

function isQtest(format: Format): boolean {
  return format === 'qtest' || format === 'qtest-answers';
}

function exporterOf({ format, isTimed }: Task, reader: TraceReader): Exporter {
  const { header, path } = reader;
  const start = traceStart(reader);
  const time = guestTimeOf(header, start);
  switch (format) {
    case 'jsonl':
      return new JsonlExporter();
    case 'perfetto': {
      const exporter = new PerfettoExporter(
        new AccessNames(header, false, start),
        basename(path),
        time,
        header.chipset,
      );
      resumeSerial(exporter.decoder, start);
      return exporter;
    }
    case 'qtest':
      return new QtestExporter('commands', isTimed, time);
    case 'qtest-answers':
      return new QtestExporter('answers', isTimed, time);
    case 'console': {
      const exporter = new ConsoleExporter();
      resumeSerial(exporter.decoder, start);
      return exporter;
    }
  }
}

/** Throws what is wrong with the trace, if something is, when what can be read of it is written. */
async function exportOpen(reader: TraceReader, task: Task): Promise<number> {
  const exporter = exporterOf(task, reader);
  const cursor = reader.cursor();
  const file = task.output === undefined ? undefined : new ResultFile('--output', task.output);
  const isOnTerminal = file === undefined && process.stdout.isTTY === true;
  const progress = new Progress(() => `${formatCount(cursor.count)} records exported`, isOnTerminal);
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
  };
  let bytes = 0;
  // A turn of the event loop after each piece, for signals and the progress line.
  const write = async (piece: Uint8Array): Promise<void> => {
    bytes += piece.length;
    if (file !== undefined) file.write(piece);
    else if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
    await new Promise((resolve) => setImmediate(resolve));
  };
  try {
    const isWhole = await withSignals(stop, () => exportRecords(cursor, exporter, write, () => isStopped));
    if (!isWhole) {
      process.stderr.write(`vmtape: ${reader.path}: interrupted after ${formatCount(cursor.count)} records\n`);
      return ExitCode.GuestFailed;
    }
    file?.finish();
  } finally {
    progress.stop();
    file?.discard();
  }
  tell(reader, task, exporter, cursor, bytes);
  if (cursor.damage !== undefined) throw cursor.damage;
  return ExitCode.Ok;
}

/** What there is to say beside the file. */
function tell(reader: TraceReader, task: Task, exporter: Exporter, cursor: TraceCursor, bytes: number): void {
  const { format, output, isTimed, isJson } = task;
  const qemu = isQtest(format) ? ['qemu-system-x86_64', ...qtestArguments(reader.header, isTimed)] : undefined;
  if (isJson) {
    const { damage, count } = cursor;
    const shown = damage && { code: damage.code, message: damage.message };
    const all = {
      path: reader.path,
      format,
      output,
      records: count,
      bytes,
      ...exporter.summary,
      qemu,
      damage: shown ?? null,
    };
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  } else if (output !== undefined && format === 'qtest' && qemu !== undefined) {
    process.stdout.write(`${qemu.join(' ')}\n`);
  }
}

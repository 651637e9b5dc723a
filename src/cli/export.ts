/** vmtape export: a trace in the formats of other tools. */
import { once } from 'node:events';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import { ConsoleExporter } from '../trace/export/console.js';
import { type Exporter, exportRecords } from '../trace/export/exporter.js';
import { JsonlExporter } from '../trace/export/jsonl.js';
import { PerfettoExporter } from '../trace/export/perfetto.js';
import { TraceReader } from '../trace/reader.js';
import { deviceNames } from './device-names.js';
import { checkInput, isSameFile } from './files.js';
import { formatCount, Progress } from './progress.js';
import { ResultFile } from './result-file.js';
import { withSignals } from './signals.js';
import { parseWord, usageError } from './values.js';

const HELP = `
Formats:
  jsonl     a record a line, as JSON: ordinal, kind, retired (null: not counted), vcpu, and the fields of its kind
  perfetto  a timeline of exits, devices, interrupts and console lines, for ui.perfetto.dev and chrome://tracing
  console   the bytes that the guest wrote to its serial console

The times of a timeline are guest time; a recording on KVM knows it only where a device used it. A FILE of --output is there
whole, or not at all.

Exit code: 0, 1 if interrupted (then --output is not written), 2 for a mistake in the options or an output that cannot be
written, 5 if the trace is damaged, truncated or none; what can be read of it is exported all the same.

Examples:
  $ vmtape export d.vmtape --format jsonl | head
  $ vmtape export d.vmtape --format perfetto -o d.json
  $ vmtape export d.vmtape --format console`;

const FORMATS = ['jsonl', 'perfetto', 'console'] as const;

interface ExportFlags {
  readonly format: string;
  readonly output?: string;
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
    .addHelpText('after', HELP)
    .action(async (path: string, flags: ExportFlags) => {
      setExit(await exportTrace(path, flags));
    });
}

async function exportTrace(path: string, { format, output }: ExportFlags): Promise<number> {
  const word = parseWord('--format', format, FORMATS);
  checkInput('', path);
  if (output !== undefined && isSameFile(path, output)) throw usageError('--output is the trace itself');
  const reader = new TraceReader(path);
  try {
    return await exportOpen(reader, exporterOf(word, reader), output);
  } finally {
    reader.close();
  }
}

function exporterOf(format: (typeof FORMATS)[number], { header, path }: TraceReader): Exporter {
  switch (format) {
    case 'jsonl':
      return new JsonlExporter();
    case 'perfetto':
      return new PerfettoExporter(deviceNames(header), basename(path));
    case 'console':
      return new ConsoleExporter();
  }
}

/** Throws what is wrong with the trace, if something is, when what can be read of it is written. */
async function exportOpen(reader: TraceReader, exporter: Exporter, output: string | undefined): Promise<number> {
  const cursor = reader.cursor();
  const file = output === undefined ? undefined : new ResultFile('--output', output);
  const isOnTerminal = file === undefined && process.stdout.isTTY === true;
  const progress = new Progress(() => `${formatCount(cursor.count)} records exported`, isOnTerminal);
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
  };
  // A turn of the event loop after each piece, for signals and the progress line.
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (file !== undefined) file.write(bytes);
    else if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
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
  if (cursor.damage !== undefined) throw cursor.damage;
  return ExitCode.Ok;
}

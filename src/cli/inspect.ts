/** vmtape inspect: what a trace holds. */
import { once } from 'node:events';
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import { hexBytes } from '../base/hex.js';
import { TraceReader } from '../trace/reader.js';
import { describeRecord, formatRecord, recordNames, type TraceRecord } from '../trace/record.js';
import { type AccessName, AccessNames } from './device-names.js';
import { checkInput } from './files.js';
import { overviewLines } from './inspect-text.js';
import { formatCount, Progress } from './progress.js';
import { withSignals } from './signals.js';
import { slicedFrom, traceStart } from './trace-start.js';
import { TraceSummary } from './trace-summary.js';
import { type OrdinalRange, parseRange, usageError } from './values.js';

const HELP = `
Prints the header, the determinism ledger, and what the records are: how many of each kind, the registers of devices that the
guest used by name, its hottest ports and addresses, interrupts by vector, accesses that no device answers, instructions that
were executed for KVM, the time that passed, and how the recording ended. --json has all rows, the text the first of each.

With --records, those records instead, a line each, with the name of the register that an access reaches and its bits that are not 0. The
names are those of today's devices, which follow the accesses from the beginning on; in a record more than a million behind
it, from 65,536 records before.

Exit code: 0, 1 if interrupted, 2 for a mistake in the options, 5 if the file is damaged, truncated or no trace; what can be
read of it is printed all the same.

Examples:
  $ vmtape inspect d.vmtape
  $ vmtape inspect d.vmtape --records 0..20
  $ vmtape inspect d.vmtape --records 500.. --json | head`;

/** Records between two turns of the event loop, and characters that are given on at once. */
const TURN = 0x4000;
const PIECE = 0x1_0000;
/** Names are followed from the beginning up to here, and then from so many records before. */
const FOLLOWED_WHOLE = 1_000_000;
const FOLLOWED = 0x1_0000;

interface InspectFlags {
  readonly records?: string;
  readonly json?: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addInspect(program: Command, setExit: (code: number) => void): void {
  program
    .command('inspect')
    .summary('what a trace holds')
    .description('Prints what a trace holds.')
    .argument('<file>', 'the trace')
    .option('--records <A..B>', 'print the records A to B')
    .option('--json', 'print JSON; records one a line')
    .addHelpText('after', HELP)
    .action(async (path: string, flags: InspectFlags) => {
      const range = flags.records === undefined ? undefined : parseRange('--records', flags.records);
      checkInput('', path);
      const reader = new TraceReader(path);
      try {
        const inspector = new Inspector(reader, flags.json ?? false);
        const work = () => (range === undefined ? inspector.overview() : inspector.records(range));
        setExit(await withSignals(() => inspector.stop(), work));
      } finally {
        reader.close();
      }
    });
}

/** Each method throws what is wrong with the trace, if something is, when what can be read of it is printed. */
class Inspector {
  readonly #reader: TraceReader;
  readonly #isJson: boolean;
  #isStopped = false;

  constructor(reader: TraceReader, isJson: boolean) {
    this.#reader = reader;
    this.#isJson = isJson;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Reads all records and prints what they are. */
  async overview(): Promise<number> {
    const reader = this.#reader;
    const cursor = reader.cursor();
    const summary = new TraceSummary(reader.header, traceStart(reader));
    const progress = new Progress(() => `${formatCount(cursor.count)} records read`, false);
    try {
      while (cursor.next()) {
        summary.add(cursor.record);
        if (cursor.count % TURN === 0 && (await this.#isInterrupted())) return ExitCode.GuestFailed;
      }
    } finally {
      progress.stop();
    }
    const { header } = reader;
    const { root, frames } = reader.index;
    const { data } = summary;
    const { end, count: records, damage } = cursor;
    const checkpoints = root.checkpoints.length;
    if (this.#isJson) {
      const totals = { size: reader.size, frames, contents: root.blobs, checkpoints, records };
      const all = {
        header: plain(header),
        ledger: header.ledger,
        slice: slicedFrom(header) ?? null,
        ...totals,
        ...data,
        end: end === undefined ? null : plain(end),
      };
      process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    } else {
      process.stdout.write(`${overviewLines(reader, records, data, end).join('\n')}\n`);
    }
    if (damage !== undefined) throw damage;
    return ExitCode.Ok;
  }

  /** Prints records, as they are read. */
  async records({ first, last }: OrdinalRange): Promise<number> {
    const names = new AccessNames(this.#reader.header, true, traceStart(this.#reader));
    const cursor = this.#reader.cursor(first > FOLLOWED_WHOLE ? first - FOLLOWED : 0);
    const isOnTerminal = process.stdout.isTTY === true;
    const progress = new Progress(() => `${formatCount(cursor.count)} records read`, isOnTerminal);
    let text = '';
    try {
      while (cursor.count <= last && cursor.next()) {
        const { record } = cursor;
        const parts = names.follow(record);
        if (record.ordinal >= first) text += this.#isJson ? jsonLine(record, parts) : textLine(record, parts);
        if (text.length < PIECE && cursor.count % TURN !== 0) continue;
        if (!process.stdout.write(text)) await once(process.stdout, 'drain');
        text = '';
        if (await this.#isInterrupted()) return ExitCode.GuestFailed;
      }
    } finally {
      progress.stop();
    }
    process.stdout.write(text);
    if (cursor.damage !== undefined) throw cursor.damage;
    const { path, index } = this.#reader;
    const { records } = index.root;
    if (first > 0 && first >= records)
      throw usageError(`${path} has ${formatCount(records)} records: record ${formatCount(first)} is not there`);
    return ExitCode.Ok;
  }

  /** After a turn of the event loop, for signals and the progress line. */
  async #isInterrupted(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#isStopped) process.stderr.write(`vmtape: ${this.#reader.path}: interrupted\n`);
    return this.#isStopped;
  }
}

function textLine(record: TraceRecord, parts: readonly AccessName[]): string {
  const named = parts.map(({ register, bits }) => [register, ...bits].join(' ')).join(', ');
  return `${formatRecord(record)}${named && `  ${named}`}\n`;
}

function jsonLine(record: TraceRecord, parts: readonly AccessName[]): string {
  return `${JSON.stringify({
    ordinal: record.ordinal,
    kind: recordNames[record.kind] ?? '?',
    ...(Number.isNaN(record.retired) ? {} : { retired: record.retired }),
    text: describeRecord(record),
    ...(parts.length > 0 && { registers: parts.map(({ register, bits }) => ({ register, bits })) }),
  })}\n`;
}

/** Bytes and 64-bit numbers as hexadecimal text. */
function plain(value: object): unknown {
  const convert = (_key: string, one: unknown): unknown => {
    if (typeof one === 'bigint') return `0x${one.toString(16)}`;
    return one instanceof Uint8Array ? hexBytes(one) : one;
  };
  return JSON.parse(JSON.stringify(value, convert)) as unknown;
}

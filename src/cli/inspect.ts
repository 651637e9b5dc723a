/** vmtape inspect: what a trace holds. */
import type { Command } from 'commander';
import { hexBytes } from '../base/hex.js';
import type { TraceHeader } from '../trace/header.js';
import { TraceReader } from '../trace/reader.js';
import { describeRecord, formatRecord, recordNames, type TraceRecord } from '../trace/record.js';
import { checkInput } from './files.js';
import { formatCount } from './progress.js';
import { type OrdinalRange, parseRange } from './values.js';

const HELP = `
Prints the header, the determinism ledger, how many records there are of each kind, and how the recording ended. With
--records, those records instead of the overview.

Exit code: 0, 2 for a mistake in the options, 5 if the file is damaged, truncated or no trace; what can be read of it
is printed all the same.

Examples:
  $ vmtape inspect d.vmtape
  $ vmtape inspect d.vmtape --records 0..20
  $ vmtape inspect d.vmtape --records 500.. --json | head`;

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
    .action((path: string, flags: InspectFlags) => {
      const range = flags.records === undefined ? undefined : parseRange('--records', flags.records);
      checkInput('', path);
      const reader = new TraceReader(path);
      try {
        if (range === undefined) showOverview(reader, flags.json ?? false);
        else showRecords(reader, range, flags.json ?? false);
      } finally {
        reader.close();
      }
      setExit(0);
    });
}

/** Reads all records and prints the overview; then throws what is wrong with the trace, if something is. */
function showOverview(reader: TraceReader, isJson: boolean): void {
  const counts: Record<string, number> = {};
  const cursor = reader.cursor();
  while (cursor.next()) {
    const name = recordNames[cursor.record.kind] ?? '?';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  const { header } = reader;
  if (isJson) {
    const all = {
      header: plainHeader(header),
      ledger: header.ledger,
      size: reader.size,
      records: cursor.count,
      counts,
      end: cursor.end === undefined ? null : plainHeader(cursor.end),
    };
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  } else {
    const lines = [...headerLines(reader), '', ...ledgerLines(header.ledger), '', ...countLines(cursor.count, counts)];
    const { end } = cursor;
    lines.push('', `End        ${end === undefined ? 'not marked: the recording did not end cleanly' : end.message}`);
    if (end !== undefined && end.inexact.length > 0) lines.push(`Not exact  ${end.inexact.join(', ')}`);
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  if (cursor.damage !== undefined) throw cursor.damage;
}

function headerLines(reader: TraceReader): string[] {
  const { header, path, size } = reader;
  const rom = header.romSize === 0 ? '' : `, ROM ${formatCount(header.romSize)} bytes`;
  const options = Object.entries(header.options).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [
    `Trace      ${path}, ${formatCount(size)} bytes`,
    `Id         ${hexBytes(header.id)}`,
    `Recorded   ${new Date(header.date).toISOString()} by vmtape ${header.vmtape} on ${engineName(header)}`,
    `Processor  ${header.cpuModel}`,
    `Memory     ${formatCount(header.memorySize)} bytes${rom}`,
    `Hooks      ${header.hooks.length} sites, --tsc ${header.tsc}`,
    `Options    ${options.join(' ') || 'none'}`,
    ...(Object.keys(header.host).length === 0 ? [] : [`Host       ${Object.values(header.host).join(', ')}`]),
  ];
}

function engineName(header: TraceHeader): string {
  return header.engine === 'kvm' ? 'KVM' : 'the interpreter';
}

/** The ledger is JSON that a trace brings: it is shown as it is, and trusted in nothing. */
function ledgerLines(ledger: unknown): string[] {
  if (!Array.isArray(ledger) || ledger.length === 0) return ['Ledger     none: the interpreter is deterministic'];
  const rows = ledger.map((row: unknown) => {
    const { source, status, how, hits } = (row ?? {}) as Record<string, unknown>;
    const count = typeof hits === 'number' && hits > 0 ? `, met ${hits} times` : '';
    return `  ${printable(status).padEnd(8)} ${printable(source)}: ${printable(how)}${count}`;
  });
  return ['Ledger', ...rows];
}

/** Text of a foreign file, without what could steer a terminal. */
function printable(value: unknown): string {
  return String(value ?? '').replace(/\p{Cc}/gu, '?');
}

function countLines(total: number, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return [
    `Records    ${formatCount(total)}`,
    ...rows.map(([name, count]) => `  ${name.padEnd(12)} ${formatCount(count).padStart(12)}`),
  ];
}

function showRecords(reader: TraceReader, range: OrdinalRange, isJson: boolean): void {
  const cursor = reader.cursor();
  let text = '';
  while (cursor.next()) {
    const { record } = cursor;
    if (record.ordinal < range.first) continue;
    if (record.ordinal > range.last) break;
    text += isJson ? `${JSON.stringify(plainRecord(record))}\n` : `${formatRecord(record)}\n`;
    if (text.length > 0x1_0000) {
      process.stdout.write(text);
      text = '';
    }
  }
  process.stdout.write(text);
  if (cursor.damage !== undefined) throw cursor.damage;
}

function plainRecord(record: TraceRecord): Record<string, unknown> {
  return {
    ordinal: record.ordinal,
    kind: recordNames[record.kind] ?? '?',
    ...(Number.isNaN(record.retired) ? {} : { retired: record.retired }),
    text: describeRecord(record),
  };
}

/** Bytes and 64-bit numbers as hexadecimal text. */
function plainHeader(value: object): unknown {
  const convert = (_key: string, one: unknown): unknown => {
    if (typeof one === 'bigint') return `0x${one.toString(16)}`;
    return one instanceof Uint8Array ? hexBytes(one) : one;
  };
  return JSON.parse(JSON.stringify(value, convert)) as unknown;
}

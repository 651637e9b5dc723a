/** The text of vmtape inspect. */
import { hexBytes } from '../base/hex.js';
import type { TraceEnd, TraceHeader } from '../trace/header.js';
import type { TraceReader } from '../trace/reader.js';
import { formatCount } from './progress.js';
import { type SlicedFrom, slicedFrom } from './trace-start.js';
import type { AccessCount, AddressCount, TraceSummaryData } from './trace-summary.js';

/** So many rows of a table are shown; --json has all. */
const ROWS = 12;
const SECOND = 1e9;

/** The lines. `records`: how many could be read; `end`: undefined where no end was marked. */
export function overviewLines(
  reader: TraceReader,
  records: number,
  data: TraceSummaryData,
  end: TraceEnd | undefined,
): string[] {
  const { header } = reader;
  const counts = Object.entries(data.counts);
  const lines = [
    ...headerLines(reader),
    '',
    ...ledgerLines(header.ledger),
    '',
    ...table(`Records    ${formatCount(records)}`, counts.map(countRow), counts.length),
    ...table(
      'Registers',
      data.registers.map((row) => accessRow(row.register, row)),
    ),
    ...table('Ports and addresses', data.addresses.map(addressRow)),
    ...table('Unclaimed', data.unclaimed.map(addressRow)),
    ...table(
      'Interrupts',
      data.interrupts.map(({ vector, count }) => countRow([`vector ${vector}`, count])),
    ),
    ...table(
      'MSRs',
      data.msrs.map((row) => accessRow(row.msr, row)),
    ),
    ...table('Hooks', Object.entries(data.hooks).map(countRow)),
    ...table('Executed for KVM', Object.entries(data.assists).map(countRow)),
    '',
    `Time       ${spanText(data)}`,
    `End        ${end === undefined ? 'not marked: the recording did not end cleanly' : end.message}`,
  ];
  if (end !== undefined && end.inexact.length > 0) lines.push(`Not exact  ${end.inexact.join(', ')}`);
  return lines.map(printable);
}

function headerLines({ header, path, size }: TraceReader): string[] {
  const chipset = header.chipset === undefined ? '' : `, chipset ${header.chipset}`;
  const rom = header.romSize === 0 ? '' : `, ROM ${formatCount(header.romSize)} bytes${chipset}`;
  const slice = slicedFrom(header);
  const given = Object.entries(header.options).filter(([name]) => !slice || name !== 'slice');
  const options = given.map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [
    `Trace      ${path}, ${formatCount(size)} bytes`,
    `Id         ${hexBytes(header.id)}`,
    `Recorded   ${new Date(header.date).toISOString()} by vmtape ${header.vmtape} on ${engineName(header)}`,
    ...(slice ? [sliceText(slice)] : []),
    `Processor  ${header.cpuModel}`,
    `Memory     ${formatCount(header.memorySize)} bytes${rom}`,
    `Hooks      ${header.hooks.length} sites, --tsc ${header.tsc}`,
    `Options    ${options.join(' ') || 'none'}`,
    ...(Object.keys(header.host).length === 0
      ? []
      : [`Host       ${Object.entries(header.host).map(hostFact).join(', ')}`]),
  ];
}

/** The numbers are those of that trace; here they begin with 0. */
function sliceText({ first, last, of }: SlicedFrom): string {
  return `Slice      of the trace ${of}: its record ${formatCount(first)} is record 0, to its record ${formatCount(last)}`;
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
    return `  ${shown(status).padEnd(8)} ${shown(source)}: ${shown(how)}${count}`;
  });
  return ['Ledger', ...rows];
}

/** A value of the JSON that a trace brings: an object in it may have anything as its toString. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value ?? '') ?? '').replace(/^""$/, '');
}

/** Text of a foreign file, without what could steer a terminal. */
function printable(line: string): string {
  return line.replace(/\p{Cc}/gu, '?');
}

/** A table with its title; nothing where there are no rows. */
function table(title: string, rows: readonly string[], most = ROWS): string[] {
  if (rows.length === 0 && !title.startsWith('Records')) return [];
  const left = rows.length - most;
  return [title, ...rows.slice(0, most), ...(left > 0 ? [`  and ${formatCount(left)} more: --json`] : [])];
}

function countRow([name, count]: readonly [string, number]): string {
  return `  ${name.padEnd(12)} ${formatCount(count).padStart(12)}`;
}

function accessRow(name: string, { reads, writes }: AccessCount): string {
  return `  ${name.padEnd(28)} ${formatCount(reads).padStart(12)} read ${formatCount(writes).padStart(12)} written`;
}

function addressRow(row: AddressCount): string {
  return accessRow(`${row.space} ${row.address} ${row.device}`, row);
}

function spanText({ span, dmaBytes, inputBytes }: TraceSummaryData): string {
  const { start, time, retired } = span;
  const isPart = start.time > 0;
  const from = (text: string): string => (isPart ? `${text} to ` : '');
  const parts = [`${from(secondsText(start.time))}${secondsText(time)} s of the guest`];
  if (retired !== null) parts.push(`${from(formatCount(start.retired ?? 0))}${formatCount(retired)} instructions`);
  if (dmaBytes > 0) parts.push(`${formatCount(dmaBytes)} bytes by DMA`);
  if (inputBytes > 0) parts.push(`${formatCount(inputBytes)} bytes of input`);
  return parts.join(', ');
}

function secondsText(nanoseconds: number): string {
  return (nanoseconds / SECOND).toFixed(6);
}

/** A fact of the host: a figure with its name, what engines do otherwise in words, anything else by itself. */
function hostFact([name, value]: readonly [string, unknown]): string {
  if (name === 'userReturns') return 'user code on the interpreter';
  if (name === 'assistsPaging') return 'paging outside long mode on the interpreter';
  if (name === 'assistsAll') return 'all code on the interpreter';
  if (name === 'fxsaveClears') return 'FXSAVE clears';
  return typeof value === 'number' ? `${name} ${value}` : shown(value);
}

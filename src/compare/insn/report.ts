/** What a comparison found, for people. */
import { Decoder, Formatter, FormatterSyntax } from 'iced-x86';
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import { hex, hexBytes } from '../../base/hex.js';
import { GPR_NAMES } from '../../vmm/cpu/state.js';
import type { CampaignReport, Finding } from './campaign.js';
import type { InsnCase } from './case.js';
import type { FieldDifference } from './difference.js';
import type { Generator } from './generate.js';
import { Case } from './layout.js';

const MOST_FINDINGS = 40;

/** The instruction in assembly language. */
export function disassemble({ code, record, bits }: InsnCase): string {
  const decoder = new Decoder(bits, code, 0);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  decoder.ip = BigInt(view.getUint32(Case.entry, true));
  const formatter = new Formatter(FormatterSyntax.Intel);
  const instruction = decoder.decode();
  try {
    return instruction.isInvalid ? 'not an instruction that iced-x86 knows' : formatter.format(instruction);
  } finally {
    instruction.free();
    formatter.free();
    decoder.free();
  }
}

/** Differences, one a line. */
export function formatDifferences(differences: readonly FieldDifference[]): string[] {
  return differences.map(({ field, expected, actual }) => `    ${field}: KVM ${expected}, interpreter ${actual}`);
}

/** The instruction and what of its state is not zero. */
export function formatCase(one: InsnCase): string[] {
  const view = new DataView(one.record.buffer, one.record.byteOffset, one.record.byteLength);
  const registers = GPR_NAMES.map(
    (name, i) => [name.toUpperCase(), view.getBigUint64(Case.registers + i * 8, true)] as const,
  )
    .filter(([, value]) => value !== 0n)
    .map(([name, value]) => `${name}=${hex(value)}`);
  return [
    `  ${hexBytes(one.code, ' ')}   ${disassemble(one)}   (${one.bits}-bit, at ${hex(one.address)})`,
    `    RFLAGS=${hex(view.getBigUint64(Case.flags, true))} FCW=${hex(view.getUint16(0, true))} MXCSR=${hex(view.getUint32(24, true))} ${registers.join(' ')}`,
  ];
}

function formatFinding({ key, count, number, shrunk, differences }: Finding): string[] {
  return [
    `${key}`,
    `  ${count} case${count === 1 ? '' : 's'}, the first is ${number}; shrunk:`,
    ...formatCase(shrunk),
    ...formatDifferences(differences),
  ];
}

/** Which rows of the opcode table were executed, and which not, with the reason; rows by mnemonic. */
export interface Coverage {
  readonly executed: number;
  /** Reason → mnemonics. */
  readonly notExecuted: Readonly<Record<string, readonly string[]>>;
}

/** What `report` executed of the rows of `table`. */
export function coverageOf(report: CampaignReport, generator: Generator, table: readonly OpcodeRow[]): Coverage {
  const reasons = new Map<string, Set<string>>();
  const note = ({ name }: OpcodeRow, reason: string) =>
    reasons.set(reason, (reasons.get(reason) ?? new Set()).add(name.split(' ')[0] ?? name));
  for (const { row, reason } of generator.notMade(table)) note(row, reason);
  for (const row of generator.rows) if (!report.rows.has(row)) note(row, 'not reached by so few cases');
  const notExecuted = Object.fromEntries([...reasons].map(([reason, names]) => [reason, [...names].sort()]));
  return { executed: report.rows.size, notExecuted };
}

function formatCoverage({ executed, notExecuted }: Coverage): string[] {
  const lines = [`${executed} rows of the opcode table were executed. Not executed:`];
  for (const [reason, names] of Object.entries(notExecuted)) lines.push(`  ${reason}: ${names.join(', ')}`);
  return lines;
}

/** The report of a campaign; ends with a newline. */
export function formatCampaign(report: CampaignReport, coverage: Coverage): string {
  const { findings, explained, cases, seconds, followed } = report;
  const lines: string[] = [];
  for (const finding of findings.slice(0, MOST_FINDINGS)) lines.push(...formatFinding(finding), '');
  if (findings.length > MOST_FINDINGS) lines.push(`… and ${findings.length - MOST_FINDINGS} more kinds`, '');
  const excused = [...explained].sort((a, b) => b[1] - a[1]);
  if (excused.length > 0) lines.push('Explained (src/compare/insn/explained-*.ts):');
  for (const [row, count] of excused) lines.push(`  ${String(count).padStart(7)}  ${row.title}`);
  if (report.confirmed !== undefined) {
    lines.push(
      `  ${report.confirmed} that KVM's emulator answered were run in a process too: the processor does what the interpreter does.`,
    );
  }
  lines.push(...formatCoverage(coverage));
  const different = findings.reduce((sum, { count }) => sum + count, 0);
  lines.push(
    `${cases} cases in ${seconds.toFixed(1)} s (${Math.round(cases / seconds)} a second): ` +
      `${different} unexplained differences of ${findings.length} kinds${followed > 0 ? `, ${followed} that followed from others` : ''}`,
  );
  return `${lines.join('\n')}\n`;
}

/** The report of `vmtape doctor` as text. */
import { Ledger } from '../ledger.js';
import type { HostReport } from './host.js';

const WIDTH = 100;

/** Lines for people; ends with a newline. */
export function formatHostReport(report: HostReport): string {
  const lines = [`Host       ${report.platform}, kernel ${report.kernel}, ${report.processor}`];
  const { kvm } = report;
  if (!kvm.available) {
    lines.push(`KVM        not usable: ${kvm.reason ?? 'no reason known'}`);
    if (kvm.hint) lines.push(`           ${kvm.hint}`);
    lines.push('', 'Running, recording and replaying on the interpreter work without KVM.');
    return `${lines.join('\n')}\n`;
  }
  lines.push(`KVM        usable (${kvm.module ?? 'unknown'})`);
  const absent = Object.entries(report.capabilities).filter(([, value]) => value === 0);
  lines.push(
    `           capabilities: ${absent.length === 0 ? 'all that vmtape uses' : `without ${absent.map(([name]) => name).join(', ')}`}`,
  );
  lines.push('', 'Probes');
  for (const { verdict, question, evidence } of report.probes)
    lines.push(...wrap(`  ${verdict.padEnd(8)} ${question}: `, evidence));
  lines.push('', 'Speed');
  for (const { mode, microsecondsPerExit, millionInstructionsPerSecond } of report.figures) {
    lines.push(
      `  ${mode.padEnd(8)} ${figure(microsecondsPerExit)} µs an exit, ${figure(millionInstructionsPerSecond)} million instructions a second`,
    );
  }
  if (report.timeScale > 1) {
    const why = `goes ${report.timeScale} times slower for a guest that computes, so that it keeps up (--time-scale)`;
    lines.push(...wrap('  time    ', why));
  }
  lines.push('', 'Determinism ledger (recording on KVM, --tsc hook)');
  lines.push(...formatLedgerRows(new Ledger({ engine: 'kvm', tsc: 'hook', host: report }).rows));
  return `${lines.join('\n')}\n`;
}

/** A line or more for each row. The ledger of a trace is JSON that a stranger brings: it is shown as it is, and trusted in nothing. */
export function formatLedgerRows(ledger: unknown): string[] {
  if (!Array.isArray(ledger) || ledger.length === 0) return ['  none: the trace has no ledger'];
  return ledger.flatMap((row: unknown) => {
    const { source, status, how, evidence, hits } = (row ?? {}) as Record<string, unknown>;
    const met = typeof hits === 'number' && hits > 0 ? `; met ${hits} times` : '';
    return wrap(
      `  ${printable(status).padEnd(8)} ${printable(source)}: `,
      `${printable(how)} (${printable(evidence)})${met}`,
    );
  });
}

function printable(value: unknown): string {
  return String(value ?? '').replace(/\p{Cc}/gu, '?');
}

function figure(value: number): string {
  return Number.isNaN(value) ? 'unknown' : value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** `head` and `text` in lines of at most WIDTH characters, the following ones indented. */
function wrap(head: string, text: string): string[] {
  const lines: string[] = [];
  let line = head.trimEnd();
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `           ${word}`;
    } else {
      line += ` ${word}`;
    }
  }
  return [...lines, line];
}

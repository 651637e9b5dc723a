/** vmtape doctor: what this host can do, and what it cannot. */
import type { Command } from 'commander';
import type { TraceHeader } from '../trace/header.js';
import { checkInput } from './files.js';

const HELP = `
Runs tiny probe guests on /dev/kvm and says what they saw: whether CPUID is obeyed, whether an interrupt window opens
at the first boundary, whether single step stops after each instruction, and so on; then the determinism ledger: each
source of nondeterminism, and how it is closed on this host. Takes a few seconds, changes nothing.

With --trace, the ledger of that recording instead: how each source was closed on the host that made it, which open rows it hit, and what
of that makes it inexact. Nothing is run.

Exit code: 0, also where KVM cannot be used: that is then the answer. 5 if the trace is damaged or foreign.

Examples:
  $ vmtape doctor
  $ vmtape doctor --json | jq .windowIsExact
  $ vmtape doctor --trace boot.vmtape`;

/** Adds the command. `setExit` takes the exit code. */
export function addDoctor(program: Command, setExit: (code: number) => void): void {
  program
    .command('doctor')
    .summary('what this host can do, and what it cannot')
    .description('Examines this host: what it can do, and what it cannot.')
    .option('--json', 'print the findings as JSON')
    .option('--trace <file>', 'print the ledger of this recording')
    .addHelpText('after', HELP)
    .action(async (flags: { readonly json?: boolean; readonly trace?: string }) => {
      if (flags.trace !== undefined) {
        await showTrace(flags.trace, flags.json ?? false);
        setExit(0);
        return;
      }
      const { examineHost } = await import('../record/probes/host.js');
      const { formatHostReport } = await import('../record/probes/format.js');
      const { Ledger } = await import('../record/ledger.js');
      const report = await examineHost();
      const ledger = new Ledger({ engine: 'kvm', tsc: 'hook', host: report });
      const text = flags.json ? `${JSON.stringify({ ...report, ledger }, null, 2)}\n` : formatHostReport(report);
      process.stdout.write(text);
      setExit(0);
    });
}

/** The ledger in a trace's header and what its end says of it. */
async function showTrace(path: string, isJson: boolean): Promise<void> {
  checkInput('--trace', path);
  const { openTrace } = await import('../trace/open.js');
  const trace = await openTrace(path);
  try {
    const { header, end } = trace;
    const inexact = end?.inexact ?? [];
    if (isJson) {
      const all = {
        engine: header.engine,
        host: header.host,
        ledger: header.ledger,
        inexact,
        ended: end !== undefined,
      };
      process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
      return;
    }
    const { formatLedgerRows } = await import('../record/probes/format.js');
    const lines = [...hostLines(header), '', 'Determinism ledger', ...formatLedgerRows(header.ledger), ''];
    lines.push(verdict(inexact, end !== undefined));
    process.stdout.write(`${lines.join('\n')}\n`);
  } finally {
    await trace.close();
  }
}

function hostLines(header: TraceHeader): string[] {
  const engine = header.engine === 'kvm' ? 'KVM' : 'the interpreter, which depends on no host';
  const facts = Object.entries(header.host).map(([name, value]) => `  ${name.padEnd(10)} ${printable(value)}`);
  return [`Recorded on ${engine} by vmtape ${printable(header.vmtape)}, --tsc ${header.tsc}`, ...facts];
}

function verdict(inexact: readonly string[], isEnded: boolean): string {
  if (!isEnded) return 'The recording did not end cleanly: what it hit is not known.';
  if (inexact.length === 0)
    return 'No open row was seen to be hit while it was recorded. A replay on the interpreter sees more.';
  return `Not exact: ${inexact.map(printable).join(', ')}.`;
}

/** Text of a foreign file, without what could steer a terminal. */
function printable(value: unknown): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value ?? '');
  return text.replace(/\p{Cc}/gu, '?');
}

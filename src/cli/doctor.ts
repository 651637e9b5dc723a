/** vmtape doctor: what this host can do, and what it cannot. */
import type { Command } from 'commander';

const HELP = `
Runs tiny probe guests on /dev/kvm and says what they saw: whether CPUID is obeyed, whether an interrupt window opens
at the first boundary, whether single step stops after each instruction, and so on; then the determinism ledger: each
source of nondeterminism, and how it is closed on this host. Takes a few seconds, changes nothing.

Exit code: 0, also where KVM cannot be used: that is then the answer.

Examples:
  $ vmtape doctor
  $ vmtape doctor --json | jq .windowIsExact`;

/** Adds the command. `setExit` takes the exit code. */
export function addDoctor(program: Command, setExit: (code: number) => void): void {
  program
    .command('doctor')
    .summary('what this host can do, and what it cannot')
    .description('Examines this host: what it can do, and what it cannot.')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', HELP)
    .action(async (flags: { readonly json?: boolean }) => {
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

/** vmtape compare: one engine against the other. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import { realHost } from '../base/host.js';
import type { Oracle } from '../compare/insn/comparison.js';
import type { Generator } from '../compare/insn/generate.js';
import { writeResult } from './result-file.js';
import { parseCount, parseWord, usageError } from './values.js';

const LEVELS = ['user', 'user32', 'user16', 'kernel', 'real'] as const;
const ORACLES = ['kvm', 'process'] as const;
const REGRESSIONS = 'corpora/regressions/insn';

const INSN_HELP = `
Makes instructions of the opcode table (every encoding, operand size, prefix and memory form, with operands at which
instructions go wrong), runs each on KVM and on the interpreter from the same state, and compares registers, flags, x87
and SSE state, memory, and the exception with its error code and CR2. --level user is 64-bit code at CPL 3, which even a
software-nested KVM executes on the processor itself; user32 and user16 are 32- and 16-bit code at CPL 3; kernel is CPL 0
(64- and 32-bit code), real is real mode: the processor where KVM has VT-x or AMD-V, else KVM's emulator. What differs is
sorted by opcode and kind, shrunk, and, where the directory ${REGRESSIONS} exists, written there. The same seed
makes the same cases.

Exit code: 0; 3 if something differs that no row of src/compare/insn/explained.ts explains; 6 without KVM.

Examples:
  $ vmtape compare insn --seed 1 --cases 1000000
  $ vmtape compare insn --level real --seed 1 --cases 200000
  $ vmtape compare insn --only SHLD --cases 20000
  $ vmtape compare insn --seed 1 --case 4711`;

interface InsnFlags {
  readonly seed: string;
  readonly cases: string;
  readonly case?: string;
  readonly level: string;
  readonly oracle: string;
  readonly only?: string;
  readonly json?: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addCompare(program: Command, setExit: (code: number) => void): void {
  const compare = program
    .command('compare')
    .summary('compare the interpreter with KVM')
    .description('Compares the engines with each other.');
  compare
    .command('insn')
    .summary('single instructions')
    .description('Compares single instructions on KVM and on the interpreter.')
    .option('--seed <number>', 'what the cases are made of', '1')
    .option('--cases <number>', 'how many', '100000')
    .option('--case <number>', 'only this one, in full')
    .option('--level <level>', LEVELS.join(', '), 'user')
    .option('--oracle <what>', 'kvm, or process: the processor without KVM', 'kvm')
    .option('--only <opcode>', 'only rows with this mnemonic or encoding: SHLD, "0F AE /7"')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', INSN_HELP)
    .action(async (flags: InsnFlags) => setExit(await compareInsn(flags)));
}

async function compareInsn(flags: InsnFlags): Promise<number> {
  const seed = parseCount('--seed', flags.seed, 0);
  const cases = parseCount('--cases', flags.cases);
  const level = parseWord('--level', flags.level, LEVELS);
  const { loadRows } = await import('../compare/insn/rows.js');
  const { Generator } = await import('../compare/insn/generate.js');
  const { isUserLevel } = await import('../compare/insn/levels.js');
  const oracle = parseWord('--oracle', flags.oracle, ORACLES);
  if (oracle === 'process' && !isUserLevel(level)) {
    throw usageError(
      `--oracle process runs user code only, not --level ${level}: use user, user32 or user16, or --oracle kvm`,
    );
  }
  const generator = new Generator(await loadRows(), level, seed, flags.only, oracle);
  if (generator.rows.length === 0) {
    throw usageError(`--only ${flags.only} names no row of the opcode table that can be compared here`);
  }
  if (flags.case !== undefined) return compareOne(generator, oracle, parseCount('--case', flags.case, 0), flags);
  return compareMany(generator, oracle, cases, flags);
}

/** The command that makes these cases; `rest` says which. */
function commandOf({ seed, level }: Generator, { only, oracle }: InsnFlags, rest: string): string {
  const options = [`--seed ${seed}`];
  if (oracle !== 'kvm') options.push(`--oracle ${oracle}`);
  if (level !== 'user') options.push(`--level ${level}`);
  if (only !== undefined) options.push(`--only ${JSON.stringify(only)}`);
  return `vmtape compare insn ${options.join(' ')} ${rest}`;
}

async function compareOne(generator: Generator, oracle: Oracle, number: number, flags: InsnFlags): Promise<number> {
  const { Comparison } = await import('../compare/insn/comparison.js');
  const { formatCase, formatDifferences } = await import('../compare/insn/report.js');
  const comparison = new Comparison(generator.level, oracle);
  try {
    const one = generator.make(number);
    const { differences, unexplained } = comparison.runOne(one);
    if (flags.json) {
      process.stdout.write(
        `${JSON.stringify({ number, opcode: one.row.encoding, name: one.row.name, differences, unexplained }, null, 2)}\n`,
      );
    } else {
      const lines = [
        `case ${number}: ${one.row.encoding} (${one.row.name})`,
        ...formatCase(one),
        ...formatDifferences(differences),
      ];
      const verdict = differences.length === 0 ? 'no difference' : unexplained.length === 0 ? 'explained' : '';
      if (verdict) lines.push(verdict);
      else lines.push(commandOf(generator, flags, `--case ${number}`));
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return unexplained.length === 0 ? ExitCode.Ok : ExitCode.Divergence;
  } finally {
    comparison.close();
  }
}

async function compareMany(generator: Generator, oracle: Oracle, cases: number, flags: InsnFlags): Promise<number> {
  const { runCampaign } = await import('../compare/insn/campaign.js');
  const { coverageOf, formatCampaign } = await import('../compare/insn/report.js');
  const { loadRows } = await import('../compare/insn/rows.js');
  const progress = process.stderr.isTTY
    ? (done: number) => process.stderr.write(`\r${done} of ${cases} cases`)
    : undefined;
  const report = runCampaign(generator, cases, realHost, oracle, progress);
  if (progress) process.stderr.write('\r\x1b[K');
  const [first] = report.findings;
  const coverage = coverageOf(report, generator, await loadRows());
  if (existsSync(REGRESSIONS)) await writeRegressions(generator, report.findings, flags);
  if (flags.json) {
    const findings = report.findings.map(({ key, count, number, differences }) => ({
      key,
      count,
      number,
      differences,
    }));
    const explained = [...report.explained].map(([{ title, source }, count]) => ({ title, source, count }));
    const { seconds, followed, confirmed } = report;
    const { level, seed } = generator;
    process.stdout.write(
      `${JSON.stringify({ level, seed, oracle, cases, seconds, findings, explained, confirmed, followed, coverage }, null, 2)}\n`,
    );
  } else {
    process.stdout.write(formatCampaign(report, coverage));
    if (first) process.stdout.write(`${commandOf(generator, flags, `--case ${first.number}`)}\n`);
  }
  return first ? ExitCode.Divergence : ExitCode.Ok;
}

async function writeRegressions(
  generator: Generator,
  findings: readonly import('../compare/insn/campaign.js').Finding[],
  flags: InsnFlags,
): Promise<void> {
  const { encodeRegression, processorName, regressionName } = await import('../compare/insn/regression.js');
  const processor = processorName();
  mkdirSync(REGRESSIONS, { recursive: true });
  // A case that differs only behind others is no case of its own.
  for (const { shrunk, differences, expected, number } of findings.filter((it) => it.expected.length > 0)) {
    const command = commandOf(generator, flags, `--case ${number}`);
    const file = encodeRegression(shrunk, generator.level, differences, expected, { processor, command });
    const path = join(REGRESSIONS, regressionName(file));
    if (!existsSync(path)) writeResult('--regressions', path, `${JSON.stringify(file, null, 2)}\n`);
  }
}

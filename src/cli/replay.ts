/** vmtape replay: repeats a recording and compares every record. */
import type { Command } from 'commander';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { realHost } from '../base/host.js';
import type { CheckpointFile } from '../replay/checkpoint-file.js';
import type { Divergence } from '../replay/divergence.js';
import type { EffectiveTable } from '../replay/features.js';
import type { ComparedDigests, ReplayOptions, ReplayResult } from '../replay/options.js';
import type { CpuState } from '../vmm/cpu/state.js';
import { type ConsoleOutput, isOnTerminal, openConsole } from './console.js';
import { stateToJson } from './dump.js';
import { checkInput, checkOutput } from './files.js';
import { collect, guestFiles } from './guest-files.js';
import { keepLearnt } from './machine.js';
import { formatCount, Progress } from './progress.js';
import { withSignals } from './signals.js';
import { stateLines } from './state-text.js';
import { checkFrom, checkUntil, notReached, parseUntil, type Until, untilOptions } from './until.js';
import { parseCount, parseWord, usageError } from './values.js';

const HELP = `
Repeats a recording and compares it, record by record, with the trace. The first difference stops it with a report.

--mode machine runs the devices and compares their answers; --mode cpu has no devices: what the guest read is taken
from the trace, and what it wrote is compared.

--checkpoint-every N saves the whole state before each Nth record, into the trace or, with --output, into a copy of it; --from
record:A then starts from the last checkpoint at or before record A. The trace is replaced only when the replay ends, be it
at its end, at a difference or by Ctrl-C, and only as a whole.

Exit code: 0 if everything was equal, 2 for a mistake in the options, 3 at a difference, 5 if the trace is damaged, 6 if
this host cannot replay it, or the engine lacks CPU features that the guest was shown: they are named. 1 at a difference
behind an open hole of the ledger, such as an RDTSC that was not hooked: the recording is then not exact, and says
nothing of the engines.

Examples:
  $ vmtape replay d.vmtape
  $ vmtape replay d.vmtape --mode cpu --serial none --json
  Stop before record 1234, at an instruction, or when the guest has said something:
  $ vmtape replay d.vmtape --until record:1234
  $ vmtape replay d.vmtape --until icount:5000000 --dump-state
  $ vmtape replay d.vmtape --until serial:"login: " --dump-state --json
  Save states, and start from one:
  $ vmtape replay d.vmtape --checkpoint-every 100000
  $ vmtape replay d.vmtape --from record:250000 --until 250100`;

interface ReplayFlags {
  readonly engine: string;
  readonly mode: string;
  readonly until?: string;
  readonly dumpState?: boolean;
  readonly from?: string;
  readonly checkpointEvery?: string;
  readonly output?: string;
  readonly serial?: string;
  readonly image: readonly string[];
  readonly hooks?: string;
  readonly ignoreCpu?: boolean;
  readonly json?: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addReplay(program: Command, setExit: (code: number) => void): void {
  program
    .command('replay')
    .summary('repeat a recording and compare every record')
    .description('Repeats a recording and compares every record.')
    .argument('<file>', 'the trace')
    .option('--engine <engine>', 'interp or kvm', 'interp')
    .option('--mode <mode>', 'machine (with devices) or cpu (without)', 'machine')
    .option('--image <file>', 'a file of a guest that is not in the trace; may be given several times', collect, [])
    .option('--until <place>', 'stop before record:N, at icount:N instructions, or behind serial:TEXT')
    .option('--dump-state', 'print the state of the CPU where the replay stopped')
    .option('--from <record:n>', 'start from the last checkpoint at or before this record')
    .option('--checkpoint-every <n>', 'save the state before each record whose ordinal is a multiple of N')
    .option('-o, --output <file>', 'write the trace with its checkpoints there, and leave the file as it is')
    .option('--serial <where>', 'the serial console: stdio or none (default: stdio; with --json: none)')
    .option(
      '--hooks <file>',
      'add the instructions that ran unhooked to this file, for the next recording to hook them',
    )
    .option('--ignore-cpu', 'go on where this host or version lacks CPU features that the guest was shown')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (path: string, flags: ReplayFlags) => {
      setExit(await replay(path, flags));
    });
}

async function replay(path: string, flags: ReplayFlags): Promise<number> {
  const engine = parseWord('--engine', flags.engine, ['interp', 'kvm'] as const);
  const mode = parseWord('--mode', flags.mode, ['machine', 'cpu'] as const);
  const serial = parseWord('--serial', flags.serial ?? (flags.json ? 'none' : 'stdio'), ['stdio', 'none'] as const);
  if (flags.json && serial === 'stdio') {
    throw usageError('--json and --serial stdio contradict each other: both are standard output');
  }
  const until = flags.until === undefined ? undefined : parseUntil(flags.until);
  const from = flags.from === undefined ? undefined : parseCount('--from', flags.from.replace(/^record:/, ''), 0);
  if (from !== undefined && engine !== 'interp') throw usageError('--from needs --engine interp');
  const every = checkpointsOf(flags, engine, mode);
  checkInput('', path);
  const files = guestFiles(flags.image);
  const checkpoints = every === undefined ? undefined : await checkpointFile(path, every, flags.output);
  const console = openConsole({ kind: serial });
  try {
    const options = {
      path,
      files,
      engine,
      mode,
      serial: console,
      host: realHost,
      ignoresFeatures: flags.ignoreCpu ?? false,
      ...(engine === 'kvm' && { effectiveCpuid: await effectiveTable() }),
      ...untilOptions(until, engine),
      ...(from !== undefined && { from }),
      ...(checkpoints && { checkpoints }),
    };
    const { result, start, state } = await runReplay(
      { ...options, ...(await hostFacts(engine)) },
      console,
      isOnTerminal({ kind: serial }),
      until,
      flags.hooks,
    );
    checkpoints?.finish();
    if (until && result.kind === 'complete' && !result.damage && !isAtEnd(until, result)) {
      throw notReached(until, result.instructions);
    }
    const shown = flags.dumpState ? state : undefined;
    const more = { start, from, checkpoints: checkpoints?.count, output: flags.output ?? path, state: shown };
    const exitCode = flags.json ? sayJson(result, more) : sayResult(path, result, more);
    if (result.kind === 'complete' && result.damage !== undefined && !flags.json) {
      const { code, message, hint } = result.damage;
      const replayed = `${message}; the ${formatCount(result.records)} records before that are equal`;
      throw new VmtapeError(code, replayed, ExitCode.BadFile, hint);
    }
    return exitCode;
  } finally {
    checkpoints?.discard();
    console.close();
  }
}

/** The place is the end itself: all records, or all instructions. */
function isAtEnd(until: Until, { records, instructions }: Extract<ReplayResult, { kind: 'complete' }>): boolean {
  if (until.kind === 'serial') return false;
  return until.number === (until.kind === 'record' ? records : instructions);
}

/** --checkpoint-every; undefined: not given. */
function checkpointsOf(flags: ReplayFlags, engine: string, mode: string): number | undefined {
  if (flags.checkpointEvery === undefined) {
    if (flags.output !== undefined) throw usageError('--output is for --checkpoint-every');
    return undefined;
  }
  if (engine !== 'interp' || mode !== 'machine') {
    throw usageError(
      '--checkpoint-every needs --engine interp and --mode machine: the state of the devices is saved too',
    );
  }
  if (flags.output !== undefined) checkOutput('--output', flags.output);
  return parseCount('--checkpoint-every', flags.checkpointEvery);
}

async function checkpointFile(path: string, every: number, output: string | undefined): Promise<CheckpointFile> {
  const { CheckpointFile } = await import('../replay/checkpoint-file.js');
  return new CheckpointFile(path, { every, output });
}

async function runReplay(
  options: ReplayOptions,
  console: ConsoleOutput,
  isConsoleShown: boolean,
  until: Until | undefined,
  hooksFile: string | undefined,
): Promise<{ result: ReplayResult; start: number; state: CpuState }> {
  const { ReplaySession } = await import('../replay/session.js');
  const session = await ReplaySession.open(options);
  try {
    checkFrom(options.from, session.reader);
    checkUntil(until, session.reader, session.vcpu);
  } catch (error) {
    session.close();
    throw error;
  }
  const progress = new Progress(() => `${formatCount(session.records)} records replayed`, isConsoleShown);
  try {
    const result = await withSignals(
      () => session.stop(),
      () => session.run(),
    );
    keepLearnt(hooksFile, session.vcpu);
    return { result, start: session.start, state: session.vcpu.getState() };
  } finally {
    progress.stop();
    console.flush();
    session.close();
  }
}

/** What the probes know of this host's KVM: how exact its interrupt window is, and what it cannot do. */
async function hostFacts(engine: 'interp' | 'kvm'): Promise<Pick<ReplayOptions, 'windowExact' | 'kvmLacks'>> {
  if (engine === 'interp') return { windowExact: true };
  const { examineHost } = await import('../record/probes/host.js');
  const { kvm, windowIsExact, userReachesKernel, pagesOutsideLongMode } = await examineHost({ scope: 'ledger' });
  const kvmLacks = { userEntry: kvm.available && !userReachesKernel, paging: kvm.available && !pagesOutsideLongMode };
  return { windowExact: windowIsExact, kvmLacks };
}

/** What this host's KVM shows a guest whose CPUID is not hooked. */
async function effectiveTable(): Promise<EffectiveTable> {
  const { readEffectiveCpuid } = await import('../record/probes/cpuid.js');
  return (asked) => readEffectiveCpuid(asked).cpl0;
}

function exitCodeOf(result: ReplayResult): number {
  switch (result.kind) {
    case 'complete':
      return result.damage?.exitCode ?? ExitCode.Ok;
    case 'stopped':
      return ExitCode.Ok;
    case 'interrupted':
      return ExitCode.GuestFailed;
    case 'divergence':
      return result.divergence.hole === undefined ? ExitCode.Divergence : ExitCode.GuestFailed;
  }
}

/** What was asked for besides. */
interface Extras {
  /** The record before which the replay started, and what --from named. */
  readonly start: number;
  readonly from: number | undefined;
  /** Checkpoints written, and the trace that has them. */
  readonly checkpoints: number | undefined;
  readonly output: string;
  /** For --dump-state. */
  readonly state: CpuState | undefined;
}

/** A difference behind an open hole is said apart: it was to be expected. */
function openingLines(path: string, { record, what, hole }: Divergence): string[] {
  if (hole === undefined) return [`vmtape: ${path} diverges at record ${record}: ${what}`];
  return [
    `vmtape: ${path} is not exact from record ${hole.record} on: ${hole.what}`,
    `  at record ${record}: ${what}, which says nothing of the engines (record again with --hooks FILE, and replay with it)`,
  ];
}

function sayJson(result: ReplayResult, { start, checkpoints, state }: Extras): number {
  const damage = result.kind === 'complete' ? result.damage : undefined;
  const shown = damage === undefined ? result : { ...result, damage: { code: damage.code, message: damage.message } };
  const all = { ...shown, start, checkpoints, state: state && JSON.parse(stateToJson(state)) };
  process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  return exitCodeOf(result);
}

/** The console is on standard output; what became of the replay goes to standard error. */
function sayResult(path: string, result: ReplayResult, { start, from, checkpoints, output, state }: Extras): number {
  const say = (text: string): void => void process.stderr.write(`vmtape: ${text}\n`);
  const since = start > 0 ? ` from record ${formatCount(start)} on` : '';
  switch (result.kind) {
    case 'complete':
      if (result.damage) break; // one line, the error's
      say(`${path}: all ${formatCount(result.records - start)} records${since} are equal${stateText(result.digests)}`);
      for (const note of result.notes) say(`note: ${note}`);
      break;
    case 'stopped':
      say(
        `${path}: stopped before record ${result.records}${countText(result.instructions)}; the ${formatCount(result.records - start)} before it${since} are equal`,
      );
      break;
    case 'interrupted':
      say(`${path}: interrupted after ${formatCount(result.records - start)} records${since}, all equal`);
      break;
    case 'divergence':
      process.stderr.write(formatDivergence(path, result.divergence));
  }
  if (from !== undefined && from > 0 && start === 0) {
    say(`note: no checkpoint is at or before record ${from}: replayed from the start (--checkpoint-every makes some)`);
  }
  if (state) process.stdout.write(`${stateLines(state).join('\n')}\n`);
  if (checkpoints !== undefined) say(`${output}: ${formatCount(checkpoints)} checkpoints were added`);
  return exitCodeOf(result);
}

function countText(instructions: number | undefined): string {
  return instructions === undefined ? '' : `, at instruction ${formatCount(instructions)}`;
}

function stateText({ states, passedOver }: ComparedDigests): string {
  const compared = states === 0 ? '' : `, and the whole state at ${placesText(states)}`;
  if (passedOver === 0) return compared;
  return `${compared}; its state at ${placesText(passedOver)} was not compared: only the interpreter finds such a place`;
}

function placesText(count: number): string {
  return count === 1 ? 'one place' : `${formatCount(count)} places`;
}

/** The report of a difference, for people (docs/reading-a-divergence.md). */
export function formatDivergence(path: string, divergence: Divergence): string {
  const { expected, actual, instructions, recordedInstructions, rip, disassembly, registers } = divergence;
  const registerLines = Object.entries(registers).map(([name, value]) => `${name.padEnd(6)} ${value}`);
  const rows = [];
  for (let index = 0; index < registerLines.length; index += 3) {
    rows.push(`    ${registerLines.slice(index, index + 3).join('  ')}`);
  }
  const counts = [
    instructions === undefined ? [] : [`  instructions ${formatCount(instructions)}`],
    recordedInstructions === undefined ? [] : [`  recorded at  ${formatCount(recordedInstructions)} instructions`],
  ].flat();
  const lines = [
    ...openingLines(path, divergence),
    `  expected     ${expected}`,
    `  actual       ${actual}`,
    ...counts,
    `  rip          0x${rip}  ${disassembly}`,
    '  registers of the replay:',
    ...rows,
    ...(divergence.before.length === 0
      ? []
      : ['  the records before it:', ...divergence.before.map((line) => `    ${line}`)]),
    ...(divergence.hint === undefined ? [] : [`  note         ${divergence.hint}`]),
    'See it again with:',
    `  ${divergence.command}`,
  ];
  return `${lines.join('\n')}\n`;
}

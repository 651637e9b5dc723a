/**
 * `node dist/scripts/replay-matrix.js TRACE [--replays N] [--node PATH]... [--mode machine|cpu]... [--timeout SECONDS] [--json]`: replays a trace
 * N times (default 1) under each Node (default: this one; the npm package `node` carries others) in each mode, each time in a process
 * of its own on the interpreter. All of them must come to the end with equal records and the same digests. Exit code 0, or 3 if one did not.
 */
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/** What is replayed how often. */
export interface MatrixOptions {
  readonly trace: string;
  readonly replays: number;
  /** Executables of Node. */
  readonly nodes: readonly string[];
  readonly modes: readonly string[];
  /** Seconds that one replay may take. */
  readonly timeout: number;
  /** The command: dist/src/cli/main.js. */
  readonly command: string;
  readonly onReplay?: (replay: MatrixReplay) => void;
}

/** One replay. */
export interface MatrixReplay {
  readonly node: string;
  /** What it calls itself: v22.1.0. */
  readonly version: string;
  readonly mode: string;
  /** It came to the end, and everything was equal. */
  readonly isEqual: boolean;
  readonly records: number;
  /** Digests of the whole state that were compared, and the rolling digest of the run. */
  readonly states: number;
  readonly run: string;
  readonly seconds: number;
  /** What it said, where it was not equal. */
  readonly message: string;
}

/** All replays, one after the other. */
export async function replayMatrix(options: MatrixOptions): Promise<MatrixReplay[]> {
  const replays: MatrixReplay[] = [];
  for (const node of options.nodes) {
    const version = (await run(node, ['--version'], options.timeout)).output.trim();
    for (const mode of options.modes) {
      for (let count = 0; count < options.replays; count++) {
        const replay = await replayOnce(options, node, version, mode);
        options.onReplay?.(replay);
        replays.push(replay);
      }
    }
  }
  return replays;
}

/** All came to the same end. */
export function areEqual(replays: readonly MatrixReplay[]): boolean {
  const [first] = replays;
  return replays.every(({ isEqual, run, states }) => isEqual && run === first?.run && states === first.states);
}

async function replayOnce(
  { trace, command, timeout }: MatrixOptions,
  node: string,
  version: string,
  mode: string,
): Promise<MatrixReplay> {
  const start = performance.now();
  const args = [command, 'replay', trace, '--mode', mode, '--json'];
  const { output, error } = await run(node, args, timeout);
  const seconds = (performance.now() - start) / 1000;
  const result = parsed(output);
  const isEqual = result.kind === 'complete' && result.damage === undefined;
  return {
    node,
    version,
    mode,
    isEqual,
    records: result.records ?? 0,
    states: result.digests?.states ?? 0,
    run: result.digests?.run ?? '',
    seconds,
    message: isEqual ? '' : differenceText(result) || error.trim() || output.trim(),
  };
}

interface Result {
  readonly kind?: string;
  readonly damage?: unknown;
  readonly records?: number;
  readonly divergence?: { readonly record: number; readonly what: string };
  readonly digests?: { readonly states: number; readonly run: string };
}

function differenceText({ divergence }: Result): string {
  return divergence ? `diverges at record ${divergence.record}: ${divergence.what}` : '';
}

function parsed(output: string): Result {
  try {
    return JSON.parse(output) as Result;
  } catch {
    return {};
  }
}

function run(node: string, args: readonly string[], timeout: number): Promise<{ output: string; error: string }> {
  return new Promise((resolve) => {
    const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeout * 1000 });
    let output = '';
    let error = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    child.stderr.on('data', (bytes: Buffer) => {
      error += bytes.toString();
    });
    child.on('error', ({ message }) => resolve({ output: '', error: message }));
    child.on('close', (_code, signal) => resolve({ output, error: signal ? `ended by ${signal}` : error }));
  });
}

function line(replay: MatrixReplay): string {
  const { version, mode, isEqual, records, states, run, seconds, message } = replay;
  const what = isEqual ? `${records} records and ${states} states equal, run ${run}` : message.split('\n')[0];
  return `${version.padEnd(10)} ${mode.padEnd(8)} ${seconds.toFixed(1).padStart(7)} s  ${what}`;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      replays: { type: 'string', default: '1' },
      node: { type: 'string', multiple: true, default: [process.execPath] },
      mode: { type: 'string', multiple: true, default: ['machine', 'cpu'] },
      timeout: { type: 'string', default: '600' },
      json: { type: 'boolean', default: false },
    },
  });
  const [trace] = positionals;
  const [replays, timeout] = [Number(values.replays), Number(values.timeout)];
  const isUsable = trace !== undefined && positionals.length === 1 && Number.isInteger(replays) && replays > 0;
  if (!isUsable || !(timeout > 0) || values.mode.some((mode) => mode !== 'machine' && mode !== 'cpu')) {
    process.stderr.write('replay-matrix: give one trace, and --replays, --node, --mode, --timeout as its head says\n');
    return 2;
  }
  const all = await replayMatrix({
    trace,
    replays,
    nodes: values.node,
    modes: values.mode,
    timeout,
    command: fileURLToPath(new URL('../src/cli/main.js', import.meta.url)),
    onReplay: (replay) => void process.stderr.write(values.json ? '' : `${line(replay)}\n`),
  });
  const isEqual = areEqual(all);
  if (values.json) process.stdout.write(`${JSON.stringify({ isEqual, replays: all }, null, 2)}\n`);
  else process.stdout.write(`${all.length} replays, ${isEqual ? 'all of them equal' : 'not all of them equal'}\n`);
  return isEqual ? 0 : 3;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main();

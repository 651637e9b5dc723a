/** Every command that writes a file beside its place, ended by a real signal while it does: nothing half is left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { editTrace } from '../../src/trace/edit.js';
import { top, vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
/** For ever: imul dx,dx,6255h; add dx,3619h; mov al,dh; out 80h,al: what is written is not easily compressed. */
const noise = Uint8Array.of(0x69, 0xd2, 0x55, 0x62, 0x81, 0xc2, 0x19, 0x36, 0x88, 0xf0, 0xe6, 0x80, 0xeb, 0xf2);
const EXITS = 200_000;

beforeAll(async () => {
  // A page of it, so that there is something to leave out.
  const guest = new Uint8Array(0x2000).map((_, index) => (index * 7) ^ (index >> 8));
  guest.set(noise);
  writeFileSync(at('noise.bin'), guest);
  const flags = ['--engine', 'interp', '--mem', '2M', '--flat', at('noise.bin'), '--max-exits', String(EXITS)];
  expect((await vmtape(['record', ...flags, '--serial', 'none', '-o', at('t')])).code).toBe(0);
  expect((await vmtape(['unpack', at('t'), '--image', at('noise.bin'), '-o', at('small')])).code).toBe(0);
  editTrace(at('t'), at('kvm'), { header: (header) => ({ ...header, engine: 'kvm', counting: false }) });
  writeFileSync(at('cut'), readFileSync(at('t')).subarray(0, -100));
}, 120_000);

const middle = String(EXITS / 2);
const noiseFlags = ['--engine', 'interp', '--mem', '2M', '--flat', at('noise.bin'), '--serial', 'none'];
type Signals = readonly NodeJS.Signals[];
const [HUP, INT, QUIT, TERM, IMPATIENT] = [
  ['SIGHUP'],
  ['SIGINT'],
  ['SIGQUIT'],
  ['SIGTERM'],
  ['SIGINT', 'SIGINT'],
] as const;
/** Each command, by which signals it is ended, and what it is told but for its output. */
const commands: readonly (readonly [name: string, ways: readonly Signals[], args: readonly string[]])[] = [
  ['record', [HUP, INT, QUIT, TERM], ['record', ...noiseFlags, '--timeout', '60']],
  ['pack', [INT, IMPATIENT], ['pack', at('small'), '--image', at('noise.bin')]],
  ['unpack', [TERM], ['unpack', at('t'), '--image', at('noise.bin')]],
  ['slice', [QUIT, IMPATIENT], ['slice', at('t'), `${middle}..`]],
  ['seal', [HUP, TERM], ['seal', at('kvm')]],
  ['export jsonl', [QUIT, INT], ['export', at('t'), '--format', 'jsonl']],
  ['export perfetto', [HUP], ['export', at('t'), '--format', 'perfetto']],
  ['repair', [HUP, INT, QUIT, TERM], ['repair', at('cut')]],
  ['replay with checkpoints', [INT, TERM], ['replay', at('t'), '--serial', 'none', '--checkpoint-every', '20000']],
];
const cases = commands.flatMap(([name, ways, args]) =>
  ways.map((signals) => [name, signals.join(' '), signals, args] as const),
);

/** Starts the command, and sends it the signals as soon as there is a file in the place of its output; it may be done before they come. */
async function interrupt(args: readonly string[], place: string, signals: Signals) {
  const seen: string[] = [];
  const watcher = watch(place, (_event, name) => {
    if (name === null || seen.push(name) > 1) return;
    for (const signal of signals) child.kill(signal);
  });
  const child = spawn(process.execPath, [join(top, 'bin/vmtape.mjs'), ...args, '-o', join(place, 'out')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (bytes) => {
    stderr += bytes;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  watcher.close();
  return { seen: seen[0] ?? '', code, signal, stderr };
}

it.each(cases)(
  'vmtape %s ended by %s leaves its output whole or not there, and nothing beside it',
  async (name, _how, signals, args) => {
    const place = at(`${name}.${signals.join('.')}`);
    mkdirSync(place);
    const { seen, code, signal, stderr } = await interrupt(args, place, signals);
    const left = readdirSync(place);
    expect(stderr).not.toMatch(/\n\s+at /);
    if (name === 'record') {
      // It writes at its place from the first frame on, and ends cleanly wherever it is.
      expect({ code, seen, left }, stderr).toEqual({ code: 0, seen: 'out', left: ['out'] });
    } else {
      expect(seen).toMatch(/^out\.\d+\.part$/);
      const number = constants.signals[signals[0] as NodeJS.Signals];
      // Between the file that is whole and the end of the process, nobody listens to the signal.
      if (signal === null) expect([0, 1, 128 + number], stderr).toContain(code);
      const isWhole = code === 0 || signal !== null || (name.startsWith('replay') && left.length > 0);
      expect(left, `code ${code}, signal ${signal}`).toEqual(isWhole ? ['out'] : []);
    }
    if (left.length > 0 && !name.startsWith('export'))
      expect((await vmtape(['verify', join(place, 'out')])).code).toBe(0);
  },
  60_000,
);

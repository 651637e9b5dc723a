/** Every command that writes a file beside its place, ended by a real signal while it does: nothing half is left. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
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
  writeFileSync(at('cut'), readFileSync(at('t')));
  const cut = openSync(at('cut'), 'r+');
  ftruncateSync(cut, readFileSync(at('t')).length - 100);
  closeSync(cut);
}, 120_000);

const middle = String(EXITS / 2);
const commands: Readonly<Record<string, (output: string) => readonly string[]>> = {
  pack: (output) => ['pack', at('small'), '--image', at('noise.bin'), '-o', output],
  unpack: (output) => ['unpack', at('t'), '--image', at('noise.bin'), '-o', output],
  slice: (output) => ['slice', at('t'), `${middle}..`, '-o', output],
  seal: (output) => ['seal', at('kvm'), '-o', output],
  'export jsonl': (output) => ['export', at('t'), '--format', 'jsonl', '-o', output],
  'export perfetto': (output) => ['export', at('t'), '--format', 'perfetto', '-o', output],
  repair: (output) => ['repair', at('cut'), '-o', output],
  'replay with checkpoints': (output) => ['replay', at('t'), '--checkpoint-every', '20000', '-o', output],
};

/** Starts the command, and ends it with the signals, some milliseconds after its half file is there; it may be done before. */
async function interrupt(
  args: readonly string[],
  place: string,
  signals: readonly NodeJS.Signals[],
  wait: number,
): Promise<{ wasSeen: boolean; code: number | null; signal: NodeJS.Signals | null; stderr: string }> {
  const child = spawn(process.execPath, [join(top, 'bin/vmtape.mjs'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (bytes) => {
    stderr += bytes;
  });
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (...how) => resolve(how)),
  );
  let wasSeen = false;
  while (!wasSeen && child.exitCode === null) {
    wasSeen = readdirSync(place).some((name) => name.endsWith('.part'));
    if (!wasSeen) await delay(1);
  }
  await delay(wait);
  for (const signal of signals) child.kill(signal);
  const [code, signal] = await ended;
  return { wasSeen, code, signal, stderr };
}

describe.each(Object.keys(commands))('vmtape %s', (name) => {
  const random = new Prng(createHash('sha256').update(name).digest().readUInt32LE());
  const command = commands[name] as (typeof commands)[string];

  it.each([
    ['Ctrl-C', ['SIGINT']],
    ['SIGTERM', ['SIGTERM']],
    ['an impatient user', ['SIGINT', 'SIGINT']],
  ] as const)(
    'ended by %s leaves its output whole or not there, and nothing beside it',
    async (_how, signals) => {
      const place = at(`${name}.${signals.join('.')}`);
      mkdirSync(place);
      const wait = random.below(30);
      const { wasSeen, code, signal, stderr } = await interrupt(command(join(place, 'out')), place, signals, wait);
      // Between the file that is whole and the end of the process, nobody listens to the signal.
      const left = readdirSync(place);
      if (code === 0 || signal !== null) expect(left, `after ${wait} ms`).toEqual(['out']);
      else {
        expect(left, `after ${wait} ms`).toEqual([]);
        expect(wasSeen, stderr).toBe(true);
        expect([1, 129, 130, 143]).toContain(code);
      }
      expect(stderr).not.toMatch(/\n\s+at /);
      if (left.length > 0 && !name.startsWith('export'))
        expect((await vmtape(['verify', join(place, 'out')])).code).toBe(0);
    },
    60_000,
  );
});

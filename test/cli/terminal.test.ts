/** A guest's console on the user's terminal: typed at while recording, and the terminal as it was on every way out. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LastLine } from '../../src/cli/run-progress.js';
import { KeyFilter } from '../../src/cli/terminal.js';
import { vmtape, workFolder } from '../helpers/cli.js';
import { guestOptions } from '../helpers/guest-sources.js';
import { whyNoKvm } from '../helpers/kvm.js';
import { noTmux, Terminal } from '../helpers/tmux.js';

const folder = workFolder();

describe('the keys', () => {
  const take = (...typed: number[][]): [number[], number][] => {
    const filter = new KeyFilter();
    return typed.map((keys) => {
      const { bytes, ends } = filter.take(Uint8Array.from(keys));
      return [[...bytes], ends];
    });
  };

  test('go to the guest but for Ctrl-C', () => {
    expect(take([0x68, 0x0d, 0x1b, 0x5b, 0x41], [0x03, 0x03])).toEqual([
      [[0x68, 0x0d, 0x1b, 0x5b, 0x41], 0],
      [[], 2],
    ]);
  });

  test('behind Ctrl-A: x ends, c is Ctrl-C, Ctrl-A is Ctrl-A, also where they come apart', () => {
    expect(take([0x01], [0x78], [0x01, 0x63], [0x01, 0x01, 0x61], [0x01], [0x7a])).toEqual([
      [[], 0],
      [[], 1],
      [[0x03], 0],
      [[0x01, 0x61], 0],
      [[], 0],
      [[0x01, 0x7a], 0],
    ]);
  });
});

test('the last line of a console is the last that has something, without what steers a terminal', () => {
  const line = new LastLine({ write() {} });
  for (const byte of Buffer.from('one\r\ntwo \u001b[1mbold\u001b[0m\r\n\r\n')) line.write(byte);
  expect(line.text).toBe('two  bold ');
  for (const byte of Buffer.from(`${'x'.repeat(300)}`)) line.write(byte);
  expect(line.text).toBe('x'.repeat(200));
});

describe.skipIf(noTmux !== undefined)(`on a terminal (${noTmux ?? 'tmux is there'})`, () => {
  let terminal: Terminal;
  beforeEach(() => {
    terminal = new Terminal();
  });
  afterEach(() => terminal.close());

  const trace = (name: string): string => join(folder, `${name}.vmtape`);
  const command = (name: string, engine: string): string =>
    `node bin/vmtape.mjs record --engine ${engine} ${guestOptions('real-shell').join(' ')} -o ${trace(name)}`;

  /** Starts a recording and has a word with the guest; the console so far. */
  async function session(name: string, engine: string): Promise<void> {
    terminal.type(`clear; ${command(name, engine)}; stty -a`, 'Enter');
    await terminal.until(/try help\.\n\$$/);
    terminal.type('uptimx', 'BSpace', 'e', 'Enter');
    await terminal.until(/up for \d+ ticks\n\$$/);
    terminal.type('echo by hand', 'Enter');
    await terminal.until(/\nby hand\n\$$/);
  }

  /** The command ended and the terminal is as it was. */
  async function restored(): Promise<string> {
    const screen = await terminal.until(/host>$/);
    for (const mode of [/[^-]isig/, /[^-]icanon/, /[^-]echo /]) expect(screen).toMatch(mode);
    return screen;
  }

  /** The recording ended and the terminal is as it was; what the guest had said, as a replay says it again. */
  async function check(name: string): Promise<string> {
    const screen = await restored();
    const replayed = await vmtape(['replay', trace(name)]);
    expect(replayed.stderr).not.toMatch(/diverge/);
    expect(replayed.code).toBe(0);
    const ticks = /up for \d+ ticks/.exec(screen)?.[0];
    expect(replayed.stdout).toContain(`${ticks}\n$ echo by hand\nby hand\n`);
    return screen;
  }

  test.for(['interp', 'kvm'])(
    'a session on %s ends by Ctrl-C, and replays',
    { timeout: 120_000 },
    async (engine, context) => {
      if (engine === 'kvm') {
        const reason = await whyNoKvm();
        if (reason !== undefined) context.skip(reason);
      }
      await session(engine, engine);
      terminal.type('C-c');
      expect(await check(engine)).toContain('The run was interrupted');
    },
  );

  test.for([
    ['exit', /\nOK\n/],
    ['off', /\ngood night\n/],
    ['crash', /died of a triple fault/],
    ['lost', /cannot go on|no memory/],
  ] as const)('by the guest: %s', { timeout: 120_000 }, async ([word, said]) => {
    await session(word, 'interp');
    terminal.type(word, 'Enter');
    expect(await check(word)).toMatch(said);
  });

  test('by Ctrl-A x', { timeout: 120_000 }, async () => {
    await session('x', 'interp');
    terminal.type('C-a', 'x');
    expect(await check('x')).toContain('The run was interrupted');
  });

  test('at once, by Ctrl-C twice', { timeout: 120_000 }, async () => {
    await session('twice', 'interp');
    // Both come in one piece, so that the second is there before the first one's end.
    terminal.type('C-c', 'C-c');
    await restored();
  });

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)('by %s', { timeout: 120_000 }, async (signal) => {
    await session(signal, 'interp');
    process.kill(terminal.processWith('vmtape.mjs'), signal);
    expect(await check(signal)).toContain('The run was interrupted');
  });

  test('by an error of the recorder: the file cannot be written any more', { timeout: 120_000 }, async () => {
    // Large enough for the memory of the start, and too small for what comes.
    terminal.type(`ulimit -f 8; trap '' XFSZ; clear; ${command('full', 'interp')}; stty -a`, 'Enter');
    await restored();
  });

  test('somebody sees how far it is where the console is elsewhere', { timeout: 120_000 }, async () => {
    // mov dx,3f8; mov al,'t'; out; mov al,'\n'; out; jmp to the mov al
    const code = [0xba, 0xf8, 0x03, 0xb0, 0x74, 0xee, 0xb0, 0x0a, 0xee, 0xeb, 0xf8];
    const flat = join(folder, 'endless.bin');
    writeFileSync(flat, Uint8Array.from(code));
    const options = `--engine interp --flat ${flat} --serial file:${join(folder, 'console')} -o ${trace('watched')}`;
    terminal.type(`clear; node bin/vmtape.mjs record ${options}`, 'Enter');
    await terminal.until(/\d+ million instructions, [\d,]+ exits, [\d,]+ a second \| t$/);
    terminal.type('C-c');
    expect(await terminal.until(/host>$/)).toContain('The run was interrupted');
  });
});

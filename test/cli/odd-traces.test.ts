/** Every tool with --json, of traces that are hardly any, and of places that are not there: one clear line, and the right exit code. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
const HEAD = 24;

beforeAll(async () => {
  // out 80h, al (four times); cli; hlt. And a guest of which no instruction with an exit is run.
  writeFileSync(at('guest.bin'), Uint8Array.of(0xe6, 0x80, 0xe6, 0x80, 0xe6, 0x80, 0xe6, 0x80, 0xfa, 0xf4));
  writeFileSync(at('idle.bin'), Uint8Array.of(0xfa, 0xf4));
  const flags = ['record', '--engine', 'interp', '--mem', '1M', '--serial', 'none'];
  expect((await vmtape([...flags, '--flat', at('guest.bin'), '-o', at('good')])).code).toBe(0);
  const one = ['--max-instructions', '1', '--flat', at('idle.bin')];
  expect((await vmtape([...flags, ...one, '-o', at('none')])).code).toBe(0);
  const good = readFileSync(at('good'));
  const header = 48 + HEAD + good.readUInt32LE(48 + 4);
  const cuts = { prelude: 30, header: 100, memory: header };
  for (const [name, bytes] of Object.entries(cuts)) writeFileSync(at(`cut-${name}`), good.subarray(0, bytes));
}, 60_000);

/** What is left of a line: without the folder and the hint. */
const told = (text: string) => text.replaceAll(`${folder}/`, '').replace(/ \(.*\)\n$/s, '\n');
/** Of a tool that ends with 0, what is JSON; of one that fails, the line. `output`: it leaves the file of -o. */
const run = async (args: readonly string[]) => {
  rmSync(at('out'), { force: true });
  const { code, stdout, stderr } = await vmtape([...args, '--json']);
  expect(stderr).toMatch(/^(vmtape: [^\n]+\n)?$/);
  expect(stderr).not.toMatch(/vmtape bug/);
  if (code === 0) expect(stderr).toBe('');
  for (const line of args.includes('--records') ? stdout.trim().split('\n') : [stdout])
    if (line !== '') JSON.parse(line);
  return [code, told(stderr).replace(/^vmtape: |\n$/g, ''), existsSync(at('out'))] as const;
};

const o = ['-o', at('out')];
const tools: Readonly<Record<string, (trace: string) => readonly string[]>> = {
  inspect: (trace) => ['inspect', trace],
  records: (trace) => ['inspect', trace, '--records', '0..'],
  verify: (trace) => ['verify', trace],
  replay: (trace) => ['replay', trace],
  seal: (trace) => ['seal', trace, ...o],
  slice: (trace) => ['slice', trace, '0..', ...o],
  pack: (trace) => ['pack', trace, ...o],
  unpack: (trace) => ['unpack', trace, '--image', at('idle.bin'), ...o],
  repair: (trace) => ['repair', trace, ...o],
  export: (trace) => ['export', trace, '--format', 'jsonl', ...o],
  diff: (trace) => ['diff', trace, trace],
};
const every = (except: readonly string[] = []) => Object.keys(tools).filter((tool) => !except.includes(tool));

describe('a trace cut in its header, or in what is before it', () => {
  test.each(every())('%s', async (tool) => {
    const isJudged = tool === 'verify';
    const line = 'cut-header is truncated: frame 0 at byte 48 is cut off';
    expect(await run(tools[tool]?.(at('cut-header')) ?? [])).toEqual([5, isJudged ? '' : line, false]);
  });

  test('within its first bytes', async () => {
    const line = 'cut-prelude is truncated: frame 0 at byte 30 is missing: the file ends within its first 48 bytes';
    for (const tool of ['verify', 'repair'])
      expect(await run(tools[tool]?.(at('cut-prelude')) ?? [])).toEqual([5, line, false]);
  });
});

describe('a trace without the memory of its start', () => {
  const missing = /^cut-memory is truncated: frame 1 at byte \d+ is missing/;
  test.each([
    // What can be read of it is told.
    ['inspect', 5, missing, false],
    ['export', 5, missing, true],
    ['verify', 5, /^$/, false],
    ['replay', 5, missing, false],
    ['repair', 5, missing, false],
    ['slice', 2, /^cut-memory has 0 records: record 0 is not there$/, false],
    ['diff', 5, missing, false],
  ] as const)('%s', async (tool, code, line, isLeft) => {
    expect(await run(tools[tool]?.(at('cut-memory')) ?? [])).toEqual([code, expect.stringMatching(line), isLeft]);
  });
});

describe('a trace without records', () => {
  const failures: Readonly<Record<string, string>> = {
    slice: 'none has 0 records: record 0 is not there',
    pack: 'none has its guest in it already',
    unpack: 'no part of the files stands in the memory of none',
  };
  test.each(every())('%s', async (tool) => {
    const line = failures[tool];
    const isLeft = ['seal', 'repair', 'export'].includes(tool);
    expect(await run(tools[tool]?.(at('none')) ?? [])).toEqual(line ? [2, line, false] : [0, '', isLeft]);
  });
});

describe('a place', () => {
  test.each([
    ['behind the end', ['inspect', at('good'), '--records', '5..'], 'good has 5 records: record 5 is not there'],
    [
      'behind all',
      ['inspect', at('good'), '--records', '99999999999999999999..'],
      /^good has 5 records: record 1\S+ is not/,
    ],
    [
      'that ends before it begins',
      ['inspect', at('good'), '--records', '3..2'],
      '--records 3..2 ends before it begins',
    ],
    ['that is none', ['inspect', at('good'), '--records', '..'], '--records .. is not a range of records'],
    ['of a slice behind the end', ['slice', at('good'), '5..9', ...o], 'good has 5 records: record 5 is not there'],
    [
      'of a slice that ends before it begins',
      ['slice', at('good'), '3..2', ...o],
      'the range 3..2 ends before it begins',
    ],
    [
      'to replay from, behind the end',
      ['replay', at('good'), '--from', 'record:6'],
      /^--from record:6 is past the end/,
    ],
    [
      'to replay to, behind the end',
      ['replay', at('good'), '--until', 'record:6'],
      /^--until record:6 is past the end/,
    ],
    ['each 0 records', ['replay', at('good'), '--checkpoint-every', '0'], /^--checkpoint-every 0 is out of range/],
  ] as const)('%s is a mistake in the options', async (_name, args, line) => {
    const expected = typeof line === 'string' ? line : expect.stringMatching(line);
    expect(await run(args)).toEqual([2, expected, false]);
  });

  test.each([
    ['a range that ends behind the end', ['inspect', at('good'), '--records', '4..99']],
    ['a slice that ends behind the end', ['slice', at('good'), '4..99', ...o]],
    ['the end itself', ['replay', at('good'), '--from', 'record:5', '--until', 'record:5']],
    ['checkpoints that never come', ['replay', at('good'), '--checkpoint-every', '999', ...o]],
  ])('%s is none', async (_name, args) => {
    expect(await run(args)).toEqual([0, '', args.includes('-o')]);
  });
});

test('what has its counts is copied by seal, if there is to be another file', async () => {
  expect(await run(['seal', at('good'), ...o])).toEqual([0, '', true]);
  expect(readFileSync(at('out')).equals(readFileSync(at('good')))).toBe(true);
  const { stdout } = await vmtape(['seal', at('good'), ...o]);
  expect(told(stdout)).toBe('good: its 5 records have counts already; out is a copy\n');
});

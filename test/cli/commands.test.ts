import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TraceReader } from '../../src/trace/reader.js';
import { vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
const make = (name: string, bytes: readonly number[]) => {
  writeFileSync(at(name), Uint8Array.from(bytes));
  return at(name);
};
/** `hi` to the serial console, then 5 to the exit port. */
const hello = make('hello.bin', [...[0xba, 0xf8, 0x03, 0xb0, 0x68, 0xee, 0xb0, 0x69, 0xee], ...[0xb0, 5, 0xe6, 0xf4]]);
/** For ever: out 0x80,al. */
const endless = make('endless.bin', [0xe6, 0x80, 0xeb, 0xfc]);

/** The byte at which the end of a trace begins. */
const endOf = (trace: string): number => {
  const reader = new TraceReader(trace);
  reader.close();
  return reader.index.root.end?.byte ?? 0;
};

const oneLine = (stderr: string) => expect(stderr).toMatch(/^vmtape: [^\n]+\n$/);

test('run: the console is standard output, and the exit code is the guest’s', async () => {
  const result = await vmtape(['run', '--engine', 'interp', '--flat', hello]);
  expect(result).toMatchObject({ code: 11, stdout: 'hi', stderr: '' });
});

test('3 GiB of memory, the most there is, are recorded, dumped and replayed', async () => {
  const trace = at('large.vmtape');
  // Node neither hashes nor writes 2 GiB at once.
  const large = ['--mem', '3G', '--dump-mem', '0,0xc0000000,/dev/null', '-o', trace];
  const recorded = await vmtape(['record', '--engine', 'interp', '--flat', hello, ...large]);
  expect(recorded).toMatchObject({ code: 11, stdout: 'hi', stderr: '' });
  expect(await vmtape(['replay', trace])).toMatchObject({ code: 0, stdout: 'hi' });
});

test('record, replay in both modes, inspect', async () => {
  const trace = at('hello.vmtape');
  const state = at('state.json');
  const dump = at('memory.bin');
  const recorded = await vmtape([
    ...['record', '--engine', 'interp', '--flat', hello, '-o', trace, '--serial', `file:${at('serial')}`],
    ...['--dump-state', state, '--dump-mem', `0x7c00,4,${dump}`],
  ]);
  expect(recorded).toMatchObject({ code: 11, stdout: '', stderr: '' });
  expect(readFileSync(at('serial'), 'latin1')).toBe('hi');
  expect(JSON.parse(readFileSync(state, 'utf8'))).toMatchObject({ rip: '0x7c0d', cs: { base: '0x0' } });
  expect([...readFileSync(dump)]).toEqual([0xba, 0xf8, 0x03, 0xb0]);
  for (const mode of ['machine', 'cpu']) {
    const replayed = await vmtape(['replay', trace, '--mode', mode]);
    expect(replayed).toMatchObject({ code: 0, stdout: 'hi' });
    expect(replayed.stderr).toContain('all 3 records are equal');
  }
  const json = await vmtape(['replay', trace, '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'complete', records: 3 });
  const stopped = await vmtape(['replay', trace, '--until', '1', '--json']);
  expect(JSON.parse(stopped.stdout)).toMatchObject({ kind: 'stopped', records: 1 });
  const inspected = await vmtape(['inspect', trace]);
  expect(inspected).toMatchObject({ code: 0, stderr: '' });
  expect(inspected.stdout).toContain('io-write                3');
  const records = await vmtape(['inspect', trace, '--records', '1..', '--json']);
  expect(
    records.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).ordinal),
  ).toEqual([1, 2]);
});

test('a recording on the interpreter is the same each time, but for its id and date', async () => {
  const record = async (name: string) => {
    await vmtape(['record', '--engine', 'interp', '--flat', hello, '-o', at(name), '--serial', 'none']);
    return readFileSync(at(name));
  };
  const [first, second] = [await record('one.vmtape'), await record('two.vmtape')];
  const prelude = 48;
  expect(first.subarray(prelude).equals(second.subarray(prelude))).toBe(true);
  expect(first.equals(second)).toBe(false);
});

test('Ctrl-C ends a recording cleanly', async () => {
  const trace = at('stopped.vmtape');
  const ticks = make('ticks.bin', [0xba, 0xf8, 0x03, 0xb0, 0x2e, 0xee, 0xeb, 0xfd]);
  const result = await vmtape(['record', '--engine', 'interp', '--flat', ticks, '-o', trace], {
    signalWhen: (stdout) => stdout.length > 1000,
  });
  expect(result).toMatchObject({ code: 0, signal: null });
  const replayed = await vmtape(['replay', trace]);
  expect(replayed.code).toBe(0);
  expect(replayed.stdout).toBe(result.stdout);
});

test('limits: exits end well, time does not', async () => {
  const options = ['run', '--engine', 'interp', '--flat', endless];
  expect(await vmtape([...options, '--max-exits', '7'])).toMatchObject({ code: 0, stderr: '' });
  const late = await vmtape([...options, '--timeout', '0.2']);
  expect(late.code).toBe(1);
  oneLine(late.stderr);
});

test('record --no-embed leaves the image out, and replay --image gives it back', async () => {
  const trace = at('without.vmtape');
  await vmtape(['record', '--engine', 'interp', '--flat', hello, '--no-embed', '-o', trace]);
  const alone = await vmtape(['replay', trace]);
  expect(alone.code).toBe(2);
  expect(alone.stderr).toMatch(/needs the flat "hello.bin", SHA-256 [0-9a-f]{64} \(give the file with --image FILE\)/);
  oneLine(alone.stderr);
  const given = await vmtape(['replay', trace, '--image', endless, '--image', hello]);
  expect(given).toMatchObject({ code: 0, stdout: 'hi' });
});

test('verify and repair', async () => {
  const trace = at('to-repair.vmtape');
  await vmtape(['record', '--engine', 'interp', '--flat', hello, '-o', trace]);
  expect(await vmtape(['verify', trace])).toMatchObject({ code: 0, stderr: '' });
  writeFileSync(trace, readFileSync(trace).subarray(0, endOf(trace) + 30));
  const wrong = await vmtape(['verify', trace]);
  expect(wrong.code).toBe(5);
  oneLine(wrong.stderr);
  expect(JSON.parse((await vmtape(['verify', '--json', trace])).stdout)).toMatchObject({
    problems: [{ code: 'VMTAPE_TRACE_TRUNCATED' }],
    isWhole: false,
  });
  const repaired = await vmtape(['repair', trace]);
  expect(repaired).toMatchObject({ code: 0, stderr: '' });
  expect(repaired.stdout).toContain('3 records are whole, and the recording has an end now');
  expect(await vmtape(['verify', trace])).toMatchObject({ code: 0 });
  expect(await vmtape(['replay', trace])).toMatchObject({ code: 0, stdout: 'hi' });
  expect((await vmtape(['repair', trace])).stdout).toContain('nothing is wrong');
});

test('a truncated trace is one line and exit code 5, after what can be read of it', async () => {
  const trace = at('whole.vmtape');
  await vmtape(['record', '--engine', 'interp', '--flat', endless, '--max-exits', '20000', '-o', trace]);
  const whole = readFileSync(trace);
  const cut = at('cut.vmtape');
  writeFileSync(cut, whole.subarray(0, endOf(trace) + 30));
  const inspected = await vmtape(['inspect', cut]);
  expect(inspected.code).toBe(5);
  expect(inspected.stdout).toContain('did not end cleanly');
  oneLine(inspected.stderr);
  writeFileSync(cut, whole.subarray(0, 60));
  const replayed = await vmtape(['replay', cut]);
  expect(replayed.code).toBe(5);
  oneLine(replayed.stderr);
});

test.each(['run', 'record', 'replay', 'inspect', 'export', 'doctor'])(
  '%s --help has examples and exit codes',
  async (command) => {
    const result = await vmtape([command, '--help']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/Exit code:/);
    expect(result.stdout).toMatch(/\$ vmtape /);
  },
);

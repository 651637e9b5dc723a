import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { TraceReader } from '../../src/trace/reader.js';
import { top, vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);

/** Serial: `hi`, LF, `x` and a byte of 233; an unclaimed port is read; then 0 to the exit port. */
const hello = Uint8Array.from([
  ...[0xba, 0xf8, 0x03, 0xb0, 0x68, 0xee, 0xb0, 0x69, 0xee, 0xb0, 0x0a, 0xee, 0xb0, 0x78, 0xee, 0xb0, 0xe9, 0xee],
  ...[0xba, 0x34, 0x12, 0xec, 0x30, 0xc0, 0xe6, 0xf4],
]);
/** DLAB on, 12 to the divisor, DLAB off; loopback on, `n`, loopback off; `y`; then 0 to the exit port. */
const divisor = Uint8Array.from([
  ...[0xba, 0xfb, 0x03, 0xb0, 0x83, 0xee, 0xba, 0xf8, 0x03, 0xb0, 0x0c, 0xee, 0xba, 0xfb, 0x03, 0xb0, 0x03, 0xee],
  ...[0xba, 0xfc, 0x03, 0xb0, 0x10, 0xee, 0xba, 0xf8, 0x03, 0xb0, 0x6e, 0xee, 0xba, 0xfc, 0x03, 0xb0, 0x00, 0xee],
  ...[0xba, 0xf8, 0x03, 0xb0, 0x79, 0xee, 0x30, 0xc0, 0xe6, 0xf4],
]);
const endless = Uint8Array.from([0xe6, 0x80, 0xeb, 0xfc]);

interface TraceEvent {
  readonly ph: string;
  readonly tid: number;
  readonly name: string;
  readonly ts: number;
  readonly dur?: number;
  readonly args: { readonly name?: string; readonly record?: number };
}

interface JsonRecord {
  readonly ordinal: number;
  readonly kind: string;
  readonly time?: number;
  readonly registers?: { readonly rip: string };
}

const record = async (name: string, image: Uint8Array, ...more: string[]) => {
  writeFileSync(at(`${name}.bin`), image);
  await vmtape(['record', '--engine', 'interp', '--flat', at(`${name}.bin`), '-o', at(`${name}.vmtape`), ...more]);
  return at(`${name}.vmtape`);
};
const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonRecord);
const events = (text: string) =>
  (JSON.parse(Buffer.from(text, 'latin1').toString('utf8')) as { traceEvents: TraceEvent[] }).traceEvents;
const track = (all: readonly TraceEvent[], name: string) => {
  const named = all.find((event) => event.name === 'thread_name' && event.args.name === name);
  return all.filter((event) => event.ph !== 'M' && event.tid === named?.tid);
};
/** The trace without its last bytes: the end frame is cut off in its middle. */
const cutOff = (trace: string, name: string) => {
  const reader = new TraceReader(trace);
  reader.close();
  writeFileSync(at(name), readFileSync(trace).subarray(0, (reader.index.root.end?.byte ?? 0) + 30));
  return at(name);
};

let trace = '';
let ticks = '';
let many = '';
beforeAll(async () => {
  trace = await record('hello', hello, '--serial', 'none');
  const guest = readFileSync(join(top, 'corpora/guests/prot32-ticks.bin'));
  ticks = await record('ticks', guest, '--load-at', '0x100000', '--mode', 'prot32', '--serial', 'none');
  many = await record('many', endless, '--max-exits', '20000');
}, 60_000);

test('jsonl has a line for each record, with its fields by name', async () => {
  const result = await vmtape(['export', trace, '--format', 'jsonl']);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  const records = lines(result.stdout);
  expect(records).toHaveLength(7);
  const common = { vcpu: 0, size: 1 };
  expect(records[0]).toEqual({ ordinal: 0, kind: 'io-write', retired: 2, ...common, port: '0x3f8', data: '0x68' });
  expect(records[5]).toEqual({ ordinal: 5, kind: 'io-read', retired: 12, ...common, port: '0x1234', data: '0xff' });
});

test('jsonl has the time and the registers of an interrupt', async () => {
  const records = lines((await vmtape(['export', ticks, '--format', 'jsonl'])).stdout);
  const reader = new TraceReader(ticks);
  const cursor = reader.cursor();
  while (cursor.next());
  reader.close();
  expect(records.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: cursor.count }, (_, index) => index));
  const inject = records.find(({ kind }) => kind === 'inject');
  expect(Object.keys(inject?.registers ?? {})).toHaveLength(18);
  expect(inject?.registers?.rip).toMatch(/^0x0000000000100[0-9a-f]{3}$/);
  expect(records.some(({ kind, time }) => kind === 'time' && Number.isSafeInteger(time))).toBe(true);
});

test('console gives the serial bytes, as they are', async () => {
  expect(await vmtape(['export', trace, '--format', 'console'])).toMatchObject({ code: 0, stdout: 'hi\nx\xe9' });
  const other = await record('divisor', divisor, '--serial', 'none');
  expect(await vmtape(['export', other, '--format', 'console'])).toMatchObject({ code: 0, stdout: 'y' });
});

test('console gives what the recording says that the console was', async () => {
  await vmtape(['export', ticks, '--format', 'console', '-o', at('ticks.txt')]);
  const reader = new TraceReader(ticks);
  const { end } = reader;
  reader.close();
  const bytes = readFileSync(at('ticks.txt'));
  expect(bytes.length).toBeGreaterThan(0);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(end?.consoleDigest);
});

test('perfetto has a track for exits, for each device by its name, and for console lines', async () => {
  const result = await vmtape(['export', trace, '--format', 'perfetto']);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  const all = events(result.stdout);
  expect(track(all, 'exits').map(({ name }) => name)).toEqual([...Array(5).fill('io-write'), 'io-read', 'io-write']);
  expect(track(all, 'uart').map(({ args }) => args.record)).toEqual([0, 1, 2, 3, 4]);
  expect(track(all, 'unclaimed')).toMatchObject([{ name: 'read 0x1234', ph: 'i', ts: 5.012 }]);
  expect(track(all, 'uart')[0]).toMatchObject({ name: 'write uart.THR' });
  expect(track(all, 'exit-port')).toMatchObject([{ name: 'write exit-port.code' }]);
  expect(track(all, 'serial console')).toMatchObject([
    { ph: 'X', name: 'hi', ts: 0.002, args: { record: 0 } },
    { ph: 'X', name: 'x\ufffd', args: { record: 3 } },
  ]);
});

test('perfetto has what the Trace Event Format asks of each event, and lines of a console that do not overlap', async () => {
  const all = events((await vmtape(['export', ticks, '--format', 'perfetto'])).stdout);
  const threads = new Set(all.filter(({ name }) => name === 'thread_name').map(({ tid }) => tid));
  const ends = new Map<number, number>();
  for (const { ph, tid, ts, dur = 0, name } of all.filter((event) => event.ph !== 'M')) {
    expect({ ph, isNamed: threads.has(tid), isText: name.length > 0 }).toEqual({ ph, isNamed: true, isText: true });
    expect(['i', 'X']).toContain(ph);
    expect(ts).toBeGreaterThanOrEqual(0);
    if (ph !== 'X') continue;
    // Complete events of a thread nest or follow each other.
    expect(ts).toBeGreaterThanOrEqual(ends.get(tid) ?? 0);
    ends.set(tid, ts + dur);
  }
  expect(ends.size).toBeGreaterThan(0);
});

test('perfetto counts guest time: instructions, and what idling skipped', async () => {
  const all = events((await vmtape(['export', ticks, '--format', 'perfetto'])).stdout);
  const interrupts = track(all, 'interrupts');
  expect(interrupts.length).toBeGreaterThan(1);
  const exits = track(all, 'exits').map(({ ts }) => ts);
  expect(exits).toEqual([...exits].sort((a, b) => a - b));
  const times = lines((await vmtape(['export', ticks, '--format', 'jsonl'])).stdout).filter(
    (one) => one.kind === 'time',
  );
  const last = Number(times.at(-1)?.time) / 1000;
  expect(Math.max(...all.map(({ ts }) => ts ?? 0))).toBeGreaterThanOrEqual(last);
});

test.each(['jsonl', 'perfetto', 'qtest', 'qtest-answers', 'console'])(
  'a truncated trace gives whole %s of what can be read, one line of error, and exit code 5',
  async (format) => {
    const cut = cutOff(ticks, `cut-${format}.vmtape`);
    const whole = await vmtape(['export', ticks, '--format', format]);
    const result = await vmtape(['export', cut, '--format', format]);
    expect(result.code).toBe(5);
    expect(result.stderr).toMatch(/^vmtape: [^\n]+ is truncated: [^\n]+\n$/);
    expect(result.stdout.replace(`cut-${format}.vmtape`, 'ticks.vmtape')).toBe(whole.stdout);
    expect(await vmtape(['export', cut, '--format', format, '-o', at('cut.out')])).toMatchObject({ code: 5 });
    expect(readFileSync(at('cut.out'), 'latin1')).toBe(result.stdout);
  },
);

test('the golden trace exports, and inspect prints all of its records into a pipe', async () => {
  const golden = join(top, 'corpora/traces/version-1.vmtape');
  const records = lines((await vmtape(['export', golden, '--format', 'jsonl'])).stdout);
  const shown = await vmtape(['inspect', golden, '--records', '0..', '--json']);
  expect(records.map(({ ordinal, kind }) => [ordinal, kind])).toEqual(
    lines(shown.stdout).map(({ ordinal, kind }) => [ordinal, kind]),
  );
});

test('who stops reading ends it in silence', async () => {
  const { spawn } = await import('node:child_process');
  const command = [join(top, 'bin/vmtape.mjs'), 'export', many, '--format', 'perfetto'];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('--output leaves nothing half-written', async () => {
  const bad = await vmtape(['export', at('hello.bin'), '--format', 'jsonl', '-o', at('bad.out')]);
  expect(bad).toMatchObject({ code: 5, stdout: '' });
  expect(existsSync(at('bad.out'))).toBe(false);
  expect(await vmtape(['export', trace, '--format', 'jsonl', '-o', trace])).toMatchObject({ code: 2 });
  expect(await vmtape(['export', trace, '--format', 'jsonl', '-o', '/dev/null'])).toMatchObject({ code: 2 });
  writeFileSync(at('real.out'), 'old');
  symlinkSync(at('real.out'), at('link.out'));
  expect(await vmtape(['export', trace, '--format', 'console', '-o', at('link.out')])).toMatchObject({ code: 0 });
  expect(readFileSync(at('real.out'), 'latin1')).toBe('hi\nx\xe9');
  expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
});

test('a format is needed, and a known one', async () => {
  expect(await vmtape(['export', trace])).toMatchObject({ code: 2, stdout: '' });
  const unknown = await vmtape(['export', trace, '--format', 'xml']);
  expect(unknown).toMatchObject({ code: 2, stdout: '' });
  expect(unknown.stderr).toContain('it is one of: jsonl, perfetto, qtest, qtest-answers, console');
});

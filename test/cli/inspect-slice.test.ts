/** What is told of a part of a trace (vmtape slice) is what is told of that part in the whole: names, times, and where it is from. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { editTrace } from '../../src/trace/edit.js';
import { TraceReader } from '../../src/trace/reader.js';
import { vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);

/** mov al, value; out port, al: for a port below 100h, or with mov dx, port. */
const out = (port: number, value: number) =>
  port < 0x100 ? [0xb0, value, 0xe6, port] : [0xba, port & 0xff, port >> 8, 0xb0, value, 0xee];
/** The divisor latch opened, the 8259A in the midst of its initialization, an index of CMOS chosen; then what these make of accesses. */
const BEFORE = [...out(0x3fb, 0x83), ...out(0x20, 0x11), ...out(0x21, 0x20), ...out(0x70, 0x8f), ...out(0x80, 1)];
const BEHIND = [...out(0x3f8, 1), ...out(0x21, 4), ...[0xe4, 0x71], ...out(0x3fb, 3), ...out(0x3f8, 0x41)];
const CODE = [...BEFORE, ...BEHIND, ...out(0x80, 2), ...out(0xf4, 0)];
const FIRST = 5;
/** In the slice, the ordinals are smaller by this. */
const lines = async (path: string, first: number, ...more: string[]) => {
  const { stdout, code } = await vmtape(['inspect', path, '--records', `${first}..`, ...more]);
  expect(code).toBe(0);
  return stdout.trim().split('\n');
};
const json = async (path: string) => JSON.parse((await vmtape(['inspect', path, '--json'])).stdout);
/** Times and names of the events of a timeline from those of a record on. */
const timeline = async (path: string, first: number) => {
  const { stdout } = await vmtape(['export', path, '--format', 'perfetto']);
  const events = JSON.parse(stdout).traceEvents as { ts?: number; name: string; args: { record: number } }[];
  return events.filter(({ args }) => args.record >= first).map(({ ts, name, args }) => [ts, name, args.record - first]);
};

beforeAll(async () => {
  writeFileSync(at('guest.bin'), Uint8Array.from(CODE));
  const flags = ['--engine', 'interp', '--mem', '2M', '--flat', at('guest.bin'), '--serial', 'none'];
  expect((await vmtape(['record', ...flags, '-o', at('whole')])).code).toBe(1);
  expect((await vmtape(['slice', at('whole'), `${FIRST}..`, '-o', at('part')])).code).toBe(0);
  editTrace(at('whole'), at('kvm'), { header: (header) => ({ ...header, engine: 'kvm', counting: false }) });
  expect((await vmtape(['slice', at('kvm'), `${FIRST}..7`, '-o', at('part-kvm')])).code).toBe(0);
});

test('records are numbered from 0, and have the counts and the names of registers that they have in the whole', async () => {
  const whole = await lines(at('whole'), FIRST);
  expect(whole[0]).toMatch(/^#5 @\d+ io-write port 0x3f8 size 1 = 0x01 {2}uart\.DLL$/);
  expect(whole[1]).toMatch(/ {2}pic1\.ICW3/);
  expect(whole[2]).toMatch(/io-read port 0x71 .* {2}rtc\.\w+/);
  expect(await lines(at('part'), 0)).toEqual(
    whole.map((line) => line.replace(/^#\d+/, (ordinal) => `#${Number(ordinal.slice(1)) - FIRST}`)),
  );
  const wholeJson = (await lines(at('whole'), FIRST, '--json')).map((line) => JSON.parse(line));
  const part = (await lines(at('part'), 0, '--json')).map((line) => JSON.parse(line));
  expect(part).toEqual(wholeJson.map((record) => ({ ...record, ordinal: record.ordinal - FIRST })));
});

test('the overview says where the part is from, and when it begins and ends', async () => {
  const [whole, part] = [await json(at('whole')), await json(at('part'))];
  const { id } = whole.header;
  const last = whole.records - 1;
  expect(whole).toMatchObject({ slice: null, span: { start: { retired: 0, time: 0 } } });
  expect(part).toMatchObject({ slice: { first: FIRST, last, of: id }, records: whole.records - FIRST });
  expect(part.span).toMatchObject({ retired: whole.span.retired, time: whole.span.time });
  const { retired, time } = part.span.start;
  // Instructions, and a microsecond for each of the exits before.
  expect(time).toBe(retired + 1000 * FIRST);
  expect(retired).toBeLessThanOrEqual(JSON.parse((await lines(at('whole'), FIRST, '--json'))[0] as string).retired);
  const text = (await vmtape(['inspect', at('part')])).stdout;
  expect(text).toContain(`Slice      of the trace ${id}: its record 5 is record 0, to its record ${last}\n`);
  expect(text).toMatch(/^Time {7}0\.0000\d\d to 0\.0000\d\d s of the guest, \d+ to \d+ instructions$/m);
  expect(text).not.toContain('slice=');
  expect((await vmtape(['inspect', at('whole')])).stdout).not.toMatch(/^Slice|to 0\.0/m);
});

test('a timeline has the times of the whole', async () => {
  const whole = await timeline(at('whole'), FIRST);
  expect(whole.length).toBeGreaterThan(5);
  expect(await timeline(at('part'), 0)).toEqual(whole);
});

test('a console has the bytes of the part: what goes to an open divisor latch is none', async () => {
  for (const path of [at('whole'), at('part')]) {
    const { stdout, code } = await vmtape(['export', path, '--format', 'console']);
    expect([code, stdout]).toEqual([0, 'A']);
  }
});

test('of a trace that does not count, a part says what is known', async () => {
  const part = await json(at('part-kvm'));
  expect(part).toMatchObject({
    records: 3,
    slice: { first: FIRST, last: 7 },
    span: { retired: null, start: { retired: null } },
  });
  expect((await vmtape(['inspect', at('part-kvm')])).stdout).toContain(
    'End        The slice of the records 5 to 7 ends.',
  );
});

test('what a stranger calls a slice is shown as any option, if it is none', async () => {
  const strange = { slice: '1..2 of \u001b[2J' };
  editTrace(at('whole'), at('strange'), { header: (header) => ({ ...header, options: strange }) });
  const { stdout } = await vmtape(['inspect', at('strange')]);
  expect(stdout).toContain('Options    slice="1..2 of \\u001b[2J"');
  expect(stdout).not.toMatch(/^Slice/m);
  const reader = new TraceReader(at('strange'));
  reader.close();
  expect(reader.header.options).toEqual(strange);
});

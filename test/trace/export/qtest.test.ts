import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { qtestArguments } from '../../../src/cli/qtest-command.js';
import { QtestExporter, type QtestSide } from '../../../src/trace/export/qtest.js';
import { RecordKind, TraceRecord } from '../../../src/trace/record.js';
import { top, vmtape, workFolder } from '../../helpers/cli.js';
import { runQtest, whyNoQemu } from '../../helpers/qemu.js';
import { smallHeader } from '../../helpers/trace.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);

const recordOf = (kind: RecordKind, address: number, data: readonly number[], more: Partial<TraceRecord> = {}) => {
  const record = Object.assign(new TraceRecord(), { kind, address, size: data.length, ...more });
  record.data.set(data);
  return record;
};
const exported = (side: QtestSide, records: readonly TraceRecord[], isTimed = false) => {
  const exporter = new QtestExporter(side, isTimed);
  const text = [exporter.begin(), ...records.map((record) => exporter.record(record)), exporter.finish()].join('');
  return { text, ...exporter.summary };
};
const qemuOf = (isTimed: boolean) => `qemu-system-x86_64 ${qtestArguments(smallHeader, isTimed).join(' ')}`;

const { IoRead, IoWrite, MmioRead, MmioWrite, Dma, Halt, Time } = RecordKind;
/** Widths 1 to 8 written to memory and read from there, memory written by a device, a latch of CMOS and one of the serial port. */
const all = [
  ...Array.from({ length: 8 }, (_, index) => {
    const bytes = Array.from({ length: index + 1 }, (_, place) => 0x11 * (place + index));
    return [recordOf(MmioWrite, 0x1000 + 16 * index, bytes), recordOf(MmioRead, 0x1000 + 16 * index, bytes)];
  }).flat(),
  Object.assign(recordOf(Dma, 0x2002, []), { bytes: Uint8Array.of(9, 8, 7) }),
  recordOf(MmioRead, 0x2000, [0, 0, 9, 8, 7, 0, 0, 0]),
  recordOf(IoWrite, 0x3ff, [0x5a]),
  recordOf(IoRead, 0x3ff, [0x5a]),
  recordOf(IoWrite, 0xcf8, [0, 0, 0, 0x80]),
  recordOf(IoRead, 0xcf8, [0, 0, 0, 0x80]),
  recordOf(IoRead, 0x1234, [0xff, 0xff]),
];

test('a command and an answer a line, as wide as the access', () => {
  const records = [
    recordOf(IoWrite, 0x3f8, [0x48]),
    recordOf(IoRead, 0x3fd, [0x60]),
    recordOf(IoRead, 0xcf8, [0x5c, 0, 0, 0x80]),
    recordOf(MmioRead, 0xfee0_0030, [0x14, 0, 5, 0]),
    recordOf(MmioWrite, 0x1000, [1, 2, 3]),
  ];
  expect(exported('commands', records).text.split('\n')).toEqual([
    ...['outb 0x3f8 0x48', 'inb 0x3fd', 'inl 0xcf8', 'readl 0xfee00030', 'write 0x1000 0x3 0x010203', ''],
  ]);
  expect(exported('answers', records).text.split('\n')).toEqual([
    ...['OK', 'OK 0x0060', 'OK 0x8000005c', 'OK 0x0000000000050014', 'OK', ''],
  ]);
});

test('the clock is stepped where time has passed, and what is no command is counted', () => {
  const records = [
    recordOf(IoRead, 0x40, [1], { retired: 1000 }),
    recordOf(IoRead, 0x40, [1], { retired: 1000 }),
    recordOf(Halt, 0, [], { retired: 1500 }),
    recordOf(Time, 0, [], { retired: 1500, time: 9000 }),
    recordOf(IoRead, 0x40, [1], { retired: 1600 }),
  ];
  const { text, commands, leftOut } = exported('commands', records, true);
  expect(text).toBe('clock_step 1000\ninb 0x40\ninb 0x40\nclock_step 8100\ninb 0x40\n');
  expect({ commands, leftOut }).toEqual({ commands: 5, leftOut: { halt: 1, time: 1 } });
  expect(exported('answers', records, true).text).toBe('OK 1000\nOK 0x0001\nOK 0x0001\nOK 9100\nOK 0x0001\n');
  expect(exported('commands', records).commands).toBe(3);
});

test('QEMU knows every command, and answers as we say', async (context) => {
  const why = whyNoQemu();
  if (why !== undefined) context.skip(why);
  expect(await runQtest(qemuOf(false), exported('commands', all).text)).toBe(exported('answers', all).text);
});

test('QEMU steps its clock as we say', async (context) => {
  const why = whyNoQemu('qtest');
  if (why !== undefined) context.skip(why);
  const records = all.map((record, index) => Object.assign(record, { retired: 1000 * index }));
  expect(await runQtest(qemuOf(true), exported('commands', records, true).text)).toBe(
    exported('answers', records, true).text,
  );
});

test('the devices of QEMU answer the accesses of a guest that takes timer interrupts as ours did', async (context) => {
  const guest = ['--flat', join(top, 'corpora/guests/prot32-ticks.bin'), '--load-at', '0x100000', '--mode', 'prot32'];
  const trace = at('ticks.vmtape');
  await vmtape(['record', '--engine', 'interp', ...guest, '--serial', 'none', '-o', trace]);
  const script = await vmtape(['export', trace, '--format', 'qtest', '-o', at('ticks.qtest')]);
  expect(script).toMatchObject({ code: 0, stderr: '' });
  const answers = await vmtape(['export', trace, '--format', 'qtest-answers']);
  expect(answers).toMatchObject({ code: 0, stderr: '' });
  const why = whyNoQemu();
  if (why !== undefined) context.skip(why);
  expect(await runQtest(script.stdout, readFileSync(at('ticks.qtest'), 'latin1'))).toBe(answers.stdout);
});

test('--json tells what was written, and how QEMU is to be started', async () => {
  writeFileSync(at('hello.bin'), Uint8Array.from([0xb0, 0x68, 0xe6, 0xe9, 0xf4]));
  const trace = at('hello.vmtape');
  await vmtape(['record', '--engine', 'interp', '--flat', at('hello.bin'), '--mem', '16M', '-o', trace]);
  const result = await vmtape(['export', trace, '--format', 'qtest', '--clock', '--json', '-o', at('hello.qtest')]);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  const told = JSON.parse(result.stdout) as { readonly qemu: readonly string[] };
  expect(told).toMatchObject({ format: 'qtest', records: 2, commands: 2, leftOut: { halt: 1 }, damage: null });
  expect(told.qemu.join(' ')).toMatch(/^qemu-system-x86_64 -accel qtest -machine pc,hpet=off -m 16384K /);
  expect(readFileSync(at('hello.qtest'), 'latin1')).toBe('clock_step 1\noutb 0xe9 0x68\n');
});

test('--json and --clock are refused where they mean nothing', async () => {
  for (const args of [
    ['--format', 'jsonl', '--json'],
    ['--format', 'jsonl', '--clock'],
  ]) {
    expect(await vmtape(['export', at('hello.vmtape'), ...args])).toMatchObject({ code: 2, stdout: '' });
  }
});

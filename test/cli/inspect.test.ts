import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { TraceSummaryData } from '../../src/cli/trace-summary.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { top, vmtape, workFolder } from '../helpers/cli.js';
import { smallEnd, smallHeader } from '../helpers/trace.js';

interface Overview extends TraceSummaryData {
  readonly records: number;
}

const folder = workFolder();
const at = (name: string) => join(folder, name);
const ticks = at('ticks.vmtape');
const json = async (...args: string[]) => {
  const result = await vmtape(['inspect', ...args, '--json']);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(result.stdout) as Overview;
};

beforeAll(async () => {
  const guest = ['--flat', join(top, 'corpora/guests/prot32-ticks.bin'), '--load-at', '0x100000', '--mode', 'prot32'];
  await vmtape(['record', '--engine', 'interp', ...guest, '--serial', 'none', '-o', ticks]);
});

test('the overview has registers by name, ports, interrupts by vector, and the time', async () => {
  const all = await json(ticks);
  expect(Object.values(all.counts).reduce((sum, count) => sum + count, 0)).toBe(all.records);
  const injected = all.counts['inject'] as number;
  expect(all.interrupts).toEqual([{ vector: '0x20', count: injected }]);
  expect(all.registers).toContainEqual({ register: 'pic1.ICW2', reads: 0, writes: 1 });
  expect(all.registers).toContainEqual({ register: 'pic1.OCW2', reads: 0, writes: injected });
  const lsr = all.registers.find(({ register }) => register === 'uart.LSR');
  expect(all.addresses).toContainEqual({
    ...{ space: 'port', address: '0x3fd', device: 'uart', writes: 0, reads: lsr?.reads },
  });
  expect(all.unclaimed).toEqual([]);
  const { time, retired } = all.span;
  // It idles in the end: more time than instructions.
  expect(time).toBeGreaterThan(retired as number);
  const text = await vmtape(['inspect', ticks]);
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toMatch(/^Interrupts\n {2}vector 0x20 +\d+$/m);
  expect(text.stdout).toMatch(/^ {2}uart\.LSR +\d+ read +0 written$/m);
  expect(text.stdout).toMatch(/^Time {7}0\.\d{6} s of the guest, [\d,]+ instructions$/m);
});

test('records have the names of registers and the bits that are not 0', async () => {
  const { stdout } = await vmtape(['inspect', ticks, '--records', '0..']);
  expect(stdout).toMatch(/io-read port 0x3fd size 1 = 0x60 {2}uart\.LSR THRE TEMT\n/);
  expect(stdout).toMatch(/io-write port 0x21 size 1 = 0x20 {2}pic1\.ICW2\n/);
  const lines = (await vmtape(['inspect', ticks, '--records', '100..102', '--json'])).stdout.trim().split('\n');
  const records = lines.map((line) => JSON.parse(line) as { ordinal: number; text: string; registers?: unknown });
  expect(records.map(({ ordinal }) => ordinal)).toEqual([100, 101, 102]);
  for (const { text, registers } of records) {
    if (text.startsWith('io-write port 0x80 ')) expect(registers).toEqual([{ register: 'post.code', bits: [] }]);
  }
});

test('instructions that were executed for KVM are counted by mnemonic, what nobody answers by address', async () => {
  const writer = new TraceWriter(at('small.vmtape'), smallHeader, { ram: [] });
  const { records } = writer;
  const popcnt = Uint8Array.of(0xf3, 0x0f, 0xb8, 0xc0);
  for (let index = 0; index < 3; index++) records.assist(10 * index, popcnt, 64);
  records.assist(40, Uint8Array.of(0x0f, 0xa2), 32);
  const value = new DataView(Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0).buffer);
  records.access(2, 50, 0x1234, 2, value, 0);
  records.msr(5, 60, 0x1b, false, value, 0);
  writer.dma(70, 0x1000, new Uint8Array(600).fill(1));
  records.input(80, 0x61);
  writer.finish(smallEnd);
  expect(await json(at('small.vmtape'))).toMatchObject({
    ...{ records: 8, assists: { POPCNT: 3, CPUID: 1 }, registers: [], dmaBytes: 600, inputBytes: 1 },
    unclaimed: [{ space: 'port', address: '0x1234', device: 'unclaimed', reads: 0, writes: 1 }],
    msrs: [{ msr: '0x1b', reads: 1, writes: 0 }],
    span: { retired: 80, time: 80 },
  });
  const text = (await vmtape(['inspect', at('small.vmtape')])).stdout;
  expect(text).toMatch(/^Executed for KVM\n {2}POPCNT +3\n {2}CPUID +1$/m);
});

test('records far behind the beginning are found by the index', async () => {
  const writer = new TraceWriter(at('long.vmtape'), smallHeader, { ram: [] });
  const value = new DataView(Uint8Array.of(0x83, 0, 0, 0, 0, 0, 0, 0).buffer);
  for (let index = 0; index < 1_200_000; index++) {
    writer.records.access(2, index, index === 1_100_000 ? 0x3fb : 0x3f8, 1, value, 0);
    if (writer.records.full) writer.flush();
  }
  writer.finish(smallEnd);
  const { stdout } = await vmtape(['inspect', at('long.vmtape'), '--records', '1100000..1100001']);
  expect(stdout).toBe(
    '#1100000 @1100000 io-write port 0x3fb size 1 = 0x83  uart.LCR WLS=3 DLAB\n' +
      '#1100001 @1100001 io-write port 0x3f8 size 1 = 0x83  uart.DLL\n',
  );
});

test('what steers a terminal is not printed', async () => {
  const ledger = [{ source: 'a\u001b[2Jb', status: 'closed', how: 'c\u0007', hits: 0 }];
  new TraceWriter(at('steer.vmtape'), { ...smallHeader, ledger }, { ram: [] }).finish(smallEnd);
  const { stdout } = await vmtape(['inspect', at('steer.vmtape')]);
  expect(stdout).toContain('a?[2Jb: c?');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  writeFileSync(at('empty.vmtape'), '');
  expect(await vmtape(['inspect', at('empty.vmtape'), '--json'])).toMatchObject({ code: 5, stdout: '' });
});

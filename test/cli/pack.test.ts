import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { TraceAppender } from '../../src/trace/append.js';
import { TraceReader } from '../../src/trace/reader.js';
import { repackTrace } from '../../src/trace/repack.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { top, vmtape, workFolder } from '../helpers/cli.js';
import { linesOf, ramOf, smallEnd, smallHeader } from '../helpers/trace.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const random = new Prng(11);
const noise = (size: number) => Uint8Array.from({ length: size }, () => random.below(256));

const guest = join(top, 'corpora/guests/prot32-ticks.bin');
const ticks = at('ticks.vmtape');
beforeAll(async () => {
  const args = ['--flat', guest, '--load-at', '0x100000', '--mode', 'prot32', '--serial', 'none'];
  await vmtape(['record', '--engine', 'interp', ...args, '-o', ticks]);
});

/** Files that stand in memory in pieces, at odd places, changed here and there; DMA of new contents and of a page of a file. */
const kernel = noise(50_000);
const initrd = noise(9000);
const files = new Map([kernel, initrd].map((bytes) => [sha256(bytes), bytes]));
const namedFiles = [
  { role: 'kernel', name: 'k', size: kernel.length, sha256: sha256(kernel) },
  { role: 'initrd', name: 'i', size: initrd.length, sha256: sha256(initrd) },
];
const ramWithFiles = () => {
  const ram = new Uint8Array(0x10_0000);
  ram.set(kernel.subarray(0x123, 0x5000), 0x1_0c00);
  ram.set(kernel.subarray(0x6000), 0x4_0000);
  ram.set(initrd, 0x8_0000);
  ram.set(noise(5000), 0xa_0010);
  for (let address = 0x4_0040; address < 0x4_5000; address += 0x400) ram.set([0x0f, 0x0b, 0x90], address);
  ram.fill(0, 0x8_0100, 0x8_0400);
  return ram;
};
const writeTrace = (path: string) => {
  const ram = ramWithFiles();
  const writer = new TraceWriter(path, { ...smallHeader, files: namedFiles }, { ram: [{ gpa: 0, bytes: ram }] });
  const value = new DataView(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer);
  for (let index = 0; index < 30; index++) {
    writer.records.access(2, 10 * index, 0x80, 1, value, 0);
    if (index % 10 === 3) writer.dma(10 * index, 0x3000, noise(700 + index));
    if (index === 7) writer.dma(10 * index, 0x5000, ram.slice(0x4_6000, 0x4_7000));
    if (index === 8) writer.dma(10 * index, 0x5000, new Uint8Array(2000));
    if (index === 15) writer.flush();
  }
  writer.finish(smallEnd);
  return ram;
};

test('a trace without its guest replays with --image, and packed again has the bytes that it had', async () => {
  const unpacked = await vmtape(['unpack', ticks, '--image', guest, '-o', at('without.vmtape'), '--json']);
  expect(unpacked).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(unpacked.stdout)).toMatchObject({
    ...{ output: at('without.vmtape'), before: statSync(ticks).size, checkpoints: 0 },
    placed: [{ role: 'flat', name: 'prot32-ticks.bin', sha256: sha256(readFileSync(guest)) }],
  });
  expect(readFileSync(at('without.vmtape')).includes(readFileSync(guest).subarray(0, 64))).toBe(false);
  const without = await vmtape(['replay', at('without.vmtape'), '--serial', 'none']);
  expect(without.code).toBe(2);
  expect(without.stderr).toMatch(
    /needs the flat "prot32-ticks\.bin", SHA-256 [0-9a-f]{64} \(give the file with --image FILE\)\n$/,
  );
  expect(await vmtape(['replay', at('without.vmtape'), '--serial', 'none', '--image', guest])).toMatchObject({
    code: 0,
  });
  const packed = await vmtape(['pack', at('without.vmtape'), '--image', guest, '-o', at('packed.vmtape')]);
  expect(packed).toMatchObject({ code: 0, stderr: '' });
  expect(readFileSync(at('packed.vmtape')).equals(readFileSync(ticks))).toBe(true);
  expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
});

test('parts of files are found at odd places, though some of their bytes were changed', async () => {
  const ram = writeTrace(at('parts.vmtape'));
  const result = await repackTrace(at('parts.vmtape'), at('less.vmtape'), {
    embed: false,
    files: (hash) => files.get(hash),
  });
  expect(result.placed.map(({ role, bytes }) => [role, bytes])).toEqual([
    // Whole pages: from 10000h on, where the file would begin at 10ADDh, to 16000h; and the second part.
    ['kernel', 0x6000 - 0xadd + kernel.length - 0x6000],
    ['initrd', initrd.length],
  ]);
  const reader = new TraceReader(at('less.vmtape'), { files: (hash) => files.get(hash) });
  expect(Buffer.compare(ramOf(reader), ram)).toBe(0);
  reader.close();
  expect((await verifyTrace(at('less.vmtape'))).problems).toEqual([]);
  expect(linesOf(at('less.vmtape'))).toEqual(linesOf(at('parts.vmtape')));
  // The page of the kernel that a device wrote is in the file; no other part of the files is.
  expect(statSync(at('parts.vmtape')).size - statSync(at('less.vmtape')).size).toBeGreaterThan(46_000);
  await repackTrace(at('less.vmtape'), at('again.vmtape'), { embed: true, files: (hash) => files.get(hash) });
  expect(readFileSync(at('again.vmtape')).equals(readFileSync(at('parts.vmtape')))).toBe(true);
});

test('a file that is not given stays in the trace', async () => {
  const ram = writeTrace(at('one.vmtape'));
  const only = (hash: string) => (hash === sha256(initrd) ? initrd : undefined);
  const { placed } = await repackTrace(at('one.vmtape'), at('one-less.vmtape'), { embed: false, files: only });
  expect(placed.map(({ role }) => role)).toEqual(['initrd']);
  const reader = new TraceReader(at('one-less.vmtape'), { files: only });
  expect(Buffer.compare(ramOf(reader), ram)).toBe(0);
  reader.close();
});

test('checkpoints are left out, and what is left is right', async () => {
  const ram = writeTrace(at('points.vmtape'));
  const appender = new TraceAppender(at('points.vmtape'));
  ram[0x5000] = 1;
  appender.checkpoint({ record: 12, retired: 100, time: 0, parts: { cpu: Uint8Array.of(1) } }, [
    { gpa: 0, bytes: ram },
  ]);
  appender.finish();
  const { checkpoints } = await repackTrace(at('points.vmtape'), at('no-points.vmtape'), {
    ...{ embed: false, files: (hash: string) => files.get(hash) },
  });
  expect(checkpoints).toBe(1);
  const verdict = await verifyTrace(at('no-points.vmtape'));
  expect(verdict).toMatchObject({ checkpoints: 0, problems: [] });
});

test('what cannot be done is said in a line, and leaves no output', async () => {
  writeFileSync(at('other.bin'), noise(100));
  writeTrace(at('bare.vmtape'));
  writeFileSync(at('cut.vmtape'), readFileSync(ticks).subarray(0, -100));
  const noFiles = at('no-files.vmtape');
  new TraceWriter(noFiles, smallHeader, { ram: [] }).finish(smallEnd);
  const cases: [number, RegExp, ...string[]][] = [
    [2, /was loaded from the flat "prot32-ticks\.bin", SHA-256 /, 'unpack', ticks],
    [2, /was loaded from the flat /, 'unpack', ticks, '--image', at('other.bin')],
    [2, /has its guest in it already/, 'pack', ticks, '--image', guest],
    [2, /names no files/, 'unpack', noFiles, '--image', guest],
    [2, /does not exist/, 'unpack', ticks, '--image', at('none.bin')],
    [5, /is truncated/, 'unpack', at('cut.vmtape'), '--image', guest],
    [5, /is not a vmtape trace/, 'pack', at('other.bin')],
  ];
  for (const [code, message, ...args] of cases) {
    const result = await vmtape([...args, '-o', at('out.vmtape')]);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/^vmtape: [^\n]+\n$/);
  }
  expect(existsSync(at('out.vmtape'))).toBe(false);
  expect(await vmtape(['unpack', ticks, '--image', guest, '-o', ticks])).toMatchObject({ code: 2 });
  expect(await vmtape(['unpack', ticks, '--image', guest])).toMatchObject({ code: 2 });
});

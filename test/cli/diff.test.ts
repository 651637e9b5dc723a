import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import type { TraceDiff } from '../../src/trace/diff.js';
import { editTrace, type TraceEdit } from '../../src/trace/edit.js';
import { RecordKind } from '../../src/trace/record.js';
import { top, vmtape, workFolder } from '../helpers/cli.js';

interface Diff extends Omit<TraceDiff, 'difference' | 'entered'> {
  readonly a: unknown;
  readonly b: { readonly path: string; readonly size: number; readonly records: number };
  readonly difference: TraceDiff['difference'] | null;
  readonly entered: TraceDiff['entered'] | null;
}

const folder = workFolder();
const at = (name: string) => join(folder, name);
const ticks = at('ticks.vmtape');
const long = at('long.vmtape');
const EXITS = 600_000;

const record = async (name: string, image: Uint8Array, ...more: string[]) => {
  writeFileSync(at(`${name}.bin`), image);
  const guest = ['--flat', at(`${name}.bin`), '--serial', 'none', ...more];
  await vmtape(['record', '--engine', 'interp', ...guest, '-o', at(`${name}.vmtape`)]);
  return at(`${name}.vmtape`);
};
const protectedMode = ['--load-at', '0x100000', '--mode', 'prot32'];
const ticksImage = readFileSync(join(top, 'corpora/guests/prot32-ticks.bin'));
const changed = (from: string, name: string, edit: TraceEdit) => {
  editTrace(from, at(`${name}.vmtape`), edit);
  return at(`${name}.vmtape`);
};
const diff = async (code: number, ...args: string[]) => {
  const result = await vmtape(['diff', ...args, '--json']);
  expect(result).toMatchObject({ code, stderr: '' });
  return JSON.parse(result.stdout) as Diff;
};

beforeAll(async () => {
  await record('ticks', ticksImage, ...protectedMode);
  // OUT 80h, EAX for ever; what it wrote is made random, so that the file cannot be compressed.
  const plain = await record('endless', Uint8Array.of(0x66, 0xe7, 0x80, 0xeb, 0xfb), '--max-exits', String(EXITS));
  const random = new Prng(5);
  editTrace(plain, long, {
    record: ({ kind, data }) => {
      if (kind === RecordKind.IoWrite) for (let index = 0; index < 4; index++) data[index] = random.below(256);
      return true;
    },
  });
});

test('two recordings of a guest on the interpreter differ in nothing, with --all neither', async () => {
  const again = await record('again', ticksImage, ...protectedMode);
  expect(await diff(0, ticks, again)).toMatchObject({
    same: true,
    start: [],
    difference: null,
    entered: null,
    end: [],
  });
  expect(await diff(0, ticks, again, '--all')).toMatchObject({ same: true, common: { architectural: 0 } });
  expect((await vmtape(['diff', ticks, again])).stdout).toMatch(/^Nothing differs of what guest and devices did\.\n/);
});

test('the first difference is found by the digests, without reading the traces through', async () => {
  const other = changed(long, 'other', {
    record: ({ ordinal, data }) => {
      if (ordinal === 300_123 || ordinal > 400_000) data[1] = (data[1] as number) ^ 0x10;
      return true;
    },
  });
  const found = await diff(3, long, other);
  expect(found.difference).toMatchObject({
    what: 'the guest writes another value',
    aRecord: 300_123,
    bRecord: 300_123,
  });
  expect(found.difference?.before).toHaveLength(8);
  expect(found.difference?.before.at(-1)).toMatch(/^#300122 /);
  const { architectural } = found.common;
  // A mark is itself a record: one behind each 4096.
  expect(architectural % 4096).toBe(0);
  expect(300_123 - architectural - architectural / 4096).toBeLessThan(4096);
  expect(found.b.size).toBeGreaterThan(2_400_000);
  for (const read of [found.read.a, found.read.b]) expect(read).toBeLessThan(600_000);
  const all = await diff(3, long, other, '--all');
  expect(all.difference?.aRecord).toBe(300_123);
  expect(all.read.a).toBeGreaterThan(found.read.a * 2);
});

test('the report says where, what was before it, and how to see it', async () => {
  const other = changed(ticks, 'value', {
    record: ({ ordinal, data }) => {
      if (ordinal === 3_000) data[0] = (data[0] as number) ^ 1;
      return true;
    },
  });
  const { code, stdout } = await vmtape(['diff', ticks, other]);
  expect(code).toBe(3);
  expect(stdout).toMatch(
    / differ at record 3000: the guest writes another value\n {2}a +#3000 @\d+ io-write port 0x80/,
  );
  expect(stdout).toContain(`  vmtape inspect ${other} --records 2990..3010\n`);
  expect(stdout).toMatch(/\nRead: [\d,]+ of [\d,]+ bytes of a, [\d,]+ of [\d,]+ bytes of b\n$/);
});

test('an interrupt that came elsewhere is named before what it led to', async () => {
  let isGone = false;
  let isChanged = false;
  const other = changed(ticks, 'interrupt', {
    record: (one) => {
      if (one.ordinal > 3000 && !isGone && one.kind === RecordKind.Inject) {
        isGone = true;
        return false;
      }
      if (isGone && !isChanged && one.kind === RecordKind.IoWrite) {
        isChanged = true;
        one.data[0] = (one.data[0] as number) ^ 1;
      }
      return true;
    },
  });
  const { difference, entered } = await diff(3, ticks, other);
  expect(entered?.a).toMatch(/^#\d+ @\d+ inject vector 0x20 at /);
  // The other has its next one later.
  expect(entered?.b ?? '').not.toBe(entered?.a);
  expect(difference?.what).toBe('the guest writes another value');
  expect((difference?.aRecord ?? 0) - (difference?.bRecord ?? 0)).toBe(1);
});

test('a trace that ends earlier, other ends, and other starts are differences', async () => {
  const short = changed(ticks, 'short', { record: ({ ordinal }) => ordinal < 4_321 });
  const { difference, end } = await diff(3, ticks, short);
  expect(difference).toMatchObject({ what: 'the second trace ends here', aRecord: 4_321, bRecord: 4_321 });
  expect(end).toEqual([]);
  const otherEnd = changed(ticks, 'end', { end: (one) => ({ ...one, exitCode: 7, memoryDigest: '00'.repeat(32) }) });
  expect(await diff(3, ticks, otherEnd)).toMatchObject({
    difference: null,
    end: [expect.stringMatching(/^how they end: /), 'the memory'],
  });
  const otherSeed = changed(ticks, 'seed', { header: (header) => ({ ...header, seed: 99, tsc: 'pass' }) });
  expect((await diff(3, ticks, otherSeed)).start).toEqual(['the seed of random numbers', '--tsc']);
  const patched = Uint8Array.from(ticksImage);
  patched[patched.length - 1] = (patched[patched.length - 1] as number) ^ 1;
  const otherMemory = await record('patched', patched, ...protectedMode);
  expect((await diff(3, ticks, otherMemory)).start).toEqual([
    expect.stringMatching(/^memory: the page at 0x10[0-9a-f]000$/),
  ]);
});

test('a trace that was not closed is read from its first record on', async () => {
  writeFileSync(at('cut.vmtape'), readFileSync(long).subarray(0, 1_500_000));
  const result = await vmtape(['diff', long, at('cut.vmtape')]);
  expect(result.code).toBe(5);
  expect(result.stderr).toMatch(/^vmtape: [^\n]+ is truncated: [^\n]+\n$/);
  expect(await vmtape(['diff', long])).toMatchObject({ code: 2 });
  expect(await vmtape(['diff', long, at('none.vmtape')])).toMatchObject({ code: 2, stdout: '' });
});

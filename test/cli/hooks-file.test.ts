import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { addLearnt, readLearnt } from '../../src/cli/hooks-file.js';
import { HookKind } from '../../src/vmm/hooks/table.js';

const folder = mkdtempSync(join(tmpdir(), 'vmtape-hooks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const sites = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ address: BigInt(from + index), kind: HookKind.Rdtsc }));

test('what is added is read again, once, by address', () => {
  const path = join(folder, 'two.json');
  expect(addLearnt(path, [...sites(7, 2), ...sites(3, 1)])).toBe(3);
  expect(addLearnt(path, sites(7, 1))).toBe(0);
  expect(readLearnt(path).map(({ address }) => address)).toEqual([3n, 7n, 8n]);
});

test('a file that is full stays readable: what it has stays, what is new is left out', () => {
  const path = join(folder, 'full.json');
  expect(addLearnt(path, sites(0x2_0000, 9_999))).toBe(9_999);
  expect(addLearnt(path, sites(0x1_0000, 5))).toBe(1);
  expect(readLearnt(path)).toHaveLength(10_000);
  const before = readFileSync(path);
  expect(addLearnt(path, sites(0x3_0000, 5))).toBe(0);
  expect(readFileSync(path).equals(before)).toBe(true);
});

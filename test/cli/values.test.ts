import { expect, test } from 'vitest';
import {
  parseAddress,
  parseCount,
  parseDump,
  parseMemory,
  parsePatience,
  parseRange,
  parseSeconds,
  parseSize,
} from '../../src/cli/values.js';

const usage = expect.objectContaining({ code: 'VMTAPE_USAGE', exitCode: 2 });

test.each([
  ['128M', 0x800_0000],
  ['1G', 0x4000_0000],
  ['4096', 4096],
  ['0x10k', 0x4000],
  ['2MiB', 0x20_0000],
  ['1.5G', undefined],
  ['M', undefined],
  ['-1', undefined],
  ['', undefined],
])('the size %s', (text, size) => {
  expect(parseSize(text)).toBe(size);
});

test('memory is 1M to 3G in whole pages', () => {
  expect(parseMemory('1M')).toBe(0x10_0000);
  expect(parseMemory('3G')).toBe(0xc000_0000);
  for (const text of ['1023K', '3073M', '0', '128', '2049K1', 'lots', '1048577', '99999999999999999999G']) {
    expect(() => parseMemory(text)).toThrow(usage);
  }
});

test('a number of bytes that was meant as MiB gets a hint', () => {
  expect(() => parseMemory('128')).toThrow(expect.objectContaining({ hint: 'did you mean 128M?' }));
});

test('--preempt-ms is 0.01 to 10000, or off; a mistake is one line and exit code 2', () => {
  expect(parsePatience('--preempt-ms', '2')).toBe(2_000_000);
  expect(parsePatience('--preempt-ms', '0.01')).toBe(10_000);
  expect(parsePatience('--preempt-ms', '10000')).toBe(10_000_000_000);
  expect(parsePatience('--preempt-ms', 'off')).toBe(Infinity);
  for (const text of ['0', '0.009', '10001', '-1', '', 'on', '1e3', 'Infinity']) {
    expect(() => parsePatience('--preempt-ms', text)).toThrow(usage);
  }
  expect(() => parsePatience('--preempt-ms', '0')).toThrow(
    '--preempt-ms 0 is out of range: 0.01 to 10000 milliseconds, or off',
  );
});

test('addresses are below 4 GiB', () => {
  expect(parseAddress('--load-at', '0x7c00')).toBe(0x7c00);
  expect(parseAddress('--load-at', '31744')).toBe(0x7c00);
  for (const text of ['0x100000000', '7c00', '-1', '0x', '1e3', '']) {
    expect(() => parseAddress('--load-at', text)).toThrow(usage);
  }
});

test('counts and seconds', () => {
  expect(parseCount('--max-exits', '1_000_000')).toBe(1_000_000);
  expect(parseSeconds('--timeout', '0.5')).toBe(0.5);
  for (const text of ['0', '-1', '1.5', '1e9', '99999999999999999999', '']) {
    expect(() => parseCount('--max-exits', text)).toThrow(usage);
  }
  for (const text of ['0', '-1', 'soon', '1000000', '']) expect(() => parseSeconds('--timeout', text)).toThrow(usage);
});

test.each([
  ['0..99', 0, 99],
  ['5', 5, 5],
  ['7..', 7, Number.POSITIVE_INFINITY],
  ['..3', 0, 3],
])('the range %s', (text, first, last) => {
  expect(parseRange('--records', text)).toEqual({ first, last });
});

test('what is no range', () => {
  for (const text of ['', '..', 'a..b', '5..2', '1-2']) expect(() => parseRange('--records', text)).toThrow(usage);
});

test('a dump names address, length and file', () => {
  expect(parseDump('0x7c00,512,a,b.bin')).toEqual({ address: 0x7c00, length: 512, path: 'a,b.bin' });
  for (const text of ['0x7c00', '0x7c00,512', '0x7c00,512,', 'x,512,f', '0,none,f', '0,0,f']) {
    expect(() => parseDump(text)).toThrow(usage);
  }
});

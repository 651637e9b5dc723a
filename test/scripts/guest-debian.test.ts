import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { writeCpio } from '../../scripts/guest-debian/cpio.js';
import { buildInitramfs, INIT_SCRIPT } from '../../scripts/guest-debian/initramfs.js';
import { decodeLz4Legacy } from '../../scripts/guest-debian/lz4.js';
import { extractVmlinux } from '../../scripts/guest-debian/vmlinux.js';
import { buildElf } from '../helpers/elf.js';

/** The magic, then each block behind its size. */
function frame(...blocks: number[][]): Uint8Array {
  const parts = blocks.map((block) => [block.length & 0xff, block.length >> 8, 0, 0, ...block]);
  return Uint8Array.from([0x02, 0x21, 0x4c, 0x18, ...parts.flat()]);
}
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

describe('LZ4', () => {
  test('literals, a match that overlaps itself, and literals at the end', () => {
    // "abc" and a match of 4 + 2 at distance 3; then "z"
    expect(text(decodeLz4Legacy(frame([0x32, 0x61, 0x62, 0x63, 3, 0, 0x10, 0x7a])))).toBe('abcabcabcz');
  });

  test('lengths of 15 and more go on in further bytes', () => {
    const literals = Array.from({ length: 15 + 255 + 2 }, () => 0x78);
    expect(text(decodeLz4Legacy(frame([0xf0, 255, 2, ...literals])))).toBe('x'.repeat(272));
    // one literal, a match of 4 + 15 + 255 + 1 at distance 1
    expect(text(decodeLz4Legacy(frame([0x1f, 0x79, 1, 0, 255, 1, 0x00])))).toBe('y'.repeat(276));
  });

  test('several blocks; the size that the kernel appends is no block', () => {
    const bytes = Buffer.concat([frame([0x10, 0x61], [0x10, 0x62]), Uint8Array.of(2, 0, 0, 0)]);
    expect(text(decodeLz4Legacy(bytes))).toBe('ab');
  });

  test.each([
    ['no magic', Uint8Array.of(1, 2, 3, 4)],
    ['a literal beyond the block', frame([0xf0, 0x10, 0x61])],
    ['a match before the beginning', frame([0x10, 0x61, 2, 0, 0x00])],
    ['a distance of zero', frame([0x10, 0x61, 0, 0, 0x00])],
  ])('%s is an error', (_what, bytes) => {
    expect(() => decodeLz4Legacy(bytes)).toThrow(/LZ4/);
  });
});

test('vmlinux is found in a bzImage, without what is appended to it', () => {
  const vmlinux = buildElf({
    bits: 64,
    entry: 0x100_0000n,
    segments: [{ virtual: 0x100_0000n, physical: 0x100_0000n, bytes: Uint8Array.of(0xf4) }],
  });
  const payload = gzipSync(Buffer.concat([vmlinux, Buffer.from('relocations')]));
  const image = Buffer.alloc(1024 + 64 + payload.length);
  image.writeUInt8(1, 0x1f1);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x20f, 0x206);
  image.writeUInt32LE(64, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  image.set(payload, 1024 + 64);
  expect(Buffer.from(extractVmlinux(image)).equals(vmlinux)).toBe(true);
  image.writeUInt32LE(payload.length + 1, 0x24c);
  expect(() => extractVmlinux(image)).toThrow('outside the file');
  expect(() => extractVmlinux(Buffer.from('no kernel'))).toThrow('not a bzImage');
});

test('the archive has the newc format: headers of 110 bytes, everything padded to 4', () => {
  const archive = writeCpio([
    { path: 'bin', mode: 0o040755 },
    { path: 'dev/console', mode: 0o020600, device: [5, 1] },
    { path: 'init', mode: 0o100755, content: Buffer.from('hello') },
  ]);
  const entries: [string, string, string, string][] = [];
  for (let at = 0; ; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode, size, major, minor, nameSize] = [field(1), field(6), field(9), field(10), field(11)];
    const name = archive.toString('latin1', at + 110, at + 110 + (nameSize as number) - 1);
    if (name === 'TRAILER!!!') break;
    const content = Math.ceil((at + 110 + (nameSize as number)) / 4) * 4;
    const body = archive.toString('latin1', content, content + (size as number));
    entries.push([name, (mode as number).toString(8), `${major}:${minor}`, body]);
    at = Math.ceil((content + (size as number)) / 4) * 4;
  }
  expect(entries).toEqual([
    ['bin', '40755', '0:0', ''],
    ['dev/console', '20600', '5:1', ''],
    ['init', '100755', '0:0', 'hello'],
  ]);
});

test('the same busybox gives the same initramfs, with /init in it', () => {
  const busybox = Buffer.from('not really busybox');
  const first = buildInitramfs(busybox);
  expect(first.equals(buildInitramfs(busybox))).toBe(true);
  expect(gunzipSync(first).includes(INIT_SCRIPT)).toBe(true);
  for (const word of ['BOOT-OK', 'WORK-OK', 'poweroff']) expect(INIT_SCRIPT).toContain(word);
});

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Sha256 } from '../../src/base/sha256.js';

const bytes = Uint8Array.from({ length: 300 }, (_, index) => (index * 167) & 0xff);
const expected = (count: number): string => createHash('sha256').update(bytes.subarray(0, count)).digest('hex');

describe('SHA-256 with a state that can be saved', () => {
  it('gives what OpenSSL gives, at every length around its blocks', () => {
    const hash = new Sha256();
    for (let count = 0; count < bytes.length; count++) {
      expect(hash.digest()).toBe(expected(count));
      hash.byte(bytes[count] as number);
    }
  });

  it('goes on from a saved state', () => {
    for (const cut of [0, 1, 55, 56, 63, 64, 65, 128, 200]) {
      const before = new Sha256();
      before.update(bytes.subarray(0, cut));
      const behind = new Sha256();
      behind.update(Uint8Array.of(1, 2, 3));
      behind.load(before.save());
      behind.update(bytes.subarray(cut));
      expect(behind.digest()).toBe(expected(bytes.length));
      expect(before.digest()).toBe(expected(cut));
    }
  });

  it('counts beyond 2^32 bits', () => {
    const hash = new Sha256();
    const { words } = hash.save();
    // FIPS 180-4, section 5.1.1: the length is part of the last block, so it must tell 2^29 bytes from none.
    hash.load({ count: 2 ** 29, words, rest: new Uint8Array(0) });
    expect(hash.digest()).not.toBe(new Sha256().digest());
  });
});

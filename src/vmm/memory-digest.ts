/** A fingerprint of guest RAM. */
import { createHash } from 'node:crypto';
import type { GuestMemory } from './memory.js';

/** SHA-256 of RAM from address 0 up, in hex; the ROM is left out. */
export function memoryDigest(guest: { readonly memory: GuestMemory }): string {
  const hash = createHash('sha256');
  const { storage, whole } = guest.memory;
  for (const { offset, length, readonly } of storage) {
    if (!readonly) hash.update(whole.subarray(offset, offset + length));
  }
  return hash.digest('hex');
}

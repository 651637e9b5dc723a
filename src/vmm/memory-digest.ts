/** A fingerprint of guest RAM. */
import { createHash } from 'node:crypto';
import type { GuestMemory } from './memory.js';

/** Node hashes less than 2 GiB at once. */
const PIECE = 0x1000_0000;

/** SHA-256 of RAM from address 0 up, in hex; the ROM is left out. */
export function memoryDigest(guest: { readonly memory: GuestMemory }): string {
  const hash = createHash('sha256');
  const { storage, whole } = guest.memory;
  for (const { offset, length, readonly } of storage) {
    if (readonly) continue;
    const ram = whole.subarray(offset, offset + length);
    for (let at = 0; at < length; at += PIECE) hash.update(ram.subarray(at, at + PIECE));
  }
  return hash.digest('hex');
}

/** Looking at the prefixes of an instruction. */
const LEGACY: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** Is the byte among the legacy prefixes? */
export function hasPrefix(code: Uint8Array, prefix: number): boolean {
  for (const byte of code) {
    if (byte === prefix) return true;
    if (!LEGACY.has(byte)) return false;
  }
  return false;
}

/** Is the byte a legacy prefix (SDM vol. 2, 2.1.1)? */
export function isLegacyPrefix(byte: number): boolean {
  return LEGACY.has(byte);
}

/** Looking at the prefixes of an instruction, and at what is behind them. */
import type { CaseBits } from './case.js';

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

/** The bytes behind the prefixes and a REX prefix, which comes first: 0 if there is none. */
export function opcodeOf(code: Uint8Array, bits: CaseBits): readonly [rex: number, opcode: Uint8Array] {
  const at = code.findIndex((byte) => !LEGACY.has(byte));
  const first = code[at] as number;
  const rex = bits === 64 && (first & 0xf0) === 0x40 ? first : 0;
  return [rex, code.subarray(rex === 0 ? at : at + 1)];
}

/** The index register that the SIB byte behind a ModRM byte names, 4 for none; undefined: there is no SIB byte. 32- and 64-bit addresses. */
export function indexRegister(modrm: number, sib: number, rex: number): number | undefined {
  return modrm >= 0xc0 || (modrm & 7) !== 4 ? undefined : ((rex & 2) << 2) | ((sib >> 3) & 7);
}

/** What the table of differences asks about the bytes of an 80286 instruction. */

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0xf0, 0xf2, 0xf3]);

/** The prefix bytes in front of the opcode. */
export function prefixes(bytes: Uint8Array): number[] {
  const end = bytes.findIndex((byte) => !PREFIXES.has(byte));
  return Array.from(bytes.subarray(0, end < 0 ? bytes.length : end));
}

/** The opcode and the byte behind it, which is ModRM where the instruction has one. */
export function opcodeAndModrm(bytes: Uint8Array): [number, number] {
  const at = prefixes(bytes).length;
  return [bytes[at] ?? 0, bytes[at + 1] ?? 0];
}

/** May the instruction have LOCK today (SDM vol. 2, LOCK)? */
export function lockAllowed(bytes: Uint8Array): boolean {
  const [opcode, modrm] = opcodeAndModrm(bytes);
  if (modrm >= 0xc0) return false;
  const extension = (modrm >> 3) & 7;
  // ADD, OR, ADC, SBB, AND, SUB, XOR to memory; not CMP.
  if (opcode < 0x38) return (opcode & 7) < 2;
  if (opcode >= 0x80 && opcode <= 0x83) return extension !== 7;
  if (opcode === 0x86 || opcode === 0x87) return true;
  if (opcode === 0xf6 || opcode === 0xf7) return extension === 2 || extension === 3;
  return (opcode === 0xfe || opcode === 0xff) && extension < 2;
}

/** The segment override in force: the last one. */
function override(bytes: Uint8Array): number | undefined {
  return prefixes(bytes).findLast((byte) => byte < 0x80);
}

const POPS = new Set([0x07, 0x17, 0x1f, 0x9d, 0xc2, 0xc3, 0xc9, 0xca, 0xcb, 0xcf]);

/** Words from DS:SI or the overriding segment. */
const STRING_SOURCES = new Set([0xa5, 0xa7, 0xad, 0x6f]);
/** Words at ES:DI only. */
const STRING_TARGETS = new Set([0xab, 0xaf, 0x6d]);

/**
 * Does the instruction access the stack segment with the word that overruns, by its kind or by its operand's address? A string
 * of words reaches offset FFFFh where its index is odd, a single one where it is there.
 */
export function overrunsStack(bytes: Uint8Array, si: number): boolean {
  const [opcode, modrm] = opcodeAndModrm(bytes);
  if (STRING_TARGETS.has(opcode)) return false;
  if (STRING_SOURCES.has(opcode)) {
    const repeated = prefixes(bytes).some((byte) => byte >= 0xf2);
    return override(bytes) === 0x36 && (repeated ? (si & 1) === 1 : si === 0xffff);
  }
  if (POPS.has(opcode)) return true;
  const segment = override(bytes);
  if (segment !== undefined) return segment === 0x36;
  const mode = modrm >> 6;
  const base = modrm & 7;
  return mode !== 3 && (base === 2 || base === 3 || (base === 6 && mode !== 0));
}

/** Bytes of the instruction without the HLT behind it. */
export function lengthOf(bytes: Uint8Array): number {
  return bytes.length - 1;
}

/** Does ModRM.reg name one of these segment registers? */
export function isSegment(bytes: Uint8Array, ...segments: number[]): boolean {
  const [, modrm] = opcodeAndModrm(bytes);
  return segments.includes((modrm >> 3) & 7);
}

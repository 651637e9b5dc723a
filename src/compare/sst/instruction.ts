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

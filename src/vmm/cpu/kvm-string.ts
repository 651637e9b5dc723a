/** Telling repeated string instructions from others by their first bytes. */

/** REP, REPE or REPNE. */
export function isRepeat(byte: number): boolean {
  return byte === 0xf2 || byte === 0xf3;
}

/** Segment overrides, operand and address size, and REX in 64-bit mode (elsewhere INC and DEC: harmless, as nothing repeats behind them). */
export function isSizeOrSegment(byte: number): boolean {
  return (byte & 0xf0) === 0x40 || [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67].includes(byte);
}

/** The opcode of INS, OUTS, MOVS, CMPS, STOS, LODS or SCAS. */
export function isStringOpcode(opcode: number): boolean {
  return (opcode & 0xfc) === 0x6c || (opcode >= 0xa4 && opcode <= 0xaf && opcode !== 0xa8 && opcode !== 0xa9);
}

/** LOCK, too: what no processor executes before a string instruction. */
function isPrefix(byte: number): boolean {
  return isSizeOrSegment(byte) || isRepeat(byte) || byte === 0xf0;
}

/** Whether `code`, four bytes of an instruction, begins INS, OUTS, MOVS, CMPS, STOS, LODS or SCAS with REP, REPE or REPNE. */
export function isRepeatedString(code: Uint8Array): boolean {
  for (const byte of code) {
    if (isRepeat(byte)) return isStringOpcode(code.find((behind) => !isPrefix(behind)) ?? 0);
    if (!isPrefix(byte)) return false;
  }
  return false;
}

/** Telling repeated string instructions from others by their first bytes. */

/** Legacy prefixes but REP, and REX in 64-bit mode (elsewhere INC and DEC: harmless, as nothing repeats behind them). */
function isPrefix(byte: number): boolean {
  return (byte & 0xf0) === 0x40 || [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte);
}

/** Whether `code`, four bytes of an instruction, begins INS, OUTS, MOVS, CMPS, STOS, LODS or SCAS with REP, REPE or REPNE. */
export function isRepeatedString(code: Uint8Array): boolean {
  for (const byte of code) {
    if (byte === 0xf2 || byte === 0xf3) return isString(code);
    if (!isPrefix(byte)) return false;
  }
  return false;
}

/** INS, OUTS, MOVS, CMPS, STOS, LODS or SCAS behind the prefixes. */
function isString(code: Uint8Array): boolean {
  const opcode = code.find((byte) => !isPrefix(byte)) ?? 0;
  return (opcode & 0xfc) === 0x6c || (opcode >= 0xa4 && opcode <= 0xaf && opcode !== 0xa8 && opcode !== 0xa9);
}

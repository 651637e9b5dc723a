/** Names and lengths of single instructions, by iced-x86. */
import { Decoder, Instruction, Mnemonic } from 'iced-x86';

/** What {@link decodeOne} tells. */
export interface DecodedName {
  /** In capitals, as in the manual: `POPCNT`; `?` where the bytes are no instruction that iced-x86 knows. */
  readonly mnemonic: string;
  /** Bytes of the instruction; where it is not known, all that were given. */
  readonly length: number;
}

/** The instruction that `bytes` begin with, in code of `bits` bits: 16, 32 or 64; any other number counts as 64. */
export function decodeOne(bytes: Uint8Array, bits: number): DecodedName {
  const decoder = new Decoder(bits === 16 || bits === 32 ? bits : 64, bytes, 0);
  const instruction = new Instruction();
  try {
    if (bytes.length === 0) return { mnemonic: '?', length: 0 };
    decoder.decodeOut(instruction);
    if (instruction.isInvalid) return { mnemonic: '?', length: bytes.length };
    return { mnemonic: (Mnemonic[instruction.mnemonic] ?? '?').toUpperCase(), length: instruction.length };
  } finally {
    instruction.free();
    decoder.free();
  }
}

/** The name of {@link decodeOne}. */
export function mnemonicOf(bytes: Uint8Array, bits: number): string {
  return decodeOne(bytes, bits).mnemonic;
}

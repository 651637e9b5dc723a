/** Finding the instructions that can be hooked, by disassembly (iced-x86) from a known instruction start. */
import { Decoder, DecoderOptions, Instruction, Mnemonic, Register } from 'iced-x86';
import type { FoundInstruction } from './patch.js';
import { HookKind } from './table.js';

const kindOfMnemonic = new Map<number, HookKind>([
  [Mnemonic.Rdtsc, HookKind.Rdtsc],
  [Mnemonic.Rdtscp, HookKind.Rdtscp],
  [Mnemonic.Rdrand, HookKind.Rdrand],
  [Mnemonic.Rdseed, HookKind.Rdseed],
  [Mnemonic.Cpuid, HookKind.Cpuid],
]);

/** What a linear disassembly met. */
export interface Sweep {
  readonly found: readonly FoundInstruction[];
  /** Where it ended: the first instruction boundary at or behind the end asked for. */
  readonly end: number;
  /** Offset of the first bytes that are no instruction, or -1. */
  readonly invalidAt: number;
}

/**
 * Disassembles `bytes` from offset `start` until `end`. Offset 0 runs at `base`. Bytes that are no instruction are stepped
 * over one by one (the caller judges by `invalidAt` and `end`).
 */
export function sweep(bits: number, bytes: Uint8Array, base: bigint, start: number, end: number): Sweep {
  // An instruction has at most 15 bytes, so this is all that the decoder needs to see.
  const decoder = new Decoder(bits, bytes.subarray(start, Math.min(bytes.length, end + 15)), DecoderOptions.None);
  const instruction = new Instruction();
  const found: FoundInstruction[] = [];
  let invalidAt = -1;
  let at = start;
  try {
    while (at < end && decoder.canDecode) {
      decoder.decodeOut(instruction);
      if (instruction.mnemonic === Mnemonic.INVALID) {
        if (invalidAt < 0) invalidAt = at;
        at++;
        decoder.position = at - start;
        continue;
      }
      const one = foundInstruction(instruction, base + BigInt(at));
      if (one !== undefined) found.push(one);
      at += instruction.length;
    }
  } finally {
    instruction.free();
    decoder.free();
  }
  return { found, end: at, invalidAt };
}

/** The instruction as one to hook, or undefined. */
export function foundInstruction(instruction: Instruction, address: bigint): FoundInstruction | undefined {
  const kind = kindOfMnemonic.get(instruction.mnemonic);
  if (kind === undefined) return undefined;
  const destination = kind === HookKind.Rdrand || kind === HookKind.Rdseed ? registerOf(instruction.op0Register) : eax;
  return { address, kind, register: destination.number, width: destination.width, length: instruction.length };
}

interface GeneralRegister {
  readonly number: number;
  readonly width: number;
}

const eax: GeneralRegister = { number: 0, width: 32 };

function registerOf(register: Register): GeneralRegister {
  if (register >= Register.RAX) return { number: register - Register.RAX, width: 64 };
  if (register >= Register.EAX) return { number: register - Register.EAX, width: 32 };
  return { number: register - Register.AX, width: 16 };
}

/** Offsets of byte pairs that may be (part of) an instruction to hook: cheap, and with many false ones. */
export function candidates(bytes: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let at = bytes.indexOf(0x0f); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0x0f, at + 1)) {
    const second = bytes[at + 1];
    const third = bytes[at + 2] ?? 0;
    const isRandom = second === 0xc7 && third >= 0xf0;
    if (second === 0x31 || second === 0xa2 || (second === 0x01 && third === 0xf9) || isRandom) offsets.push(at);
  }
  return offsets;
}

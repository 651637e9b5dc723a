/**
 * The byte strings that both decoders get. Structured: for each combination of prefixes every opcode of the four maps with every ModRM
 * byte, once every SIB byte too, and VEX prefixes with every opcode and every ModRM byte. Random: half of it bytes of pure chance, half prefixes of chance before an opcode of chance.
 */
import type { Prng } from '../../base/prng.js';
import { type Bitness, WINDOW } from './engine.js';

const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const OPCODES = MAPS.length * 0x100;
const PREFIX_BYTES = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const REX = [0x40, 0x41, 0x42, 0x44, 0x48, 0x4f];

const common: readonly (readonly number[])[] = [
  ...[[], [0x66], [0x67], [0xf0], [0xf2], [0xf3], [0x2e], [0x64]],
  ...[
    [0x66, 0xf2],
    [0x66, 0xf3],
    [0xf2, 0xf3],
    [0xf3, 0xf2],
    [0xf3, 0x66],
    [0xf0, 0x66],
    [0xf0, 0xf2],
    [0xf0, 0xf3],
  ],
  ...[
    [0x66, 0x67],
    [0x67, 0xf0],
    [0x66, 0x66],
    [0xf3, 0x67, 0x66],
  ],
];

/** The combinations of prefixes. */
function prefixLists(bitness: Bitness): readonly (readonly number[])[] {
  if (bitness !== 64) return common;
  const before = [[], [0x66], [0xf0], [0xf2], [0xf3], [0x67], [0x66, 0xf2]];
  const withRex = before.flatMap((list) => [0x48, 0x41, 0x4f].map((rex) => [...list, rex]));
  // A REX that is not the last prefix does nothing.
  return [...common, ...withRex, ...REX.map((rex) => [rex]), [0x48, 0x66], [0x4f, 0xf3], [0x48, 0x40]];
}

/** VEX prefixes: the two-byte form, and the three-byte form with each map, pp, W, and vvvv and L that most instructions forbid. */
const VEX: readonly (readonly number[])[] = [
  ...[0xf8, 0xf9, 0xfa, 0xfb, 0xc0, 0x78, 0xfc].map((last) => [0xc5, last]),
  ...[0xe2, 0xe3, 0xe1, 0xe0, 0xe4, 0xc2, 0x42, 0x03].flatMap((map) =>
    [0x78, 0x79, 0x7a, 0x7b, 0xf8, 0xf9, 0xfa, 0xfb, 0x03, 0x38, 0x3b, 0x7f].map((last) => [0xc4, map, last]),
  ),
];

/** ModRM bytes that are followed by a SIB byte (with an address size of 32 or 64 bits). */
const WITH_SIB = Array.from({ length: 0x100 }, (_, modrm) => modrm).filter((byte) => byte < 0xc0 && (byte & 7) === 4);

/** Writes strings number 0 to {@link count} - 1. */
export class StructuredStrings {
  readonly count: number;
  readonly #prefixes: readonly (readonly number[])[];
  readonly #sibPrefix: readonly number[];
  readonly #modrms: number;
  readonly #sibs: number;

  constructor(bitness: Bitness) {
    this.#prefixes = prefixLists(bitness);
    this.#sibPrefix = bitness === 16 ? [0x67] : [];
    this.#modrms = this.#prefixes.length * OPCODES * 0x100;
    this.#sibs = this.#modrms + OPCODES * WITH_SIB.length * 0x100;
    this.count = this.#sibs + VEX.length * 0x1_0000;
  }

  /** Writes string `number` at `at`; what is behind the form is chance. */
  write(number: number, bytes: Uint8Array, at: number, chance: Prng): void {
    fillWithChance(bytes, at, chance);
    if (number >= this.#sibs) {
      writeVex(number - this.#sibs, bytes, at);
      return;
    }
    const isSib = number >= this.#modrms;
    const low = isSib ? number - this.#modrms : number;
    const opcode = (low >>> 8) % OPCODES;
    const rest = Math.floor((low >>> 8) / OPCODES);
    const prefixes = isSib ? this.#sibPrefix : (this.#prefixes[rest] as readonly number[]);
    let to = at;
    for (const byte of prefixes) bytes[to++] = byte;
    for (const byte of MAPS[opcode >> 8] as readonly number[]) bytes[to++] = byte;
    bytes[to++] = opcode & 0xff;
    if (isSib) bytes[to++] = WITH_SIB[rest] as number;
    bytes[to] = low & 0xff;
  }
}

/** Prefix, opcode and ModRM; every 64th has a byte before it that does not go with VEX. */
function writeVex(number: number, bytes: Uint8Array, at: number): void {
  let to = at;
  if (number % 64 === 63) bytes[to++] = [0x66, 0xf2, 0xf3, 0xf0, 0x48, 0x40][(number >> 6) % 6] as number;
  for (const byte of VEX[number >> 16] as readonly number[]) bytes[to++] = byte;
  bytes[to++] = number >> 8;
  bytes[to] = number;
}

function fillWithChance(bytes: Uint8Array, at: number, chance: Prng): void {
  for (let to = at; to < at + WINDOW; to += 4) {
    const word = chance.u32();
    bytes[to] = word;
    bytes[to + 1] = word >>> 8;
    bytes[to + 2] = word >>> 16;
    bytes[to + 3] = word >>> 24;
  }
}

/** Writes a string of chance at `at`. */
export function writeRandom(bytes: Uint8Array, at: number, chance: Prng, bitness: Bitness): void {
  fillWithChance(bytes, at, chance);
  const choice = chance.u32();
  if ((choice & 1) === 0) return;
  let to = at;
  // Mostly few prefixes, now and then as many as make an instruction too long.
  const prefixes = (choice & 0xf0) === 0 ? (choice >>> 8) % 15 : (choice >>> 8) % 4;
  for (let i = 0; i < prefixes; i++) bytes[to++] = PREFIX_BYTES[chance.u32() % PREFIX_BYTES.length] as number;
  if (bitness === 64 && (choice & 2) !== 0 && to < at + 15) bytes[to++] = 0x40 | ((choice >>> 16) & 15);
  for (const byte of MAPS[(choice >>> 2) & 3] as readonly number[]) if (to < at + 15) bytes[to++] = byte;
}

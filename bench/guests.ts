/** The guests that are measured: corpora/guests/bench-*.bin with a number of rounds of our choice. */
import { readFileSync } from 'node:fs';

const folder = new URL('../../corpora/guests/', import.meta.url);
/** Where the image holds its number of rounds (the head of each source). */
const ROUNDS_OFFSET = 4;

/** Width of the code: how the guest is entered. */
export type Width = 32 | 64;

/** The three loads. */
export const loads = ['alu', 'mem', 'crc'] as const;
/** One of {@link loads}. */
export type Load = (typeof loads)[number];

/** Rounds that take an interpreter of 100 MIPS about 1.5 seconds. */
export const roundsOf: Readonly<Record<Load, number>> = { alu: 14_000_000, mem: 70, crc: 2800 };

/** The image of a load. */
export function loadImage(load: Load, width: Width, rounds: number): Uint8Array {
  return withRounds(`bench-${load}${width}.bin`, rounds);
}

/** The image of the guest that does nothing but exit, twice a round. */
export function exitsImage(rounds: number): Uint8Array {
  return withRounds('bench-exits.bin', rounds);
}

function withRounds(name: string, rounds: number): Uint8Array {
  const image = new Uint8Array(readFileSync(new URL(name, folder)));
  new DataView(image.buffer).setUint32(ROUNDS_OFFSET, rounds, true);
  return image;
}

/** The lines that enclose what is measured. */
export const startLine = (load: Load): string => `bench-${load} start`;
/** See {@link startLine}; the checksum of the load follows. */
export const endLine = (load: Load): string => `bench-${load} end`;

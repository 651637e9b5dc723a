/**
 * Hostile traces: a trace comes from a stranger, and every reader of one must answer with a typed error or a right
 * result, in bounded time and memory, and write nothing. A case is a number: the seed of the changes to a trace of the corpus.
 */
import { Prng } from '../base/prng.js';
import { crc32 } from '../trace/crc32.js';
import {
  FRAME_CRC,
  FRAME_HEAD_SIZE,
  FRAME_RAW,
  FRAME_STORED,
  PRELUDE_CRC,
  PRELUDE_DATE,
  PRELUDE_REVISION,
  PRELUDE_SIZE,
} from '../trace/format.js';
import { compressPayload, encodeFrame, openPayload, parseHead } from '../trace/frame.js';
import { type Lie, lie, type Part, type StoredPayload } from './trace-lies.js';

/** The bytes of a trace that is not what it was. */
export function mutateTrace(original: Uint8Array, seed: number): Uint8Array {
  const random = new Prng(seed);
  // A quarter is changed as it lies there; in the others, checksums and sizes are made right again.
  if (random.below(4) === 0) return mutateBytes(Uint8Array.from(original), random);
  const known = partsKnown.get(original) ?? partsOf(original);
  partsKnown.set(original, known);
  const parts = known.map((part) => ({ ...part, payload: part.payload.slice() }));
  // Half of those are built to tell a lie; one in four of them is changed by chance besides.
  const lying = random.below(2) === 0;
  if (lying) lie(parts, random);
  const changes = lying ? (random.below(4) === 0 ? 1 : 0) : 1 + random.below(3);
  for (let change = 0; change < changes; change++) mutateParts(parts, random);
  return assemble(preludeOf(original, random), parts, random);
}

/** Bit flips, cuts, pieces moved, lies in lengths. */
function mutateBytes(bytes: Uint8Array, random: Prng): Uint8Array {
  let made = bytes;
  for (let changes = 1 + random.below(4); changes > 0 && made.length > 0; changes--) {
    const at = random.below(made.length);
    switch (random.below(6)) {
      case 0:
        made[at] = (made[at] as number) ^ (1 << random.below(8));
        break;
      case 1:
        made = made.slice(0, at);
        break;
      case 2:
        made = Uint8Array.from(
          Buffer.concat([made.subarray(0, at), made.subarray(Math.min(made.length, at + 1 + random.below(64)))]),
        );
        break;
      case 3:
        made = Uint8Array.from(
          Buffer.concat([
            made.subarray(0, at),
            made.subarray(random.below(made.length)).subarray(0, 200),
            made.subarray(at),
          ]),
        );
        break;
      case 4:
        writeNumber(made, at, random);
        break;
      default:
        fixChecksums(made, random);
    }
  }
  return made;
}

/** Numbers that are at the border of what a field can be. */
const BORDERS = [
  0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x1_0000, 0xf_ffff, 0x10_0000, 0x10_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];

function border(random: Prng): number {
  return random.below(3) === 0 ? random.u32() : (BORDERS[random.below(BORDERS.length)] as number);
}

function writeNumber(bytes: Uint8Array, at: number, random: Prng): void {
  const value = border(random);
  for (let index = 0; index < 4 && at + index < bytes.length; index++) bytes[at + index] = value >>> (index * 8);
}

/** Makes the checksums of the prelude and of a frame what they must be. */
function fixChecksums(bytes: Uint8Array, random: Prng): void {
  if (bytes.length < PRELUDE_SIZE) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(PRELUDE_CRC, crc32(bytes.subarray(0, PRELUDE_CRC)), true);
  let at = PRELUDE_SIZE;
  for (let frames = random.below(12); frames > 0 && at + FRAME_HEAD_SIZE <= bytes.length; frames--) {
    const stored = view.getUint32(at + FRAME_STORED, true);
    const end = Math.min(at + FRAME_HEAD_SIZE + stored, bytes.length);
    const head = crc32(bytes.subarray(at, at + FRAME_CRC));
    view.setUint32(at + FRAME_CRC, crc32(bytes.subarray(at + FRAME_HEAD_SIZE, end), head), true);
    at = end;
  }
}

/** The trace, telling this lie; everything else is as it was. */
export function lyingTrace(original: Uint8Array, seed: number, tell: Lie): Uint8Array {
  const random = new Prng(seed);
  const parts = partsOf(original);
  tell(parts, random);
  return assemble(original.subarray(0, PRELUDE_SIZE), parts, random);
}

/** The prelude; one in 32 has another date, or is of a newer revision. */
function preludeOf(original: Uint8Array, random: Prng): Uint8Array {
  const prelude = Uint8Array.from(original.subarray(0, PRELUDE_SIZE));
  if (random.below(32) > 0) return prelude;
  const view = new DataView(prelude.buffer);
  const dates = [0n, 8_640_000_000_000_001n, 2n ** 53n - 1n, 2n ** 63n];
  view.setBigUint64(PRELUDE_DATE, dates[random.below(dates.length)] as bigint, true);
  view.setUint16(PRELUDE_REVISION, random.below(0x1_0000), true);
  view.setUint32(PRELUDE_CRC, crc32(prelude.subarray(0, PRELUDE_CRC)), true);
  return prelude;
}

/** Of the traces of the corpus, which are changed again and again. */
const partsKnown = new WeakMap<Uint8Array, Part[]>();

function partsOf(bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = PRELUDE_SIZE; at < bytes.length; ) {
    const place = { path: '', frame: parts.length, byte: at };
    const head = parseHead(bytes, at, place);
    const end = at + FRAME_HEAD_SIZE + head.stored;
    const payload = openPayload(bytes.subarray(at, end), head, place);
    parts.push({ kind: head.kind, count: head.count, number: head.number, payload: Uint8Array.from(payload) });
    at = end;
  }
  return parts;
}

function mutateParts(parts: Part[], random: Prng): void {
  const index = random.below(parts.length);
  const part = parts[index];
  if (!part) return;
  const other = random.below(parts.length);
  switch (random.below(12)) {
    case 0:
      part.kind = random.below(14);
      return;
    case 1:
      part.count = border(random);
      return;
    case 2:
      part.number = random.below(2) === 0 ? other : border(random);
      return;
    case 3:
      parts.splice(index, 1);
      return;
    case 4:
      parts.splice(other, 0, { ...part, payload: part.payload.slice() });
      return;
    case 5:
      [parts[index], parts[other]] = [parts[other] as Part, part];
      return;
    case 6:
      part.payload = bomb(random);
      return;
    default:
      part.payload = mutatePayload(part.payload, random);
  }
}

/** Much out of little: zeros, values in values, and values that claim to be many. */
function bomb(random: Prng): Uint8Array {
  const size = 1 + random.below(0x10_0000);
  switch (random.below(5)) {
    case 0:
      return new Uint8Array(size);
    case 1:
      return new Uint8Array(size).fill(0x91);
    case 2:
      return Uint8Array.from([0xdd, 0x7f, 0xff, 0xff, 0xff, ...new Uint8Array(random.below(500))]);
    case 3:
      return Uint8Array.from([0xdc, 0xff, 0xff, ...new Uint8Array(0xffff).fill(0xc0)]);
    default:
      return Uint8Array.from([0x81, 0xd9, 9, ...new TextEncoder().encode('__proto__'), 0x80]);
  }
}

function mutatePayload(payload: Uint8Array, random: Prng): Uint8Array {
  let made = payload;
  for (let changes = 1 + random.below(3); changes > 0 && made.length > 0; changes--) {
    const at = random.below(made.length);
    switch (random.below(6)) {
      case 0:
      case 1:
        made[at] = random.below(256);
        break;
      case 2:
        made[at] = (made[at] as number) ^ (1 << random.below(8));
        break;
      case 3:
        made[at] = 0xff;
        break;
      case 4:
        made = made.slice(0, at);
        break;
      default:
        writeNumber(made, at, random);
    }
  }
  return made;
}

/** With numbers and checksums made right, and, half of the time, the trailer where the root is. */
function assemble(prelude: Uint8Array, parts: readonly Part[], random: Prng): Uint8Array {
  const isHonest = random.below(2) === 0;
  const pieces: Uint8Array[] = [prelude];
  let at = prelude.length;
  let root = { at: 0, number: 0 };
  for (const [index, part] of parts.entries()) {
    let { payload } = part;
    if (part.kind === 10 && isHonest && payload.length === 24) {
      payload = payload.slice();
      const view = new DataView(payload.buffer);
      view.setBigUint64(0, BigInt(root.at), true);
      view.setUint32(8, root.number, true);
    }
    if (part.kind === 9) root = { at, number: index };
    const number = isHonest ? index : part.number;
    const isSmall = payload.length < 0x1_0000;
    const frame = part.stored
      ? encodeStored(part.kind, number, part.count, part.stored)
      : encodeFrame(part.kind, number, part.count, payload, isSmall ? payload : compressPayload(payload));
    pieces.push(frame);
    at += frame.length;
  }
  return Uint8Array.from(Buffer.concat(pieces));
}

/** A frame whose head claims that its payload decompresses to `raw` bytes. */
function encodeStored(kind: number, number: number, count: number, { bytes, raw }: StoredPayload): Uint8Array {
  const frame = encodeFrame(kind, number, count, new Uint8Array(0), bytes);
  const view = new DataView(frame.buffer);
  view.setUint32(FRAME_RAW, raw, true);
  view.setUint32(FRAME_CRC, crc32(bytes, crc32(frame.subarray(0, FRAME_CRC))), true);
  return frame;
}

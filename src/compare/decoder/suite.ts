/** Compares our decoder with iced-x86, string by string, and gathers the differences by opcode. */
import { Prng } from '../../base/prng.js';
import { BATCH, type Bitness, Decoded, OurDecoder, WINDOW } from './engine.js';
import { type DifferenceKind, EXPLAINED, type ExplainedDifference } from './explained.js';
import { IcedDecoder } from './iced.js';
import { StructuredStrings, writeRandom } from './strings.js';

/** Differences of one opcode and kind. */
export interface DecoderDifference {
  readonly opcode: string;
  readonly kind: DifferenceKind;
  readonly bitness: Bitness;
  /** The first string. */
  readonly bytes: Uint8Array;
  readonly ours: string;
  readonly iced: string;
  /** The row that explains it. */
  readonly explained: ExplainedDifference | undefined;
  count: number;
}

/** What a run brought. */
export interface DecoderTotals {
  strings: number;
  /** Instructions in both, of equal length. */
  valid: number;
  /** Instructions in neither. */
  invalid: number;
  /** Valid by our tables; the handler was executed and raised #UD, as it must. */
  raised: number;
  readonly differences: Map<string, DecoderDifference>;
}

/** Empty totals. */
export function newTotals(): DecoderTotals {
  return { strings: 0, valid: 0, invalid: 0, raised: 0, differences: new Map() };
}

/** Differences that no row explains. */
export function unexplained(totals: DecoderTotals): DecoderDifference[] {
  return [...totals.differences.values()].filter(({ explained }) => explained === undefined);
}

const PREFIXES: ReadonlySet<number> = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);

/** `66 F3 0F AE /5 mem`: the prefixes that count for validity, the opcode, ModRM.reg and whether its operand is memory. */
export function opcodeOf(bytes: Uint8Array, bitness: Bitness): string {
  const seen = new Set<number>();
  let at = 0;
  let rex = 0;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (bitness === 64 && (byte & 0xf0) === 0x40) rex = byte;
    else if (PREFIXES.has(byte)) {
      seen.add(byte);
      rex = 0;
    } else break;
  }
  const counting = [0xf0, 0x66, 0xf2, 0xf3].filter((prefix) => seen.has(prefix));
  const two = bytes[at] === 0x0f;
  const three = two && (bytes[at + 1] === 0x38 || bytes[at + 1] === 0x3a);
  const end = at + (three ? 3 : two ? 2 : 1);
  const text = (from: number, to: number): string[] =>
    [...bytes.subarray(from, to)].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'));
  const modrm = bytes[end] ?? 0;
  return [
    ...counting.map((byte) => byte.toString(16).toUpperCase()),
    ...(rex & 8 ? ['REX.W'] : []),
    ...text(at, end),
    `/${(modrm >> 3) & 7}`,
    modrm >= 0xc0 ? 'reg' : 'mem',
  ].join(' ');
}

/** Both decoders in one mode. */
export class DecoderComparison {
  readonly #ours: OurDecoder;
  readonly #iced: IcedDecoder;
  /** By opcode and ModRM: does execution raise #UD? */
  readonly #raises = new Map<string, boolean>();

  constructor(
    readonly bitness: Bitness,
    readonly totals: DecoderTotals,
    /** Called before each batch. */
    readonly progress: () => void = () => {},
  ) {
    this.#ours = new OurDecoder(bitness);
    this.#iced = new IcedDecoder(bitness);
  }

  /** Compares `count` strings of a batch, each `stride` bytes behind the one before. */
  compare(bytes: Uint8Array, stride: number, count: number): void {
    const { totals } = this;
    const iced = this.#iced;
    this.progress();
    const answers = this.#ours.decode(bytes, stride, count);
    iced.setBytes(bytes);
    totals.strings += count;
    for (let i = 0; i < count; i++) {
      const answer = answers[i] as number;
      const kind = answer >> 8;
      iced.decode(i * stride);
      const expected = iced.length;
      if (kind === Decoded.Valid) {
        if (expected === (answer & 0xff)) totals.valid++;
        else this.#differ(bytes, i * stride, answer, expected === 0 ? 'only ours' : 'length');
      } else if (expected === 0) totals.invalid++;
      else this.#differ(bytes, i * stride, answer, 'only iced');
    }
  }

  /** Every structured string if `most` allows, else so many of them spread over all. */
  structured(most: number, seed: number): void {
    const strings = new StructuredStrings(this.bitness);
    const chance = new Prng(seed ^ this.bitness);
    if (strings.count <= most) this.#batches(strings.count, (bytes, at, i) => strings.write(i, bytes, at, chance));
    else this.#batches(most, (bytes, at) => strings.write(chance.below(strings.count), bytes, at, chance));
  }

  /** `count` strings of chance. */
  random(count: number, seed: number): void {
    const chance = new Prng((seed ^ this.bitness) + 0x1000);
    this.#batches(count, (bytes, at) => writeRandom(bytes, at, chance, this.bitness));
  }

  /** A string at every byte of a text. */
  text(code: Uint8Array): void {
    const size = BATCH;
    for (let at = 0; at < code.length; at += size) {
      const count = Math.min(size, code.length - at);
      const bytes = new Uint8Array(count + WINDOW);
      bytes.set(code.subarray(at, at + bytes.length));
      this.compare(bytes, 1, count);
    }
  }

  /** What the two say of one string. */
  describe(bytes: Uint8Array): { ours: string; iced: string; raises: boolean } {
    const window = new Uint8Array(WINDOW);
    window.set(bytes.subarray(0, WINDOW));
    const answer = this.#ours.decode(window, WINDOW, 1)[0] as number;
    this.#iced.setBytes(window);
    return { ours: describeOurs(answer), iced: this.#iced.describe(0), raises: this.#ours.raisesUndefined(window) };
  }

  #batches(count: number, write: (bytes: Uint8Array, at: number, number: number) => void): void {
    const bytes = new Uint8Array(BATCH * WINDOW);
    for (let done = 0; done < count; done += BATCH) {
      const here = Math.min(BATCH, count - done);
      for (let i = 0; i < here; i++) write(bytes, i * WINDOW, done + i);
      this.compare(bytes, WINDOW, here);
    }
  }

  #differ(all: Uint8Array, at: number, answer: number, kind: DifferenceKind): void {
    const bytes = all.slice(at, at + WINDOW);
    const opcode = opcodeOf(bytes, this.bitness);
    if (kind === 'only ours' && this.#raisesUndefined(bytes, opcode, answer & 0xff)) {
      this.totals.raised++;
      return;
    }
    const explained = EXPLAINED.find(
      (row) =>
        row.kind === kind &&
        row.opcode.test(opcode) &&
        (row.bitness === undefined || row.bitness.includes(this.bitness)) &&
        (row.when === undefined || row.when(bytes)),
    );
    const key = `${this.bitness} ${opcode} ${kind} ${explained?.reason ?? ''}`;
    const known = this.totals.differences.get(key);
    if (known) {
      known.count++;
      return;
    }
    const ours = describeOurs(answer);
    const iced = this.#iced.describe(at);
    this.totals.differences.set(key, { opcode, kind, bitness: this.bitness, bytes, ours, iced, explained, count: 1 });
  }

  /** Executed once for each prefix, opcode and ModRM byte: nothing else decides about #UD. */
  #raisesUndefined(bytes: Uint8Array, opcode: string, length: number): boolean {
    const modrmAt = modrmPlace(bytes, this.bitness);
    const key = `${opcode} ${bytes[modrmAt]}`;
    let raises = this.#raises.get(key);
    if (raises === undefined) {
      raises = length > 0 && this.#ours.raisesUndefined(bytes);
      this.#raises.set(key, raises);
    }
    return raises;
  }
}

function modrmPlace(bytes: Uint8Array, bitness: Bitness): number {
  let at = 0;
  while (PREFIXES.has(bytes[at] as number) || (bitness === 64 && ((bytes[at] as number) & 0xf0) === 0x40)) at++;
  const two = bytes[at] === 0x0f;
  return at + (two && (bytes[at + 1] === 0x38 || bytes[at + 1] === 0x3a) ? 3 : two ? 2 : 1);
}

function describeOurs(answer: number): string {
  const kind = answer >> 8;
  if (kind === Decoded.Valid) return `${answer & 0xff} bytes`;
  return kind === Decoded.Undefined ? '#UD' : 'longer than 15 bytes';
}

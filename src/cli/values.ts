/** Reading the values of options: sizes, addresses, counts. Each mistake has its sentence; exit code 2. */
import { ExitCode, VmtapeError } from '../base/errors.js';
import { TIME_SCALE_MAX } from '../vmm/guest-time.js';

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const PAGE = 4096;
const MEMORY_MIN = 1024 ** 2;
const MEMORY_MAX = 3 * 1024 ** 3;
const ADDRESS_MAX = 0xffff_ffff;

/** A mistake in the command line. */
export function usageError(message: string, hint?: string): VmtapeError {
  return new VmtapeError('VMTAPE_USAGE', message, ExitCode.Usage, hint);
}

/** Bytes: digits, or 0x and hexadecimal digits, with K, M or G behind. Undefined: it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(0x[0-9a-f]+|\d+)([kmg]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const size = Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] as number);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** --mem: 1M to 3G, whole pages. */
export function parseMemory(text: string): number {
  const size = parseSize(text);
  if (size === undefined) throw usageError(`--mem ${text} is not a size`, 'write it as 128M or 1G');
  if (size < MEMORY_MIN || size > MEMORY_MAX) {
    const hint = /^[1-9]\d*$/.test(text) && size < MEMORY_MIN ? `did you mean ${text}M?` : undefined;
    throw usageError(`--mem ${text} is out of range: a machine has 1M to 3G`, hint);
  }
  if (size % PAGE !== 0) throw usageError(`--mem ${text} is not a whole number of 4 KiB pages`);
  return size;
}

/** A guest-physical address below 4 GiB, decimal or hexadecimal. */
export function parseAddress(option: string, text: string): number {
  const address = /^(0x[0-9a-f]+|\d+)$/i.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isNaN(address)) throw usageError(`${option} ${text} is not an address`, 'write it as 0x7c00 or 31744');
  if (address > ADDRESS_MAX) throw usageError(`${option} ${text} is beyond 4 GiB`);
  return address;
}

/** A whole number of at least `minimum`. */
export function parseCount(option: string, text: string, minimum = 1): number {
  const count = /^\d[\d_]*$/.test(text.trim()) ? Number(text.replaceAll('_', '')) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw usageError(`${option} ${text} is not a whole number`);
  if (count < minimum) throw usageError(`${option} ${text} is out of range: it is at least ${minimum}`);
  return count;
}

/** Seconds, above 0 and up to ten days; fractions are welcome. */
export function parseSeconds(option: string, text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds)) throw usageError(`${option} ${text} is not a number of seconds`);
  if (seconds <= 0 || seconds > 864_000) throw usageError(`${option} ${text} is out of range: above 0 to 864000`);
  return seconds;
}

/** --preempt-ms: milliseconds from 0.01 to 10000, or `off`; the result in nanoseconds, Infinity for `off`. */
export function parsePatience(option: string, text: string): number {
  if (text === 'off') return Number.POSITIVE_INFINITY;
  const milliseconds = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isNaN(milliseconds)) throw usageError(`${option} ${text} is neither a number of milliseconds nor off`);
  if (milliseconds < 0.01 || milliseconds > 10_000) {
    throw usageError(`${option} ${text} is out of range: 0.01 to 10000 milliseconds, or off`);
  }
  return Math.round(milliseconds * 1e6);
}

/** A whole number of times that time goes slower, 1 to 1000, or `auto`: undefined. */
export function parseTimeScale(option: string, text: string): number | undefined {
  if (text === 'auto') return undefined;
  const scale = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isNaN(scale)) throw usageError(`${option} ${text} is neither a whole number nor auto`);
  if (scale < 1 || scale > TIME_SCALE_MAX) throw usageError(`${option} ${text} is out of range: 1 to 1000, or auto`);
  return scale;
}

/** One of a few words. */
export function parseWord<T extends string>(option: string, text: string, words: readonly T[]): T {
  const word = words.find((one) => one === text);
  if (word === undefined) throw usageError(`${option} ${text} is not known`, `it is one of: ${words.join(', ')}`);
  return word;
}

/** A range of ordinals, A..B, both ends included; either may be left out. */
export interface OrdinalRange {
  readonly first: number;
  readonly last: number;
}

/** `A..B`, `A..`, `..B` or `A`. */
export function parseRange(option: string, text: string): OrdinalRange {
  const match = /^(\d*)(?:(\.\.)(\d*))?$/.exec(text.trim());
  if (match === null || text.trim() === '' || text.trim() === '..') {
    throw usageError(`${option} ${text} is not a range of records`, 'write it as 0..99, 100.. or 42');
  }
  const first = match[1] === '' ? 0 : Number(match[1]);
  const last = match[2] === undefined ? first : match[3] ? Number(match[3]) : Number.POSITIVE_INFINITY;
  if (last < first) throw usageError(`${option} ${text} ends before it begins`);
  return { first, last };
}

/** What --dump-mem asks for. */
export interface MemoryDump {
  readonly address: number;
  readonly length: number;
  readonly path: string;
}

/** `ADDR,LEN,FILE`; the file's name may hold commas. */
export function parseDump(text: string): MemoryDump {
  const match = /^([^,]+),([^,]+),(.+)$/s.exec(text);
  if (match === null) throw usageError(`--dump-mem ${text} is not ADDR,LEN,FILE`, 'for example 0x7c00,512,boot.bin');
  const address = parseAddress('--dump-mem', match[1] as string);
  const length = parseSize(match[2] as string);
  if (length === undefined || length === 0) throw usageError(`--dump-mem ${text}: ${match[2]} is not a length`);
  return { address, length, path: match[3] as string };
}

/**
 * The first difference of two traces. What guest and devices did is compared by the rolling digests that both files list: the last
 * equal pair is found by bisection, and only the records behind it are read. What entered from outside (interrupts, input, DMA) is no
 * part of the digests; it is compared where records are read, or everywhere with {@link DiffOptions.all}.
 */
import type { TraceCursor } from './cursor.js';
import { startDifferences } from './diff-start.js';
import type { TraceEnd } from './header.js';
import type { TraceReader } from './reader.js';
import { formatRecord, isWaypoint, RecordKind, TraceRecord } from './record.js';
import { lastCommonMark, type RunMark } from './run-digest.js';

/** How two traces are compared. */
export interface DiffOptions {
  /** Compare every record, with its time and count of instructions, from the first on. */
  readonly all?: boolean;
  /** After so many records: how many were read of each; true stops. */
  readonly onProgress?: (records: number) => Promise<boolean> | boolean;
}

/** A record of each trace, in words and hex; undefined: this trace has none there. */
export interface DiffPair {
  readonly a: string | undefined;
  readonly b: string | undefined;
}

/** Where the records differ. */
export interface RecordDifference extends DiffPair {
  /** In a sentence. */
  readonly what: string;
  /** The ordinals; where a trace has no such record, how many it has. */
  readonly aRecord: number;
  readonly bRecord: number;
  /** Instructions retired; undefined: not counted. */
  readonly aRetired: number | undefined;
  readonly bRetired: number | undefined;
  /** The last records before it, of the first trace, the oldest first. */
  readonly before: readonly string[];
}

/** What was found. */
export interface TraceDiff {
  /** Nothing differs of what was compared. */
  readonly same: boolean;
  /** What differs before the first record, in words. */
  readonly start: readonly string[];
  /** The first difference of what guest and devices did; with `all`, of any records. */
  readonly difference: RecordDifference | undefined;
  /** The first difference of what entered from outside, among the records that were read and before `difference`. */
  readonly entered: DiffPair | undefined;
  /** What differs in how they ended, in words; where the records do not differ. */
  readonly end: readonly string[];
  /** Up to here the digests are equal: architectural records, and the ordinals of those behind. */
  readonly common: { readonly architectural: number; readonly aRecord: number; readonly bRecord: number };
  /** Bytes that were read of each file. */
  readonly read: { readonly a: number; readonly b: number };
  readonly isStopped: boolean;
}

const BEFORE = 8;
const TURN = 0x4000;

/** Compares. Throws what is wrong with one of the traces where it is come upon. */
export async function diffTraces(a: TraceReader, b: TraceReader, options: DiffOptions = {}): Promise<TraceDiff> {
  const { all = false, onProgress } = options;
  const start = startDifferences(a, b);
  const mark = all ? undefined : lastCommonMark(a.marks(), b.marks());
  const walk = new Walk(a, b, mark, all);
  let isStopped = false;
  for (let count = 1; walk.step(); count++) {
    if (count % TURN !== 0) continue;
    isStopped = (await onProgress?.(walk.records)) ?? false;
    if (isStopped) break;
  }
  const { difference, entered } = walk;
  const end = difference || isStopped ? [] : endDifferences(a.end, b.end);
  return {
    same: start.length + end.length === 0 && !difference && !entered,
    ...{ start, difference, entered, end, isStopped },
    common: { architectural: mark?.a.architectural ?? 0, aRecord: mark?.a.record ?? 0, bRecord: mark?.b.record ?? 0 },
    read: { a: a.bytesRead, b: b.bytesRead },
  };
}

/** One of the two, read from one record to compare to the next. */
class Side {
  readonly cursor: TraceCursor;
  readonly record: TraceRecord;
  readonly #entered: (record: TraceRecord) => void;
  readonly #all: boolean;

  /** `entered` is given what came from outside and is passed over. */
  constructor(reader: TraceReader, from: number, all: boolean, entered: (record: TraceRecord) => void) {
    this.cursor = reader.cursor(from);
    this.record = this.cursor.record;
    this.#all = all;
    this.#entered = entered;
  }

  /** False: the trace ends. */
  next(): boolean {
    while (this.cursor.next()) {
      if (this.#all || this.record.architectural) return true;
      const { kind } = this.record;
      const isIn = kind === RecordKind.Inject || kind === RecordKind.Input || kind === RecordKind.Dma;
      if (isIn && !isWaypoint(this.record)) this.#entered(this.record);
    }
    if (this.cursor.damage) throw this.cursor.damage;
    return false;
  }
}

/** Two traces, read in step. */
class Walk {
  readonly #a: Side;
  readonly #b: Side;
  /** What entered since the last records that were compared. */
  readonly #enteredA: TraceRecord[] = [];
  readonly #enteredB: TraceRecord[] = [];
  readonly #before: string[] = [];
  readonly #all: boolean;
  difference: RecordDifference | undefined;
  entered: DiffPair | undefined;

  constructor(
    a: TraceReader,
    b: TraceReader,
    mark: { readonly a: RunMark; readonly b: RunMark } | undefined,
    all: boolean,
  ) {
    this.#a = new Side(a, mark?.a.record ?? 0, all, (record) => keep(record, this.#enteredA));
    this.#b = new Side(b, mark?.b.record ?? 0, all, (record) => keep(record, this.#enteredB));
    this.#all = all;
  }

  get records(): number {
    return this.#a.cursor.count;
  }

  /** Compares the next records; false: they differ, or both traces end. */
  step(): boolean {
    const isA = this.#a.next();
    const isB = this.#b.next();
    this.#compareEntered();
    const { record: a } = this.#a;
    const { record: b } = this.#b;
    const what = differenceOf(isA ? a : undefined, isB ? b : undefined, this.#all);
    if (what !== undefined) this.difference = this.#differenceAt(what, isA, isB);
    if (what !== undefined || !isA) return false;
    this.#before.push(formatRecord(a));
    if (this.#before.length > BEFORE) this.#before.shift();
    return true;
  }

  #differenceAt(what: string, isA: boolean, isB: boolean): RecordDifference {
    const side = ({ cursor, record }: Side, isThere: boolean) => ({
      text: isThere ? formatRecord(record) : undefined,
      ordinal: isThere ? record.ordinal : cursor.count,
      retired: isThere && !Number.isNaN(record.retired) ? record.retired : undefined,
    });
    const [a, b] = [side(this.#a, isA), side(this.#b, isB)];
    return {
      ...{ what, a: a.text, b: b.text, aRecord: a.ordinal, bRecord: b.ordinal },
      ...{ aRetired: a.retired, bRetired: b.retired, before: [...this.#before] },
    };
  }

  #compareEntered(): void {
    const most = Math.max(this.#enteredA.length, this.#enteredB.length);
    for (let index = 0; index < most && !this.entered; index++) {
      const [a, b] = [this.#enteredA[index], this.#enteredB[index]];
      if (a && b && sameEntered(a, b)) continue;
      this.entered = { a: a && formatRecord(a), b: b && formatRecord(b) };
    }
    this.#enteredA.length = 0;
    this.#enteredB.length = 0;
  }
}

/** More than this between two accesses of a guest is not kept, so that memory is bounded. */
const ENTERED_MAX = 1024;

function keep(record: TraceRecord, list: TraceRecord[]): void {
  if (list.length >= ENTERED_MAX) return;
  const copy = new TraceRecord();
  copy.assign(record);
  list.push(copy);
}

/** In a sentence, as in the report of a replay (docs/reading-a-divergence.md); undefined: they are equal. */
function differenceOf(a: TraceRecord | undefined, b: TraceRecord | undefined, all: boolean): string | undefined {
  if (!a && !b) return undefined;
  if (!a) return 'the first trace ends here';
  if (!b) return 'the second trace ends here';
  const isRead = a.kind === RecordKind.IoRead || a.kind === RecordKind.MmioRead || a.kind === RecordKind.MsrRead;
  if (a.kind !== b.kind)
    return a.architectural && b.architectural ? 'the guest does something else' : 'something else comes';
  if (a.kind === RecordKind.Hook && !sameRecord(a, b)) return 'a hooked instruction differs';
  if (a.architectural) {
    if (a.address !== b.address) return 'the guest accesses another address';
    if (a.size !== b.size) return 'the guest accesses with another width';
    if (a.fault !== b.fault) return 'the machine refuses, or does not, the MSR';
    // What a refused read would have answered does not count.
    const isRefused = a.fault && isRead;
    if (!isRefused && !sameData(a, b))
      return isRead ? 'the device answers another value' : 'the guest writes another value';
  } else if (!sameRecord(a, b)) return 'something else comes';
  if (!all) return undefined;
  if (!Number.isNaN(a.retired) && !Number.isNaN(b.retired) && a.retired !== b.retired) {
    return 'it comes at another instruction';
  }
  return undefined;
}

function sameData(a: TraceRecord, b: TraceRecord): boolean {
  for (let index = 0; index < a.size; index++) if (a.data[index] !== b.data[index]) return false;
  return true;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Records of one kind, but for their counts of instructions. */
function sameRecord(a: TraceRecord, b: TraceRecord): boolean {
  switch (a.kind) {
    case RecordKind.Hook:
      return (
        a.address === b.address && a.hookKind === b.hookKind && a.low === b.low && a.high === b.high && sameWords(a, b)
      );
    case RecordKind.Time:
      return a.time === b.time;
    case RecordKind.Digest:
      return sameBytes(a.bytes, b.bytes) && sameBytes(a.stateDigest, b.stateDigest);
    default:
      return sameEntered(a, b);
  }
}

function sameWords(a: TraceRecord, b: TraceRecord): boolean {
  return a.aux === b.aux && a.ebx === b.ebx;
}

/** Injections, input, DMA, assists. Where between two exits an interrupt was recorded is the engine's; what it met is not. */
function sameEntered(a: TraceRecord, b: TraceRecord): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === RecordKind.Inject) return a.vector === b.vector && sameBytes(a.registers, b.registers);
  return a.address === b.address && sameBytes(a.bytes, b.bytes);
}

/** The parts of the end that both know, in words. */
function endDifferences(a: TraceEnd | undefined, b: TraceEnd | undefined): string[] {
  if (!a || !b) return a === b ? [] : ['only one of them has an end'];
  const text = ({ reason, exitCode, message }: TraceEnd) => `${reason} ${exitCode} ${message}`;
  const known = (one: number, other: number) => one >= 0 && other >= 0 && one !== other;
  const hash = (one: string, other: string) => one !== '' && other !== '' && one !== other;
  const isLong = (bytes: Uint8Array) => bytes.length > 0;
  return [
    text(a) === text(b) ? [] : [`how they end: ${JSON.stringify(a.message)} and ${JSON.stringify(b.message)}`],
    known(a.retired, b.retired) ? ['the instructions retired'] : [],
    known(a.consoleBytes, b.consoleBytes) || hash(a.consoleDigest, b.consoleDigest) ? ['the serial console'] : [],
    known(a.debugBytes, b.debugBytes) || hash(a.debugDigest, b.debugDigest) ? ['the debug console'] : [],
    isLong(a.registers) && isLong(b.registers) && !sameBytes(a.registers, b.registers) ? ['the registers'] : [],
    hash(a.memoryDigest, b.memoryDigest) ? ['the memory'] : [],
  ].flat();
}

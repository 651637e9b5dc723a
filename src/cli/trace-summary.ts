/** What a trace holds, counted record by record, in bounded memory. */
import { hex } from '../base/hex.js';
import { mnemonicOf } from '../base/mnemonic.js';
import type { GuestTime } from '../trace/export/guest-time.js';
import type { TraceHeader } from '../trace/header.js';
import { hookNames, isWaypoint, RecordKind, recordNames, type TraceRecord } from '../trace/record.js';
import { AccessNames } from './device-names.js';
import { atReset, guestTimeOf, type TraceStart } from './trace-start.js';

/** More different registers, addresses, MSRs or instructions than this are counted together, as `others`. */
const ROWS_MAX = 4096;

/** How often something was read and written. */
export interface AccessCount {
  readonly reads: number;
  readonly writes: number;
}

/** An address of the guest and who is there. */
export interface AddressCount extends AccessCount {
  readonly space: 'port' | 'mmio';
  /** Hexadecimal; `others` for all that there was no room for. */
  readonly address: string;
  readonly device: string;
}

/** A moment of the guest. */
export interface TraceMoment {
  /** Instructions retired; null: not counted. */
  readonly retired: number | null;
  /** Guest time, in nanoseconds. */
  readonly time: number;
}

/** From the first record to the last: the moment of the last, since the machine was made. */
export interface TraceSpan extends TraceMoment {
  /** Where the trace begins: 0, but in a part of another. */
  readonly start: TraceMoment;
}

/** All counts, the most frequent first. */
export interface TraceSummaryData {
  readonly counts: Readonly<Record<string, number>>;
  readonly span: TraceSpan;
  readonly registers: readonly (AccessCount & { readonly register: string })[];
  /** Ports and addresses by device, hot ones first. */
  readonly addresses: readonly AddressCount[];
  readonly unclaimed: readonly AddressCount[];
  /** Injected interrupts by vector. */
  readonly interrupts: readonly { readonly vector: string; readonly count: number }[];
  readonly msrs: readonly (AccessCount & { readonly msr: string })[];
  readonly hooks: Readonly<Record<string, number>>;
  /** Instructions that were executed for KVM, by mnemonic. */
  readonly assists: Readonly<Record<string, number>>;
  /** Bytes that devices wrote to memory, and that came from the host's console. */
  readonly dmaBytes: number;
  readonly inputBytes: number;
}

/** Rows by name, as many as there is room for. */
class Rows<T extends object> {
  readonly #rows = new Map<string, T>();

  constructor(readonly make: (name: string) => T) {}

  of(name: string): T {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    if (this.#rows.size >= ROWS_MAX && name !== 'others') return this.of('others');
    const row = this.make(name);
    this.#rows.set(name, row);
    return row;
  }

  /** The rows, those with the highest `weight` first; equal ones as they came. */
  sorted(weight: (row: T) => number): T[] {
    return [...this.#rows.values()].sort((a, b) => weight(b) - weight(a));
  }
}

interface Accesses {
  reads: number;
  writes: number;
}
const total = ({ reads, writes }: AccessCount): number => reads + writes;

interface PlaceRows {
  readonly device: string | undefined;
  readonly address: Accesses;
  readonly unclaimed: Accesses | undefined;
}

/** See the head of the file. */
export class TraceSummary {
  readonly #names: AccessNames;
  readonly #time: GuestTime;
  readonly #counts = new Rows((name) => ({ name, count: 0 }));
  readonly #hooks = new Rows((name) => ({ name, count: 0 }));
  readonly #assists = new Rows((name) => ({ name, count: 0 }));
  readonly #vectors = new Rows((vector) => ({ vector, count: 0 }));
  readonly #registers = new Rows((register) => ({ register, reads: 0, writes: 0 }));
  readonly #msrs = new Rows((msr) => ({ msr, reads: 0, writes: 0 }));
  readonly #addresses = new Rows<AddressCount & Accesses>(addressRow);
  readonly #unclaimed = new Rows<AddressCount & Accesses>(addressRow);
  readonly #ports = new Map<number, PlaceRows>();
  readonly #mmio = new Map<number, PlaceRows>();
  readonly #start: TraceStart;
  #retired = Number.NaN;
  #dmaBytes = 0;
  #inputBytes = 0;

  constructor(header: TraceHeader, start: TraceStart = atReset) {
    this.#names = new AccessNames(header, false, start);
    this.#time = guestTimeOf(header, start);
    this.#start = start;
  }

  /** Counts a record. Give it every one in order. */
  add(record: TraceRecord): void {
    this.#time.see(record);
    this.#retired = record.retired;
    this.#counts.of(recordNames[record.kind] as string).count++;
    for (const { register, device, address } of this.#names.follow(record)) {
      const isRead = record.kind === RecordKind.IoRead || record.kind === RecordKind.MmioRead;
      if (device !== undefined) count(this.#registers.of(register), isRead);
      const rows = this.#rowsAt(record.kind <= RecordKind.IoWrite ? 'port' : 'mmio', address, device);
      count(rows.address, isRead);
      if (rows.unclaimed) count(rows.unclaimed, isRead);
    }
    switch (record.kind) {
      case RecordKind.Inject:
        if (!isWaypoint(record)) this.#vectors.of(hex(record.vector, 2)).count++;
        return;
      case RecordKind.MsrRead:
      case RecordKind.MsrWrite:
        count(this.#msrs.of(hex(record.address)), record.kind === RecordKind.MsrRead);
        return;
      case RecordKind.Hook:
        this.#hooks.of(hookNames[record.hookKind] ?? '?').count++;
        return;
      case RecordKind.Assist:
        this.#assists.of(mnemonicOf(record.bytes, record.address)).count++;
        return;
      case RecordKind.Dma:
        this.#dmaBytes += record.size;
        return;
      case RecordKind.Input:
        this.#inputBytes += record.bytes.length;
        return;
      default:
    }
  }

  /** The rows of an address: those that it had last, which takes less time than to look for them by their names. */
  #rowsAt(space: 'port' | 'mmio', address: number, device: string | undefined): PlaceRows {
    const places = space === 'port' ? this.#ports : this.#mmio;
    const known = places.get(address);
    if (known && known.device === device) return known;
    const name = `${space} ${hex(address)} ${device ?? ''}`;
    const unclaimed = device === undefined ? this.#unclaimed.of(name) : undefined;
    const rows = { device, address: this.#addresses.of(name), unclaimed };
    if (places.size < ROWS_MAX) places.set(address, rows);
    return rows;
  }

  get #span(): TraceSpan {
    const isCounted = !Number.isNaN(this.#retired);
    const { retired, time } = this.#start;
    const start = { retired: isCounted ? retired : null, time };
    return { retired: isCounted ? this.#retired : null, time: this.#time.now, start };
  }

  get data(): TraceSummaryData {
    const byCount = (row: { readonly count: number }): number => row.count;
    const pairs = (rows: Rows<{ name: string; count: number }>) =>
      Object.fromEntries(rows.sorted(byCount).map(({ name, count }) => [name, count]));
    return {
      counts: pairs(this.#counts),
      span: this.#span,
      registers: this.#registers.sorted(total),
      addresses: this.#addresses.sorted(total),
      unclaimed: this.#unclaimed.sorted(total),
      interrupts: this.#vectors.sorted(byCount),
      msrs: this.#msrs.sorted(total),
      hooks: pairs(this.#hooks),
      assists: pairs(this.#assists),
      dmaBytes: this.#dmaBytes,
      inputBytes: this.#inputBytes,
    };
  }
}

function addressRow(place: string): AddressCount & Accesses {
  const [space, address = 'others', device] = place.split(' ');
  const where = space === 'mmio' ? 'mmio' : 'port';
  return {
    space: where,
    address,
    device: device || (address === 'others' ? 'others' : 'unclaimed'),
    reads: 0,
    writes: 0,
  };
}

function count(row: Accesses, isRead: boolean): void {
  if (isRead) row.reads++;
  else row.writes++;
}

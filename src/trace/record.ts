/** The records of a trace: what happened, one after the other (docs/determinism.md says in which order). */
import { hex, hexBytes } from '../base/hex.js';

/** Kinds of record. 1 to 9 are architectural: the guest made them, and every engine makes the same. */
export const RecordKind = {
  IoRead: 1,
  IoWrite: 2,
  MmioRead: 3,
  MmioWrite: 4,
  MsrRead: 5,
  MsrWrite: 6,
  Halt: 7,
  Shutdown: 8,
  Hook: 9,
  /** Guest time became this, and devices saw it. */
  Time: 10,
  /** An interrupt was delivered. */
  Inject: 11,
  /** A byte came from the host's console. */
  Input: 12,
  /** A device wrote to guest memory. */
  Dma: 13,
  /** The host's engine could not execute an instruction; another one did. */
  Assist: 14,
  /** Digests of the run so far, and of the whole state at this place. */
  Digest: 15,
} as const;
/** A value of {@link RecordKind}. */
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** The last kind that the guest made. */
export const LAST_ARCHITECTURAL = RecordKind.Hook;

/** The name of each kind, by its number. */
export const recordNames: readonly string[] = [
  '',
  'io-read',
  'io-write',
  'mmio-read',
  'mmio-write',
  'msr-read',
  'msr-write',
  'halt',
  'shutdown',
  'hook',
  'time',
  'inject',
  'input',
  'dma',
  'assist',
  'digest',
];

/** The numbers of RIP and RFLAGS among the registers of an Inject record. */
export const REGISTER_RIP = 16;
export const REGISTER_COUNT = 18;
/** The name of each landing of an Inject, by its number. */
export const landingNames: readonly string[] = ['exit', 'window', 'count', 'landmark', 'nmi', 'waypoint'];
/** The landings whose records have a {@link TraceLandmark}; Landing.Landmark of the machine, and Landing.Waypoint, which delivers nothing. */
const LANDING_LANDMARK = 3;
const LANDING_WAYPOINT = 5;
/** The last landing. */
export const LANDING_LAST = 5;
/** Whether the records of a landing have a {@link TraceLandmark}. */
export function hasLandmark(landing: number): boolean {
  return landing === LANDING_LANDMARK || landing === LANDING_WAYPOINT;
}

/** An Inject that delivers nothing. */
export function isWaypoint(record: TraceRecord): boolean {
  return record.kind === RecordKind.Inject && record.landing === LANDING_WAYPOINT;
}

/** Bytes of a hash in a landmark. */
export const HASH_SIZE = 8;
/** The most bytes of an Assist: an instruction has no more. */
export const INSTRUCTION_MAX = 15;
/** The most bytes of each digest of a Digest. */
export const DIGEST_MAX = 64;

/** The name of each HookKind, by its number. */
export const hookNames: readonly string[] = ['', 'RDTSC', 'RDTSCP', 'RDRAND', 'RDSEED', 'CPUID'];
/** Which of low, high, aux, ebx an answer has, by HookKind: RDTSC, RDTSCP, RDRAND, RDSEED, CPUID. */
export const HOOK_WORDS: readonly number[] = [0, 2, 3, 2, 2, 4];
/** Whether the HookKind answers a time stamp. */
export function isTimestamp(hookKind: number): boolean {
  return hookKind === 1 || hookKind === 2;
}
/** Where the bytes of a Dma are. */
export const DmaWay = { Inline: 0, Blob: 1, Zeros: 2 } as const;

/** What tells the place of an injection beside its registers, where no exit is near (design, section 4). */
export interface TraceLandmark {
  /** The hash of the CPU's state besides the registers: HASH_SIZE bytes. */
  readonly cpuHash: Uint8Array;
  /** Twice the guest-physical numbers of pages, ascending, plus 1 for a page table, of which accessed and dirty bits are not hashed. */
  readonly pages: readonly number[];
  /** The hash of each page, one behind the other. */
  readonly hashes: Uint8Array;
}

/** One record. A reader reuses it for the next one: what must be kept is copied with {@link TraceRecord.assign}. */
export class TraceRecord {
  /** Its place in the trace; the first is 0. */
  ordinal = 0;
  /** The number of the vCPU. */
  vcpu = 0;
  kind: RecordKind = RecordKind.Halt;
  /** Instructions retired when it was made; NaN where the engine did not count. */
  retired = Number.NaN;
  /** Port, guest-physical address, MSR index or number of the hook site. Assist: the bits of its code; 0: not known. */
  address = 0;
  /** Bytes of an access or a DMA. */
  size = 0;
  /** An MSR access was refused. Hook: unused. */
  fault = false;
  /** The data of an access, little-endian, `size` bytes. */
  readonly data = new Uint8Array(8);
  /** Hook: the HookKind and the answer (HookPerformer). */
  hookKind = 0;
  low = 0;
  high = 0;
  aux = 0;
  ebx = 0;
  /** Time: guest nanoseconds. */
  time = 0;
  /** Inject. */
  vector = 0;
  /** Inject: a Landing (vmm/machine-taps.ts): 0 exit, 1 window, 2 count, 3 landmark, 4 an NMI behind an exit, 5 waypoint. */
  landing = 0;
  readonly registers = new Uint8Array(REGISTER_COUNT * 8);
  /** Inject with the landing 3; otherwise undefined. */
  landmark: TraceLandmark | undefined;
  /**
   * Input, Dma and Assist (the instruction): a view that holds until the next record is read. Digest: the rolling digest
   * of the architectural records so far.
   */
  bytes: Uint8Array = new Uint8Array(0);
  /** Digest: of the whole state, CPU and RAM; a view likewise. */
  stateDigest: Uint8Array = new Uint8Array(0);

  /** The guest made it. */
  get architectural(): boolean {
    return this.kind <= LAST_ARCHITECTURAL;
  }

  /** Becomes a copy of `other`. */
  assign(other: TraceRecord): void {
    this.ordinal = other.ordinal;
    this.vcpu = other.vcpu;
    this.kind = other.kind;
    this.retired = other.retired;
    this.address = other.address;
    this.size = other.size;
    this.fault = other.fault;
    this.data.set(other.data);
    this.hookKind = other.hookKind;
    this.low = other.low;
    this.high = other.high;
    this.aux = other.aux;
    this.ebx = other.ebx;
    this.time = other.time;
    this.vector = other.vector;
    this.landing = other.landing;
    if (other.kind === RecordKind.Inject) this.registers.set(other.registers);
    this.landmark = other.landmark;
    this.bytes = other.bytes.length === 0 ? other.bytes : other.bytes.slice();
    this.stateDigest = other.stateDigest.length === 0 ? other.stateDigest : other.stateDigest.slice();
  }

  /** The data as a number in hex, as wide as the access. */
  get dataHex(): string {
    return hexNumber(this.data, 0, this.size);
  }
}

/** Little-endian bytes as a hexadecimal number. */
export function hexNumber(bytes: Uint8Array, offset: number, size: number): string {
  let text = '';
  for (let index = size - 1; index >= 0; index--) text += (bytes[offset + index] ?? 0).toString(16).padStart(2, '0');
  return `0x${text}`;
}

/** A record without its ordinal and count, in words: `io-read port 0x3fd size 1 = 0x60`. */
export function describeRecord(record: TraceRecord): string {
  const name = recordNames[record.kind] ?? '';
  switch (record.kind) {
    case RecordKind.IoRead:
    case RecordKind.IoWrite:
      return `${name} port ${hex(record.address)} size ${record.size} = ${record.dataHex}`;
    case RecordKind.MmioRead:
    case RecordKind.MmioWrite:
      return `${name} address ${hex(record.address)} size ${record.size} = ${record.dataHex}`;
    case RecordKind.MsrRead:
    case RecordKind.MsrWrite:
      return `${name} ${hex(record.address)} ${record.fault ? 'refused with #GP(0)' : `= ${record.dataHex}`}`;
    case RecordKind.Halt:
    case RecordKind.Shutdown:
      return name;
    case RecordKind.Hook: {
      const kind = hookNames[record.hookKind] ?? '?';
      const more = record.hookKind === 5 ? ` ecx ${hex(record.aux)} ebx ${hex(record.ebx)}` : '';
      return `${name} ${kind} at site ${record.address} = ${hex(record.high)}:${hex(record.low, 8)}${more}`;
    }
    case RecordKind.Time:
      return `${name} ${record.time} ns`;
    case RecordKind.Inject: {
      const rip = hexNumber(record.registers, REGISTER_RIP * 8, 8);
      const pages = record.landmark ? ` with ${record.landmark.pages.length} pages` : '';
      if (isWaypoint(record)) return `${name} nothing at waypoint${pages}, rip ${rip}`;
      return `${name} vector ${hex(record.vector, 2)} at ${landingNames[record.landing] ?? '?'}${pages}, rip ${rip}`;
    }
    case RecordKind.Input:
      return `${name} ${hexBytes(record.bytes, ' ')}`;
    case RecordKind.Dma:
      return `${name} address ${hex(record.address)} length ${record.bytes.length}`;
    case RecordKind.Assist:
      return `${name} ${hexBytes(record.bytes, ' ')}${record.address === 0 ? '' : ` in ${record.address}-bit code`}`;
    case RecordKind.Digest:
      return `${name}${digestText(' run', record.bytes)}${digestText(' state', record.stateDigest)}`;
  }
}

function digestText(name: string, bytes: Uint8Array): string {
  return bytes.length === 0 ? '' : `${name} ${hexBytes(bytes)}`;
}

/** A record in a line, with its ordinal and, where known, its instruction count. */
export function formatRecord(record: TraceRecord): string {
  const count = Number.isNaN(record.retired) ? '' : ` @${record.retired}`;
  return `#${record.ordinal}${count} ${describeRecord(record)}`;
}

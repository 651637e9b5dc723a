/** The header of a trace: everything but the image that a replay starts from, and what people want to know of it. */
import { ColumnError } from './columns.js';
import { Fields } from './fields.js';

/** One row of the CPUID table; u32 each. As CpuidEntry of the vCPU. */
export interface TraceCpuidEntry {
  readonly function: number;
  readonly index: number;
  readonly indexed: boolean;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** A file that the guest was loaded from. */
export interface TraceGuestFile {
  /** `kernel`, `initrd`, `module`, `flat` or `rom`. */
  readonly role: string;
  /** Its name without the folder: for people only. */
  readonly name: string;
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
}

/** One hooked instruction; as HookSite of the machine. */
export interface TraceHookSite {
  readonly key: bigint;
  readonly address: bigint;
  readonly kind: number;
  readonly register: number;
  readonly width: number;
  readonly length: number;
}

/** The header. All but `id` and `date` is the same for two recordings of one guest on the interpreter. */
export interface TraceHeader {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** Milliseconds since 1970. */
  readonly date: number;
  /** The version of vmtape that recorded. */
  readonly vmtape: string;
  readonly engine: 'kvm' | 'interp';
  /** Every record has the number of instructions retired. */
  readonly counting: boolean;
  /** The processor that CPUID names. */
  readonly cpuModel: string;
  /** The CPUID table as the guest saw it. */
  readonly cpuid: readonly TraceCpuidEntry[];
  readonly memorySize: number;
  /** Bytes of the ROM; 0: there is none. */
  readonly romSize: number;
  /** The state of the CPU before the first instruction, as state/codec.ts encodes it. */
  readonly cpuState: Uint8Array;
  readonly hooks: readonly TraceHookSite[];
  /** What the devices of the machine were made with. */
  readonly rtcTime: number;
  readonly seed: number;
  readonly strictBus: boolean;
  /** The host bridge switches RAM and ROM below 1 MiB. Absent: a bridge that does nothing. */
  readonly chipset?: 'i440fx';
  readonly tsc: 'hook' | 'hide' | 'pass';
  /** What the guest was loaded from. */
  readonly files: readonly TraceGuestFile[];
  /** The whole memory is in the trace. False: parts of it are parts of {@link files}, which a replay must be given. */
  readonly embedded: boolean;
  /** The options of the command line, the host and the ledger: JSON. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly host: Readonly<Record<string, unknown>>;
  readonly ledger: unknown;
}

/** How a recording ended: the last frame. */
export interface TraceEnd {
  /** EndReason of the machine. */
  readonly reason: string;
  readonly exitCode: number;
  readonly message: string;
  readonly position: 'exit' | 'count' | 'anywhere';
  readonly records: number;
  /** Instructions retired; -1 where the engine did not count. */
  readonly retired: number;
  /** Bytes sent to the serial and the debug console, and the SHA-256 of them, in hex; -1 and empty: not known. */
  readonly consoleBytes: number;
  readonly consoleDigest: string;
  readonly debugBytes: number;
  readonly debugDigest: string;
  /** The registers at the end (Vcpu.readRegisters); empty where `position` is `anywhere`. */
  readonly registers: Uint8Array;
  /** SHA-256 of RAM at the end in hex; empty where `position` is `anywhere`. */
  readonly memoryDigest: string;
  /** Open rows of the ledger that were hit: the recording is not exact. */
  readonly inexact: readonly string[];
  /** Instructions that the interpreter executed for KVM. */
  readonly assists: number;
}

const HOOK_SIZE = 32;
const CPUID_SIZE = 28;

/** The header as data for msgpack. */
export function headerMessage(header: TraceHeader): Record<string, unknown> {
  const { id: _id, date: _date, cpuid, hooks, files, options, host, ledger, ...rest } = header;
  return {
    ...rest,
    cpuid: packWords(cpuid, CPUID_SIZE, (row) => [
      row.function,
      row.index,
      row.indexed ? 1 : 0,
      row.eax,
      row.ebx,
      row.ecx,
      row.edx,
    ]),
    hooks: packWords(hooks, HOOK_SIZE, (site) => [
      Number(site.key & 0xffff_ffffn),
      Number(site.key >> 32n),
      Number(site.address & 0xffff_ffffn),
      Number(site.address >> 32n),
      site.kind,
      site.register,
      site.width,
      site.length,
    ]),
    files: files.map(({ role, name, size, sha256 }) => [role, name, size, sha256]),
    options: JSON.stringify(options),
    host: JSON.stringify(host),
    ledger: JSON.stringify(ledger ?? null),
  };
}

/** The header of checked data. Throws {@link ColumnError} for what no writer writes. */
export function parseHeader(message: unknown, id: Uint8Array, date: number): TraceHeader {
  const fields = new Fields(message, 'header');
  return {
    id,
    date,
    vmtape: fields.text('vmtape'),
    engine: fields.word('engine', ['kvm', 'interp']),
    counting: fields.flag('counting'),
    cpuModel: fields.text('cpuModel'),
    cpuid: unpackWords(fields.bytes('cpuid'), CPUID_SIZE, 'CPUID table').map(
      ([leaf = 0, index = 0, indexed = 0, eax = 0, ebx = 0, ecx = 0, edx = 0]) => ({
        function: leaf,
        index,
        indexed: indexed !== 0,
        eax,
        ebx,
        ecx,
        edx,
      }),
    ),
    memorySize: fields.number('memorySize', 0xffff_ffff),
    romSize: fields.number('romSize', 0x40_0000),
    cpuState: fields.bytes('cpuState'),
    hooks: unpackWords(fields.bytes('hooks'), HOOK_SIZE, 'hook table').map(
      ([keyLow = 0, keyHigh = 0, low = 0, high = 0, kind = 0, register = 0, width = 0, length = 0]) => ({
        key: (BigInt(keyHigh) << 32n) | BigInt(keyLow),
        address: (BigInt(high) << 32n) | BigInt(low),
        kind,
        register,
        width,
        length,
      }),
    ),
    rtcTime: fields.number('rtcTime', Number.MAX_SAFE_INTEGER),
    seed: fields.number('seed', 0xffff_ffff),
    strictBus: fields.flag('strictBus'),
    ...(fields.value('chipset') !== undefined && { chipset: fields.word('chipset', ['i440fx'] as const) }),
    tsc: fields.word('tsc', ['hook', 'hide', 'pass']),
    files: fields.list('files').map(parseGuestFile),
    embedded: fields.flag('embedded'),
    options: fields.jsonObject('options'),
    host: fields.jsonObject('host'),
    ledger: fields.json('ledger'),
  };
}

function parseGuestFile(value: unknown): TraceGuestFile {
  const [role, name, size, sha256] = Array.isArray(value) ? (value as unknown[]) : [];
  const isSize = typeof size === 'number' && Number.isInteger(size) && size >= 0;
  if (typeof role !== 'string' || typeof name !== 'string' || typeof sha256 !== 'string' || !isSize) {
    throw new ColumnError('has no header with valid files');
  }
  return { role, name, size, sha256 };
}

/** The end of a trace that stops between two states: of console, registers and memory nothing is known there. */
export function endAnywhere(
  known: Pick<TraceEnd, 'reason' | 'exitCode' | 'message' | 'retired'>,
): Omit<TraceEnd, 'records'> {
  const { reason, exitCode, message, retired } = known;
  return {
    ...{ reason, exitCode, message, position: 'anywhere', retired },
    ...{ consoleBytes: -1, consoleDigest: '', debugBytes: -1, debugDigest: '' },
    ...{ registers: new Uint8Array(0), memoryDigest: '', inexact: [], assists: 0 },
  };
}

/** The end as data for msgpack. */
export function endMessage(end: TraceEnd): Record<string, unknown> {
  const { records, inexact, assists, ...rest } = end;
  // One order of the fields, whoever made the object.
  return { ...rest, records, inexact, assists };
}

/** The end of checked data. Throws {@link ColumnError} likewise. */
export function parseEnd(message: unknown): TraceEnd {
  const fields = new Fields(message, 'end');
  return {
    reason: fields.text('reason'),
    exitCode: fields.number('exitCode', 0xffff_ffff),
    message: fields.text('message'),
    position: fields.word('position', ['exit', 'count', 'anywhere']),
    records: fields.number('records', Number.MAX_SAFE_INTEGER),
    retired: fields.number('retired', Number.MAX_SAFE_INTEGER, -1),
    consoleBytes: fields.number('consoleBytes', Number.MAX_SAFE_INTEGER, -1),
    consoleDigest: fields.text('consoleDigest'),
    debugBytes: fields.number('debugBytes', Number.MAX_SAFE_INTEGER, -1),
    debugDigest: fields.text('debugDigest'),
    registers: fields.bytes('registers'),
    memoryDigest: fields.text('memoryDigest'),
    inexact: fields.texts('inexact'),
    assists: fields.number('assists', Number.MAX_SAFE_INTEGER),
  };
}

function packWords<T>(rows: readonly T[], size: number, words: (row: T) => readonly number[]): Uint8Array {
  const bytes = new Uint8Array(rows.length * size);
  const view = new DataView(bytes.buffer);
  for (const [index, row] of rows.entries()) {
    for (const [word, value] of words(row).entries()) view.setUint32(index * size + word * 4, value, true);
  }
  return bytes;
}

function unpackWords(bytes: Uint8Array, size: number, what: string): number[][] {
  if (bytes.length % size !== 0) throw new ColumnError(`has a ${what} of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rows: number[][] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const row: number[] = [];
    for (let word = 0; word < size; word += 4) row.push(view.getUint32(at + word, true));
    rows.push(row);
  }
  return rows;
}

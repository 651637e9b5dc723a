/**
 * JSON Lines: an object a record, in a line of its own. Counts and times are numbers; addresses, ports and values are
 * hexadecimal text (`0x3f8`), as wide as the access where they are data; bytes are hexadecimal text without `0x`.
 */
import { hex, hexBytes } from '../../base/hex.js';
import {
  HASH_SIZE,
  HOOK_WORDS,
  hexNumber,
  hookNames,
  landingNames,
  RecordKind,
  recordNames,
  type TraceLandmark,
  type TraceRecord,
} from '../record.js';
import type { Exporter } from './exporter.js';

/** The registers of an injection, in the order of docs/trace-format.md. */
const registerNames = [
  ...['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'],
  ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip', 'rflags'],
];

/** See the head of the file. */
export class JsonlExporter implements Exporter {
  readonly encoding = 'utf8';

  begin(): string {
    return '';
  }

  record(record: TraceRecord): string {
    const { ordinal, kind, retired, vcpu } = record;
    const known = { ordinal, kind: recordNames[kind], retired: Number.isNaN(retired) ? null : retired, vcpu };
    return `${JSON.stringify({ ...known, ...fieldsOf(record) })}\n`;
  }

  finish(): string {
    return '';
  }
}

/** The fields that records of this kind have. */
function fieldsOf(record: TraceRecord): Record<string, unknown> {
  const { address, size, bytes } = record;
  switch (record.kind) {
    case RecordKind.IoRead:
    case RecordKind.IoWrite:
      return { port: hex(address), size, data: record.dataHex };
    case RecordKind.MmioRead:
    case RecordKind.MmioWrite:
      return { address: hex(address), size, data: record.dataHex };
    case RecordKind.MsrRead:
    case RecordKind.MsrWrite:
      return record.fault ? { msr: hex(address), fault: true } : { msr: hex(address), data: record.dataHex };
    case RecordKind.Halt:
    case RecordKind.Shutdown:
      return {};
    case RecordKind.Hook: {
      const words = { low: hex(record.low), high: hex(record.high), ecx: hex(record.aux), ebx: hex(record.ebx) };
      const count = HOOK_WORDS[record.hookKind] ?? 0;
      const answer = Object.fromEntries(Object.entries(words).slice(0, count));
      return { hook: hookNames[record.hookKind], site: address, ...answer };
    }
    case RecordKind.Time:
      return { time: record.time };
    case RecordKind.Inject:
      return {
        vector: record.vector,
        landing: landingNames[record.landing],
        registers: registersOf(record.registers),
        ...(record.landmark && { landmark: landmarkOf(record.landmark) }),
      };
    case RecordKind.Input:
    case RecordKind.Assist:
      return { bytes: hexBytes(bytes) };
    case RecordKind.Dma:
      return { address: hex(address), bytes: hexBytes(bytes) };
    case RecordKind.Digest:
      return { run: hexBytes(bytes), state: hexBytes(record.stateDigest) };
  }
}

function registersOf(registers: Uint8Array): Record<string, string> {
  return Object.fromEntries(registerNames.map((name, index) => [name, hexNumber(registers, index * 8, 8)]));
}

function landmarkOf({ cpuHash, pages, hashes }: TraceLandmark): unknown {
  return {
    cpu: hexBytes(cpuHash),
    pages: pages.map((page, index) => ({
      page: Math.floor(page / 2),
      table: page % 2 === 1,
      hash: hexBytes(hashes.subarray(index * HASH_SIZE, (index + 1) * HASH_SIZE)),
    })),
  };
}

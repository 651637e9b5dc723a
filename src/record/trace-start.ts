/** What a trace says before its first record: the header and the memory of the guest. */
import { createHash } from 'node:crypto';
import { packageVersion } from '../base/version.js';
import type { TraceGuestFile, TraceHeader } from '../trace/header.js';
import type { Placement } from '../trace/placements.js';
import type { TraceImage } from '../trace/writer.js';
import { cpuStateTable } from '../vmm/cpu/state.js';
import { EXIT_TIME } from '../vmm/guest-time.js';
import { cpuModel } from '../vmm/machine-cpuid.js';
import { DEFAULT_RTC_TIME } from '../vmm/machine-options.js';
import { type GuestMemory, isRom, memoryRuns } from '../vmm/memory.js';
import { encodeState } from '../vmm/state/codec.js';
import type { RecordedFile, RecordOptions } from './options.js';

const FOUR_GIB = 2 ** 32;

/** The header of the recording that the options ask for. */
export function headerOf(options: RecordOptions): TraceHeader {
  const { machine } = options;
  const { guest, hiddenFeatures, timeScale = 1, exitTime = EXIT_TIME } = machine;
  const { userReturns, assistsPaging, assistsAll, fxsaveClears } = machine;
  return {
    id: options.id,
    date: options.date,
    vmtape: packageVersion(),
    engine: machine.engine,
    counting: machine.engine === 'interp',
    cpuModel: cpuModel(machine.cpuid),
    cpuid: machine.cpuid,
    memorySize: guest.memory.ramSize,
    romSize: guest.memory.storage.find(isRom)?.length ?? 0,
    cpuState: encodeState(cpuStateTable, guest.cpu),
    hooks: guest.hooks.sites,
    rtcTime: machine.rtcTime ?? DEFAULT_RTC_TIME,
    seed: machine.seed ?? 1,
    strictBus: machine.strictBus ?? false,
    ...(guest.memory.hasWindows && { chipset: 'i440fx' as const }),
    tsc: options.tsc,
    files: (options.files ?? []).map(describeFile),
    embedded: options.embed ?? true,
    options: options.options,
    host: {
      ...options.host,
      ...(hiddenFeatures !== undefined && { hidden: hiddenFeatures }),
      ...(timeScale > 1 && { timeScale }),
      ...(userReturns !== undefined && { userReturns: userReturns.map(toHex) }),
      ...(assistsPaging === true && { assistsPaging }),
      ...(assistsAll === true && { assistsAll }),
      ...(fxsaveClears === true && { fxsaveClears }),
      ...(machine.engine === 'interp' && exitTime > 0 && { exitTime }),
    },
    ledger: options.ledger,
  };
}

function toHex(address: bigint): string {
  return `0x${address.toString(16)}`;
}

function describeFile({ role, name, bytes }: RecordedFile): TraceGuestFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { role, name: name.replace(/^.*\//s, ''), size: bytes.length, sha256 };
}

/** Memory as it is now. */
export function imageOf(options: RecordOptions): TraceImage {
  const { memory } = options.machine.guest;
  const ram = memoryRuns(memory);
  if (options.embed ?? true) return { ram };
  const files = options.files ?? [];
  return { ram, placed: { files: files.map(({ bytes }) => bytes), placements: placementsOf(memory, files) } };
}

/** Where parts of the files stand in memory. */
function placementsOf(memory: GuestMemory, files: readonly RecordedFile[]): Placement[] {
  const placements: Placement[] = [];
  for (const { gpa, bytes } of memory.placed) {
    const file = files.findIndex((one) => isPartOf(bytes, one.bytes));
    if (file < 0) continue;
    const offset = bytes.byteOffset - (files[file] as RecordedFile).bytes.byteOffset;
    placements.push({ file, offset, length: bytes.length, gpa });
  }
  const rom = files.findIndex(({ role }) => role === 'rom');
  const length = files[rom]?.bytes.length ?? 0;
  if (length > 0) placements.push({ file: rom, offset: 0, length, gpa: FOUR_GIB - length });
  return placements;
}

function isPartOf(part: Uint8Array, whole: Uint8Array): boolean {
  const offset = part.byteOffset - whole.byteOffset;
  return part.buffer === whole.buffer && offset >= 0 && offset + part.length <= whole.length;
}

/** Making the report of a divergence. */
import { Decoder, Formatter, FormatterSyntax } from 'iced-x86';
import { hexBytes } from '../base/hex.js';
import type { TraceReader } from '../trace/reader.js';
import { hexNumber, REGISTER_RIP } from '../trace/record.js';
import { GPR_NAMES } from '../vmm/cpu/state.js';
import { REGISTERS_SIZE, type Vcpu } from '../vmm/cpu/vcpu.js';
import { codeBits, codeBytes } from '../vmm/machine-walk.js';
import type { GuestMemory } from '../vmm/memory.js';
import type { Divergence } from './divergence.js';
import type { RecordFeed } from './feed.js';
import type { HoleWatch } from './unhooked.js';

/** The registers of Vcpu.readRegisters and of an Inject record, in their order. */
const registerNames = [...GPR_NAMES, 'rip', 'rflags'];

const RF_BYTE = 17 * 8 + 2;
const RF_BIT = 1;

/** Thrown within a replay to stop it at its first difference; never leaves the session. */
export class DivergenceFound extends Error {
  constructor(
    readonly what: string,
    readonly expected: string,
    readonly actual: string,
  ) {
    super(what);
  }
}

/** Where the vCPU stands. */
export interface CpuPlace {
  readonly rip: string;
  readonly disassembly: string;
  readonly registers: Readonly<Record<string, string>>;
}

/** Reads where the vCPU stands; an instruction that waits for the answer to its I/O is shown as the one under way. */
export function cpuPlace(vcpu: Vcpu, memory: GuestMemory): CpuPlace {
  const bytes = new Uint8Array(REGISTERS_SIZE);
  vcpu.readRegisters(bytes);
  const registers: Record<string, string> = {};
  for (const [index, name] of registerNames.entries()) registers[name] = hexNumber(bytes, index * 8, 8).slice(2);
  const rip = new DataView(bytes.buffer).getBigUint64(REGISTER_RIP * 8, true);
  return { rip: rip.toString(16).padStart(16, '0'), disassembly: disassemblyAt(vcpu, memory, rip), registers };
}

function disassemblyAt(vcpu: Vcpu, memory: GuestMemory, rip: bigint): string {
  try {
    vcpu.complete();
    const state = vcpu.getState();
    const code = codeBytes(memory, { ...state, rip }, 15);
    return code.length === 0 ? 'no memory is there' : disassemble(code, codeBits(state), rip);
  } catch (error) {
    return `not readable: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The first instruction of `code` with its bytes: `ec  in al,dx`. */
export function disassemble(code: Uint8Array, bits: 16 | 32 | 64, rip: bigint): string {
  const decoder = new Decoder(bits, code, 0);
  decoder.ip = rip;
  const formatter = new Formatter(FormatterSyntax.Intel);
  const instruction = decoder.decode();
  try {
    if (instruction.isInvalid) return `${hexBytes(code, ' ')}  (no instruction)`;
    return `${hexBytes(code.subarray(0, instruction.length), ' ')}  ${formatter.format(instruction)}`;
  } finally {
    instruction.free();
    formatter.free();
    decoder.free();
  }
}

/** The registers in which two sets differ, in words: `rax 0x…1, rip 0x…2` of `bytes`. */
export function differingRegisters(bytes: Uint8Array, other: Uint8Array): string {
  const parts: string[] = [];
  for (const [index, name] of registerNames.entries()) {
    const value = hexNumber(bytes, index * 8, 8);
    if (value !== hexNumber(other, index * 8, 8)) parts.push(`${name} ${value}`);
  }
  return parts.join(', ');
}

/** Two register sets are the same. `isLandmark`: but for RFLAGS.RF, which processors show between the rounds of a REP. */
export function sameRegisters(a: Uint8Array, b: Uint8Array, isLandmark = false): boolean {
  for (let index = 0; index < REGISTERS_SIZE; index++) {
    const mask = isLandmark && index === RF_BYTE ? 0xff & ~RF_BIT : 0xff;
    if (((a[index] as number) ^ (b[index] as number)) & mask) return false;
  }
  return true;
}

/** RFLAGS.RF in a register set. */
export function hasResumeFlag(registers: Uint8Array): boolean {
  return ((registers[RF_BYTE] as number) & RF_BIT) !== 0;
}

/** A replay that came to a difference. */
interface StoppedReplay {
  readonly reader: TraceReader;
  readonly vcpu: Vcpu;
  readonly guest: { readonly memory: GuestMemory };
  /** In machine mode. */
  readonly board: object | undefined;
  readonly hint: string | undefined;
  readonly holes: HoleWatch;
  /** The ordinal of the record before which it started. */
  readonly start: number;
}

/** The report of the difference. */
export function divergenceOf(found: DivergenceFound, replay: StoppedReplay, feed: RecordFeed): Divergence {
  const { vcpu, reader, start } = replay;
  const record = feed.waiting;
  const retired = record && !Number.isNaN(record.retired) ? record.retired : undefined;
  const mode = replay.board ? 'machine' : 'cpu';
  const { hint } = replay;
  const { hole } = replay.holes;
  const from = start > 0 ? ` --from record:${start}` : '';
  return {
    record: feed.consumed,
    what: found.what,
    expected: found.expected,
    actual: found.actual,
    instructions: Number.isNaN(vcpu.retired) ? undefined : vcpu.retired,
    recordedInstructions: retired,
    ...cpuPlace(vcpu, replay.guest.memory),
    before: feed.recent(),
    ...(hint !== undefined && { hint }),
    ...(hole !== undefined && { hole }),
    command: `vmtape replay ${quoted(reader.path)} --engine ${vcpu.engine} --mode ${mode}${from}`,
  };
}

/** A path as a shell takes it. */
export function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

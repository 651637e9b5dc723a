/**
 * From a linear address to guest memory, as the vCPU's paging says (Intel SDM volume 3A, chapter 5). Only for looking:
 * nothing is set accessed, no permission is checked.
 */
import { CR0_PG, CR4_LA57, CR4_PAE, CR4_PSE, EFER_LMA } from './cpu/control-bits.js';
import { isRepeat, isSizeOrSegment, isStringOpcode } from './cpu/kvm-string.js';
import type { CpuState } from './cpu/state.js';
import type { Vcpu } from './cpu/vcpu.js';
import type { GuestMemory } from './memory.js';

const PRESENT = 1n;
const LARGE = 1n << 7n;
/** The longest instruction. */
const LENGTH_MAX = 15;
const FRAME = 0xf_ffff_ffff_f000n;

/** The guest-physical address of a linear one; undefined where no page is present. */
export function translate(memory: GuestMemory, state: CpuState, linear: bigint): bigint | undefined {
  if (!(state.cr0 & CR0_PG)) return linear & 0xffff_ffffn;
  if (state.efer & EFER_LMA) return walk(memory, state.cr3 & FRAME, linear, state.cr4 & CR4_LA57 ? 48n : 39n, 8);
  if (!(state.cr4 & CR4_PAE)) return walk32(memory, state, linear & 0xffff_ffffn);
  const pointer = state.pdpte[Number((linear >> 30n) & 3n)] ?? 0n;
  return pointer & PRESENT ? walk(memory, pointer & FRAME, linear & 0xffff_ffffn, 21n, 8) : undefined;
}

/** Tables of 512 entries of 8 bytes; `shift` is that of the topmost table. */
function walk(memory: GuestMemory, root: bigint, linear: bigint, top: bigint, size: number): bigint | undefined {
  let table = root;
  for (let shift = top; ; shift -= 9n) {
    const entry = read(memory, table + ((linear >> shift) & 0x1ffn) * 8n, size);
    if (entry === undefined || !(entry & PRESENT)) return undefined;
    const offset = (1n << shift) - 1n;
    if (shift === 12n || (entry & LARGE && shift <= 30n)) return (entry & FRAME & ~offset) | (linear & offset);
    table = entry & FRAME;
  }
}

/** Two tables of 1024 entries of 4 bytes; with PSE, pages of 4 MiB with their upper address in bits 13 to 20. */
function walk32(memory: GuestMemory, state: CpuState, linear: bigint): bigint | undefined {
  const directory = read(memory, (state.cr3 & 0xffff_f000n) + (linear >> 22n) * 4n, 4);
  if (directory === undefined || !(directory & PRESENT)) return undefined;
  if (directory & LARGE && state.cr4 & CR4_PSE) {
    return (directory & 0xffc0_0000n) | (((directory >> 13n) & 0xffn) << 32n) | (linear & 0x3f_ffffn);
  }
  const entry = read(memory, (directory & 0xffff_f000n) + ((linear >> 12n) & 0x3ffn) * 4n, 4);
  if (entry === undefined || !(entry & PRESENT)) return undefined;
  return (entry & 0xffff_f000n) | (linear & 0xfffn);
}

function read(memory: GuestMemory, address: bigint, size: number): bigint | undefined {
  const gpa = Number(address);
  if (!memory.contains(gpa, size)) return undefined;
  return size === 8 ? memory.readU64(gpa) : BigInt(memory.readU32(gpa));
}

/** Up to `count` bytes of code at CS:RIP; fewer where the next page is not there. */
export function codeBytes(memory: GuestMemory, state: CpuState, count: number): Uint8Array {
  const bytes: number[] = [];
  const isLong = (state.efer & EFER_LMA) !== 0n && (state.cs.attributes & (1 << 13)) !== 0;
  const start = isLong ? state.rip : (state.cs.base + state.rip) & 0xffff_ffffn;
  for (let index = 0; index < count; index++) {
    const physical = translate(memory, state, start + BigInt(index));
    if (physical === undefined || !memory.contains(Number(physical), 1)) break;
    bytes.push(memory.readU8(Number(physical)));
  }
  return Uint8Array.from(bytes);
}

/** 16, 32 or 64: how code at CS is decoded. */
export function codeBits(state: CpuState): 16 | 32 | 64 {
  if (state.efer & EFER_LMA && state.cs.attributes & (1 << 13)) return 64;
  return state.cs.attributes & (1 << 14) ? 32 : 16;
}

/**
 * Whether KVM stands at a repeated string instruction: between two rounds of it, where the interpreter, which finishes
 * the instruction, never stands; or, which cannot be told apart, in front of it.
 */
export function isWithinString(vcpu: Vcpu, memory: GuestMemory): boolean {
  if (vcpu.engine === 'interp') return false;
  const state = vcpu.getState();
  return repeatedString(codeBytes(memory, state, LENGTH_MAX), state) !== undefined;
}

/** A repeated string instruction. */
export interface RepeatedString {
  /** INS or OUTS. */
  readonly isIo: boolean;
  /** The bits of RCX that count. */
  readonly countMask: bigint;
}

/** The repeated string instruction that `code` begins with; undefined: it is none. */
export function repeatedString(code: Uint8Array, state: CpuState): RepeatedString | undefined {
  const end = code.findIndex((byte) => !isSizeOrSegment(byte) && !isRepeat(byte));
  if (end < 0) return undefined;
  const prefixes = code.subarray(0, end);
  const opcode = code[end] as number;
  const isIo = opcode >= 0x6c && opcode <= 0x6f;
  if (!isStringOpcode(opcode) || !prefixes.some(isRepeat)) return undefined;
  const bits = codeBits(state);
  const isOther = prefixes.includes(0x67);
  const isWide = bits === 64 && !isOther;
  const isNarrow = (bits === 16) !== isOther && bits !== 64;
  return { isIo, countMask: isWide ? 0xffff_ffff_ffff_ffffn : isNarrow ? 0xffffn : 0xffff_ffffn };
}

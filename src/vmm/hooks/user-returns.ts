/**
 * Finding where a 64-bit kernel returns to user mode: its IRETQ, SYSRETQ and SYSRETL (Intel SDM volume 2). Nothing is written there: they become
 * breakpoints of a KVM that must not execute user code (src/vmm/machine-assist.ts), and a processor has four. So where there are more, those
 * are taken that stand nearest to a SYSRET, which is in the kernel's entry code and returns to nowhere else.
 */
import { Code, Decoder, DecoderError, DecoderOptions, Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
import type { ElfImage, ElfSection } from '../boot/elf.js';
import { BREAKPOINTS_MAX } from '../cpu/kvm-constants.js';
import { readAlternatives } from './alternatives.js';
import { knownStarts, lastNotAbove } from './starts.js';

/** Instructions that push the frame of an IRETQ, and what may stand between them. */
const FRAME_INSTRUCTIONS = 10;
/** So many bytes before a return they begin, at least. */
const FRAME_BYTES = 48n;
/** Bits 0 and 1 of a selector. */
const RPL = 3n;
/** Selectors that kernels push are small. */
const SELECTOR_MAX = 0x100n;

interface Return {
  readonly address: bigint;
  readonly isSysret: boolean;
}

/** Linear addresses of returns to user mode in the executable sections of a 64-bit image, four at most; none for other images. */
export function findUserReturns(image: ElfImage): readonly bigint[] {
  if (image.bits !== 64) return [];
  const starts = knownStarts(image, readAlternatives(image));
  const returns = image.sections
    // What a kernel runs but once, before there is user code.
    .filter(({ executable, name }) => executable && !name.startsWith('.init') && !name.startsWith('.altinstr'))
    .flatMap((section) => returnsOf(section, starts));
  return nearest(returns);
}

/** The same of 64-bit code that runs at `base`, of which it is not known where instructions begin: some may be none. */
export function findFlatUserReturns(bytes: Uint8Array, base: bigint): readonly bigint[] {
  return nearest(
    candidates(bytes).map((offset) => ({ address: base + BigInt(offset), isSysret: isSysretAt(bytes, offset) })),
  );
}

function isSysretAt(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] !== REX_W || bytes[offset + 1] === 0x0f;
}

/**
 * The same of the code around `entry`, where SYSCALL leads: `bytes`, which run at `base`. What is disassembled from there and is a return of
 * the kernel to itself is left out.
 */
export function findReturnsAround(entry: bigint, bytes: Uint8Array, base: bigint): readonly bigint[] {
  const from = Number(entry - base);
  return nearest(
    candidates(bytes).flatMap((offset) => {
      const address = base + BigInt(offset);
      const isSysret = isSysretAt(bytes, offset);
      if (!isSysret && offset >= from && isOwnFrame(frameBefore(bytes, from, offset) ?? [])) return [];
      return [{ address, isSysret }];
    }),
  );
}

const REX_W = 0x48;

/** Offsets at which the bytes of a return stand: `48 CF`, `48 0F 07`, `0F 07`. */
function candidates(bytes: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let at = 0; at + 1 < bytes.length; at++) {
    const isWide = bytes[at] === REX_W;
    const opcode = isWide ? at + 1 : at;
    const isSysret = bytes[opcode] === 0x0f && bytes[opcode + 1] === 0x07;
    if (!isSysret && !(isWide && bytes[opcode] === 0xcf)) continue;
    offsets.push(at);
    at = opcode;
  }
  return offsets;
}

/** Those returns of a section that surely are instructions, but for returns of the kernel to itself. */
function returnsOf({ bytes, virtual }: ElfSection, starts: BigUint64Array): Return[] {
  const found: Return[] = [];
  for (const offset of candidates(bytes)) {
    const before = starts[lastNotAbove(starts, virtual + BigInt(offset) - FRAME_BYTES)];
    const from = before !== undefined && before >= virtual ? Number(before - virtual) : 0;
    const one = returnAt(bytes, virtual, from, offset);
    if (one !== undefined) found.push(one);
  }
  return found;
}

/** Undefined: no return begins at `offset`, or it is one of the kernel to itself. */
function returnAt(bytes: Uint8Array, virtual: bigint, from: number, offset: number): Return | undefined {
  const frame = frameBefore(bytes, from, offset);
  const isSysret = isSysretAt(bytes, offset);
  if (frame === undefined || (!isSysret && isOwnFrame(frame))) return undefined;
  return { address: virtual + BigInt(offset), isSysret };
}

/** Disassembles from `from` to the return at `offset`: what stands before it. Undefined: no instruction begins there. */
function frameBefore(bytes: Uint8Array, from: number, offset: number): readonly Frame[] | undefined {
  const decoder = new Decoder(64, bytes.subarray(from, offset), DecoderOptions.None);
  const instruction = new Instruction();
  const frame: Frame[] = [];
  try {
    while (decoder.position + from < offset) {
      decoder.decodeOut(instruction);
      // It goes across the place: decoding ended with the bytes.
      if (instruction.code === Code.INVALID && decoder.lastError === DecoderError.NoMoreBytes) return undefined;
      frame.push(frameOf(instruction));
    }
    return frame.slice(-FRAME_INSTRUCTIONS);
  } finally {
    instruction.free();
    decoder.free();
  }
}

/** What an instruction does for a frame that is about to be popped. */
type Frame = 'own-flags' | 'own-code' | 'kernel-selector' | 'user-selector' | 'other';

function frameOf(instruction: Instruction): Frame {
  const { mnemonic, op0Kind } = instruction;
  if (mnemonic === Mnemonic.Pushfq) return 'own-flags';
  if (mnemonic === Mnemonic.Mov && instruction.op1Kind === OpKind.Register && instruction.op1Register === Register.CS) {
    return 'own-code';
  }
  if (mnemonic !== Mnemonic.Push || op0Kind === OpKind.Register || op0Kind === OpKind.Memory) return 'other';
  const value = instruction.immediate(0);
  if (value === 0n || value >= SELECTOR_MAX) return 'other';
  return (value & RPL) === 0n ? 'kernel-selector' : 'user-selector';
}

/** The frame was just pushed, with the kernel's own flags and code selector: an IRETQ that only serialises, or unmasks NMIs. */
function isOwnFrame(frame: readonly Frame[]): boolean {
  if (!frame.includes('own-flags') || frame.includes('user-selector')) return false;
  return frame.includes('own-code') || frame.includes('kernel-selector');
}

/** Four of them, by how near the nearest SYSRET stands; those as near as each other by address. */
function nearest(returns: readonly Return[]): readonly bigint[] {
  const sysrets = returns.filter(({ isSysret }) => isSysret).map(({ address }) => address);
  const distance = (address: bigint): bigint =>
    sysrets.map((sysret) => (sysret < address ? address - sysret : sysret - address)).reduce(least, NO_SYSRET);
  return returns
    .map(({ address }) => ({ address, far: distance(address) }))
    .sort((a, b) => Number(a.far - b.far) || Number(a.address - b.address))
    .slice(0, BREAKPOINTS_MAX)
    .map(({ address }) => address);
}

const NO_SYSRET = 1n << 64n;

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/**
 * Those that a trace's header names among what its host is; undefined where it names none, or what cannot be: the recording engine executed user
 * code itself.
 */
export function userReturnsOfTrace({ userReturns }: Readonly<Record<string, unknown>>): readonly bigint[] | undefined {
  if (!Array.isArray(userReturns) || userReturns.length > BREAKPOINTS_MAX) return undefined;
  const isAddress = (one: unknown): one is string => typeof one === 'string' && /^0x[0-9a-f]{1,16}$/.test(one);
  return userReturns.every(isAddress) ? userReturns.map(BigInt) : undefined;
}

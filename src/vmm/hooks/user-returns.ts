/**
 * Finding where a 64-bit kernel returns to user mode: its IRETQ, SYSRETQ and SYSRETL (Intel SDM volume 2). Nothing is written there: they become
 * breakpoints of a KVM that must not execute user code (src/vmm/machine-assist.ts), and a processor has four. So where there are more, those
 * are taken that stand nearest to a SYSRET, which is in the kernel's entry code and returns to nowhere else.
 */
import { Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
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
    candidates(bytes).map((offset) => ({
      address: base + BigInt(offset),
      isSysret: bytes[offset] !== REX_W || bytes[offset + 1] === 0x0f,
    })),
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

/** Disassembles from `from` to the return at `offset`. Undefined: none begins there. */
function returnAt(bytes: Uint8Array, virtual: bigint, from: number, offset: number): Return | undefined {
  const decoder = new Decoder(64, bytes.subarray(from, offset + 15), DecoderOptions.None);
  const instruction = new Instruction();
  const frame: Frame[] = [];
  try {
    while (decoder.position + from < offset) {
      decoder.decodeOut(instruction);
      frame.push(frameOf(instruction));
    }
    if (decoder.position + from !== offset) return undefined;
    decoder.decodeOut(instruction);
    const { mnemonic } = instruction;
    const isSysret = mnemonic === Mnemonic.Sysret || mnemonic === Mnemonic.Sysretq;
    if (!isSysret && mnemonic !== Mnemonic.Iretq) return undefined;
    if (!isSysret && isOwnFrame(frame.slice(-FRAME_INSTRUCTIONS))) return undefined;
    return { address: virtual + BigInt(offset), isSysret };
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

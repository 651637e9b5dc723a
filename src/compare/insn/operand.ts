/** Memory operands: where they point, and the addressing forms that lead there (SDM vol. 2, tables 2-1 to 2-3). */
import type { CaseBits } from './case.js';
import * as at from './layout.js';
import type { CaseRandom } from './random.js';

/** ModRM, SIB and displacement; registers that must hold `values` for it. */
export interface MemoryForm {
  readonly bytes: number[];
  /** The REX bits X (2) and B (1). */
  readonly rex: number;
  /** RIP-relative: the displacement of these 4 bytes' offset counts from the instruction's end. */
  readonly relative?: { readonly at: number; readonly target: number };
}

/** Where an operand lies: {@link pickTarget}, or what another guest has. */
export type TargetPicker = (random: CaseRandom) => bigint;

/** Registers of a case while it is made. */
export type Registers = BigUint64Array;

/** Where an operand lies: mostly in the window, sometimes across pages, sometimes where it must not. */
export function pickTarget(random: CaseRandom): bigint {
  const kind = random.below(100);
  if (kind < 45) return BigInt(at.WINDOW + 16 * random.below(at.WINDOW_BYTES / 16 - 2));
  if (kind < 75) return BigInt(at.WINDOW + random.below(at.WINDOW_BYTES - 32));
  if (kind < 85) return BigInt(at.WINDOW + 0x100 - 1 - random.below(18));
  if (kind < 88) return BigInt(at.WINDOW);
  if (kind < 91) return BigInt(at.ABSENT_PAGE - 1 - random.below(18));
  if (kind < 92) return BigInt(at.ABSENT_PAGE + random.below(0x800) * 2);
  if (kind < 94) return BigInt(at.READONLY_PAGE + random.below(0xfe0));
  if (kind < 95) return BigInt(at.SUPERVISOR_PAGE - 1 - random.below(18) + (random.below(2) << 6));
  if (kind < 97) return 0x7fff_ffff_fff0n + BigInt(random.below(32));
  if (kind < 98) return 0xffff_7fff_ffff_fff0n + BigInt(random.below(15));
  if (kind < 99) return random.u64();
  return random.integer();
}

function little(value: bigint | number, bytes: number): number[] {
  const whole = BigInt.asUintN(64, BigInt(value));
  return Array.from({ length: bytes }, (_, i) => Number((whole >> BigInt(i * 8)) & 0xffn));
}

/** A form that reaches `target`, with the registers set for it. `reg` is ModRM.reg's low three bits. */
export function makeForm(
  random: CaseRandom,
  registers: Registers,
  reg: number,
  bits: CaseBits,
  addressSize: 16 | 32 | 64,
  target: bigint,
): MemoryForm {
  if (addressSize === 16) return form16(random, registers, reg, target);
  const count = bits === 64 ? 16 : 8;
  const middle = reg << 3;
  const choice = random.below(10);
  if (choice === 0) {
    // mod 0, rm 5: RIP-relative, or in 32-bit code absolute.
    if (bits === 64) return { bytes: [0x05 | middle, 0, 0, 0, 0], rex: 0, relative: { at: 1, target: Number(target) } };
    return { bytes: [0x05 | middle, ...little(target, 4)], rex: 0 };
  }
  // SIB without a base: an absolute address, sign-extended.
  if (choice === 1) return { bytes: [0x04 | middle, 0x25, ...little(target, 4)], rex: 0 };
  const mod = random.below(3);
  const displacement = mod === 0 ? 0n : mod === 1 ? BigInt.asIntN(8, random.u64()) : pickDisplacement(random);
  const base = random.below(count);
  const tail = mod === 0 ? [] : little(displacement, mod === 1 ? 1 : 4);
  if (choice < 6 && (base & 7) !== 4 && (mod !== 0 || (base & 7) !== 5)) {
    registers[base] = holding(random, target - displacement, addressSize, bits);
    return { bytes: [(mod << 6) | middle | (base & 7), ...tail], rex: base >> 3 };
  }
  const index = random.below(count);
  const scale = random.below(4);
  // mod 0 and base 5 (or 13): a displacement of 32 bits and no base.
  if (mod === 0 && (base & 7) === 5) {
    const far = pickDisplacement(random);
    if (index !== 4) registers[index] = holding(random, (target - far) >> BigInt(scale), addressSize, bits);
    return { bytes: [0x04 | middle, sib(scale, index, base), ...little(far, 4)], rex: sibRex(index, base) };
  }
  const rest = target - displacement;
  if (index === 4) registers[base] = holding(random, rest, addressSize, bits);
  else if (index === base) registers[base] = holding(random, rest / (1n + (1n << BigInt(scale))), addressSize, bits);
  else {
    const step = random.chance(60) ? BigInt(random.below(64)) : random.integer();
    registers[index] = bits === 64 ? step : step & 0xffff_ffffn;
    registers[base] = holding(random, rest - (step << BigInt(scale)), addressSize, bits);
  }
  return { bytes: [(mod << 6) | 0x04 | middle, sib(scale, index, base), ...tail], rex: sibRex(index, base) };
}

function sib(scale: number, index: number, base: number): number {
  return (scale << 6) | ((index & 7) << 3) | (base & 7);
}

function sibRex(index: number, base: number): number {
  return ((index >> 3) << 1) | (base >> 3);
}

function pickDisplacement(random: CaseRandom): bigint {
  return BigInt.asIntN(32, random.chance(50) ? BigInt(random.below(0x1000)) : random.u64());
}

/** `value` in the bits of the address size; what lies above does not count and is random in 64-bit code. */
function holding(random: CaseRandom, value: bigint, addressSize: 32 | 64, bits: CaseBits): bigint {
  if (addressSize === 64) return BigInt.asUintN(64, value);
  const low = value & 0xffff_ffffn;
  return bits === 64 && random.chance(50) ? low | (BigInt(random.u32()) << 32n) : low;
}

const RBX = 3;
const RBP = 5;
const RSI = 6;
const RDI = 7;
const PAIRS = [[RBX, RSI], [RBX, RDI], [RBP, RSI], [RBP, RDI], [RSI], [RDI], [RBP], [RBX]] as const;

/** 16-bit addresses see the window at its alias. */
function form16(random: CaseRandom, registers: Registers, reg: number, target: bigint): MemoryForm {
  const isNear = target >= BigInt(at.WINDOW_PAGES) && target < BigInt(at.SUPERVISOR_PAGE);
  const offset = isNear ? target - BigInt(at.ALIAS_OFFSET) : target & 0xffffn;
  const rm = random.below(8);
  const mod = random.below(3);
  if (mod === 0 && rm === 6) return { bytes: [0x06 | (reg << 3), ...little(offset, 2)], rex: 0 };
  const displacement = mod === 0 ? 0n : BigInt.asIntN(mod === 1 ? 8 : 16, random.u64());
  const [first, second] = PAIRS[rm] as readonly [number, number?];
  let rest = offset - displacement;
  if (second !== undefined) {
    const step = BigInt(random.below(0x10000));
    registers[second] = step | (BigInt(random.u32() >>> 16) << 16n);
    rest -= step;
  }
  registers[first] = (rest & 0xffffn) | (BigInt(random.u32() >>> 16) << 16n);
  const tail = mod === 0 ? [] : little(displacement, mod);
  return { bytes: [(mod << 6) | (reg << 3) | rm, ...tail], rex: 0 };
}

/** Little-endian bytes. */
export { little };

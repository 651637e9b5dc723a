/** A case from the seed and its number: always the same, alone or in a batch. */
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { CaseBits, InsnCase } from './case.js';
import type { Oracle } from './comparison.js';
import { isUnknownToEmulator } from './emulator-gaps.js';
import { encodeCase } from './encode.js';
import {
  fillSelectors,
  pickCodeSelector,
  pickOffset,
  pickSegments,
  pickStackPointer,
  REAL_LAND,
} from './generate-real.js';
import { type GuestLayout, layoutOf } from './guest-layout.js';
import { selectorsOf } from './image.js';
import * as at from './layout.js';
import { Case, Selector } from './layout.js';
import { CODE_SEGMENT } from './layout-real.js';
import { HOST_VECTORS, leftOut } from './left-out.js';
import { isUserLevel, type Level } from './levels.js';
import { pickTarget, type TargetPicker } from './operand.js';
import { CaseRandom } from './random.js';
import { indexRows, type RowIndex, rowOf } from './row-of.js';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

/** In real mode KVM's emulator hangs at each, until it is kicked (explained-emulator.ts): one of them is enough, 80h. */
const SIGNED_VECTORS: ReadonlySet<number> = new Set(Array.from({ length: 0x7f }, (_, i) => 0x81 + i));
/** What far transfers find in memory. */
const USER_SELECTORS: readonly number[] = [Selector.userCode, Selector.userCode32, Selector.userData, 3, 0];
const FAR = /^(RETF|IRET|(CALL|JMP) [AM]p)/;
const REAL_SELECTORS: readonly number[] = [CODE_SEGMENT, CODE_SEGMENT, CODE_SEGMENT, CODE_SEGMENT + 1];

const ALL_STATUS = 0x8d5;
const DF = 0x400;
const AC = 0x4_0000;

/** Makes the cases of one seed. */
export class Generator {
  readonly rows: readonly OpcodeRow[];
  readonly #index: RowIndex;
  readonly #layout: GuestLayout;
  /** In capitals. */
  readonly #only: string | undefined;
  readonly #defined: readonly OpcodeRow[];
  readonly #undefined: readonly OpcodeRow[];
  /** What KVM's emulator does not execute. */
  readonly #unknown: readonly OpcodeRow[];

  /** `only` chooses rows by encoding or name; throws nothing if none is left: see {@link Generator.rows}. */
  constructor(
    table: readonly OpcodeRow[],
    readonly level: Level,
    readonly seed: number,
    only?: string,
    readonly oracle: Oracle = 'kvm',
  ) {
    this.#index = indexRows(table);
    this.#layout = layoutOf(level);
    const wanted = only?.toUpperCase();
    this.#only = wanted;
    const modes = level === 'user' ? 'no64' : 'only64';
    this.rows = table.filter(
      (row) =>
        leftOut(row, level, oracle) === undefined &&
        (wanted === undefined || matches(row, wanted)) &&
        (level === 'kernel' || row.modes !== modes),
    );
    // What no processor has is a large part of the table, and soon seen.
    this.#undefined = this.rows.filter(({ name }) => name === 'undefined');
    const defined =
      this.#undefined.length === this.rows.length ? this.rows : this.rows.filter(({ name }) => name !== 'undefined');
    // Two thirds of the table end in KVM_EXIT_INTERNAL_ERROR, which costs more than all others and shows little.
    const unknown = isUserLevel(level) ? [] : defined.filter(isUnknownToEmulator);
    this.#unknown = unknown.length === defined.length ? [] : unknown;
    this.#defined = this.#unknown.length > 0 ? defined.filter((row) => !isUnknownToEmulator(row)) : defined;
  }

  /** Rows of the table that it makes no case of, with the reason. */
  notMade(table: readonly OpcodeRow[]): { readonly row: OpcodeRow; readonly reason: string }[] {
    const made = new Set(this.rows);
    return table
      .filter((row) => !made.has(row) && (this.#only === undefined || matches(row, this.#only)))
      .map((row) => ({ row, reason: leftOut(row, this.level, this.oracle)?.reason ?? 'does not exist in this mode' }));
  }

  #rowsFor(random: CaseRandom): readonly OpcodeRow[] {
    if (this.#undefined.length > 0 && random.chance(4)) return this.#undefined;
    if (this.#unknown.length > 0 && random.chance(8)) return this.#unknown;
    return this.#defined;
  }

  make(number: number): InsnCase {
    const random = new CaseRandom(this.seed, number);
    const row = random.pick(this.#rowsFor(random));
    const bits = pickBits(row, random, this.level);
    const record = new Uint8Array(Case.size);
    const view = new DataView(record.buffer);
    fillVectors(view, random);
    // KVM's emulator refuses bit 17 (em_fxrstor), and the harness stands on its FXRSTOR.
    if (!isUserLevel(this.level)) view.setUint16(Case.fxsave + 26, 0, true);
    const registers = new BigUint64Array(record.buffer, Case.registers, 16);
    const { code: codeBase, slots } = this.#layout;
    const slot = codeBase + (number % slots) * at.SLOT_BYTES;
    const isReal = this.level === 'real';
    // Where a jump may land, as an offset of CS.
    const land = slot + (isReal ? REAL_LAND : 96) - (bits === 16 ? codeBase : 0);
    const base = isReal ? pickSegments(view, random) : 0;
    const target: TargetPicker = isReal ? (it) => pickOffset(it, base) : pickTarget;
    fillRegisters(registers, random, land, target);
    if (isReal) registers[RSP] = pickStackPointer(random, base);
    // At the end of a page, an instruction may go on in the next.
    const crosses = number % (isReal ? slots : 32) === 31 && random.chance(50);
    const place = (length: number) => {
      if (!crosses || (isReal && /^(MOV Sw|POP SS|LSS)/.test(row.name))) return slot + at.SLOT_START;
      // In real mode there are no pages: the end of the segment, where #GP follows; not onto a stack that was just chosen at random.
      const end = isReal ? codeBase + 0x1_0000 : slot + at.SLOT_BYTES;
      return end - random.below(length) - (isReal ? 1 : 0);
    };
    const encoded = encodeCase(row, random, bits, registers, place, {
      avoided: isReal ? SIGNED_VECTORS : HOST_VECTORS[this.oracle],
      instead: isReal ? 0x31 : 0x81,
      target,
      ...(isReal ? { selector: pickCodeSelector } : {}),
    });
    const { code, address } = encoded;
    setImplied(row, registers, random, target);
    if (isReal && /^(ENTER|LEAVE)/.test(row.name)) registers[RBP] = pickStackPointer(random, base);
    if (bits !== 64) for (let i = 0; i < 16; i++) registers[i] = i < 8 ? (registers[i] as bigint) & 0xffff_ffffn : 0n;
    view.setUint32(Case.flags, pickFlags(random), true);
    view.setUint32(Case.entry, bits === 16 ? address - codeBase : address, true);
    const { code: code64, code32, code16 } = selectorsOf(this.level);
    view.setUint16(Case.entry + 4, bits === 64 ? code64 : bits === 32 ? code32 : code16, true);
    fillWindow(record, view, random);
    if (isReal && FAR.test(row.name)) fillSelectors(record, random);
    setMemory(row, view, random, land, bits, isReal ? REAL_SELECTORS : USER_SELECTORS);
    return {
      number,
      row: (encoded.vex ? undefined : rowOf(this.#index, encoded, bits)) ?? row,
      bits,
      code,
      address,
      record,
    };
  }
}

/** `only` is an encoding ("0F AE /7"), a mnemonic ("ADC"), or the beginning of either. */
function matches({ encoding, name }: OpcodeRow, only: string): boolean {
  const [mnemonic = ''] = name.toUpperCase().split(' ');
  return encoding === only || encoding.startsWith(`${only} `) || mnemonic === only || name.toUpperCase() === only;
}

function pickBits(row: OpcodeRow, random: CaseRandom, level: Level): CaseBits {
  if (level !== 'kernel') return level === 'user' ? 64 : level === 'user32' ? 32 : 16;
  // INC and DEC are REX prefixes in 64-bit code: of whatever comes behind.
  if (/^4[08]\+r$/.test(row.encoding)) return 32;
  if (row.modes === 'no64') return random.chance(95) ? 32 : 64;
  if (row.modes === 'only64') return random.chance(95) ? 64 : 32;
  return random.chance(70) ? 64 : 32;
}

function fillRegisters(registers: BigUint64Array, random: CaseRandom, land: number, target: TargetPicker): void {
  for (let i = 0; i < 16; i++) registers[i] = random.integer();
  // A place where a jump may land, and pointers.
  if (random.chance(30)) registers[random.below(16)] = BigInt(land + random.below(16));
  for (let i = 0; i < 2; i++) if (random.chance(30)) registers[random.below(16)] = target(random);
  registers[RSP] = random.chance(90) ? BigInt(at.WINDOW + 0x80 + 8 * random.below(40)) : target(random);
}

/** What instructions take from registers that their encoding does not name. */
function setImplied(row: OpcodeRow, registers: BigUint64Array, random: CaseRandom, target: TargetPicker): void {
  const { name } = row;
  if (/^(MOVS|CMPS|STOS|LODS|SCAS|INS|OUTS) [XYAD]|^(LODS|OUTS|MASKMOV)/.test(name)) {
    if (random.chance(95)) registers[RSI] = target(random);
    if (random.chance(95)) registers[RDI] = target(random);
    const high = random.chance(20) ? BigInt(random.u32()) << 32n : 0n;
    registers[RCX] = random.chance(90) ? BigInt(random.below(24)) : high;
  }
  if (/^I?DIV/.test(name)) {
    registers[RDX] = random.chance(40)
      ? BigInt(random.below(4))
      : random.chance(40)
        ? (1n << 64n) - 1n
        : random.integer();
  }
  if (/^(ENTER|LEAVE)/.test(name) && random.chance(80))
    registers[RBP] = BigInt(at.WINDOW + 0x80 + 8 * random.below(32));
  if (/^XLAT/.test(name)) registers[RBX] = target(random);
  if (/^(LOOP|JrCXZ)/.test(name)) registers[RCX] = random.pick([0n, 1n, 2n, 0x1_0000_0000n, 0x1_0000n, 0x1_0000_0001n]);
  if (/^PCMP.STR/.test(name)) {
    registers[RAX] = BigInt.asUintN(64, BigInt(random.below(40) - 20));
    registers[RDX] = BigInt.asUintN(64, BigInt(random.below(40) - 20));
  }
  // An index into a string of bits that stays in the window.
  if (/^BT.? Ev,Gv/.test(name) && random.chance(70))
    for (let i = 0; i < 16; i++) {
      if (i !== RSP && (registers[i] as bigint) > 0x40_0000n)
        registers[i] = BigInt.asUintN(64, BigInt(random.below(512) - 256));
    }
}

/** A quarter of the window is new, the rest repeats it and the registers, so that comparisons find equals. */
function fillWindow(record: Uint8Array, view: DataView, random: CaseRandom): void {
  for (let i = 0; i < at.WINDOW_BYTES; i += 16) {
    if (i % 64 === 0) random.vector(view, Case.memory + i);
    else {
      const from = random.below(2) === 0 ? Case.memory + (random.below(i) & ~15) : 32 + 16 * random.below(24);
      record.copyWithin(Case.memory + i, from, from + 16);
    }
  }
}

/** What instructions find in memory: return addresses, far pointers, pairs that compare equal. */
function setMemory(
  row: OpcodeRow,
  view: DataView,
  random: CaseRandom,
  land: number,
  bits: CaseBits,
  selectors: readonly number[],
): void {
  const { name } = row;
  if (/^(RET|CALL|JMP|IRET)/.test(name)) setReturns(view, random, land, bits, FAR.test(name) ? selectors : []);
  if (name.startsWith('CMPXCHG') && random.chance(40)) {
    for (let i = 0; i < at.WINDOW_BYTES; i += 8)
      view.setBigUint64(Case.memory + i, view.getBigUint64(Case.registers, true), true);
    view.setBigUint64(Case.registers + RDX * 8, view.getBigUint64(Case.registers, true), true);
  }
  if (/^L[DE FGS]S /.test(name) && random.chance(50)) {
    const selectors = [0, 3, Selector.userData, Selector.userCode, Selector.userCode32];
    for (let i = 0; i < at.WINDOW_BYTES; i += 2) {
      if (random.chance(50)) view.setUint16(Case.memory + i, random.pick(selectors), true);
    }
  }
  // The x87's environment and MXCSR: bits that may be set.
  if (/^(LDMXCSR)/.test(name) && random.chance(80))
    for (let i = 0; i < at.WINDOW_BYTES; i += 4) view.setUint32(Case.memory + i, random.u32() & 0x2ffff, true);
  if (/^FXRSTOR/.test(name) && random.chance(80)) {
    for (let i = 0; i < at.WINDOW_BYTES; i++)
      view.setUint8(Case.memory + i, view.getUint8(Case.fxsave + ((i + 8) % 512)));
    view.setUint32(Case.memory + 24, random.u32() & 0x2ffff, true);
    if (random.chance(30)) view.setUint16(Case.memory, random.u32() & 0xffff, true);
  }
}

/** Offsets of the code's own width; for far transfers selectors among them. */
function setReturns(
  view: DataView,
  random: CaseRandom,
  land: number,
  bits: CaseBits,
  selectors: readonly number[],
): void {
  const width = random.chance(80) ? bits / 8 : random.pick([2, 4, 8]);
  for (let i = 0; i < at.WINDOW_BYTES; i += width) {
    if (!random.chance(70)) continue;
    const value = BigInt(selectors.length > 0 && random.chance(50) ? random.pick(selectors) : land + random.below(16));
    const offset = Case.memory + i;
    if (width === 8) view.setBigUint64(offset, value, true);
    else if (width === 4) view.setUint32(offset, Number(value), true);
    else view.setUint16(offset, Number(value), true);
  }
}

function pickFlags(random: CaseRandom): number {
  let flags = 0x202 | (random.u32() & ALL_STATUS);
  if (random.chance(15)) flags |= DF;
  if (random.chance(4)) flags |= AC;
  return flags;
}

/** Bit 6 is always set in the processor; that a load sets it is FXRSTOR's and FLDCW's own affair. */
const CONTROL_WORDS = [0x37f, 0x37f, 0x37f, 0x27f, 0x07f, 0xf7f, 0xb7f, 0x77f, 0x67f, 0x17f, 0xc7f] as const;

/** The FXSAVE64 image (SDM vol. 1, 10.5.1). */
function fillVectors(view: DataView, random: CaseRandom): void {
  const unmasked = random.chance(8);
  view.setUint16(0, unmasked ? 0x340 | (random.u32() & 0xc3f) : random.pick(CONTROL_WORDS), true);
  // Status: TOP, condition codes; exceptions that are masked, or now and then pending.
  view.setUint16(2, (random.u32() & 0x7f00) | (random.chance(20) && !unmasked ? random.below(0x80) & 0x7f : 0), true);
  view.setUint8(4, random.chance(60) ? 0xff : random.chance(30) ? 0 : random.below(256));
  view.setUint32(24, pickMxcsr(random), true);
  view.setUint32(28, 0xffff, true);
  for (let i = 0; i < 8; i++) random.extended(view, 32 + i * 16);
  for (let i = 0; i < 16; i++) random.vector(view, 160 + i * 16);
  // Operations on equal values, and on a value and its like in another register.
  if (random.chance(25)) {
    const from = 160 + random.below(16) * 16;
    for (let k = 0; k < 3; k++) {
      const to = 160 + random.below(16) * 16;
      for (let i = 0; i < 16; i += 4) view.setUint32(to + i, view.getUint32(from + i, true), true);
    }
  }
}

function pickMxcsr(random: CaseRandom): number {
  const choice = random.below(10);
  if (choice < 5) return 0x1f80;
  if (choice < 8) return 0x1f80 | (random.u32() & 0x2e07f);
  return (random.u32() & 0x2ffff) >>> 0;
}

/** One random instruction of a row of the opcode table: prefixes, opcode, ModRM, immediates. */
import { parseEncoding, type Encoding as RowEncoding, vexBytes } from '../../../interp/opcodes/encoding.js';
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { CaseBits } from './case.js';

import { little, type MemoryForm, makeForm, type Registers, type TargetPicker } from './operand.js';
import type { CaseRandom } from './random.js';

const parsed = new Map<OpcodeRow, RowEncoding>();

/** Takes a row's encoding apart. */
export function parse(row: OpcodeRow): RowEncoding {
  const known = parsed.get(row) ?? parseEncoding(row.encoding);
  parsed.set(row, known);
  return known;
}

/** Bytes that an instruction begins with, in any order. */
const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;

/** An instruction while it is made. */
class Encoding {
  readonly prefixes: number[] = [];
  rex = 0;
  hasRex = false;
  modrm: number[] = [];
  form: MemoryForm | undefined;
}

/**
 * Makes an instruction and sets what its memory operand needs in `registers`. `place` gets the instruction's length and returns
 * its address.
 */
export function encodeCase(
  row: OpcodeRow,
  random: CaseRandom,
  bits: CaseBits,
  registers: Registers,
  place: (length: number) => number,
  { avoided, instead, target, selector }: EncodeChoices,
): Encoded {
  const parts = parse(row);
  const e = new Encoding();
  const word = pickWidth(row, parts, random, bits, e);
  const addressSize = pickAddressSize(random, bits, e);
  if (random.chance(8)) e.prefixes.push(random.pick(SEGMENTS));
  if (parts.rexW) e.rex |= 8;
  const opcode = [...parts.opcode];
  if (parts.plusRegister) {
    const register = random.below(bits === 64 ? 16 : 8);
    opcode[opcode.length - 1] = (opcode.at(-1) as number) + (register & 7);
    e.rex |= register >> 3;
  }
  if (parts.fixed !== undefined) e.modrm = [parts.fixed];
  else if (parts.digit !== undefined) pickModrm(row, parts.digit, random, bits, addressSize, registers, e, target);
  pickLock(row, random, e);
  const immediates = parts.immediates.flatMap((kind) =>
    pickImmediate(kind, random, bits, word, (e.rex & 8) !== 0, addressSize, target),
  );
  if (row.name === 'INT Ib' && avoided.has(immediates[0] as number)) immediates[0] = instead;
  if (selector && parts.immediates.includes('ptr')) immediates.splice(-2, 2, ...little(selector(random), 2));
  const vex = parts.vex ? pickVex(parts, random, bits, e) : undefined;
  if (!vex && parts.mandatory !== undefined) e.prefixes.splice(random.below(e.prefixes.length + 1), 0, parts.mandatory);
  const rex = !vex && bits === 64 && (e.rex !== 0 || e.hasRex) ? [0x40 | e.rex] : [];
  const head = [...e.prefixes, ...rex, ...(vex ?? opcode)];
  const code = Uint8Array.from([...head, ...e.modrm, ...immediates]);
  const address = place(code.length);
  if (e.form?.relative) {
    const displacement = e.form.relative.target - (address + code.length);
    code.set(little(BigInt(Math.trunc(displacement)), 4), head.length + e.form.relative.at);
  }
  return { code, address, prefixes: e.prefixes, rex: e.rex, vex: parts.vex, opcode, modrm: e.modrm[0] };
}

/** What is chosen otherwise for each guest. */
export interface EncodeChoices {
  /** Vectors that INT n does not have, and the one that it has then. */
  readonly avoided: ReadonlySet<number>;
  readonly instead: number;
  readonly target: TargetPicker;
  /** Of direct far transfers; absent: any. */
  readonly selector?: (random: CaseRandom) => number;
}

/** An instruction, and what tells which row it is of. */
export interface Encoded {
  readonly code: Uint8Array;
  readonly address: number;
  readonly prefixes: readonly number[];
  /** W, R, X, B. */
  readonly rex: number;
  readonly vex: boolean;
  readonly opcode: readonly number[];
  readonly modrm: number | undefined;
}

/** The VEX prefix and the opcode; now and then a bit of it is wrong. */
function pickVex(parts: RowEncoding, random: CaseRandom, bits: CaseBits, e: Encoding): number[] {
  const isRorx = parts.opcode.at(-1) === 0xf0;
  const vvvv = isRorx && random.chance(95) ? 0 : random.below(bits === 64 ? 16 : 8);
  const prefix = vexBytes(parts, bits === 64 ? e.rex : e.rex & 8, vvvv);
  if (random.chance(2)) prefix[2] = (prefix[2] as number) ^ (1 << random.below(3));
  return [...prefix, parts.opcode.at(-1) as number];
}

/** Operand-size prefixes. Returns whether the operand size is 16 bits. */
function pickWidth(row: OpcodeRow, parts: RowEncoding, random: CaseRandom, bits: CaseBits, e: Encoding): boolean {
  const { size } = row;
  const sized = size === 'v' || size === 'd64' || size === 'z' || size === 'v64' || size === 'f64';
  const is66 = parts.mandatory === 0x66;
  const other = !is66 && random.chance(sized ? 30 : parts.mandatory === undefined ? 4 : 2);
  if (other) e.prefixes.push(0x66);
  if (bits === 64) {
    if (random.chance(size === 'v' || size === 'y' ? 35 : 10)) e.rex |= 8;
    e.hasRex = random.chance(15);
  }
  // REP and REPNE: on strings they mean something, elsewhere they are mostly ignored.
  const isString = /^(MOVS|CMPS|STOS|LODS|SCAS|INS|OUTS) [XYAD]/.test(row.name) || /^(LODS|OUTS)/.test(row.name);
  if (parts.mandatory === undefined && random.chance(isString ? 60 : 1)) e.prefixes.push(0xf2 + random.below(2));
  return (other || is66) !== (bits === 16);
}

function pickAddressSize(random: CaseRandom, bits: CaseBits, e: Encoding): 16 | 32 | 64 {
  const other = random.chance(10);
  if (other) e.prefixes.push(0x67);
  if (bits === 64) return other ? 32 : 64;
  return other === (bits === 16) ? 32 : 16;
}

/**
 * ModRM bytes behind 0F 01 that are instructions of their own: rows of the table (MONITOR, MWAIT, CLAC, STAC, XGETBV, XSETBV, SWAPGS, RDTSCP), and what
 * leads to the hypervisor, waits or reads the host: VMCALL, MONITORX, MWAITX, CLZERO, RDPRU. All of 0F 01 /3 is SVM's.
 */
const TAKEN = new Set([0xc8, 0xc9, 0xca, 0xcb, 0xd0, 0xd1, 0xf8, 0xf9, 0xc1, 0xfa, 0xfb, 0xfc, 0xfd]);

/** With ModRM.mod = 3 these begin a VEX or EVEX prefix outside 64-bit mode, and the processor has AVX where the model has none. */
const REGISTER_TAKEN = new Set(['C4 /r', 'C5 /r', '62 /r']);

/** With a memory operand these are XRSTOR and XSAVEOPT, which the processor has and the model has not. */
const MEMORY_TAKEN = new Set(['0F AE /5', '0F AE /6']);

function pickModrm(
  row: OpcodeRow,
  digit: number,
  random: CaseRandom,
  bits: CaseBits,
  addressSize: 16 | 32 | 64,
  registers: Registers,
  e: Encoding,
  target: TargetPicker,
): void {
  const reg = digit === 8 ? random.below(bits === 64 ? 16 : 8) : digit;
  e.rex |= (reg >> 3) << 2;
  // A form that the row does not have is #UD: now and then. MOV from and to CRn and DRn has no other: it does not look at ModRM.mod.
  const isMemory =
    row.mem === undefined
      ? random.chance(5) && !MEMORY_TAKEN.has(row.encoding) && !/^0F 2[0-3] /.test(row.encoding)
      : row.reg === undefined
        ? random.chance(95) || row.encoding === '0F 01 /3' || (bits !== 64 && REGISTER_TAKEN.has(row.encoding))
        : random.chance(50);
  if (!isMemory) {
    let rm = random.below(bits === 64 ? 16 : 8);
    if (row.encoding.startsWith('0F 01 /')) while (TAKEN.has(0xc0 | (digit << 3) | (rm & 7))) rm = (rm + 1) & 7;
    e.rex |= rm >> 3;
    e.modrm = [0xc0 | ((reg & 7) << 3) | (rm & 7)];
    return;
  }
  e.form = makeForm(random, registers, reg & 7, bits, addressSize, target(random));
  e.rex |= e.form.rex;
  e.modrm = e.form.bytes;
}

function pickLock(row: OpcodeRow, random: CaseRandom, e: Encoding): void {
  if (random.chance(row.lock && e.form ? 25 : 1)) e.prefixes.push(0xf0);
}

const BYTES = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff] as const;

function pickImmediate(
  kind: string,
  random: CaseRandom,
  bits: CaseBits,
  word: boolean,
  wide: boolean,
  addressSize: number,
  target: TargetPicker,
): number[] {
  const near = word && !wide ? 2 : 4;
  switch (kind) {
    case 'ib':
    case 'ub':
      return [random.chance(60) ? random.pick(BYTES) : random.below(256)];
    case 'iw':
      return random.chance(70) ? [random.below(24), 0] : little(random.integer(), 2);
    case 'id':
      return little(random.integer(), 4);
    case 'iz':
      return little(random.integer(), near);
    case 'iv':
      return little(random.integer(), wide ? 8 : near);
    case 'cb':
      return little(pickBranch(random), 1);
    case 'cw':
      return little(pickBranch(random), 2);
    case 'cz': {
      const width = bits === 64 ? 4 : near;
      return little(random.chance(80) ? pickBranch(random) : 0x3000_0000, width);
    }
    case 'moffs':
      return little(addressSize === 16 ? target(random) & 0xffffn : target(random), addressSize / 8);
    case 'ptr':
      return [...little(random.integer(), near), ...little(random.integer(), 2)];
    default:
      throw new Error(`an immediate ${kind} is not known`);
  }
}

/** Forward beyond the way back, or back before the longest instruction: to the filler of the slot. */
function pickBranch(random: CaseRandom): number {
  return random.chance(70) ? 8 + random.below(32) : -16 - random.below(24);
}

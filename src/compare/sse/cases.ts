/** Makes cases of a row of MMX or SSE: an encoding with random registers or memory, and operands that are worth trying. */
import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { Prng } from '../../base/prng.js';
import { resetFxsave } from '../../vmm/cpu/fxsave.js';
import { MEMORY_BYTES, OPERAND, type SseCase } from './oracle.js';

/** Where RSI and RDI point: 16 bytes into the operands. */
const AT = OPERAND + 16;
const STACK = OPERAND + 0x600;
/** Displacements of memory operands; most are aligned. */
const DISPLACEMENTS = [0, 0, 0, 0, 16, 32, -16, 8, 1];

const SINGLES = [
  ...[0, 0x8000_0000, 1, 0x8000_0001, 0x7f_ffff, 0x40_0000, 0x80_0000, 0x8080_0000, 0x80_0001, 0x100_0000],
  ...[0x3f80_0000, 0xbf80_0000, 0x3f80_0001, 0x3f7f_ffff, 0x4000_0000, 0x3f00_0000, 0x3fc0_0000, 0x4020_0000],
  ...[0x4b00_0000, 0x4b7f_ffff, 0x4eff_ffff, 0x4f00_0000, 0xcf00_0000, 0x5f00_0000, 0xdf00_0000, 0x7f7f_ffff],
  ...[0xff7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000, 0x7fc1_2345, 0x7f80_0001, 0xffa5_4321],
];
const DOUBLES = [
  ...[0n, 0x8000_0000_0000_0000n, 1n, 0x8000_0000_0000_0001n, 0xf_ffff_ffff_ffffn, 0x10_0000_0000_0000n],
  ...[0x8010_0000_0000_0000n, 0x10_0000_0000_0001n, 0x3ff0_0000_0000_0000n, 0xbff0_0000_0000_0000n],
  ...[0x3ff0_0000_0000_0001n, 0x3fef_ffff_ffff_ffffn, 0x4000_0000_0000_0000n, 0x3fe0_0000_0000_0000n],
  ...[0x3ff8_0000_0000_0000n, 0x4004_0000_0000_0000n, 0x41df_ffff_ffc0_0000n, 0x41df_ffff_ffe0_0000n],
  ...[0x41e0_0000_0000_0000n, 0xc1e0_0000_0000_0000n, 0xc1e0_0000_0010_0000n, 0x43e0_0000_0000_0000n],
  ...[0xc3e0_0000_0000_0000n, 0x47ef_ffff_e000_0000n, 0x47ef_ffff_f000_0000n, 0x380f_ffff_ffff_ffffn],
  ...[0x3810_0000_0000_0000n, 0x36a0_0000_0000_0000n, 0x7fef_ffff_ffff_ffffn, 0x7ff0_0000_0000_0000n],
  ...[0xfff0_0000_0000_0000n, 0x7ff8_0000_0000_0000n, 0xfff8_0000_0000_1234n, 0x7ff0_0000_0000_0001n],
];
const WORDS = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn];

function pick<T>(random: Prng, values: readonly T[]): T {
  return values[random.below(values.length)] as T;
}

function u64(random: Prng): bigint {
  return (BigInt(random.u32()) << 32n) | BigInt(random.u32());
}

/** A number near 1, near the ends of the range, a denormal, or any bits. */
function single(random: Prng): number {
  const bits = random.u32();
  const fraction = (bits & 0x807f_ffff) >>> 0;
  switch (random.below(8)) {
    case 0:
    case 1:
      return pick(random, SINGLES);
    case 2:
      return bits;
    case 3:
      return fraction;
    case 4:
      return (fraction | (pick(random, [1, 2, 24, 25, 126, 200, 253, 254]) << 23)) >>> 0;
    default:
      return (fraction | ((110 + random.below(50)) << 23)) >>> 0;
  }
}

function double(random: Prng): bigint {
  const bits = u64(random);
  const fraction = bits & 0x800f_ffff_ffff_ffffn;
  switch (random.below(8)) {
    case 0:
    case 1:
      return pick(random, DOUBLES);
    case 2:
      return bits;
    case 3:
      return fraction;
    case 4:
      return fraction | (BigInt(pick(random, [1, 2, 53, 54, 873, 896, 897, 1022, 1150, 1151, 2045, 2046])) << 52n);
    default:
      return fraction | (BigInt(990 + random.below(100)) << 52n);
  }
}

/** 64 bits of integers of all sizes. */
function integers(random: Prng): bigint {
  switch (random.below(4)) {
    case 0:
      return pick(random, WORDS) * pick(random, [1n, 0x1_0000_0001n]);
    case 1: {
      // Few different bytes, zeros among them: for comparisons of strings.
      let value = 0n;
      for (let i = 0; i < 8; i++)
        value = (value << 8n) | BigInt(pick(random, [0, 0x41, 0x41, 0x42, 0x43, 0x7f, 0x80, 0xff]));
      return value;
    }
    default:
      return u64(random);
  }
}

type Style = 'single' | 'double' | 'integer';

function half(random: Prng, style: Style): bigint {
  if (random.below(10) === 0) return u64(random);
  if (style === 'integer') return integers(random) & 0xffff_ffff_ffff_ffffn;
  return style === 'double' ? double(random) : BigInt(single(random)) | (BigInt(single(random)) << 32n);
}

function styleOf(row: OpcodeRow, random: Prng): Style {
  const name = row.name.split(' ')[0] as string;
  const float = /^(SQRT|ADD|MUL|SUB|MIN|MAX|DIV|HADD|HSUB|CMP[PS]|U?COMIS|RCP|RSQRT|ROUND|DP|CVT)/.test(name);
  if (!float) return pick(random, ['integer', 'integer', 'single', 'double']);
  if (/^CVT(T?P[SD]|T?S[SD])2/.test(name)) return /^CVTT?[PS]S2/.test(name) ? 'single' : 'double';
  if (/^CVT/.test(name)) return 'integer';
  return /[PS]S$/.test(name) ? 'single' : 'double';
}

/** Masks, rounding, DAZ, FTZ and sticky flags. */
function mxcsr(random: Prng): number {
  const masks = random.below(4) === 0 ? random.below(64) << 7 : 0x1f80;
  const sticky = random.below(2) === 0 ? 0 : random.below(2) === 0 ? 0x20 : random.below(64);
  const daz = random.below(4) === 0 ? 0x40 : 0;
  const ftz = random.below(4) === 0 ? 0x8000 : 0;
  return masks | sticky | daz | ftz | (random.below(2) === 0 ? 0 : random.below(4) << 13);
}

/** Bytes of one instruction of the row. */
function encode(row: OpcodeRow, random: Prng): Uint8Array {
  const tokens = row.encoding.split(' ');
  const out: number[] = [];
  const opcode: number[] = [];
  const tail: number[] = [];
  if (/^(66|F2|F3)$/.test(tokens[0] ?? '')) out.push(Number.parseInt(tokens.shift() as string, 16));
  let rex = row.size === 'y' && random.below(2) === 0 ? 0x48 : random.below(4) === 0 ? 0x40 : 0;
  let modrm = 0;
  for (const token of tokens) {
    if (token === 'ub') tail.push(random.below(2) === 0 ? random.below(256) : random.below(20));
    else if (token[0] !== '/') opcode.push(Number.parseInt(token, 16));
    else {
      const reg = token === '/r' ? random.below(16) : Number(token[1]);
      if (reg > 7) rex |= 0x44;
      const memory = row.mem !== undefined && (row.reg === undefined || random.below(2) === 0);
      const rm = memory ? 6 : random.below(16);
      if (rm > 7) rex |= 0x41;
      modrm = (memory ? 0x40 : 0xc0) | ((reg & 7) << 3) | (rm & 7);
      if (memory) tail.unshift(pick(random, DISPLACEMENTS) & 0xff);
    }
  }
  return Uint8Array.from([...out, ...(rex === 0 ? [] : [rex]), ...opcode, modrm, ...tail]);
}

/** A random case. */
export function makeSseCase(row: OpcodeRow, random: Prng): SseCase {
  const style = styleOf(row, random);
  const registers = BigUint64Array.from({ length: 16 }, () =>
    random.below(3) === 0 ? BigInt.asUintN(64, BigInt(random.below(40) - 20)) : integers(random),
  );
  registers[4] = BigInt(STACK);
  registers[6] = BigInt(AT);
  registers[7] = BigInt(AT + random.below(20));
  const image = resetFxsave();
  const view = new DataView(image.buffer);
  view.setUint32(24, mxcsr(random), true);
  // TOP and tags: what MMX instructions change.
  view.setUint16(2, random.below(2) === 0 ? 0 : random.below(8) << 11, true);
  view.setUint8(4, random.below(2) === 0 ? 0xff : random.below(256));
  for (let i = 0; i < 8; i++) {
    view.setBigUint64(32 + i * 16, half(random, style), true);
    view.setUint16(40 + i * 16, random.below(2) === 0 ? 0xffff : random.below(0x1_0000), true);
  }
  for (let at = 160; at < 416; at += 8) view.setBigUint64(at, half(random, style), true);
  const memory = new Uint8Array(MEMORY_BYTES);
  const words = new DataView(memory.buffer);
  for (let at = 0; at < MEMORY_BYTES; at += 8) words.setBigUint64(at, half(random, style), true);
  return { code: encode(row, random), registers, flags: BigInt(random.below(0x1000) & 0x8d5), image, memory };
}

/** Makes instructions of a row of the opcode table for 64- and 32-bit mode: every width, register and memory forms, random operands. */
import { parseEncoding, vexBytes } from '../../../interp/opcodes/encoding.js';
import type { OpcodeRow } from '../../../interp/opcodes/row.js';

/** A random whole number from 0 to `below` - 1. */
export type Random = (below: number) => number;

/** A tiny generator of its own (Mulberry32), so that a failure can be repeated by its seed. */
export function randomOf(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) & 0xff);
}

const BOUNDARIES = [0, 1, 2, 7, 8, 15, 16, 31, 0x7f, 0x80, 0xff];

function immediate(random: Random, bytes: number): number[] {
  return Array.from({ length: bytes }, () =>
    random(3) === 0 ? random(256) : (BOUNDARIES[random(BOUNDARIES.length)] ?? 0),
  );
}

/** ModRM, SIB and displacement of a memory operand near `address`, which RSI, RDI, R12 and R13 hold; RBX is small. */
function memoryForm(random: Random, reg: number, address: number): { rexB: number; bytes: number[] } {
  const middle = (reg & 7) << 3;
  const small = random(9);
  switch (random(6)) {
    case 0:
      return { rexB: 0, bytes: [0x06 | middle] };
    case 1:
      return { rexB: 0, bytes: [0x46 | middle, small] };
    case 2:
      return { rexB: 0, bytes: [0x84 | middle, 0x1f | (random(4) << 6), ...little(small, 4)] };
    case 3:
      return { rexB: 0, bytes: [0x04 | middle, 0x25, ...little(address + small, 4)] };
    case 4:
      return { rexB: 1, bytes: [0x44 | middle, 0x24, 0x100 - small - 1] };
    default:
      return { rexB: 1, bytes: [0x45 | middle, small] };
  }
}

/** The same for 32-bit mode: ESI, EDI, an absolute address, ESP. */
function memoryForm32(random: Random, reg: number, address: number): number[] {
  const middle = (reg & 7) << 3;
  const small = random(9);
  switch (random(5)) {
    case 0:
      return [0x06 | middle];
    case 1:
      return [0x47 | middle, small];
    case 2:
      return [0x84 | middle, 0x1f | (random(4) << 6), ...little(small, 4)];
    case 3:
      return [0x05 | middle, ...little(address + small, 4)];
    default:
      return [0x44 | middle, 0x24, 0x100 - small - 1];
  }
}

/** The mode that instructions are made for. */
export type Bits = 32 | 64;

/** The prefixes that choose the widths of a row: 66, and REX.W. */
function widths(row: OpcodeRow, bits: Bits): { prefix: number[]; rexW: boolean }[] {
  const mandatory = /^(66|F2|F3) 0F/.test(row.encoding);
  const plain = { prefix: [], rexW: false };
  const word = { prefix: [0x66], rexW: false };
  const quad = { prefix: [], rexW: true };
  if (bits === 32) {
    const fixed = row.size === 'b' || row.size === 'y' || row.size === 'none' || row.encoding.startsWith('66');
    return fixed ? [plain] : [plain, word];
  }
  if (row.encoding.startsWith('REX.W')) return [quad];
  if (row.size === 'v') return row.encoding.startsWith('66') ? [plain, quad] : [plain, word, quad];
  if (row.size === 'y') return [plain, quad];
  if (row.size === 'd64' || row.size === 'z') return mandatory ? [plain] : [plain, word];
  return [plain];
}

/** A displacement over `inc eax`, and that. */
function skipped(bits: Bits, bytes: number): number[] {
  const increment = bits === 64 ? [0x48, 0xff, 0xc0] : [0xff, 0xc0];
  return [...little(increment.length, bytes), ...increment];
}

/** One random instruction of the row; undefined where the mode has none. */
export function encodeRow(row: OpcodeRow, random: Random, address: number, bits: Bits): number[] | undefined {
  if (row.modes === (bits === 64 ? 'no64' : 'only64')) return undefined;
  const tokens = row.encoding.split(' ');
  const out: number[] = [];
  if (/^(66|F2|F3)$/.test(tokens[0] ?? '') && tokens[1] === '0F') out.push(Number.parseInt(tokens.shift() ?? '', 16));
  const choices = widths(row, bits);
  const width = choices[random(choices.length)] ?? { prefix: [], rexW: false };
  if (tokens[0] === 'REX.W') tokens.shift();
  const vex = tokens[0]?.startsWith('VEX') ? parseEncoding(row.encoding) : undefined;
  if (vex) tokens.shift();
  const opcode: number[] = [];
  const tail: number[] = [];
  let modrm: number[] = [];
  let rex = width.rexW ? 0x48 : bits === 64 && random(3) === 0 ? 0x40 : 0;
  const registers = bits === 64 ? 16 : 8;
  const reg = random(registers);
  for (const token of tokens) {
    if (/^[0-9A-F]{2}$/.test(token)) opcode.push(Number.parseInt(token, 16));
    else if (/^[0-9A-F]{2}\+r$/.test(token)) {
      const r = random(registers);
      opcode.push(Number.parseInt(token, 16) + (r & 7));
      if (r > 7) rex |= 0x41;
    } else if (token[0] === '/') {
      const field = token === '/r' ? reg : Number(token[1]);
      if (token === '/r' && reg > 7) rex |= 0x44;
      const memory = row.mem !== undefined && (row.reg === undefined || random(2) === 0);
      if (memory && bits === 32) modrm = memoryForm32(random, field, address);
      else if (memory) {
        const form = memoryForm(random, field, address);
        modrm = form.bytes;
        if (form.rexB) rex |= 0x41;
      } else {
        const rm = random(registers);
        modrm = [0xc0 | ((field & 7) << 3) | (rm & 7)];
        if (rm > 7) rex |= 0x41;
      }
    } else if (token === 'moffs') tail.push(...little(address, bits / 8));
    else if (token === 'ib' || token === 'ub') tail.push(...immediate(random, 1));
    else if (token === 'iw') tail.push(...immediate(random, 2));
    else if (token === 'id') tail.push(...immediate(random, 4));
    else if (token === 'iz') tail.push(...immediate(random, width.prefix.length > 0 ? 2 : 4));
    else if (token === 'iv') tail.push(...immediate(random, width.rexW ? 8 : width.prefix.length > 0 ? 2 : 4));
    // A taken branch skips `inc rax`.
    else if (token === 'cb') tail.push(...skipped(bits, 1));
    else if (token === 'cz') tail.push(...skipped(bits, width.prefix.length > 0 ? 2 : 4));
    else return undefined;
  }
  if (vex) {
    const vvvv = vex.immediates.length > 0 ? 0 : random(registers);
    return [...vexBytes(vex, rex & (bits === 64 ? 15 : 0), vvvv), ...opcode, ...modrm, ...tail];
  }
  return [...width.prefix, ...out, ...(rex ? [rex] : []), ...opcode, ...modrm, ...tail];
}

/** Reading the `encoding` of a row (row.ts documents how it is written): for the generator of the decoder and for makers of instructions. */

/** The parts of an encoding. */
export interface Encoding {
  /** 66, F2 or F3 that belongs to it, in front of the opcode or in VEX.pp. */
  readonly mandatory: number | undefined;
  /** REX.W belongs to it. */
  readonly rexW: boolean;
  /** It has a VEX prefix, with L = 0. */
  readonly vex: boolean;
  /** With the escape bytes 0F, 0F 38, 0F 3A, which a VEX prefix stands for. */
  readonly opcode: readonly number[];
  /** A register in the low three bits of the opcode. */
  readonly plusRegister: boolean;
  /** ModRM.reg 0 to 7, or 8: any; undefined: there is no ModRM, or a fixed one. */
  readonly digit: number | undefined;
  /** The fixed ModRM byte. */
  readonly fixed: number | undefined;
  /** `ib`, `cz` and so on. */
  readonly immediates: readonly string[];
}

const ANY_DIGIT = 8;
const IMMEDIATES = ['ib', 'ub', 'iw', 'id', 'iz', 'iv', 'cb', 'cw', 'cz', 'ptr', 'moffs'];

/** `VEX.LZ.F2.0F38`: mandatory prefix and escape bytes. */
function parseVex(token: string): { mandatory: number | undefined; escape: number[] } {
  const match = /^VEX\.LZ\.(?:(66|F2|F3)\.)?(0F|0F38|0F3A)$/.exec(token);
  if (match === null) throw new Error(`${token} is not known`);
  const [, prefix, map = ''] = match;
  return {
    mandatory: prefix === undefined ? undefined : Number.parseInt(prefix, 16),
    escape: [...(map.match(/../g) ?? [])].map((byte) => Number.parseInt(byte, 16)),
  };
}

/** Reads an encoding; throws if it is not written as it should. */
export function parseEncoding(text: string): Encoding {
  const tokens = text.split(' ');
  const vex = tokens[0]?.startsWith('VEX') === true;
  const rexW = tokens[0] === 'REX.W';
  const bytes: number[] = [];
  let mandatory: number | undefined;
  if (vex) {
    const parts = parseVex(tokens.shift() as string);
    mandatory = parts.mandatory;
    bytes.push(...parts.escape);
  } else if (rexW) tokens.shift();
  let plusRegister = false;
  while (/^[0-9A-F]{2}(\+r)?$/.test(tokens[0] ?? '')) {
    const token = tokens.shift() as string;
    const isFirst = bytes.length === 0 && mandatory === undefined;
    if (isFirst && /^(66|F2|F3)$/.test(token) && /^[0-9A-F]{2}/.test(tokens[0] ?? '')) {
      mandatory = Number.parseInt(token, 16);
      continue;
    }
    plusRegister = token.endsWith('+r');
    bytes.push(Number.parseInt(token, 16));
  }
  const length = bytes[0] !== 0x0f ? 1 : bytes[1] === 0x38 || bytes[1] === 0x3a ? 3 : 2;
  const modrm = tokens[0]?.startsWith('/') ? (tokens.shift() as string) : undefined;
  if (modrm !== undefined && !/^\/[r0-7]$/.test(modrm)) throw new Error(`${text}: ${modrm} is not known`);
  if (bytes.length < length || bytes.length > length + 1) throw new Error(`${text} has too few or too many bytes`);
  const unknown = tokens.find((token) => !IMMEDIATES.includes(token));
  if (unknown !== undefined || tokens.length > 2) throw new Error(`${text}: ${unknown ?? 'three immediates'}`);
  return {
    mandatory,
    rexW,
    vex,
    opcode: bytes.slice(0, length),
    plusRegister,
    digit: modrm === undefined ? undefined : modrm === '/r' ? ANY_DIGIT : Number(modrm[1]),
    fixed: bytes[length],
    immediates: tokens,
  };
}

/** The three bytes C4 of a VEX prefix with L = 0; `rex` has W, R, X, B in bits 3 to 0, `vvvv` is the register that it names. */
export function vexBytes({ mandatory, opcode }: Encoding, rex: number, vvvv: number): number[] {
  const map = opcode.length === 2 ? 1 : opcode[1] === 0x38 ? 2 : 3;
  const pp = [undefined, 0x66, 0xf3, 0xf2].indexOf(mandatory);
  return [0xc4, ((~rex & 7) << 5) | map, ((rex & 8) << 4) | ((~vvvv & 15) << 3) | pp];
}

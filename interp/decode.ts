/**
 * From bytes to the decoded instruction (op.ts) by the generated tables (SDM vol. 2, chapter 2 and appendix A). What no row
 * describes becomes an op that raises #UD.
 */
import { setCurrentOp } from './control';
import { isAmd } from './execute/vendor';
import { raiseUD } from './fault';
import { fetch16, fetch32, fetch64, fetchAborted, fetchByte, fetchLength, isNearEnd } from './fetch';
import { SHOWN } from './features';
import { HANDLERS, OPCODE_HEADS, OPCODE_ROWS, ROWS, ROW_BYTES } from './generated/opcodes';
import { CPU_GPR, CPU_RIP_BASE, CPU_TWO_GIB, CPU_ZERO } from './layout';
import { ADDRESSING_32, ADDRESSING_FLAT } from './memory';
import { currentCodeSize, isMode64 } from './mode';
import { OP_DATA16, OP_LOCK, OP_REP, OP_REPNE, OP_REX, OP_REX_W } from './op';

/** Offsets in CPU_GPR of what is no general register. */
const NO_REGISTER: u32 = CPU_ZERO - CPU_GPR;
const RIP_BASE: u32 = CPU_RIP_BASE - CPU_GPR;
const TWO_GIB: u32 = CPU_TWO_GIB - CPU_GPR;

/** Flags of a row, as scripts/generate-opcodes.ts writes them. */
const ROW_LOCK: u32 = 1;
const ROW_ENDS: u32 = 2;
const ROW_PLUS_REGISTER: u32 = 4;
const ROW_REG_BYTE: u32 = 8;
const ROW_RM_BYTE: u32 = 16;
const ROW_FIXED: u32 = 32;
const ROW_REX_W: u32 = 64;
const ROW_LEGACY: u32 = 128;
/** In the last byte of a row: VEX.vvvv names no register and must be 1111. */
const ROW_NO_VVVV: u8 = 1;

/** Kinds of immediates: cb, cw, cz. */
const IMMEDIATE_CB: u32 = 7;
const IMMEDIATE_CZ: u32 = 9;

const WIDTH_V64: u32 = 2;
const WIDTH_D64: u32 = 3;
const WIDTH_F64: u32 = 4;
const WIDTH_Z: u32 = 5;
const WIDTH_Y: u32 = 6;

/** The maps of VEX.0F, VEX.0F38 and VEX.0F3A follow those without VEX: mmmmm + 3. */
const VEX_MAPS: u32 = 3;

const NO_SEGMENT: u32 = 255;

/** The instruction under way. */
let prefixes: u32 = 0;
let rex: u32 = 0;
let segmentOverride: u32 = NO_SEGMENT;
let addressPrefix: bool = false;
let addressSize: u32 = 0;
let operandSize: u32 = 0;
let map: u32 = 0;
let opcode: u32 = 0;
let modrm: u32 = 0;
/** The ModRM byte of LES and LDS, which was looked at to tell them from VEX; else -1. */
let ahead: i32 = -1;
/** The instruction has a VEX prefix; the register of vvvv. */
let vex: bool = false;
let vvvv: u32 = 0;
/** A VEX prefix that no instruction has: L = 1, an unknown map, or a prefix that does not go with it. */
let vexInvalid: bool = false;
/** The memory operand. */
let base: u32 = NO_REGISTER;
let index: u32 = NO_REGISTER;
let scale: u32 = 0;
let displacement: i32 = 0;
let stackSegment: bool = false;
/** The displacement is from the next instruction. */
let ripRelative: bool = false;

function undefinedOpcode(op: usize): void {
  setCurrentOp(op);
  raiseUD();
}

let undefinedHandler: u32 = 0;

/** The number of the handler of what was decoded last (HANDLERS); 0: #UD. */
export let decodedHandler: u32 = 0;

export function initializeDecoder(): void {
  undefinedHandler = (<(op: usize) => void>undefinedOpcode).index;
  store<u64>(CPU_TWO_GIB, 0x8000_0000);
}

/** What {@link decodedKind} says: an instruction, #UD; and what interp/probe.ts adds: longer than 15 bytes. */
export const DECODED_VALID: u32 = 0;
export const DECODED_UNDEFINED: u32 = 1;
export const DECODED_TOO_LONG: u32 = 2;

/** What a decoded op is: DECODED_VALID or DECODED_UNDEFINED. */
export function decodedKind(op: usize): u32 {
  return load<u32>(op) == undefinedHandler ? DECODED_UNDEFINED : DECODED_VALID;
}

/**
 * The bytes behind C4 or C5 (SDM vol. 2, 2.3.5). Outside 64-bit mode they begin LES and LDS unless the top two bits, which would be
 * ModRM.mod, are 11; then R and X are what they would be for registers 0 to 7, and the top
 * bit of vvvv counts only where vvvv must be 1111.
 */
function readVex(first: u32): void {
  const short = opcode == 0xc5;
  const last = short ? first : fetchByte();
  vex = true;
  vexInvalid = rex != 0 || (prefixes & (OP_LOCK | OP_REP | OP_REPNE | OP_DATA16)) != 0 || (last & 4) != 0;
  const mapNumber = short ? 1 : first & 0x1f;
  if (mapNumber == 0 || mapNumber > 3) vexInvalid = true;
  map = VEX_MAPS + (mapNumber & 3);
  vvvv = (~last >> 3) & 15;
  rex = 0;
  if (isMode64) {
    rex = (~first >> 5) & 4;
    if (!short) rex = ((~first >> 5) & 7) | ((last >> 4) & 8);
    // For the operand size only: there is no REX prefix.
    rex |= 0x40;
  }
  const pp = last & 3;
  if (pp == 1) prefixes |= OP_DATA16;
  else if (pp == 2) prefixes |= OP_REP;
  else if (pp == 3) prefixes |= OP_REPNE;
  opcode = fetchByte();
}

/** Prefixes, REX, VEX, and the opcode with its map. */
function readOpcode(): void {
  prefixes = 0;
  rex = 0;
  ahead = -1;
  segmentOverride = NO_SEGMENT;
  addressPrefix = false;
  let byte = fetchByte();
  for (; !fetchAborted; byte = fetchByte()) {
    if (isMode64 && (byte & 0xf0) == 0x40) {
      rex = byte;
      continue;
    }
    if (byte == 0x66) prefixes |= OP_DATA16;
    else if (byte == 0x67) addressPrefix = true;
    else if (byte == 0xf0) prefixes |= OP_LOCK;
    else if (byte == 0xf3) prefixes = (prefixes & ~OP_REPNE) | OP_REP;
    else if (byte == 0xf2) prefixes = (prefixes & ~OP_REP) | OP_REPNE;
    else if (byte == 0x64) segmentOverride = 4;
    else if (byte == 0x65) segmentOverride = 5;
    else if ((byte & 0xe7) == 0x26) {
      // ES, CS, SS, DS: without effect in 64-bit mode, where they leave an FS or GS override.
      if (!isMode64) segmentOverride = (byte >> 3) & 3;
    } else break;
    // A REX that is not the last prefix does nothing.
    rex = 0;
  }
  map = 0;
  vex = false;
  opcode = byte;
  if ((byte & 0xfe) == 0xc4) {
    const second = fetchByte();
    if (isMode64 || second >= 0xc0) {
      readVex(second);
      return;
    }
    ahead = <i32>second;
  }
  if (rex != 0) prefixes |= OP_REX;
  if ((rex & 8) != 0) prefixes |= OP_REX_W;
  if (byte != 0x0f) return;
  map = 1;
  opcode = fetchByte();
  if (opcode != 0x38 && opcode != 0x3a) return;
  map = opcode == 0x38 ? 2 : 3;
  opcode = fetchByte();
}

function setSizes(): void {
  const data16 = (prefixes & OP_DATA16) != 0;
  if (currentCodeSize == 2) {
    operandSize = data16 ? 4 : 2;
    addressSize = addressPrefix ? 4 : 2;
  } else if (currentCodeSize == 4) {
    operandSize = data16 ? 2 : 4;
    addressSize = addressPrefix ? 2 : 4;
  } else {
    operandSize = (rex & 8) != 0 ? 8 : data16 ? 2 : 4;
    addressSize = addressPrefix ? 4 : 8;
  }
}

/** The row's width applied to the operand size that the prefixes say. */
function applyWidth(width: u32): void {
  if (width == WIDTH_Z) {
    if (operandSize == 8) operandSize = 4;
  } else if (width == WIDTH_Y) {
    if (operandSize == 2) operandSize = 4;
  } else if (isMode64) {
    if (width == WIDTH_V64) operandSize = 8;
    // Near branches: AMD's processors obey 66 (APM vol. 3, JMP near), Intel's do not.
    else if (width == WIDTH_F64) operandSize = isAmd && operandSize == 2 ? 2 : 8;
    else if (width == WIDTH_D64 && operandSize == 4) operandSize = 8;
  }
}

/** 16-bit addressing (SDM vol. 2, table 2-1). */
function readAddress16(mod: u32, rm: u32): void {
  if (mod == 0 && rm == 6) {
    displacement = <i32>(<i16>fetch16());
    return;
  }
  // BX+SI, BX+DI, BP+SI, BP+DI, SI, DI, BP, BX.
  if (rm == 0 || rm == 1 || rm == 7) base = 3 * 8;
  else if (rm == 2 || rm == 3 || rm == 6) base = 5 * 8;
  if (rm < 4 || rm == 4 || rm == 5) index = (rm & 1) == 0 ? 6 * 8 : 7 * 8;
  stackSegment = base == 5 * 8;
  if (mod == 1) displacement = <i32>(<i8>fetchByte());
  else if (mod == 2) displacement = <i32>(<i16>fetch16());
}

/** 32- and 64-bit addressing (SDM vol. 2, tables 2-2, 2-3 and 2-7). */
function readAddress32(mod: u32, rm: u32): void {
  let number = rm;
  if (rm == 4) {
    const sib = fetchByte();
    const indexNumber = ((sib >> 3) & 7) | ((rex & 2) << 2);
    scale = sib >> 6;
    if (indexNumber != 4) index = indexNumber * 8;
    number = sib & 7;
    if (mod == 0 && number == 5) {
      displacement = <i32>fetch32();
      return;
    }
  } else if (mod == 0 && rm == 5) {
    displacement = <i32>fetch32();
    if (isMode64) {
      base = RIP_BASE;
      ripRelative = true;
    }
    return;
  }
  number |= (rex & 1) << 3;
  base = number * 8;
  stackSegment = number == 4 || number == 5;
  if (mod == 1) displacement = <i32>(<i8>fetchByte());
  else if (mod == 2) displacement = <i32>fetch32();
}

/** The row that fits and that the guest is shown, or 0. */
function chooseRow(list: usize): usize {
  for (let at = list; load<u16>(at) != 0xffff; at += 2) {
    const row = ROWS + <usize>load<u16>(at) * ROW_BYTES;
    const prefix = load<u8>(row);
    // F3 and F2 choose before 66 does.
    if (prefix == 1 && (prefixes & (OP_DATA16 | OP_REP | OP_REPNE)) != OP_DATA16) continue;
    if (prefix == 2 && (prefixes & OP_REP) == 0) continue;
    if (prefix == 3 && (prefixes & OP_REPNE) == 0) continue;
    if (prefix >= 4 && (prefixes & (prefix == 4 ? OP_REP | OP_REPNE | OP_DATA16 : OP_REP | OP_REPNE)) != 0) continue;
    const modes = load<u8>(row, 1);
    if (modes != 0 && isMode64 != (modes == 2)) continue;
    const digit = load<u8>(row, 2);
    const flags = load<u8>(row, 3);
    if ((flags & ROW_REX_W) != 0 && (rex & 8) == 0) continue;
    if ((flags & ROW_FIXED) != 0) {
      if (load<u8>(row, 4) != modrm) continue;
    } else if (digit < 8 && digit != ((modrm >> 3) & 7)) continue;
    if (load<u8>(SHOWN + <usize>load<u8>(row, 20)) != 0) return row;
    if ((flags & ROW_LEGACY) == 0) return 0;
  }
  return 0;
}

/** Makes the displacement from the instruction's end, `end` bytes into the block, one from the block's first instruction. */
function displaceFromBlock(end: u32): void {
  const sum = <i64>displacement + <i64>end;
  // Beyond 32 bits, 2^31 of it comes from the index, of which RIP-relative addressing makes no use.
  if (sum > i32.MAX_VALUE) index = TWO_GIB;
  displacement = <i32>(sum > i32.MAX_VALUE ? sum - 0x8000_0000 : sum);
}

function byteRegister(number: u32): u32 {
  return rex == 0 && number >= 4 && number < 8 ? (number - 4) * 8 + 1 : number * 8;
}

function readImmediate(kind: u32): u64 {
  switch (kind) {
    case 1:
    case 7:
      return <u64>(<i64>(<i8>fetchByte()));
    case 2:
      return fetchByte();
    case 3:
      return fetch16();
    case 4:
      return <u64>(<i64>(<i32>fetch32()));
    case 5:
    case 9:
      return operandSize == 2 ? <u64>(<i64>(<i16>fetch16())) : <u64>(<i64>(<i32>fetch32()));
    case 6:
      return operandSize == 2 ? <u64>fetch16() : operandSize == 4 ? <u64>fetch32() : fetch64();
    case 8:
      return <u64>(<i64>(<i16>fetch16()));
    case 10:
      return operandSize == 2 ? <u64>fetch16() : <u64>fetch32();
    case 11:
      return addressSize == 2 ? <u64>fetch16() : addressSize == 4 ? <u64>fetch32() : fetch64();
    default:
      return 0;
  }
}

/** VERW with a memory operand takes LOCK on AMD's processors (measured on Zen 4), and only it of what does not write. */
function takesLock(isMemory: bool): bool {
  return isAmd && isMemory && map == 1 && opcode == 0 && ((modrm >> 3) & 7) == 5;
}

/** ModRM with its memory operand: how long it is. */
function readOperandBytes(): void {
  const mod = modrm >> 6;
  if (mod == 3) return;
  if (addressSize == 2) readAddress16(mod, modrm & 7);
  else readAddress32(mod, modrm & 7);
}

/** What no row describes: all of 0F 38 has a ModRM byte, and 0F 3A an immediate too, which must be there (measured on Zen 4). */
function readUndefined(): void {
  if (vex || map < 2) return;
  modrm = fetchByte();
  readOperandBytes();
  if (map == 3) fetchByte();
}

/** UD0 and UD1 have no ModRM byte on AMD's processors (measured on Zen 4; SDM vol. 2, UD, has one): none is fetched where that could fault. */
function isBareUndefined(): bool {
  return isAmd && map == 1 && (opcode == 0xff || opcode == 0xb9) && isNearEnd();
}

/** Writes an op that only calls `handler`. */
function writeBare(op: usize, start: u32, handler: u32): void {
  decodedHandler = 0;
  memory.fill(op, 0, 32);
  store<u32>(op, handler);
  store<u8>(op, <u8>fetchLength, 10);
  store<u16>(op, <u16>start, 12);
}

/**
 * Decodes the next instruction into `op`; `start` is its offset in the block. True: the block ends with it. If fetchAborted is set
 * afterwards, there is no instruction.
 */
export function decodeInstruction(op: usize, start: u32): bool {
  readOpcode();
  setSizes();
  const head = load<u16>(OPCODE_HEADS + <usize>((map << 8) | (opcode & 0xff)) * 2);
  if (head == 0 || (vex && vexInvalid) || isBareUndefined()) {
    if (head == 0) readUndefined();
    writeBare(op, start, undefinedHandler);
    return true;
  }
  const list = OPCODE_ROWS + <usize>head * 2;
  const hasModrm = load<u8>(ROWS + <usize>load<u16>(list) * ROW_BYTES, 2) != 9;
  modrm = ahead >= 0 ? <u32>ahead : hasModrm ? fetchByte() : 0;
  // MOV of control and debug registers takes ModRM.mod as 3 whatever it is (SDM vol. 2, MOV).
  if (map == 1 && (opcode & 0xfc) == 0x20) modrm |= 0xc0;
  const row = chooseRow(list);
  if (row == 0 || (vex && vvvv != 0 && load<u8>(row, 21) == ROW_NO_VVVV)) {
    writeBare(op, start, undefinedHandler);
    return true;
  }
  const flags = <u32>load<u8>(row, 3);
  applyWidth(load<u8>(row, 5));
  const mod = modrm >> 6;
  const isMemory = hasModrm && mod != 3;
  base = NO_REGISTER;
  index = NO_REGISTER;
  scale = 0;
  displacement = 0;
  stackSegment = false;
  ripRelative = false;
  if (hasModrm) readOperandBytes();
  const immediateKind = load<u8>(row, 6);
  let immediate = readImmediate(immediateKind);
  const second = immediateKind == 10 ? fetch16() : <u32>readImmediate(load<u8>(row, 7));
  if (fetchAborted) return true;

  const sizeAt = operandSize == 2 ? 0 : operandSize == 4 ? 2 : 4;
  const number = load<u16>(row + 8 + <usize>sizeAt + (isMemory ? 6 : 0));
  const locked = (prefixes & OP_LOCK) != 0;
  if (number == 0 || (locked && (!isMemory || (flags & ROW_LOCK) == 0) && !takesLock(isMemory))) {
    writeBare(op, start, undefinedHandler);
    return true;
  }
  // Branch displacements count from the block's first instruction, as CPU_RIP_BASE does.
  if (immediateKind >= IMMEDIATE_CB && immediateKind <= IMMEDIATE_CZ) immediate += start + fetchLength;
  if (ripRelative) displaceFromBlock(start + fetchLength);
  const reg = (flags & ROW_PLUS_REGISTER) != 0 ? (opcode & 7) | ((rex & 1) << 3) : ((modrm >> 3) & 7) | ((rex & 4) << 1);
  const rm = (modrm & 7) | ((rex & 1) << 3);
  const segment = segmentOverride != NO_SEGMENT ? segmentOverride : stackSegment ? 2 : 3;
  decodedHandler = number;
  store<u32>(op, load<u32>(HANDLERS + <usize>number * 4));
  store<u8>(op, <u8>((flags & ROW_REG_BYTE) != 0 ? byteRegister(reg) : reg * 8), 4);
  store<u8>(op, <u8>((flags & ROW_RM_BYTE) != 0 ? byteRegister(rm) : rm * 8), 5);
  store<u8>(op, <u8>base, 6);
  store<u8>(op, <u8>index, 7);
  store<u8>(op, <u8>scale, 8);
  store<u8>(op, <u8>segment, 9);
  store<u8>(op, <u8>fetchLength, 10);
  store<u8>(op, <u8>prefixes, 11);
  store<u16>(op, <u16>start, 12);
  store<u8>(op, <u8>(addressSize | (operandSize << 4)), 14);
  store<u8>(op, <u8>(reg | (rm << 4)), 15);
  store<u64>(op, immediate, 16);
  store<i32>(op, displacement, 24);
  store<u16>(op, <u16>(vex ? (isMode64 ? vvvv : vvvv & 7) * 8 : second), 28);
  store<u8>(op, <u8>modrm, 30);
  let addressing: u8 = 0;
  if (isMode64) {
    if (isMemory && addressSize == 8 && segment < 4) addressing = ADDRESSING_FLAT;
  } else if (isMemory && addressSize == 4) addressing = ADDRESSING_32;
  store<u8>(op, addressing, 31);
  return (flags & ROW_ENDS) != 0;
}

/**
 * Memory operands of 16 bytes: whole through the TLBs, and else in pieces of at most 8 bytes that do not cross a page. This is how
 * KVM's emulator splits them too (kvm: emulator_read_write_onepage), so that MMIO exits are the same.
 */
import { checkAlignment, readSlow, rmwBeginMissed, writeMissed } from './access';
import { raiseGP } from './fault';
import { MXCSR_MM } from './features';
import { CPU_FXSAVE } from './layout';
import { effectiveAddress, linearForRead, linearForWrite, readPart } from './memory';
import { SEGMENT_VIEWS } from './mode';
import { opSegment } from './op';
import { TLB_READ, TLB_WRITE, tlbContext, tlbEntry, tlbTag } from './tlb';

const MXCSR: usize = CPU_FXSAVE + 24;
const PIECES: usize = memory.data(16, 16);

/** Bytes of the next piece at `linear` when `left` remain. */
function pieceAt(linear: u64, left: u32): u32 {
  const room: u32 = 0x1000 - (<u32>linear & 0xfff);
  const most: u32 = left < 8 ? left : 8;
  return room < most ? room : most;
}

/** Not one operand of 16 bytes may be misaligned under alignment checking: SDM vol. 2, MOVUPS, leaves it open, AMD's raise #AC. */
function readPieces(linear: u64): v128 {
  checkAlignment(linear, 16);
  for (let at: u32 = 0; at < 16; ) {
    const size = pieceAt(linear + at, 16 - at);
    const value = readSlow(linear + at, size, tlbContext);
    for (let i: u32 = 0; i < size; i++) store<u8>(PIECES + <usize>(at + i), <u8>(value >> (i * 8)));
    at += size;
  }
  return v128.load(PIECES);
}

function writePieces(linear: u64, value: v128): void {
  // Every page is translated for writing before the first byte is written.
  const whole = rmwBeginMissed(linear, 16);
  if (whole != 0) {
    v128.store(whole, value);
    return;
  }
  v128.store(PIECES, value);
  for (let at: u32 = 0; at < 16; ) {
    const size = pieceAt(linear + at, 16 - at);
    let piece: u64 = 0;
    for (let i: u32 = 0; i < size; i++) piece |= <u64>load<u8>(PIECES + <usize>(at + i)) << (i * 8);
    writeMissed(linear + at, size, piece, tlbContext);
    at += size;
  }
}

/** Reads 16 bytes at a linear address. */
export function readLinear128(linear: u64): v128 {
  const entry = tlbEntry(TLB_READ, linear);
  if (load<u64>(entry) == tlbTag(linear, 16, tlbContext)) return v128.load(<usize>(<u32>linear + load<u32>(entry, 8)));
  return readPieces(linear);
}

/** Writes 16 bytes at a linear address, all or none. */
export function writeLinear128(linear: u64, value: v128): void {
  const entry = tlbEntry(TLB_WRITE, linear);
  if (load<u64>(entry) == tlbTag(linear, 16, tlbContext)) {
    v128.store(<usize>(<u32>linear + load<u32>(entry, 8)), value);
  } else writePieces(linear, value);
}

/** The 16 bytes of the memory operand, wherever they lie. */
export function readOperand128(op: usize): v128 {
  return readLinear128(linearForRead(opSegment(op), effectiveAddress(op), 16));
}

/** #GP(0) for a misaligned address comes before #SS(0) for one outside the stack segment, as on AMD's processors. */
// @ts-ignore: decorator
@inline
function requireAligned(segment: u32, offset: u64): void {
  if (((offset + load<u64>(SEGMENT_VIEWS + <usize>segment * 32)) & 15) != 0) raiseGP(0);
}

/** As requireAligned, unless MXCSR.MM says that it need not be (AMD APM vol. 2, 11.3.6): then only #AC(0) is left, where alignment is checked. */
// @ts-ignore: decorator
@inline
function requireMasked(segment: u32, offset: u64): void {
  if (((offset + load<u64>(SEGMENT_VIEWS + <usize>segment * 32)) & 15) != 0 && (load<u32>(MXCSR) & MXCSR_MM) == 0) raiseGP(0);
}

/** The operand of a computation: #GP(0) unless the linear address is a multiple of 16 or MXCSR.MM is set. */
export function readMasked128(op: usize): v128 {
  const offset = effectiveAddress(op);
  requireMasked(opSegment(op), offset);
  return readLinear128(linearForRead(opSegment(op), offset, 16));
}

/**
 * That of PUNPCKL… and of shifts, which need the low 8 bytes: where MXCSR.MM lets it be misaligned, Zen 4 reads no more (measured: no #PF for the
 * rest); limit, canonical form and alignment are those of 16 bytes.
 */
export function readMaskedLow128(op: usize): v128 {
  const offset = effectiveAddress(op);
  const segment = opSegment(op);
  requireMasked(segment, offset);
  const linear = linearForRead(segment, offset, 16);
  if ((linear & 15) == 0) return readLinear128(linear);
  checkAlignment(linear, 16);
  return i64x2.replace_lane(i64x2.splat(0), 0, readPart<u64>(linear));
}

/** That of an aligned load: #GP(0) unless the linear address is a multiple of 16 (SDM vol. 1, 10.4.1.1). */
export function readAligned128(op: usize): v128 {
  const offset = effectiveAddress(op);
  requireAligned(opSegment(op), offset);
  return readLinear128(linearForRead(opSegment(op), offset, 16));
}

export function writeOperand128(op: usize, value: v128): void {
  writeLinear128(linearForWrite(opSegment(op), effectiveAddress(op), 16), value);
}

export function writeAligned128(op: usize, value: v128): void {
  const offset = effectiveAddress(op);
  requireAligned(opSegment(op), offset);
  writeLinear128(linearForWrite(opSegment(op), offset, 16), value);
}

/**
 * What x87 and SSE have in common (SDM vol. 1, chapter 10; vol. 2): LDMXCSR, STMXCSR, FXSAVE, FXRSTOR, EMMS. The state lives in the FXSAVE64
 * image at CPU_FXSAVE. The x87 itself is in interp/execute/x87-*.ts.
 */
import { checkPendingX87, requireX87, updateSummary } from '../execute/x87-state';
import { enterMmx } from '../execute/mmx';
import { isAmd } from '../execute/vendor';
import { raiseGP, raiseNM, raiseUD } from '../fault';
import { mxcsrMask } from '../features';
import { CPU_FXSAVE, RUN_FXSAVE_CLEARS } from '../layout';
import {
  checkAlignment, cutAddress, effectiveAddress, linearForRead, linearForWrite, probeSpan, readLinear, readOperand, writeLinear,
  writeOperand,
} from '../memory';
import { cpl, mode64 } from '../mode';
import { opAddressSize, opOperandSize, opSegment } from '../op';
import { CR0_EM, CR0_TS, CR4_OSFXSR, cr0, cr4 } from '../registers';
import { wrapLinear } from './descriptor';

const STATUS: usize = CPU_FXSAVE + 2;
const TAGS: usize = CPU_FXSAVE + 4;
const INSTRUCTION: usize = CPU_FXSAVE + 8;
const DATA: usize = CPU_FXSAVE + 16;
/** FSW.ES: an exception waits. */
const SUMMARY: u16 = 0x80;
const MXCSR: usize = CPU_FXSAVE + 24;

const IMAGE_BYTES: u32 = 512;
/** Where the registers begin, where XMM8 begins, and where XMM15 ends. */
const XMM: u32 = 160;
const XMM_END_LEGACY: u32 = 288;
const XMM_END: u32 = 416;

/** `0F 77`: all registers are empty, and TOP is 0 (SDM vol. 3, table 13-1). */
export function emptyMmx(op: usize): void {
  if ((cr0() & CR0_EM) != 0) raiseUD();
  if ((cr0() & CR0_TS) != 0) raiseNM();
  checkPendingX87();
  enterMmx();
  store<u8>(TAGS, 0);
}

function requireSse(): void {
  if ((cr0() & CR0_EM) != 0 || (cr4() & CR4_OSFXSR) == 0) raiseUD();
  if ((cr0() & CR0_TS) != 0) raiseNM();
}

/** `0F AE /2` */
export function loadMxcsr(op: usize): void {
  requireSse();
  const value = readOperand<u32>(op);
  if ((value & ~mxcsrMask) != 0) raiseGP(0);
  store<u32>(MXCSR, value);
}

/** `0F AE /3` */
export function storeMxcsr(op: usize): void {
  requireSse();
  writeOperand<u32>(op, load<u32>(MXCSR));
}

/**
 * Linear address of the 512 bytes of FXSAVE and FXRSTOR: 16-byte aligned, else #GP(0); before that, where alignment is checked, #AC(0) unless
 * they are aligned to 4 bytes (as on AMD's processors; SDM vol. 2, FXSAVE, leaves open which misalignments are #AC).
 */
function imageAddress(op: usize, write: bool): u64 {
  requireX87();
  const offset = effectiveAddress(op);
  const segment = opSegment(op);
  checkAlignment(write ? linearForWrite(segment, offset, 4) : linearForRead(segment, offset, 4), 4);
  const start = wrapLinear(write ? linearForWrite(segment, offset, 4) : linearForRead(segment, offset, 4));
  if ((start & 15) != 0) raiseGP(0);
  // The last byte is tried first, as on AMD's processors: CR2 says so, and its offset wraps.
  const end = cutAddress(offset + IMAGE_BYTES - 1, opAddressSize(op));
  probeSpan(wrapLinear(write ? linearForWrite(segment, end, 1) : linearForRead(segment, end, 1)), 1, write);
  const linear = wrapLinear(
    write ? linearForWrite(segment, offset, IMAGE_BYTES) : linearForRead(segment, offset, IMAGE_BYTES),
  );
  probeSpan(linear, 1, write);
  return linear;
}

/** First byte behind the XMM registers that the mode moves; without CR4.OSFXSR none (as on Intel's processors). */
function xmmEnd(): u32 {
  if ((cr4() & CR4_OSFXSR) == 0) return XMM;
  return mode64() ? XMM_END : XMM_END_LEGACY;
}

/** `0F AE /0` */
export function saveFx(op: usize): void {
  const linear = imageAddress(op, true);
  // AMD shows FOP, FIP and FDP only while an exception waits (APM vol. 5, FXSAVE).
  const shown = !isAmd || (load<u16>(STATUS) & SUMMARY) != 0;
  const instruction: u64 = shown ? load<u64>(INSTRUCTION) : 0;
  const data: u64 = shown ? load<u64>(DATA) : 0;
  writeLinear<u64>(linear, load<u64>(CPU_FXSAVE) & (shown ? u64.MAX_VALUE : 0x0000ffffffffffff));
  // Without REX.W offsets of 32 bits; the selectors behind them read as zero.
  const mask: u64 = opOperandSize(op) == 8 ? u64.MAX_VALUE : 0xffffffff;
  writeLinear<u64>(linear + 8, instruction & mask);
  writeLinear<u64>(linear + 16, data & mask);
  writeLinear<u32>(linear + 24, load<u32>(MXCSR));
  writeLinear<u32>(linear + 28, mxcsrMask);
  const end = xmmEnd();
  for (let i: u32 = 32; i < end; i += 8) writeLinear<u64>(linear + i, load<u64>(CPU_FXSAVE + <usize>i));
  if (load<u32>(RUN_FXSAVE_CLEARS) == 0 || cpl() == 3 || end != XMM_END) return;
  for (let i: u32 = end; i < IMAGE_BYTES; i += 8) writeLinear<u64>(linear + i, 0);
}

/** FIP and FDP have 57 bits, sign-extended, on Zen 4 (measured); other AMD processors and Intel's are taken to keep all 64. */
function pointerOf(value: u64): u64 {
  return isAmd ? <u64>(<i64>(value << 7) >> 7) : value;
}

/** `0F AE /1` */
export function restoreFx(op: usize): void {
  const linear = imageAddress(op, false);
  const mxcsr = readLinear<u32>(linear + 24);
  if ((mxcsr & ~mxcsrMask) != 0) raiseGP(0);
  // Of the control word, bit 6 is always set and the reserved ones are clear; FOP has eleven bits.
  store<u64>(CPU_FXSAVE, (readLinear<u64>(linear) & 0x07ff00ffffff1f3f) | 0x40);
  if (opOperandSize(op) == 8) {
    store<u64>(INSTRUCTION, pointerOf(readLinear<u64>(linear + 8)));
    store<u64>(DATA, pointerOf(readLinear<u64>(linear + 16)));
  } else {
    store<u64>(INSTRUCTION, readLinear<u32>(linear + 8));
    store<u64>(DATA, readLinear<u32>(linear + 16));
  }
  store<u32>(MXCSR, mxcsr);
  const end = xmmEnd();
  for (let i: u32 = 32; i < end; i += 8) {
    // Of the 16 bytes of an x87 register, ten are state.
    const mask: u64 = i < XMM && (i & 8) != 0 ? 0xffff : u64.MAX_VALUE;
    store<u64>(CPU_FXSAVE + <usize>i, readLinear<u64>(linear + i) & mask);
  }
  updateSummary();
}

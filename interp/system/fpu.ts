/**
 * As much of the x87 and SSE state as a kernel's start needs (SDM vol. 1, chapters 8 and 10; vol. 2): FNINIT, FNCLEX, the
 * control and status words, FWAIT, LDMXCSR, STMXCSR, FXSAVE, FXRSTOR, EMMS and FILD. The state lives in the FXSAVE64 image at CPU_FXSAVE.
 */
import { currentRip } from '../control';
import { raiseGP, raiseMF, raiseNM, raiseUD, unimplemented } from '../fault';
import { CPU_FXSAVE } from '../layout';
import {
  effectiveAddress, linearForRead, linearForWrite, probeRead, probeWrite, readLinear, readOperand, writeLinear,
  writeOperand,
} from '../memory';
import { cpl, mode64 } from '../mode';
import { opModrm, opOperandSize, opSegment } from '../op';
import { CR0_EM, CR0_MP, CR0_NE, CR0_TS, CR4_OSFXSR, REG_RAX, cr0, cr4, setReg } from '../registers';
import { wrapLinear } from './descriptor';

const CONTROL: usize = CPU_FXSAVE;
const STATUS: usize = CPU_FXSAVE + 2;
const TAGS: usize = CPU_FXSAVE + 4;
const OPCODE: usize = CPU_FXSAVE + 6;
const INSTRUCTION: usize = CPU_FXSAVE + 8;
const DATA: usize = CPU_FXSAVE + 16;
const MXCSR: usize = CPU_FXSAVE + 24;
const REGISTERS: usize = CPU_FXSAVE + 32;

/** The bits of MXCSR that exist, as src/vmm/cpu/fxsave.ts has them. */
const MXCSR_MASK: u32 = 0xffff;
/** ES and B: an unmasked exception waits. */
const SUMMARY: u16 = 0x8080;
const IMAGE_BYTES: u32 = 512;
/** Where the registers begin, where XMM8 begins, and where XMM15 ends. */
const XMM: u32 = 160;
const XMM_END_LEGACY: u32 = 288;
const XMM_END: u32 = 416;

/** #NM as every x87 instruction but FWAIT has it. */
function requireX87(): void {
  if ((cr0() & (CR0_EM | CR0_TS)) != 0) raiseNM();
}

/** #MF if an unmasked exception waits; with CR0.NE clear it would be an external interrupt, which is not wired. */
function checkPending(): void {
  if ((load<u16>(STATUS) & 0x80) == 0) return;
  if ((cr0() & CR0_NE) == 0) unimplemented();
  raiseMF();
}

/** Recomputes ES and B after a change of the masks or of the flags. */
function updateSummary(): void {
  const status = load<u16>(STATUS);
  const unmasked = status & ~load<u16>(CONTROL) & 0x3f;
  store<u16>(STATUS, unmasked != 0 ? status | SUMMARY : status & ~SUMMARY);
}

/** `DB E3` */
export function initializeX87(op: usize): void {
  requireX87();
  store<u16>(CONTROL, 0x37f);
  store<u16>(STATUS, 0);
  store<u8>(TAGS, 0);
  store<u16>(OPCODE, 0);
  store<u64>(INSTRUCTION, 0);
  store<u64>(DATA, 0);
}

/** `DB E2` */
export function clearX87Exceptions(op: usize): void {
  requireX87();
  store<u16>(STATUS, load<u16>(STATUS) & 0x7f00);
}

/** `D9 /7` */
export function storeControlWord(op: usize): void {
  requireX87();
  writeOperand<u16>(op, load<u16>(CONTROL));
}

/** `D9 /5` */
export function loadControlWord(op: usize): void {
  requireX87();
  checkPending();
  store<u16>(CONTROL, (readOperand<u16>(op) & 0x1f3f) | 0x40);
  updateSummary();
}

/** `DD /7` */
export function storeStatusWord(op: usize): void {
  requireX87();
  writeOperand<u16>(op, load<u16>(STATUS));
}

/** `DF E0` */
export function storeStatusWordAx(op: usize): void {
  requireX87();
  setReg<u16>(REG_RAX, load<u16>(STATUS));
}

/** `9B` */
export function waitX87(op: usize): void {
  if ((cr0() & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) raiseNM();
  checkPending();
}

/** `0F 77`: all registers are empty. */
export function emptyMmx(op: usize): void {
  if ((cr0() & CR0_EM) != 0) raiseUD();
  if ((cr0() & CR0_TS) != 0) raiseNM();
  checkPending();
  store<u8>(TAGS, 0);
}

/** Notes the instruction and its operand for FSAVE and FXSAVE (SDM vol. 1, 8.1.8). `opcode` is its last two bytes, 11 bits. */
function notePointers(op: usize, opcode: u32): void {
  store<u16>(OPCODE, <u16>opcode);
  store<u64>(INSTRUCTION, currentRip());
  store<u64>(DATA, effectiveAddress(op));
}

/** Makes room for a new ST0; its register was in use: the stack overflows, and false is returned. */
function pushStack(): bool {
  const status = load<u16>(STATUS);
  const top: u32 = (((<u32>status >> 11) & 7) - 1) & 7;
  const free = (<u32>load<u8>(TAGS) & (1 << top)) == 0;
  store<u16>(STATUS, (status & ~0x3a00) | (<u16>top << 11) | (free ? 0 : 0x241));
  if (!free) {
    updateSummary();
    // Unmasked, the exception waits, and nothing is pushed.
    if ((load<u16>(CONTROL) & 1) == 0) {
      store<u16>(STATUS, (load<u16>(STATUS) & ~0x3800) | (status & 0x3800));
      return false;
    }
  }
  for (let i: usize = 7; i > 0; i--) memory.copy(REGISTERS + i * 16, REGISTERS + (i - 1) * 16, 16);
  store<u8>(TAGS, <u8>(<u32>load<u8>(TAGS) | (1 << top)));
  // The masked answer to an overflow: the indefinite quiet NaN.
  store<u64>(REGISTERS, 0xc000000000000000);
  store<u64>(REGISTERS, 0xffff, 8);
  return free;
}

/** `DB /0`: pushes a 32-bit integer, which every extended value holds exactly. */
export function loadInteger32(op: usize): void {
  requireX87();
  checkPending();
  const value = <i64>readOperand<i32>(op);
  notePointers(op, 0x300 | opModrm(op));
  if (!pushStack()) return;
  if (value == 0) {
    store<u64>(REGISTERS, 0);
    store<u64>(REGISTERS, 0, 8);
    return;
  }
  const magnitude = <u64>(value < 0 ? -value : value);
  const shift = clz<u64>(magnitude);
  store<u64>(REGISTERS, magnitude << shift);
  store<u64>(REGISTERS, (value < 0 ? 0x8000 : 0) | (16383 + 63 - shift), 8);
}

function requireSse(): void {
  if ((cr0() & CR0_EM) != 0 || (cr4() & CR4_OSFXSR) == 0) raiseUD();
  if ((cr0() & CR0_TS) != 0) raiseNM();
}

/** `0F AE /2` */
export function loadMxcsr(op: usize): void {
  requireSse();
  const value = readOperand<u32>(op);
  if ((value & ~MXCSR_MASK) != 0) raiseGP(0);
  store<u32>(MXCSR, value);
}

/** `0F AE /3` */
export function storeMxcsr(op: usize): void {
  requireSse();
  writeOperand<u32>(op, load<u32>(MXCSR));
}

/** Linear address of the 512 bytes of FXSAVE and FXRSTOR: 16-byte aligned, else #GP(0). */
function imageAddress(op: usize, write: bool): u64 {
  requireX87();
  const offset = effectiveAddress(op);
  const segment = opSegment(op);
  const linear = wrapLinear(
    write ? linearForWrite(segment, offset, IMAGE_BYTES) : linearForRead(segment, offset, IMAGE_BYTES),
  );
  if ((linear & 15) != 0) raiseGP(0);
  const last = linear + IMAGE_BYTES - 1;
  if (write) {
    probeWrite(linear, 1, cpl() == 3);
    probeWrite(last, 1, cpl() == 3);
  } else {
    probeRead(linear, 1, cpl() == 3);
    probeRead(last, 1, cpl() == 3);
  }
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
  writeLinear<u64>(linear, load<u64>(CPU_FXSAVE));
  if (opOperandSize(op) == 8) {
    writeLinear<u64>(linear + 8, load<u64>(INSTRUCTION));
    writeLinear<u64>(linear + 16, load<u64>(DATA));
  } else {
    // Offsets of 32 bits; the selectors behind them read as zero.
    writeLinear<u64>(linear + 8, load<u32>(INSTRUCTION));
    writeLinear<u64>(linear + 16, load<u32>(DATA));
  }
  writeLinear<u32>(linear + 24, load<u32>(MXCSR));
  writeLinear<u32>(linear + 28, MXCSR_MASK);
  const end = xmmEnd();
  for (let i: u32 = 32; i < end; i += 8) writeLinear<u64>(linear + i, load<u64>(CPU_FXSAVE + <usize>i));
}

/** `0F AE /1` */
export function restoreFx(op: usize): void {
  const linear = imageAddress(op, false);
  const mxcsr = readLinear<u32>(linear + 24);
  if ((mxcsr & ~MXCSR_MASK) != 0) raiseGP(0);
  store<u64>(CPU_FXSAVE, readLinear<u64>(linear) & 0xffff00ffffffffff);
  if (opOperandSize(op) == 8) {
    store<u64>(INSTRUCTION, readLinear<u64>(linear + 8));
    store<u64>(DATA, readLinear<u64>(linear + 16));
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

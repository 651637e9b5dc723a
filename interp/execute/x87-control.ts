/**
 * Control words and environments of the x87 (SDM vol. 1, 8.1.10 and 8.3.7): FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW, FWAIT, FNSTENV,
 * FLDENV, FNSAVE, FRSTOR. In an environment, FCS and FDS are stored as 0 and ignored when loaded (x87-state.ts).
 */
import { raiseNM } from '../fault';
import {
  checkAlignment, effectiveAddress, linearForRead, linearForWrite, probeSpan, readOperand, readPart, writeOperand, writePart,
} from '../memory';
import { protectedMode } from '../mode';
import { opOperandSize, opSegment } from '../op';
import { CR0_MP, CR0_TS, REG_RAX, cr0, setReg } from '../registers';
import { wrapLinear } from '../system/descriptor';
import {
  STATUS_TOP, X87_CONTROL, X87_DATA, X87_INSTRUCTION, X87_OPCODE, X87_STATUS, X87_TAGS, checkPendingX87, incrementTop,
  releaseFerr, requireX87, stackAt, stackHigh, stackSig, updateSummary, waitingX87, x87Control, x87Status,
} from './x87-state';

/** Bytes of the eight registers in FNSAVE's image. */
const REGISTER_BYTES: u32 = 80;

/** TOP becomes another; registers stay where they are, so that ST(i) names others. */
function rotateTo(top: u32): void {
  while (((x87Status() & STATUS_TOP) >> 11) != top) incrementTop();
}

function initialize(): void {
  rotateTo(0);
  store<u16>(X87_CONTROL, 0x37f);
  store<u16>(X87_STATUS, 0);
  store<u8>(X87_TAGS, 0);
  store<u16>(X87_OPCODE, 0);
  store<u64>(X87_INSTRUCTION, 0);
  store<u64>(X87_DATA, 0);
  releaseFerr();
}

/** `DB E3` */
export function initializeX87(op: usize): void {
  requireX87();
  initialize();
}

/** `DB E2` */
export function clearX87Exceptions(op: usize): void {
  requireX87();
  store<u16>(X87_STATUS, <u16>(x87Status() & 0x7f00));
  releaseFerr();
}

/** `D9 /7` */
export function storeControlWord(op: usize): void {
  requireX87();
  writeOperand<u16>(op, <u16>x87Control());
}

/** The bits of a control word that exist: bit 6 reads as one. */
function controlWord(value: u32): u16 {
  return <u16>((value & 0x1f3f) | 0x40);
}

/** `D9 /5` */
export function loadControlWord(op: usize): void {
  waitingX87();
  store<u16>(X87_CONTROL, controlWord(readOperand<u16>(op)));
  updateSummary();
}

/** `DD /7` */
export function storeStatusWord(op: usize): void {
  requireX87();
  writeOperand<u16>(op, <u16>x87Status());
}

/** `DF E0` */
export function storeStatusWordAx(op: usize): void {
  requireX87();
  setReg<u16>(REG_RAX, <u16>x87Status());
}

/** `9B` */
export function waitX87(op: usize): void {
  if ((cr0() & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) raiseNM();
  checkPendingX87();
}

/** The tag word in full: 0 valid, 1 zero, 2 special, 3 empty, for each physical register (SDM vol. 1, 8.1.7). */
function fullTags(): u32 {
  const top = (x87Status() >> 11) & 7;
  const used = <u32>load<u8>(X87_TAGS);
  let tags: u32 = 0;
  for (let register: u32 = 0; register < 8; register++) {
    let tag: u32 = 3;
    if ((used >> register) & 1) {
      const i = (register - top) & 7;
      const exp = stackHigh(i) & 0x7fff;
      const sig = stackSig(i);
      if (exp == 0 && sig == 0) tag = 1;
      else tag = exp == 0 || exp == 0x7fff || sig >> 63 == 0 ? 2 : 0;
    }
    tags |= tag << (register * 2);
  }
  return tags;
}

/**
 * Linear address of `size` bytes of the operand, all of which can be accessed. As on AMD's processors: the first word or dword is checked as
 * an access of its own (its alignment is that of the whole), then limit and canonical form of the whole, then its last byte.
 */
function wholeOperand(op: usize, size: u32, write: bool): u64 {
  const offset = effectiveAddress(op);
  const segment = opSegment(op);
  const unit: u32 = opOperandSize(op) == 2 ? 2 : 4;
  const first = wrapLinear(write ? linearForWrite(segment, offset, unit) : linearForRead(segment, offset, unit));
  checkAlignment(first, unit);
  probeSpan(first, unit, write);
  const linear = wrapLinear(write ? linearForWrite(segment, offset, size) : linearForRead(segment, offset, size));
  probeSpan(wrapLinear(linear + size - 1), 1, write);
  return linear;
}

/** Bytes of the environment: 14 or 28. */
// @ts-ignore: decorator
@inline
function environmentBytes(op: usize): u32 {
  return opOperandSize(op) == 2 ? 14 : 28;
}

function writeEnvironment(op: usize, linear: u64): void {
  const fip = load<u32>(X87_INSTRUCTION);
  const fdp = load<u32>(X87_DATA);
  const opcode = <u32>load<u16>(X87_OPCODE) & 0x7ff;
  if (opOperandSize(op) == 2) {
    writePart<u16>(linear, <u16>x87Control());
    writePart<u16>(wrapLinear(linear + 2), <u16>x87Status());
    writePart<u16>(wrapLinear(linear + 4), <u16>fullTags());
    writePart<u16>(wrapLinear(linear + 6), <u16>fip);
    writePart<u16>(wrapLinear(linear + 8), protectedMode() ? 0 : <u16>(opcode | ((fip >> 4) & 0xf000)));
    writePart<u16>(wrapLinear(linear + 10), <u16>fdp);
    writePart<u16>(wrapLinear(linear + 12), protectedMode() ? 0 : <u16>((fdp >> 4) & 0xf000));
    return;
  }
  writePart<u32>(linear, x87Control() | 0xffff0000);
  writePart<u32>(wrapLinear(linear + 4), x87Status() | 0xffff0000);
  writePart<u32>(wrapLinear(linear + 8), fullTags() | 0xffff0000);
  if (protectedMode()) {
    writePart<u32>(wrapLinear(linear + 12), fip);
    writePart<u32>(wrapLinear(linear + 16), opcode << 16);
    writePart<u32>(wrapLinear(linear + 20), fdp);
    writePart<u32>(wrapLinear(linear + 24), 0xffff0000);
  } else {
    writePart<u32>(wrapLinear(linear + 12), fip | 0xffff0000);
    writePart<u32>(wrapLinear(linear + 16), opcode | ((fip >> 4) & 0x0ffff000));
    writePart<u32>(wrapLinear(linear + 20), fdp | 0xffff0000);
    writePart<u32>(wrapLinear(linear + 24), (fdp >> 4) & 0x0ffff000);
  }
}

/** `D9 /6` */
export function storeEnvironment(op: usize): void {
  requireX87();
  writeEnvironment(op, wholeOperand(op, environmentBytes(op), true));
  store<u16>(X87_CONTROL, <u16>(x87Control() | 0x3f));
  updateSummary();
}

/** What readEnvironment read. */
let newControl: u32 = 0;
let newStatus: u32 = 0;
let newTags: u32 = 0;
let newOpcode: u32 = 0;
let newInstruction: u32 = 0;
let newData: u32 = 0;

function readEnvironment(op: usize, linear: u64): void {
  const step: u64 = opOperandSize(op) == 2 ? 2 : 4;
  newControl = readPart<u16>(linear);
  newStatus = readPart<u16>(wrapLinear(linear + step));
  newTags = readPart<u16>(wrapLinear(linear + step * 2));
  newOpcode = 0;
  if (step == 2) {
    newInstruction = readPart<u16>(wrapLinear(linear + 6));
    newData = readPart<u16>(wrapLinear(linear + 10));
    if (protectedMode()) return;
    const upper = <u32>readPart<u16>(wrapLinear(linear + 8));
    newOpcode = upper & 0x7ff;
    newInstruction |= (upper & 0xf000) << 4;
    newData |= (<u32>readPart<u16>(wrapLinear(linear + 12)) & 0xf000) << 4;
    return;
  }
  newInstruction = readPart<u32>(wrapLinear(linear + 12));
  const upper = readPart<u32>(wrapLinear(linear + 16));
  newData = readPart<u32>(wrapLinear(linear + 20));
  if (protectedMode()) newOpcode = (upper >> 16) & 0x7ff;
  else {
    newOpcode = upper & 0x7ff;
    newInstruction = (newInstruction & 0xffff) | ((upper & 0x0ffff000) << 4);
    newData = (newData & 0xffff) | ((readPart<u32>(wrapLinear(linear + 24)) & 0x0ffff000) << 4);
  }
}

function commitEnvironment(): void {
  rotateTo((newStatus >> 11) & 7);
  store<u16>(X87_CONTROL, controlWord(newControl));
  store<u16>(X87_STATUS, <u16>newStatus);
  let used: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) used |= u32(((newTags >> (i * 2)) & 3) != 3) << i;
  store<u8>(X87_TAGS, <u8>used);
  store<u16>(X87_OPCODE, <u16>newOpcode);
  store<u64>(X87_INSTRUCTION, newInstruction);
  store<u64>(X87_DATA, newData);
  updateSummary();
}

/** `D9 /4` */
export function loadEnvironment(op: usize): void {
  waitingX87();
  readEnvironment(op, wholeOperand(op, environmentBytes(op), false));
  commitEnvironment();
}

/** `DD /6` */
export function saveX87(op: usize): void {
  requireX87();
  const head = environmentBytes(op);
  const linear = wholeOperand(op, head + REGISTER_BYTES, true);
  writeEnvironment(op, linear);
  for (let i: u32 = 0; i < 8; i++) {
    const at = linear + head + i * 10;
    writePart<u64>(wrapLinear(at), stackSig(i));
    writePart<u16>(wrapLinear(at + 8), <u16>stackHigh(i));
  }
  initialize();
}

/** The registers that FRSTOR read. */
const restored: usize = memory.data(128, 16);

/** `DD /4` */
export function restoreX87(op: usize): void {
  waitingX87();
  const head = environmentBytes(op);
  const linear = wholeOperand(op, head + REGISTER_BYTES, false);
  readEnvironment(op, linear);
  for (let i: u32 = 0; i < 8; i++) {
    const at = linear + head + i * 10;
    store<u64>(restored + <usize>i * 16, readPart<u64>(wrapLinear(at)));
    store<u64>(restored + <usize>i * 16, readPart<u16>(wrapLinear(at + 8)), 8);
  }
  commitEnvironment();
  for (let i: u32 = 0; i < 8; i++) v128.store(stackAt(i), v128.load(restored + <usize>i * 16));
}

/**
 * String instructions (SDM vol. 1, 7.3.9; vol. 2, REP): MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS, one at a time or repeated.
 *
 * A repeated instruction is many iterations, each complete in itself: registers are written after the accesses of the
 * iteration, so that a fault or an interrupt between two finds the architectural state. In one call at most repeatBudget()
 * iterations are done. MOVS and STOS that go forward are done in bulk within a page (string-bulk.ts).
 */
import { commitIteration, repeatBudget, repeatYield } from '../control';
import { debugHits, notePort } from '../debug';
import { FLAG_DF, getZF, setFlagsSub } from '../flags';
import { ioRead, ioWrite } from '../io';
import { cutAddress, linearForWrite, readSegment, rmwBeginLinear, rmwWrite, writeSegment } from '../memory';
import { OP_REP, OP_REPNE, opAddressSize, opFlags, opSegment } from '../op';
import { REG_RAX, REG_RCX, REG_RDI, REG_RDX, REG_RSI, SEG_ES, controlFlags, getReg, setReg } from '../registers';
import { checkPortAccess } from '../system/port';
import { BULK_SHIFT, spend } from '../work';
import { bulkFill, bulkMove } from './string-bulk';
import { isAmd } from './vendor';

const MOVS: i32 = 0;
const CMPS: i32 = 1;
const STOS: i32 = 2;
const LODS: i32 = 3;
const SCAS: i32 = 4;
const INS: i32 = 5;
const OUTS: i32 = 6;

// @ts-ignore: decorator
@inline
function pointer(register: usize, size: u32): u64 {
  return cutAddress(getReg<u64>(register), size);
}

/** Writes a pointer or counter by the address size: 16 bits merge, 32 bits clear the upper half. */
// @ts-ignore: decorator
@inline
function setPointer(register: usize, size: u32, value: u64): void {
  if (size == 8) setReg<u64>(register, value);
  else if (size == 4) setReg<u32>(register, <u32>value);
  else setReg<u16>(register, <u16>value);
}

/** One iteration: its accesses, then its registers and flags. */
// @ts-ignore: decorator
@inline
function iterate<T>(op: usize, kind: i32, size: u32): void {
  const step: u64 = controlFlags() & FLAG_DF ? <u64>0 - <u64>sizeof<T>() : <u64>sizeof<T>();
  const from = pointer(REG_RSI, size);
  const to = pointer(REG_RDI, size);
  if (kind == MOVS) {
    writeSegment<T>(SEG_ES, to, readSegment<T>(opSegment(op), from));
  } else if (kind == CMPS) {
    // AMD's processors (measured on Zen 4) read the second operand first, but for REPE CMPSB: where both fault, it is the one that counts.
    const second = isAmd && !(sizeof<T>() == 1 && (opFlags(op) & OP_REP) != 0);
    const early: T = second ? readSegment<T>(SEG_ES, to) : 0;
    const a = readSegment<T>(opSegment(op), from);
    const b = second ? early : readSegment<T>(SEG_ES, to);
    setFlagsSub<T>(a, b, 0, <T>(a - b));
  } else if (kind == STOS) {
    writeSegment<T>(SEG_ES, to, getReg<T>(REG_RAX));
  } else if (kind == LODS) {
    setReg<T>(REG_RAX, readSegment<T>(opSegment(op), from));
  } else if (kind == SCAS) {
    const a = getReg<T>(REG_RAX);
    const b = readSegment<T>(SEG_ES, to);
    setFlagsSub<T>(a, b, 0, <T>(a - b));
  } else if (kind == INS) {
    // The write is translated first: a fault comes before the port is read.
    const port = getReg<u16>(REG_RDX);
    checkPortAccess(port, sizeof<T>());
    const at = rmwBeginLinear<T>(linearForWrite(SEG_ES, to, sizeof<T>()));
    rmwWrite<T>(at, <T>ioRead(port, sizeof<T>()));
    notePort(port, sizeof<T>());
  } else {
    const port = getReg<u16>(REG_RDX);
    checkPortAccess(port, sizeof<T>());
    ioWrite(port, sizeof<T>(), <u32>readSegment<T>(opSegment(op), from));
    notePort(port, sizeof<T>());
  }
  if (kind == MOVS || kind == CMPS || kind == LODS || kind == OUTS) setPointer(REG_RSI, size, from + step);
  if (kind == MOVS || kind == CMPS || kind == STOS || kind == SCAS || kind == INS) setPointer(REG_RDI, size, to + step);
}

/** Iterations that could be done at once: 0 if the next must be done alone. */
// @ts-ignore: decorator
@inline
function bulk<T>(op: usize, kind: i32, size: u32, budget: u32): u32 {
  if (kind != MOVS && kind != STOS) return 0;
  if (controlFlags() & FLAG_DF) return 0;
  const count = pointer(REG_RCX, size);
  const most: u64 = count < budget ? count : budget;
  const from = pointer(REG_RSI, size);
  const to = pointer(REG_RDI, size);
  let done: u32;
  if (kind == MOVS) done = bulkMove<T>(opSegment(op), from, to, size, <u32>most);
  else done = bulkFill<T>(to, size, <u32>most, getReg<T>(REG_RAX));
  if (done == 0) return 0;
  const bytes = <u64>done * sizeof<T>();
  if (kind == MOVS) setPointer(REG_RSI, size, from + bytes);
  setPointer(REG_RDI, size, to + bytes);
  setPointer(REG_RCX, size, count - done);
  spend(1 + (bytes >> BULK_SHIFT));
  return done;
}

/** A count of 0 with a 32-bit address size on Intel's processors: see vendor.ts. */
function clearUpperHalves(kind: i32): void {
  setReg<u32>(REG_RCX, 0);
  if (kind == MOVS) setReg<u32>(REG_RSI, getReg<u32>(REG_RSI));
  if (kind == MOVS || kind == STOS) setReg<u32>(REG_RDI, getReg<u32>(REG_RDI));
}

// @ts-ignore: decorator
@inline
function execute<T>(op: usize, kind: i32): void {
  const size = opAddressSize(op);
  const repeat = opFlags(op) & (OP_REP | OP_REPNE);
  if (repeat == 0) iterate<T>(op, kind, size);
  else repeatIterations<T>(op, kind, size, repeat);
}

// @ts-ignore: decorator
@inline
function repeatIterations<T>(op: usize, kind: i32, size: u32, repeat: u32): void {
  let left = pointer(REG_RCX, size);
  if (left == 0) {
    // The right to use the port is asked for even when nothing is moved (as silicon does).
    if (kind == INS || kind == OUTS) checkPortAccess(getReg<u16>(REG_RDX), sizeof<T>());
    if (size == 4 && !isAmd) clearUpperHalves(kind);
    return;
  }
  let budget = repeatBudget(size);
  while (true) {
    const done = budget > 1 ? bulk<T>(op, kind, size, budget) : 0;
    if (done != 0) {
      left -= done;
      budget -= done;
    } else {
      iterate<T>(op, kind, size);
      spend(1);
      left--;
      budget--;
      setPointer(REG_RCX, size, left);
      commitIteration();
      if (kind == CMPS || kind == SCAS) {
        // REPE goes on while equal, REPNE while not.
        if (getZF() == <u32>((repeat & OP_REPNE) != 0)) return;
      }
    }
    if (left == 0) return;
    // A breakpoint traps between two iterations.
    if (budget == 0 || debugHits != 0) {
      repeatYield();
      return;
    }
  }
}

/** `A4`, `A5`. */
export function movs<T>(op: usize): void {
  execute<T>(op, MOVS);
}

/** `A6`, `A7`. */
export function cmps<T>(op: usize): void {
  execute<T>(op, CMPS);
}

/** `AA`, `AB`. */
export function stos<T>(op: usize): void {
  execute<T>(op, STOS);
}

/** `AC`, `AD`. */
export function lods<T>(op: usize): void {
  execute<T>(op, LODS);
}

/** `AE`, `AF`. */
export function scas<T>(op: usize): void {
  execute<T>(op, SCAS);
}

/** `6C`, `6D`. */
export function ins<T>(op: usize): void {
  execute<T>(op, INS);
}

/** `6E`, `6F`. */
export function outs<T>(op: usize): void {
  execute<T>(op, OUTS);
}

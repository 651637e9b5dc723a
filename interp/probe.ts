/**
 * The decoder without execution, for the comparison with another decoder (src/compare/decoder): lengths and validity of byte strings in the
 * mode of the CPU state. Nothing here is used by a run.
 */
import { writeStop } from './chain';
import { setCurrentOp, setFirstOp } from './control';
import { DECODED_TOO_LONG, decodedKind, decodeInstruction } from './decode';
import { beginInstruction, fetchAborted, fetchLength, locateBytes } from './fetch';
import { CPU_RIP, CPU_RIP_BASE } from './layout';
import { OP_BYTES, opLength } from './op';

export { faultVector, unwindKind } from './fault';

/** The op, and the one behind it, which ends the block. */
const PROBE_OP: usize = memory.data(OP_BYTES * 2, 8);

/** More than an instruction can have: the bytes behind must be readable. */
const WINDOW: u32 = 16;

function decodeAt(bytes: usize): u32 {
  locateBytes(bytes, WINDOW);
  beginInstruction(false, WINDOW);
  decodeInstruction(PROBE_OP, 0);
  return fetchAborted ? DECODED_TOO_LONG : decodedKind(PROBE_OP);
}

/**
 * Decodes `count` strings of 16 bytes, each `stride` bytes behind the one before, from memory offset `bytes` on, and writes a u16 for each
 * to `answers`: length | DECODED_… << 8.
 */
export function decodeProbe(bytes: usize, stride: u32, count: u32, answers: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const kind = decodeAt(bytes);
    store<u16>(answers, <u16>(fetchLength | (kind << 8)));
    bytes += stride;
    answers += 2;
  }
}

/** Executes the string at `bytes` as if it stood at CPU_RIP, up to its first exception or exit. 1: it was executed; else the import throws. */
export function executeProbe(bytes: usize): u32 {
  if (decodeAt(bytes) == DECODED_TOO_LONG) return 0;
  const rip = load<u64>(CPU_RIP);
  store<u64>(CPU_RIP_BASE, rip);
  store<u64>(CPU_RIP, rip + opLength(PROBE_OP));
  setFirstOp(PROBE_OP);
  setCurrentOp(PROBE_OP);
  writeStop(PROBE_OP + OP_BYTES);
  call_indirect<void>(load<u32>(PROBE_OP), PROBE_OP);
  return 1;
}

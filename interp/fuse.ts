/**
 * Pairs of instructions that one handler executes (interp/opcodes/pairs.ts): the word at offset 0 of the first's record is that of the
 * pair, the second keeps its own, for whoever begins there. Nothing else differs: each part has its own record, by which it is counted, found
 * after a fault, and cut from what follows. A first part writes registers only, or memory that is neither code nor watched, and cannot
 * leave: where its access is not fast, the pair executes it alone.
 */
import { decodedHandler } from './decode';
import { FUSED_HEADS, FUSED_LISTS, HANDLERS } from './generated/opcodes';
import { OP_BYTES, OP_FUSED, opFlags } from './op';

/** In FUSED_LISTS: only where the address of the first's memory operand needs no look at its segment. */
const NEEDS_FLAT: u32 = 0x8000;
/** In the record of a first: its own handler. */
const ALONE: usize = 28;

/** The handler of the instruction before, if it can be the first of a pair; else 0. */
let previous: u32 = 0;

/** A block begins. */
export function beginFusing(): void {
  previous = 0;
}

/** Makes a pair of the instruction just decoded into `op` and the one before, if there is a handler for it. */
export function fuse(op: usize): void {
  const first = op - OP_BYTES;
  const handler = previous;
  previous = decodedHandler;
  if (handler == 0) return;
  for (let at = FUSED_LISTS + <usize>load<u16>(FUSED_HEADS + <usize>handler * 2) * 2; load<u16>(at) != 0; at += 4) {
    if (load<u16>(at) != decodedHandler) continue;
    const fused = <u32>load<u16>(at, 2);
    if ((fused & NEEDS_FLAT) != 0 && load<u8>(first, 31) == 0) return;
    store<u16>(first, <u16>load<u32>(first), ALONE);
    store<u8>(first, <u8>(opFlags(first) | OP_FUSED), 11);
    store<u32>(first, load<u32>(HANDLERS + <usize>(fused & ~NEEDS_FLAT) * 4));
    previous = 0;
    return;
  }
}

/** The instruction is to be executed without the one behind it. */
export function separate(op: usize): void {
  if ((opFlags(op) & OP_FUSED) == 0) return;
  store<u32>(op, load<u16>(op, ALONE));
  store<u8>(op, <u8>(opFlags(op) & ~OP_FUSED), 11);
}

/** Executes the first of a pair by its own handler, which goes on to the second by its own. */
// @ts-ignore: decorator
@inline
export function alone(op: usize): void {
  call_indirect<void>(load<u16>(op, ALONE), op);
}

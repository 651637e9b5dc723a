/**
 * Exits for I/O, and restarting. A read whose answer is not known leaves; at the next entry the whole instruction runs again
 * from its start, and the answers so far are served, in order, from a log at PENDING_IO. Writes that were done are counted in the
 * log too and skipped. The log lives as long as the instruction, or as one iteration of a REP instruction.
 *
 * PENDING_IO: u32 number of entries, u32 entries served in this attempt, u32 an exit is under way, u32 unused; then 16 bytes an
 * entry: u64 data, u32 the MSR access faults, u32 unused.
 */
import {
  EXIT_ADDRESS, EXIT_COUNT, EXIT_DATA, EXIT_IO, EXIT_IS_WRITE, EXIT_MMIO, EXIT_MSR_FAULT, EXIT_MSR_READ, EXIT_MSR_WRITE,
  EXIT_SIZE, PENDING_IO,
} from './layout';
import { leave, noteLeave, raiseGP } from './fault';

const COUNT: usize = PENDING_IO;
const SERVED: usize = PENDING_IO + 4;
const UNDER_WAY: usize = PENDING_IO + 8;
const ENTRIES: usize = PENDING_IO + 16;
/**
 * More than any instruction has: ENTER with 31 levels and a far CALL with 31 parameters have 31 reads and at most 36 writes, a task switch 30
 * and 25 for the two TSSs and 23 for descriptors, and an access across pages is two (test/interp/device-memory.test.ts).
 */
const MAX_ENTRIES: u32 = 126;

/** The next answer of the log, or 0: leave. */
function nextAnswer(): usize {
  const served = load<u32>(SERVED);
  if (served >= load<u32>(COUNT)) {
    if (served >= MAX_ENTRIES) unreachable();
    return 0;
  }
  store<u32>(SERVED, served + 1);
  return ENTRIES + <usize>served * 16;
}

/** Notes an I/O exit; the next entry takes the answer. */
function noteIo(address: u64, size: u32, isWrite: u32, data: u64): void {
  store<u32>(EXIT_SIZE, size);
  store<u32>(EXIT_IS_WRITE, isWrite);
  store<u32>(EXIT_COUNT, 1);
  store<u64>(EXIT_ADDRESS, address);
  store<u64>(EXIT_DATA, data);
  store<u32>(EXIT_MSR_FAULT, 0);
  store<u32>(UNDER_WAY, 1);
}

/** Leaves with one. */
function leaveIo(reason: u32, address: u64, size: u32, isWrite: u32, data: u64): void {
  noteIo(address, size, isWrite, data);
  leave(reason, false);
}

/** Is there an answer for the next access? If not, an instruction that can return asks by {@link requestPort}. */
// @ts-ignore: decorator
@inline
export function isAnswered(): bool {
  return load<u32>(SERVED) < load<u32>(COUNT);
}

/** Notes a port access of the instruction under way, which then returns without going on (interp/chain.ts). */
export function requestPort(port: u32, size: u32, isWrite: u32, value: u32): void {
  noteIo(port, size, isWrite, size == 1 ? value & 0xff : size == 2 ? value & 0xffff : value);
  noteLeave(EXIT_IO);
}

/** The run begins: takes the answer of the exit under way. True: an instruction is to be finished first. */
export function resumeIo(): bool {
  if (load<u32>(UNDER_WAY)) {
    const entry = ENTRIES + <usize>load<u32>(COUNT) * 16;
    store<u64>(entry, load<u64>(EXIT_DATA));
    store<u32>(entry, load<u32>(EXIT_MSR_FAULT), 8);
    store<u32>(COUNT, load<u32>(COUNT) + 1);
    store<u32>(UNDER_WAY, 0);
  }
  store<u32>(SERVED, 0);
  return load<u32>(COUNT) != 0;
}

/** Forgets the log: the instruction, or the iteration, is over. */
export function clearPendingIo(): void {
  store<u64>(PENDING_IO, 0);
  store<u32>(UNDER_WAY, 0);
}

/** Is an answer of this instruction waiting, or one under way? */
export function ioPending(): bool {
  return load<u32>(COUNT) != 0 || load<u32>(UNDER_WAY) != 0;
}

/** IN: `size` 1, 2 or 4. Permission checks are the caller's. */
export function ioRead(port: u32, size: i32): u32 {
  const answer = nextAnswer();
  if (answer == 0) leaveIo(EXIT_IO, port, size, 0, 0);
  const value = load<u32>(answer);
  return size == 1 ? value & 0xff : size == 2 ? value & 0xffff : value;
}

/** OUT. */
export function ioWrite(port: u32, size: i32, value: u32): void {
  if (nextAnswer() == 0) leaveIo(EXIT_IO, port, size, 1, size == 1 ? value & 0xff : size == 2 ? value & 0xffff : value);
}

/** A piece of 1 to 8 bytes within a page where there is no memory. */
export function mmioRead(physical: u64, size: u32): u64 {
  const answer = nextAnswer();
  if (answer == 0) leaveIo(EXIT_MMIO, physical, size, 0, 0);
  const value = load<u64>(answer);
  return size == 8 ? value : value & ((<u64>1 << (size * 8)) - 1);
}

export function mmioWrite(physical: u64, size: u32, value: u64): void {
  if (nextAnswer() == 0) {
    leaveIo(EXIT_MMIO, physical, size, 1, size == 8 ? value : value & ((<u64>1 << (size * 8)) - 1));
  }
}

/** RDMSR of what is not pure CPU state: the machine answers, or says #GP(0). */
export function msrReadExit(index: u32): u64 {
  const answer = nextAnswer();
  if (answer == 0) leaveIo(EXIT_MSR_READ, index, 8, 0, 0);
  if (load<u32>(answer, 8)) raiseGP(0);
  return load<u64>(answer);
}

export function msrWriteExit(index: u32, value: u64): void {
  const answer = nextAnswer();
  if (answer == 0) leaveIo(EXIT_MSR_WRITE, index, 8, 1, value);
  if (load<u32>(answer, 8)) raiseGP(0);
}

/**
 * The hash of memory by which landmarks are told apart (docs/determinism.md): 64 bits, four lanes, each a multiply and a rotation
 * a word with odd constants, mixed at the end as MurmurHash3 does (Austin Appleby, public domain). Two states that differ in one
 * word never have the same hash. It does not withstand an adversary. Compiled twice: into the interpreter, and alone for the
 * side that records (src/vmm/memory-hash.ts), so that both have the same.
 */

const A: u64 = 0x9e3779b97f4a7c15;
const B: u64 = 0xbf58476d1ce4e5b9;

// @ts-ignore: decorator
@inline
function round(lane: u64, word: u64): u64 {
  return rotl<u64>(lane ^ (word * A), 29) * B;
}

// @ts-ignore: decorator
@inline
function mix(value: u64): u64 {
  let mixed = value;
  mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccd;
  mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53;
  return mixed ^ (mixed >> 33);
}

/** The hash of `length` bytes at offset `at` of the memory, a multiple of 32; only the bits of `mask` of each u64 count. */
export function hashMemory(at: usize, length: usize, mask: u64): u64 {
  let a: u64 = 1;
  let b: u64 = 2;
  let c: u64 = 3;
  let d: u64 = 4;
  for (const end = at + length; at < end; at += 32) {
    a = round(a, load<u64>(at) & mask);
    b = round(b, load<u64>(at, 8) & mask);
    c = round(c, load<u64>(at, 16) & mask);
    d = round(d, load<u64>(at, 24) & mask);
  }
  return mix(round(round(round(a, b), c), d));
}

/**
 * Decoded code that another engine may have overwritten. Where KVM and the interpreter take turns over the same memory (src/vmm/machine-assist.ts),
 * nothing tells which pages KVM wrote. So after each turn a page of code is hashed when it is first fetched from again, and its blocks are
 * dropped if the hash is another than when it was hashed last. The interpreter's own writes drop blocks as they happen, and make the page's
 * hash unknown.
 *
 * An entry, by the low bits of the page number: u32 page number + 1, u32 turn in which it was hashed, u64 hash.
 */
import { noteWrite, pageHoldsCode } from './block';
import { hashMemory } from './hash';
import { PAGE_MAP, TABLES_BASE } from './layout';

const ENTRIES: usize = TABLES_BASE + 0x6_0000;
const ENTRY_COUNT: u32 = 0x1000;
const PAGE: u32 = 0x1000;

/** The turn of the interpreter under way; 0: it is alone. */
let turn: u32 = 0;

// @ts-ignore: decorator
@inline
function entryOf(page: u32): usize {
  return ENTRIES + <usize>((page & (ENTRY_COUNT - 1)) << 4);
}

/** Another engine ran since. The caller forgets all translations, too. */
export function distrustCode(): void {
  turn++;
}

/** Code of a page that lies at offset `at` of the memory is about to be fetched, for the first time in this turn or again. */
export function checkCode(physical: u32, at: usize): void {
  if (turn == 0) return;
  const page = physical >> 12;
  const entry = entryOf(page);
  const isKnown = load<u32>(entry) == page + 1;
  if (isKnown && load<u32>(entry, 4) == turn) return;
  const hash = hashMemory(at, PAGE, u64.MAX_VALUE);
  if (pageHoldsCode(page) && !(isKnown && load<u64>(entry, 8) == hash)) noteWrite(page << 12, PAGE);
  keepHash(page, hash);
}

function keepHash(page: u32, hash: u64): void {
  const entry = entryOf(page);
  store<u32>(entry, page + 1);
  store<u32>(entry, turn, 4);
  store<u64>(entry, hash, 8);
}

/** The first block of a page was decoded: until then nothing told of the interpreter's writes to it. */
export function beginCode(page: u32): void {
  if (turn == 0) return;
  const at = load<u32>(PAGE_MAP + <usize>page * 4) & ~0xfff;
  keepHash(page, hashMemory(at, PAGE, u64.MAX_VALUE));
}

/** A page with code was written here: its hash says nothing any more. */
export function forgetHash(page: u32): void {
  const entry = entryOf(page);
  if (load<u32>(entry) == page + 1) store<u32>(entry, 0);
}

/**
 * Instructions that were executed although the ledger would rather see them hooked: how many, and where they stand. The places are in a table
 * with open addressing, as a guest may execute one of them a million times.
 */
import { RUN_UNHOOKED_COUNT, UNHOOKED_SITES, UNHOOKED_SITES_MAX, UNHOOKED_SLOTS } from './layout';

/** Keeps the place once, if there is room. */
export function noteUnhookedSite(rip: u64, kind: u32): void {
  let slot = (<u32>rip * 0x9e3779b1) & <u32>(UNHOOKED_SLOTS - 1);
  for (;;) {
    const at = UNHOOKED_SITES + <usize>slot * 16;
    if (load<u32>(at, 12) == 0) break;
    if (load<u64>(at) == rip) return;
    slot = (slot + 1) & <u32>(UNHOOKED_SLOTS - 1);
  }
  const known = load<u32>(RUN_UNHOOKED_COUNT);
  if (known >= <u32>UNHOOKED_SITES_MAX) return;
  const at = UNHOOKED_SITES + <usize>slot * 16;
  store<u64>(at, rip);
  store<u32>(at, kind, 8);
  store<u32>(at, known + 1, 12);
  store<u32>(RUN_UNHOOKED_COUNT, known + 1);
}

/** No place is known. */
export function forgetUnhookedSites(): void {
  memory.fill(UNHOOKED_SITES, 0, UNHOOKED_SLOTS * 16);
  store<u32>(RUN_UNHOOKED_COUNT, 0);
}

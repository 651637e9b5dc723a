/**
 * What the guest is shown by its CPUID table, it can execute, and nothing else: for each feature that rows of the opcode table belong to,
 * a byte. The decoder looks at it (decode.ts), so that what is decoded does not.
 */
import { FEATURES, FEATURE_COUNT } from './generated/opcodes';
import { CPUID_TABLE } from './layout';
import { cpuidBit } from './system/cpuid';

/** By the number of the feature, 1 if it is shown. Number 0 is what every processor has. */
export const SHOWN: usize = memory.data(256);

/** By the same number, 1 if it executes although CPUID does not show it. */
const HIDDEN: usize = memory.data(256);

function isFeature(number: u32, leaf: u32, place: u32): bool {
  const feature = FEATURES + <usize>(number - 1) * 8;
  return load<u32>(feature) == leaf && load<u32>(feature, 4) == place;
}

/** Takes back all of {@link executeHidden}. */
export function hideAll(): void {
  memory.fill(HIDDEN, 0, 256);
}

/** The feature at a leaf and a place (register * 256 + bit) executes whatever CPUID shows: until hideAll(). */
export function executeHidden(leaf: u32, place: u32): void {
  for (let number: u32 = 1; number <= FEATURE_COUNT; number++) {
    if (isFeature(number, leaf, place)) store<u8>(HIDDEN + number, 1);
  }
}

/** Reads the CPUID table; without any (a bare engine, not a machine) there is everything. True: something changed. */
export function refreshFeatures(): bool {
  const bare = load<u32>(CPUID_TABLE) == 0;
  let changed = load<u8>(SHOWN) == 0;
  store<u8>(SHOWN, 1);
  for (let number: u32 = 1; number <= FEATURE_COUNT; number++) {
    const feature = FEATURES + <usize>(number - 1) * 8;
    const place = load<u32>(feature, 4);
    const shown: u8 = bare || load<u8>(HIDDEN + number) != 0 || cpuidBit(load<u32>(feature), place >> 8, place & 0xff) ? 1 : 0;
    if (load<u8>(SHOWN + number) != shown) changed = true;
    store<u8>(SHOWN + number, shown);
  }
  return changed;
}

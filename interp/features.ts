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
  misalignedHidden = false;
}

/** MisAlignSse has no instruction of its own, so no row of the opcode table names it: leaf 80000001H, ECX bit 7. */
const MISALIGNED_LEAF: u32 = 0x80000001;
const MISALIGNED_WORD: u32 = 2;
const MISALIGNED_BIT: u32 = 7;
let misalignedHidden: bool = false;

/** Of all SSE2 processors with denormals-are-zero (SDM vol. 1, 11.6.6), and MM (AMD APM vol. 2, 11.3.6). */
const MXCSR_COMMON: u32 = 0xffff;
/** MXCSR.MM: memory operands of 16 bytes need not be aligned, but where alignment is checked. */
export const MXCSR_MM: u32 = 0x2_0000;
/** The bits of MXCSR that exist. */
export let mxcsrMask: u32 = MXCSR_COMMON;

/** The feature at a leaf and a place (register * 256 + bit) executes whatever CPUID shows: until hideAll(). */
export function executeHidden(leaf: u32, place: u32): void {
  for (let number: u32 = 1; number <= FEATURE_COUNT; number++) {
    if (isFeature(number, leaf, place)) store<u8>(HIDDEN + number, 1);
  }
  if (leaf == MISALIGNED_LEAF && place == MISALIGNED_WORD * 256 + MISALIGNED_BIT) misalignedHidden = true;
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
  const misaligned = misalignedHidden || cpuidBit(MISALIGNED_LEAF, MISALIGNED_WORD, MISALIGNED_BIT);
  mxcsrMask = misaligned ? MXCSR_COMMON | MXCSR_MM : MXCSR_COMMON;
  return changed;
}

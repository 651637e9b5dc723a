/** Addresses of an executable at which an instruction is known to begin. */
import type { ElfImage, ElfSection } from '../boot/elf.js';
import type { Alternative } from './alternatives.js';

/**
 * Known instruction starts, ascending, without doubles: function symbols, and the addresses of the ORC unwind table
 * (Linux, Documentation/x86/orc-unwinder.rst), which even a stripped vmlinux has and which says at hundreds of
 * thousands of instructions how the stack looks there.
 *
 * The ORC rows within an alternative are left out: they may belong to the replacement's instructions.
 */
export function knownStarts(image: ElfImage, alternatives: readonly Alternative[]): BigUint64Array {
  const orc = image.sections.find((section) => section.name === '.orc_unwind_ip');
  const unwinding = orc === undefined ? new BigUint64Array(0) : unwindAddresses(orc);
  const all = new BigUint64Array(unwinding.length + image.functions.length);
  all.set(unwinding);
  all.set(image.functions, unwinding.length);
  all.sort();
  const doubtful = insides(alternatives);
  let count = 0;
  let previous = -1n;
  for (const address of all) {
    if (address === previous || doubtful.has(address)) continue;
    all[count++] = address;
    previous = address;
  }
  return all.slice(0, count);
}

/** s32 each, relative to its own place. */
function unwindAddresses(section: ElfSection): BigUint64Array {
  const { bytes, virtual } = section;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const addresses = new BigUint64Array(Math.floor(bytes.length / 4));
  for (let index = 0; index < addresses.length; index++) {
    addresses[index] = virtual + BigInt(index * 4) + BigInt(view.getInt32(index * 4, true));
  }
  return addresses;
}

function insides(alternatives: readonly Alternative[]): Set<bigint> {
  const addresses = new Set<bigint>();
  for (const { original, originalLength } of alternatives) {
    for (let offset = 1; offset < originalLength; offset++) addresses.add(original + BigInt(offset));
  }
  return addresses;
}

/** Index of the last element that is not above `address`, or -1. */
export function lastNotAbove(sorted: BigUint64Array, address: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as bigint) <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

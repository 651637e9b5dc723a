/**
 * Finding what to hook in a Multiboot image that names no instruction start: neither function symbols nor an unwind table. Nothing tells its
 * code from its data, nor 32-bit code from the 64-bit code that it may switch to (Xen has all of them in one section): as in raw code, only
 * what recursive descent from the entry point reaches is hooked.
 */
import type { ElfImage } from '../boot/elf.js';
import { candidates } from './disassemble.js';
import { scanFlat } from './flat.js';
import type { LearntSite } from './learnt.js';
import { emptyScan, type HookScan } from './scan.js';
import type { HookKind } from './table.js';

/** Whether {@link scanStripped} is for this image. */
export function isStripped(image: ElfImage): boolean {
  return image.functions.length === 0 && !image.sections.some(({ name }) => name === '.orc_unwind_ip');
}

/** What else looks like an instruction to hook is doubtful. */
export function scanStripped(
  image: ElfImage,
  kinds: ReadonlySet<HookKind>,
  learnt: readonly LearntSite[] = [],
): HookScan {
  const code = image.sections.find(
    ({ executable, virtual, bytes }) =>
      executable && image.entry >= virtual && image.entry < virtual + BigInt(bytes.length),
  );
  if (code === undefined) return emptyScan;
  const scan = scanFlat(code.bytes, code.virtual, image.entry, image.bits, kinds, learnt);
  const hooked = new Set(scan.sites.map(({ address }) => address));
  const others = image.sections
    .filter(({ executable }) => executable)
    .flatMap(({ bytes, virtual }) => candidates(bytes).map((offset) => virtual + BigInt(offset)))
    .filter((address) => !hooked.has(address));
  return { ...scan, doubtful: others };
}

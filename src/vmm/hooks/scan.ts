/** Finding what to hook in an executable, and deciding how each place is patched. */
import type { ElfImage, ElfSection } from '../boot/elf.js';
import { type Alternative, readAlternatives } from './alternatives.js';
import { candidates, sweep } from './disassemble.js';
import { type LearntSite, learntInstruction } from './learnt.js';
import { type FoundInstruction, type Patch, patchBytes, siteOf } from './patch.js';
import { knownStarts, lastNotAbove } from './starts.js';
import type { HookKind, HookSite } from './table.js';

/** What a scan found. */
export interface HookScan {
  readonly patches: readonly Patch[];
  /** Sites by virtual address. */
  readonly sites: readonly HookSite[];
  /** Addresses that look like an instruction to hook, but where disassembly is not sure: left as they are. */
  readonly doubtful: readonly bigint[];
}

/** Nothing to hook. */
export const emptyScan: HookScan = { patches: [], sites: [], doubtful: [] };

/**
 * Scans the executable sections of an ELF image. Each candidate is disassembled from the known instruction start before
 * it to the one behind it, and both ends must meet; with no known starts the section is swept from its beginning. What an earlier run
 * `learnt` needs no such proof.
 */
export function scanElf(image: ElfImage, kinds: ReadonlySet<HookKind>, learnt: readonly LearntSite[] = []): HookScan {
  const builder = new ScanBuilder(kinds);
  const alternatives = readAlternatives(image);
  const starts = knownStarts(image, alternatives);
  for (const section of image.sections) {
    if (!section.executable || section.name === '.altinstr_replacement') continue;
    scanSection(image.bits, section, starts, builder);
  }
  scanReplacements(image, alternatives, builder);
  for (const site of learnt) {
    for (const { executable, bytes, virtual } of image.sections) {
      const found = executable ? learntInstruction(site, bytes, virtual, image.bits) : undefined;
      if (found !== undefined) builder.add(found);
    }
  }
  return builder.finish();
}

function scanSection(bits: number, section: ElfSection, starts: BigUint64Array, builder: ScanBuilder): void {
  const { bytes, virtual } = section;
  const end = virtual + BigInt(bytes.length);
  let doneUntil = -1;
  for (const candidate of candidates(bytes)) {
    if (candidate < doneUntil) continue;
    const address = virtual + BigInt(candidate);
    const index = lastNotAbove(starts, address);
    const before = starts[index];
    const behind = starts[index + 1];
    const from = before !== undefined && before >= virtual ? Number(before - virtual) : 0;
    const to = behind !== undefined && behind < end ? Number(behind - virtual) : bytes.length;
    const result = sweep(bits, bytes, virtual, from, to);
    const isSure = (result.invalidAt < 0 && result.end === to) || starts.length === 0;
    for (const found of result.found) {
      if (isSure) builder.add(found);
      else builder.doubt(found);
    }
    doneUntil = to;
  }
}

/** A replacement runs where the original stood; what it hooks is patched where it stands and keyed where it runs. */
function scanReplacements(image: ElfImage, alternatives: readonly Alternative[], builder: ScanBuilder): void {
  const code = image.sections.find((section) => section.name === '.altinstr_replacement');
  if (code === undefined) return;
  for (const { original, replacement, replacementLength } of alternatives) {
    const from = Number(replacement - code.virtual);
    const to = from + replacementLength;
    if (replacementLength === 0 || candidates(code.bytes.subarray(from, to)).length === 0) continue;
    const result = sweep(image.bits, code.bytes, code.virtual, from, to);
    for (const found of result.found) {
      if (result.invalidAt < 0 && result.end === to) builder.add(found, original + (found.address - replacement));
      else builder.doubt(found);
    }
  }
}

/** Collects sites; no two of them have one key, unless they do the same. */
export class ScanBuilder {
  readonly #patches = new Map<bigint, Patch>();
  readonly #sites = new Map<bigint, HookSite>();
  readonly #doubtful: bigint[] = [];

  constructor(readonly kinds: ReadonlySet<HookKind>) {}

  /** An instruction that stands at `found.address` and runs at `runsAt`. */
  add(found: FoundInstruction, runsAt = found.address): void {
    if (!this.kinds.has(found.kind)) return;
    const site = siteOf(found, runsAt);
    const other = this.#sites.get(site.key);
    if (other !== undefined && !doTheSame(site, other)) {
      this.doubt(found);
      return;
    }
    if (other === undefined) this.#sites.set(site.key, site);
    this.#patches.set(found.address, { address: found.address, bytes: patchBytes(found) });
  }

  /** An instruction of which it is not sure that it is one. */
  doubt(found: FoundInstruction): void {
    if (this.kinds.has(found.kind)) this.#doubtful.push(found.address);
  }

  finish(): HookScan {
    return { patches: [...this.#patches.values()], sites: [...this.#sites.values()], doubtful: this.#doubtful };
  }
}

function doTheSame(a: HookSite, b: HookSite): boolean {
  return a.kind === b.kind && a.register === b.register && a.width === b.width;
}

/**
 * Sites that an earlier run learnt: the interpreter executed such an instruction there, so that one surely begins there. It is hooked where the
 * image has the same instruction at that address.
 */
import { sweep } from './disassemble.js';
import type { FoundInstruction } from './patch.js';
import type { HookKind } from './table.js';

/** A place at which an instruction was executed. */
export interface LearntSite {
  /** RIP; for a kernel also its physical address, at which it runs at first. */
  readonly address: bigint;
  readonly kind: HookKind;
}

/** The instruction of a learnt site in `bytes`, which run at `base` in code of `bits` bits; undefined: it is another, or elsewhere. */
export function learntInstruction(
  site: LearntSite,
  bytes: Uint8Array,
  base: bigint,
  bits: number,
): FoundInstruction | undefined {
  const offset = Number(site.address - base);
  if (offset < 0 || offset >= bytes.length) return undefined;
  const found = sweep(bits, bytes, base, offset, offset + 1).found[0];
  return found?.kind === site.kind && found.address === site.address ? found : undefined;
}

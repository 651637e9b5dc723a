/** What is written over a hooked instruction. */
import { HOOK_PORT, HookKind, type HookSite } from './table.js';

const OUT_IMM8_EAX = 0xe7;
const NOP = 0x90;

/** An instruction of a kind that can be hooked, where it was found. */
export interface FoundInstruction {
  /** RIP of its first byte. */
  readonly address: bigint;
  readonly kind: HookKind;
  readonly register: number;
  readonly width: number;
  readonly length: number;
}

/** Bytes to write at an address of the guest's image. */
export interface Patch {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** Bytes before the OUT: RDTSCP has one NOP there, so that its key differs from that of an RDTSC at the same address. */
function leadOf(kind: HookKind): number {
  return kind === HookKind.Rdtscp ? 1 : 0;
}

/** The bytes that replace an instruction. */
export function patchBytes(found: FoundInstruction): Uint8Array {
  const bytes = new Uint8Array(found.length).fill(NOP);
  const lead = leadOf(found.kind);
  bytes[lead] = OUT_IMM8_EAX;
  bytes[lead + 1] = HOOK_PORT;
  return bytes;
}

/** The site of an instruction that runs at `address`, which need not be where its bytes stand in the image. */
export function siteOf(found: FoundInstruction, address = found.address): HookSite {
  const { kind, register, width, length } = found;
  return { key: address + BigInt(leadOf(kind) + 2), address, kind, register, width, length };
}

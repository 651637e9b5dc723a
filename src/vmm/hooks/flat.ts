/**
 * Finding what to hook in raw code, where nothing tells code from data: only instructions that recursive descent from
 * the entry point reaches are hooked. What runs through an indirect jump, a far jump or an interrupt gate is not seen.
 */
import { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind } from 'iced-x86';
import { foundInstruction } from './disassemble.js';
import { type LearntSite, learntInstruction } from './learnt.js';
import type { FoundInstruction } from './patch.js';
import { type HookScan, ScanBuilder } from './scan.js';
import type { HookKind } from './table.js';

/**
 * `bytes` run at RIP `base` in code of `bits` bits, entered at `entry`. Instructions on which another instruction of the
 * descent lies are doubtful: they are not hooked.
 */
export function scanFlat(
  bytes: Uint8Array,
  base: bigint,
  entry: bigint,
  bits: 16 | 32 | 64,
  kinds: ReadonlySet<HookKind>,
  learnt: readonly LearntSite[] = [],
): HookScan {
  const descent = new Descent(bytes, base, bits);
  descent.follow(entry);
  const builder = new ScanBuilder(kinds);
  for (const found of descent.found) {
    const offset = Number(found.address - base);
    if (descent.overlaps(offset, found.length)) builder.doubt(found);
    else builder.add(found);
  }
  for (const site of learnt) {
    const found = learntInstruction(site, bytes, base, bits);
    if (found !== undefined && !descent.cuts(Number(found.address - base), found.length)) builder.add(found);
  }
  return builder.finish();
}

/** A byte of the image: not reached, the first of an instruction, or a later one. A byte can be both. */
const FIRST = 1;
const LATER = 2;

class Descent {
  readonly found: FoundInstruction[] = [];
  readonly #marks: Uint8Array;

  constructor(
    readonly bytes: Uint8Array,
    readonly base: bigint,
    readonly bits: number,
  ) {
    this.#marks = new Uint8Array(bytes.length);
  }

  overlaps(offset: number, length: number): boolean {
    for (let index = 0; index < length; index++) {
      if (this.#marks[offset + index] !== (index === 0 ? FIRST : LATER)) return true;
    }
    return false;
  }

  /** An instruction of the descent begins before it and goes on into it, or begins within it. */
  cuts(offset: number, length: number): boolean {
    if (((this.#marks[offset] as number) & LATER) !== 0) return true;
    for (let index = 1; index < length; index++)
      if (((this.#marks[offset + index] as number) & FIRST) !== 0) return true;
    return false;
  }

  follow(entry: bigint): void {
    const decoder = new Decoder(this.bits, this.bytes, DecoderOptions.None);
    const instruction = new Instruction();
    const open = [entry];
    try {
      for (let address = open.pop(); address !== undefined; address = open.pop()) {
        this.#straight(decoder, instruction, address, open);
      }
    } finally {
      instruction.free();
      decoder.free();
    }
  }

  /** Disassembles from `address` until the flow goes elsewhere; branch targets are added to `open`. */
  #straight(decoder: Decoder, instruction: Instruction, address: bigint, open: bigint[]): void {
    let offset = Number(address - this.base);
    while (offset >= 0 && offset < this.bytes.length && ((this.#marks[offset] as number) & FIRST) === 0) {
      decoder.position = offset;
      decoder.ip = this.base + BigInt(offset);
      decoder.decodeOut(instruction);
      if (instruction.mnemonic === Mnemonic.INVALID) return;
      this.#mark(offset, instruction.length);
      const one = foundInstruction(instruction, this.base + BigInt(offset));
      if (one !== undefined) this.found.push(one);
      const kind = instruction.op0Kind;
      const isNear = kind === OpKind.NearBranch16 || kind === OpKind.NearBranch32 || kind === OpKind.NearBranch64;
      if (isNear) open.push(instruction.nearBranchTarget);
      if (!goesOn(instruction.flowControl)) return;
      offset += instruction.length;
    }
  }

  #mark(offset: number, length: number): void {
    for (let index = 0; index < length; index++) {
      this.#marks[offset + index] = (this.#marks[offset + index] as number) | (index === 0 ? FIRST : LATER);
    }
  }
}

/** Whether the next instruction in memory may run after one of this kind. */
function goesOn(flow: FlowControl): boolean {
  switch (flow) {
    case FlowControl.Next:
    case FlowControl.ConditionalBranch:
    case FlowControl.Call:
    case FlowControl.IndirectCall:
    case FlowControl.Interrupt:
    case FlowControl.XbeginXabortXend:
      return true;
    default:
      return false;
  }
}

/**
 * Digests of a machine's whole state: of the CPU, and of RAM by pages, whose hashes are kept, so that only pages written since are hashed
 * again. There are two forms:
 *
 * - *exact*: every bit. The interpreter's, at a count of instructions.
 * - *portable*: what KVM and the interpreter have alike (docs/determinism.md, Landmarks): of the CPU what a landmark has, of RAM all but
 *   bits 5 and 6 of every u32, where accessed and dirty bits of page tables are, which silicon sets speculatively.
 *
 * The bytes: u8 form; 8 bytes hash of the CPU; two u64 of RAM; then for each part of the CPU the low byte of its hash, so that a report
 * can name what differs. Of RAM: with h(p) the hash of page p less that of a page of zeros, the sum of all h(p), and the sum of all
 * (p + 1)^3 × h(p), modulo 2^64: where one page alone differs, the two differences tell which. (Cubes, so that two pages with the same
 * difference are not taken for the one between them.)
 */
import { hash64 } from '../base/hash.js';
import { EFER_LMA } from './cpu/control-bits.js';
import { type CpuState, GPR_NAMES, SEGMENT_NAMES } from './cpu/state.js';
import type { Vcpu } from './cpu/vcpu.js';
import type { DirtyReader } from './dirty-log.js';
import type { GuestMemory } from './memory.js';
import { MemoryHash, TABLE_MASK_4 } from './memory-hash.js';

const PAGE = 0x1000;
const WORD_BITS = 64;
const ALL = 0xffff_ffff_ffff_ffffn;
const RF = 1n << 16n;
/** Where FOP, FIP and FDP are in the FXSAVE image, and where the x87 registers and SSE begin and end. */
const FXSAVE = { control: 6, mxcsr: 24, mxcsrMask: 28, x87: 32, sse: 160, end: 416 } as const;

/** See the head of the file; the first byte of a digest. */
export const DigestForm = { Exact: 1, Portable: 2 } as const;
/** A value of {@link DigestForm}. */
export type DigestForm = (typeof DigestForm)[keyof typeof DigestForm];

const CPU_AT = 1;
const SUM_AT = 9;
const WEIGHTED_AT = 17;
const PARTS_AT = 25;

/** A part of the CPU's state: its name as people know it, and its values. */
type Part = readonly [name: string, values: readonly (bigint | Uint8Array)[]];

function exactParts(state: CpuState): Part[] {
  const segments = SEGMENT_NAMES.map((name): Part => {
    const { selector, base, limit, attributes } = state[name];
    return [name, [BigInt(selector), base, BigInt(limit), BigInt(attributes)]];
  });
  const { fxsave } = state;
  const flag = (value: boolean) => (value ? 1n : 0n);
  return [
    ...GPR_NAMES.map((name): Part => [name, [state[name]]]),
    ['rip', [state.rip]],
    ['rflags', [state.rflags]],
    ...segments,
    ['gdtr', [state.gdtr.base, BigInt(state.gdtr.limit)]],
    ['idtr', [state.idtr.base, BigInt(state.idtr.limit)]],
    ...(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const).map((name): Part => [name, [state[name]]]),
    ['x87', [fxsave.subarray(0, FXSAVE.mxcsr), fxsave.subarray(FXSAVE.x87, FXSAVE.sse)]],
    ['sse', [fxsave.subarray(FXSAVE.mxcsr, FXSAVE.x87), fxsave.subarray(FXSAVE.sse)]],
    [
      'debug registers',
      [state.dr0, state.dr1, state.dr2, state.dr3, state.dr6, state.dr7, state.debugCtl, BigInt(state.pendingDebug)],
    ],
    [
      'MSRs',
      [
        ...[state.apicBase, state.sysenterCs, state.sysenterEsp, state.sysenterEip, state.star, state.lstar],
        ...[state.cstar, state.sfmask, state.kernelGsBase, state.tscAux, state.pat, state.miscEnable, state.xcr0],
        ...state.pdpte,
      ],
    ],
    [
      'events',
      [
        ...[state.interruptShadow, state.shadowHoldsTraps, state.nmiMasked, state.nmiPending].map(flag),
        ...[state.ferr, state.ignne, state.halted].map(flag),
        BigInt(state.injectedInterrupt),
        state.tscOffset,
      ],
    ],
  ];
}

function portableParts(state: CpuState): Part[] {
  const { fxsave } = state;
  const base = (value: bigint) => [state.efer & EFER_LMA ? value : 0n];
  return [
    ...GPR_NAMES.map((name): Part => [name, [state[name]]]),
    ['rip', [state.rip]],
    ['rflags', [state.rflags & ~RF]],
    ...(['cr0', 'cr3', 'cr4', 'efer'] as const).map((name): Part => [name, [state[name]]]),
    ['cs', [BigInt(state.cs.selector)]],
    ['ss', [BigInt(state.ss.selector)]],
    ['FS.base', base(state.fs.base)],
    ['GS.base', base(state.gs.base)],
    ['IA32_KERNEL_GS_BASE', base(state.kernelGsBase)],
    ['x87', [fxsave.subarray(0, FXSAVE.control), fxsave.subarray(FXSAVE.x87, FXSAVE.sse)]],
    ['sse', [fxsave.subarray(FXSAVE.mxcsr, FXSAVE.mxcsrMask), fxsave.subarray(FXSAVE.sse, FXSAVE.end)]],
  ];
}

/** The values one behind the other, numbers as u64. */
function bytesOf(values: readonly (bigint | Uint8Array)[]): Uint8Array {
  const parts = values.map((value) => {
    if (typeof value !== 'bigint') return value;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(WORD_BITS, value), true);
    return bytes;
  });
  return Buffer.concat(parts);
}

/** The digests of one machine in one form. Nothing is hashed before the first one. */
export class StateDigest {
  readonly form: DigestForm;
  readonly #vcpu: Vcpu;
  readonly #memory: GuestMemory;
  readonly #dirty: Pick<DirtyReader, 'take'>;
  readonly #hash: MemoryHash;
  readonly #mask: bigint;
  /** h of the head of the file, by page; undefined until all were hashed once. */
  #pages: BigUint64Array | undefined;
  #zeros = 0n;
  #sum = 0n;
  #weighted = 0n;

  /** `dirty` is a reader of its own. */
  constructor(vcpu: Vcpu, memory: GuestMemory, dirty: Pick<DirtyReader, 'take'>, form: DigestForm) {
    this.#vcpu = vcpu;
    this.#memory = memory;
    this.#dirty = dirty;
    this.form = form;
    this.#hash = new MemoryHash(memory);
    this.#mask = form === DigestForm.Exact ? ALL : TABLE_MASK_4;
  }

  /** The digest of the state at this instruction boundary. */
  take(): Uint8Array {
    this.#update();
    const parts = this.#parts().map(([, values]) => bytesOf(values));
    const digest = new Uint8Array(PARTS_AT + parts.length);
    const view = new DataView(digest.buffer);
    view.setUint8(0, this.form);
    const { low, high } = hash64(Buffer.concat(parts));
    view.setUint32(CPU_AT, low, true);
    view.setUint32(CPU_AT + 4, high, true);
    view.setBigUint64(SUM_AT, this.#sum, true);
    view.setBigUint64(WEIGHTED_AT, this.#weighted, true);
    for (const [index, part] of parts.entries()) digest[PARTS_AT + index] = hash64(part).low;
    return digest;
  }

  /** In what this state, whose digest is `actual`, differs from that of `expected`: a name each; undefined: in nothing. */
  difference(expected: Uint8Array, actual: Uint8Array): string[] | undefined {
    const names: string[] = [];
    const same = (from: number, to: number) =>
      expected.subarray(from, to).every((byte, index) => byte === actual[from + index]);
    if (!same(CPU_AT, SUM_AT)) {
      const differing = this.#parts().filter((_, index) => !same(PARTS_AT + index, PARTS_AT + index + 1));
      names.push(...differing.map(([name, values]) => `${name}${shown(values)}`));
      if (names.length === 0) names.push('the CPU');
    }
    if (!same(SUM_AT, PARTS_AT)) {
      const page = differingPage(expected, actual, this.#memory.ramSize / PAGE);
      names.push(
        page === undefined ? 'more than one page of memory' : `the page of memory at 0x${(page * PAGE).toString(16)}`,
      );
    }
    return names.length === 0 ? undefined : names;
  }

  #parts(): Part[] {
    const state = this.#vcpu.getState();
    return this.form === DigestForm.Exact ? exactParts(state) : portableParts(state);
  }

  #update(): void {
    const dirty = this.#dirty.take();
    if (this.#pages === undefined) {
      this.#pages = new BigUint64Array(this.#memory.ramSize / PAGE);
      this.#zeros = this.#hash.zeros(this.#mask);
      for (const { gpa, length, readonly } of this.#memory.storage) {
        if (!readonly) for (let page = gpa / PAGE; page < (gpa + length) / PAGE; page++) this.#page(page, this.#pages);
      }
    } else {
      for (const page of dirty) this.#page(page, this.#pages);
    }
    this.#sum = BigInt.asUintN(WORD_BITS, this.#sum);
    this.#weighted = BigInt.asUintN(WORD_BITS, this.#weighted);
  }

  #page(page: number, pages: BigUint64Array): void {
    const value = this.#hash.pageWord(page, this.#mask) - this.#zeros;
    const change = value - (pages[page] as bigint);
    if (change === 0n) return;
    pages[page] = value;
    this.#sum += change;
    this.#weighted += change * BigInt(page + 1) ** 3n;
  }
}

/** The value of a part that is one number. */
function shown(values: readonly (bigint | Uint8Array)[]): string {
  const [value] = values;
  return values.length === 1 && typeof value === 'bigint' ? ` 0x${value.toString(16)}` : '';
}

/** The one page in which memory differs: w × d = e modulo 2^64, d and e the differences of the sums, w a cube. Undefined: there are several. */
function differingPage(expected: Uint8Array, actual: Uint8Array, pages: number): number | undefined {
  const [a, b] = [expected, actual].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  const difference = (at: number) =>
    BigInt.asUintN(WORD_BITS, (a as DataView).getBigUint64(at, true) - (b as DataView).getBigUint64(at, true));
  let [divisor, product] = [difference(SUM_AT), difference(WEIGHTED_AT)];
  if (divisor === 0n) return undefined;
  let bits = WORD_BITS;
  for (; (divisor & 1n) === 0n; bits--) {
    if (product & 1n) return undefined;
    divisor >>= 1n;
    product >>= 1n;
  }
  // Newton: each step doubles the bits of the inverse that are right.
  let inverse = divisor;
  for (let step = 0; step < 6; step++) inverse = BigInt.asUintN(WORD_BITS, inverse * (2n - divisor * inverse));
  const weight = BigInt.asUintN(bits, product * inverse);
  const page = Math.round(Math.cbrt(Number(weight))) - 1;
  return page >= 0 && page < pages && BigInt(page + 1) ** 3n === weight ? page : undefined;
}

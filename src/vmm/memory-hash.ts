/** The hashes of a landmark (docs/determinism.md): of a page, and of the CPU's state besides its general registers. */
import { EFER_LMA } from './cpu/control-bits.js';
import '../base/webassembly.js';
import { existsSync, readFileSync } from 'node:fs';
import { CPU_HASHED, CPU_HASHED_FXSAVE, CPU_HASHED_SIZE, SCRATCH } from '../../interp/layout.js';
import { ExitCode, VmtapeError } from '../base/errors.js';
import type { CpuState } from './cpu/state.js';
import type { GuestMemory } from './memory.js';

const PAGE = 0x1000;
const ALL = 0xffff_ffff_ffff_ffffn;
/** Bytes of the FXSAVE64 image that are hashed, and FOP, FIP and FDP in it: processors differ in when they keep them. */
const FXSAVE_HASHED = 416;
const FXSAVE_LAST_INSTRUCTION = [6, 24] as const;
const SELECTORS = 56;

/** Accessed and dirty bits of page-table entries of 4 or 8 bytes: silicon sets the former speculatively. */
export const TABLE_MASK_4 = 0xffff_ff9f_ffff_ff9fn;
/** See {@link TABLE_MASK_4}. */
export const TABLE_MASK_8 = 0xffff_ffff_ffff_ff9fn;

type HashMemory = (at: number, length: number, mask: bigint) => bigint;

let compiled: WebAssembly.Module | undefined;

/** interp/hash.ts, from dist/interp, whether this runs from dist/src or from src. */
function hashModule(): WebAssembly.Module {
  if (compiled) return compiled;
  const places = ['../../interp/hash.wasm', '../../dist/interp/hash.wasm'];
  const place = places.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  if (place === undefined) {
    throw new VmtapeError('VMTAPE_BUILD', 'the interpreter is not built', ExitCode.HostCannot, 'npm run build');
  }
  compiled = new WebAssembly.Module(readFileSync(place));
  return compiled;
}

/** Hashes over one machine's memory. Results are 8 bytes, valid until the next call. */
export class MemoryHash {
  readonly #memory: GuestMemory;
  readonly #hash: HashMemory;
  readonly #result = new Uint8Array(8);
  readonly #resultView = new DataView(this.#result.buffer);

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    const instance = new WebAssembly.Instance(hashModule(), { env: { memory: memory.memory } });
    this.#hash = (instance.exports as unknown as { hashMemory: HashMemory }).hashMemory;
  }

  /** Of guest page number `page`; only the bits of `mask` count. */
  page(page: number, mask = ALL): Uint8Array {
    return this.#of(this.#memory.ramPageOffset(page), PAGE, mask);
  }

  /** The same as a number, unsigned. */
  pageWord(page: number, mask: bigint): bigint {
    return BigInt.asUintN(64, this.#hash(this.#memory.ramPageOffset(page), PAGE, mask));
  }

  /** That of a page of zeros. */
  zeros(mask: bigint): bigint {
    this.#memory.whole.fill(0, SCRATCH, SCRATCH + PAGE);
    return BigInt.asUintN(64, this.#hash(SCRATCH, PAGE, mask));
  }

  /** Of what CPU_HASHED of interp/layout.ts lists; the interpreter has the same of its own state (hashCpu of interp/seek.ts). */
  cpu(state: CpuState): Uint8Array {
    const { whole, view } = this.#memory;
    const isLong = (state.efer & EFER_LMA) !== 0n;
    const words = [state.cr0, state.cr3, state.cr4, state.efer];
    words.push(...[state.fs.base, state.gs.base, state.kernelGsBase].map((base) => (isLong ? base : 0n)));
    for (const [index, word] of words.entries()) view.setBigUint64(CPU_HASHED + index * 8, word, true);
    view.setUint16(CPU_HASHED + SELECTORS, state.cs.selector, true);
    view.setUint16(CPU_HASHED + SELECTORS + 2, state.ss.selector, true);
    whole.set(state.fxsave.subarray(0, FXSAVE_HASHED), CPU_HASHED_FXSAVE);
    const [first, end] = FXSAVE_LAST_INSTRUCTION;
    whole.fill(0, CPU_HASHED_FXSAVE + first, CPU_HASHED_FXSAVE + end);
    return this.#of(CPU_HASHED, CPU_HASHED_SIZE, ALL);
  }

  #of(offset: number, length: number, mask: bigint): Uint8Array {
    this.#resultView.setBigUint64(0, BigInt.asUintN(64, this.#hash(offset, length, mask)), true);
    return this.#result;
  }
}

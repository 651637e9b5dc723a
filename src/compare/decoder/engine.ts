/** Our decoder, through the interpreter's exports decodeProbe and executeProbe (interp/probe.ts): nothing is run by a machine. */
import '../../base/webassembly.js';
import { RAM_BASE } from '../../../interp/layout.js';
import { assert } from '../../base/assert.js';
import { MODEL_OPTIONS, vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import { featureNames } from '../../vmm/cpu/cpuid-features.js';
import { InterpVcpu, interpreterModule } from '../../vmm/cpu/interp.js';
import { writeInterpState } from '../../vmm/cpu/interp-state.js';
import { type CpuState, powerOnState, SegmentAttribute } from '../../vmm/cpu/state.js';
import type { CpuidEntry } from '../../vmm/cpu/vcpu.js';
import { GuestMemory } from '../../vmm/memory.js';

/** The code sizes. */
export const BITNESSES = [16, 32, 64] as const;
/** Code size in bits. */
export type Bitness = (typeof BITNESSES)[number];

/** What the decoder says of a string, the DECODED_… of interp/decode.ts. */
export const Decoded = { Valid: 0, Undefined: 1, TooLong: 2 } as const;

/** Strings that are decoded at once. */
export const BATCH = 0x1_0000;
/** Bytes that are read of a string. */
export const WINDOW = 16;

const STRINGS = RAM_BASE;
const ANSWERS = RAM_BASE + BATCH * WINDOW;
const RAM = 0x40_0000;

const VECTOR_UD = 6;
const CR4_OSXSAVE = 1n << 18n;
const UNWIND_EXCEPTION = 1;

interface ProbeExports {
  initialize(): void;
  stateChanged(): void;
  decodeProbe(bytes: number, stride: number, count: number, answers: number): void;
  executeProbe(bytes: number): number;
  readonly faultVector: { readonly value: number };
  readonly unwindKind: { readonly value: number };
}

/**
 * CPL 0, protected mode, flat segments, no paging; for 64-bit code EFER.LMA is set all the same, which no guest can do and the decoder
 * does not see. SSE and all of CR4 that gives instructions are on.
 */
function stateFor(bitness: Bitness, cpuid: readonly CpuidEntry[]): CpuState {
  const state = powerOnState();
  const { codeOrData, present, long, defaultBig: big } = SegmentAttribute;
  const limit = 0xffff_ffff;
  const size = bitness === 64 ? long : bitness === 32 ? big : 0;
  for (const name of ['es', 'ss', 'ds', 'fs', 'gs'] as const) {
    state[name] = { selector: 8, base: 0n, limit, attributes: 3 | codeOrData | present | big };
  }
  state.cs = { selector: 16, base: 0n, limit, attributes: 0xb | codeOrData | present | size };
  // PE, MP, ET, NE.
  state.cr0 = 0x33n;
  // OSFXSR, OSXMMEXCPT, FSGSBASE, SMEP, SMAP.
  state.cr4 = 0x31_0600n;
  if (featureNames(cpuid).includes('xsave')) state.cr4 |= CR4_OSXSAVE;
  // SCE; LME and LMA.
  state.efer = bitness === 64 ? 0x501n : 1n;
  state.rip = 0x10_0000n;
  return state;
}

/** Our decoder in one mode. */
export class OurDecoder {
  readonly bitness: Bitness;
  readonly #cpuid: readonly CpuidEntry[];
  readonly #memory = new GuestMemory({ ramSize: RAM });
  readonly #code: ProbeExports;
  readonly #unwind = new Error('unwind');
  readonly #strings: Uint8Array;
  readonly #answers: Uint16Array;

  constructor(bitness: Bitness, cpuid: readonly CpuidEntry[] = vmtape64Cpuid(MODEL_OPTIONS)) {
    this.bitness = bitness;
    this.#cpuid = cpuid;
    const vcpu = new InterpVcpu(this.#memory);
    vcpu.setCpuid(cpuid);
    vcpu.close();
    const throwUnwind = (): never => {
      throw this.#unwind;
    };
    const imports = { env: { memory: this.#memory.memory, unwind: throwUnwind } };
    this.#code = new WebAssembly.Instance(interpreterModule(), imports).exports as unknown as ProbeExports;
    this.#code.initialize();
    this.#reset();
    const { buffer } = this.#memory.memory;
    this.#strings = new Uint8Array(buffer, STRINGS, BATCH * WINDOW);
    this.#answers = new Uint16Array(buffer, ANSWERS, BATCH);
  }

  /** Decodes `count` strings, each `stride` bytes behind the one before; answers are length | {@link Decoded} << 8. */
  decode(bytes: Uint8Array, stride: number, count: number): Uint16Array {
    assert(count <= BATCH && bytes.length <= BATCH * WINDOW, 'a batch fits');
    assert((count - 1) * stride + WINDOW <= bytes.length, 'every string has its window');
    this.#strings.set(bytes);
    this.#code.decodeProbe(STRINGS, stride, count, ANSWERS);
    return this.#answers;
  }

  /** Does executing the string raise #UD? */
  raisesUndefined(bytes: Uint8Array): boolean {
    this.#reset();
    this.#strings.set(bytes.subarray(0, WINDOW));
    try {
      this.#code.executeProbe(STRINGS);
      return false;
    } catch (thrown) {
      if (thrown !== this.#unwind) throw thrown;
      return this.#code.unwindKind.value === UNWIND_EXCEPTION && this.#code.faultVector.value === VECTOR_UD;
    } finally {
      this.#reset();
    }
  }

  #reset(): void {
    writeInterpState(this.#memory.view, stateFor(this.bitness, this.#cpuid));
    this.#code.stateChanged();
  }
}

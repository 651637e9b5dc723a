/**
 * The other decoder: iced-x86 (npm, pinned in package.json). It knows every instruction there is, so what is valid here is what it
 * decodes and the model has by the CPUID features that iced names for the instruction.
 */
import { CpuidFeature, Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } from 'iced-x86';
import type { Bitness } from './engine.js';

/**
 * - ForceReservedNop: 0F 0D and 0F 18 to 0F 1F are NOPs with ModRM in a processor without PREFETCHW, MPX, CET and the like (SDM vol. 2,
 *   appendix A, table A-3: "reserved-NOP").
 * - AMD: near branches obey 66 in 64-bit mode (AMD APM vol. 3, JMP near), as the vendor of the model has it.
 * - NoWbnoinvd: WBNOINVD is WBINVD in a processor that lacks it.
 */
const OPTIONS = DecoderOptions.ForceReservedNop | DecoderOptions.NoWbnoinvd | DecoderOptions.AMD;

const F = CpuidFeature;
/** What iced calls the features of the model vmtape64 (src/vmm/cpu/cpuid.ts) with its options. */
const MODEL: ReadonlySet<number> = new Set([
  ...[F.INTEL8086, F.INTEL186, F.INTEL286, F.INTEL386, F.INTEL486, F.X64, F.CPUID, F.MSR, F.TSC, F.RDPMC, F.SMM],
  ...[F.CX8, F.CMPXCHG16B, F.CMOV, F.SEP, F.SYSCALL, F.RDTSCP, F.CLFSH, F.MULTIBYTENOP, F.PAUSE, F.POPCNT],
  ...[F.FPU, F.FPU287, F.FPU387, F.MMX, F.FXSR, F.SSE, F.SSE2, F.SSE3, F.SSSE3, F.SSE4_1, F.SSE4_2],
  ...[F.FSGSBASE, F.INVPCID, F.SMAP, F.MOVBE, F.CLFLUSHOPT, F.CLWB],
  ...[F.AES, F.PCLMULQDQ, F.SHA, F.ADX, F.BMI1, F.BMI2, F.LZCNT, F.RDPID, F.SERIALIZE],
]);

/** A decoder on one array of bytes at a time. */
export class IcedDecoder {
  readonly bitness: Bitness;
  /** Of the last decode(): 0 if it is not an instruction of the model. */
  length = 0;
  /** By iced's number of the instruction: 1 the model has it, 2 it has not, 0 not known yet. */
  readonly #known = new Uint8Array(0x2000);
  readonly #instruction = new Instruction();
  #decoder: Decoder | undefined;

  constructor(bitness: Bitness) {
    this.bitness = bitness;
  }

  /** The bytes from now on. */
  setBytes(bytes: Uint8Array): void {
    this.#decoder?.free();
    this.#decoder = new Decoder(this.bitness, bytes, OPTIONS);
  }

  /** Decodes at a position, into {@link length}. */
  decode(position: number): void {
    const decoder = this.#decoder as Decoder;
    const instruction = this.#instruction;
    decoder.position = position;
    decoder.decodeOut(instruction);
    const code = instruction.code;
    if (this.#known[code] === 0) this.#known[code] = code !== 0 && this.#inModel() ? 1 : 2;
    this.length = this.#known[code] === 1 ? instruction.length : 0;
  }

  /** The instruction at a position as text with the features that it needs, for people. */
  describe(position: number): string {
    this.decode(position);
    if (this.#instruction.code === 0) return 'invalid';
    const formatter = new Formatter(FormatterSyntax.Intel);
    const text = formatter.format(this.#instruction);
    formatter.free();
    const features = [...this.#instruction.cpuidFeatures()].map((feature) => F[feature]).join(' ');
    const { length } = this.#instruction;
    return `${text} (${length} bytes, ${features}${this.length === 0 ? ': not in the model' : ''})`;
  }

  #inModel(): boolean {
    return [...this.#instruction.cpuidFeatures()].every((feature) => MODEL.has(feature));
  }
}

/** Performing a hooked instruction: what RDTSC, RDTSCP, RDRAND, RDSEED and CPUID would have done to the registers. */
import { REGISTERS_SIZE, type Vcpu } from '../cpu/vcpu.js';
import { HookKind, type HookTable } from './table.js';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RIP_OFFSET = 16 * 8;
const RFLAGS_OFFSET = 17 * 8;
const CARRY = 0b1;
/** CF, PF, AF, ZF, SF, OF (Intel SDM volume 1, section 3.4.3.1). */
const STATUS_FLAGS = 0b1000_1101_0101;

/** Where the machine takes the answers from. All of them are deterministic, or logged by who gives them. */
export interface HookSources {
  /** The time-stamp counter: a whole number below 2^53. */
  timestamp(): number;
  /** IA32_TSC_AUX, a u32 (RDTSCP puts it into ECX). */
  timestampAux(): number;
  /** The next u32 of the machine's random numbers. */
  random(): number;
  /** CPUID of the machine's table: writes EAX, EBX, ECX, EDX to the four elements of `out`. */
  cpuid(leaf: number, index: number, out: Uint32Array): void;
}

/**
 * Performs the originals of a {@link HookTable}. Use it for each write of EAX (AX in 16-bit code) to HOOK_PORT, after
 * `vcpu.complete()`: `find`, then `answer`, then `apply`; on replay the answer may come from the trace instead.
 */
export class HookPerformer {
  /** The answer of the last {@link answer}: two u32 halves (EAX and EDX), ECX of RDTSCP and CPUID, EBX of CPUID. */
  low = 0;
  high = 0;
  aux = 0;
  ebx = 0;
  readonly #cpuid = new Uint32Array(4);
  readonly #registers = new Uint8Array(REGISTERS_SIZE);
  readonly #view = new DataView(this.#registers.buffer);

  constructor(
    readonly table: HookTable,
    readonly sources: HookSources,
  ) {}

  /** The index of the site at which the vCPU stands (behind the OUT), or -1: the guest's own write to that port. */
  find(vcpu: Vcpu): number {
    vcpu.readRegisters(this.#registers);
    return this.table.find(this.#view.getUint32(RIP_OFFSET, true), this.#view.getUint32(RIP_OFFSET + 4, true));
  }

  /**
   * Takes the answer of site `index`, which {@link find} just gave, from the sources into {@link low}, {@link high},
   * {@link aux} and {@link ebx}.
   */
  answer(index: number): void {
    const site = this.table.site(index);
    this.aux = 0;
    this.ebx = 0;
    if (site.kind === HookKind.Cpuid) {
      const out = this.#cpuid;
      this.sources.cpuid(this.#view.getUint32(RAX * 8, true), this.#view.getUint32(RCX * 8, true), out);
      this.low = out[0] as number;
      this.ebx = out[1] as number;
      this.aux = out[2] as number;
      this.high = out[3] as number;
      return;
    }
    if (site.kind === HookKind.Rdtsc || site.kind === HookKind.Rdtscp) {
      const timestamp = this.sources.timestamp();
      this.low = timestamp >>> 0;
      this.high = Math.floor(timestamp / 0x1_0000_0000) >>> 0;
      if (site.kind === HookKind.Rdtscp) this.aux = this.sources.timestampAux() >>> 0;
      return;
    }
    const random = this.sources.random() >>> 0;
    this.low = site.width === 16 ? random & 0xffff : random;
    this.high = site.width === 64 ? this.sources.random() >>> 0 : 0;
  }

  /**
   * Gives the answer to the vCPU, which {@link find} was asked about just before. RDTSC and RDTSCP write EDX:EAX (and
   * ECX), CPUID writes EAX, EBX, ECX, EDX, all zero-extended; RDRAND and RDSEED write their destination, set CF and clear the other status flags
   * (Intel SDM volume 2, "RDRAND").
   */
  apply(index: number, vcpu: Vcpu): void {
    const site = this.table.site(index);
    if (site.kind !== HookKind.Rdrand && site.kind !== HookKind.Rdseed) {
      vcpu.setRegister(RAX, this.low, 0);
      vcpu.setRegister(RDX, this.high, 0);
      if (site.kind !== HookKind.Rdtsc) vcpu.setRegister(RCX, this.aux, 0);
      if (site.kind === HookKind.Cpuid) vcpu.setRegister(RBX, this.ebx, 0);
      return;
    }
    const offset = site.register * 8;
    if (site.width === 16) {
      const low = (this.#view.getUint32(offset, true) & 0xffff_0000) | (this.low & 0xffff);
      vcpu.setRegister(site.register, low >>> 0, this.#view.getUint32(offset + 4, true));
    } else {
      vcpu.setRegister(site.register, this.low, site.width === 64 ? this.high : 0);
    }
    const flags = this.#view.getUint32(RFLAGS_OFFSET, true);
    vcpu.setFlags(((flags & ~STATUS_FLAGS) | CARRY) >>> 0);
  }
}

/** A guest in long mode at CPL 0, 64-bit or compatibility mode, that runs one instruction at a time from a given state, on the interpreter. */
import { RAM_BASE } from '../../../interp/layout.js';
import { MODEL_OPTIONS, vmtape64Cpuid, withVendor } from '../../../src/vmm/cpu/cpuid.js';
import { InterpVcpu } from '../../../src/vmm/cpu/interp.js';
import { type CpuState, powerOnState } from '../../../src/vmm/cpu/state.js';
import { ExitReason } from '../../../src/vmm/cpu/vcpu.js';
import { GuestMemory } from '../../../src/vmm/memory.js';
import type { NativeCase } from './native-oracle.js';

/** Page tables, GDT, IDT and handlers; then the three pages of native-oracle.c: code, operands, exchange. */
const PML4 = 0x10_0000;
const PDPT = 0x10_1000;
const DIRECTORY = 0x10_2000;
const LOW_TABLE = 0x10_3000;
const HIGH_TABLE = 0x10_4000;
const GDT = 0x10_5000;
const IDT = 0x10_6000;
const HANDLERS = 0x10_8000;
/** Where the instruction lies. */
export const CODE = 0x20_0000;
const HLT = 0xf4;
const GPR = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

/** What an instruction made. */
export interface LongResult {
  /** The exception that it raised. */
  readonly vector: number | undefined;
  readonly registers: BigUint64Array;
  readonly flags: bigint;
  readonly memory: Uint8Array;
}

/** The exception whose handler's HLT the state is behind; undefined: none. */
export function vectorOf(state: CpuState): number | undefined {
  const handler = Number(state.rip) - 1 - HANDLERS;
  return handler >= 0 && handler < 0x1000 ? handler >> 4 : undefined;
}

/** See the file's head. */
export class LongGuest {
  readonly #state = powerOnState();

  private constructor(
    readonly memory: GuestMemory,
    readonly vcpu: InterpVcpu,
  ) {
    this.#tables();
    const state = this.#state;
    state.cr0 = 0x8001_0031n;
    state.cr3 = BigInt(PML4);
    state.cr4 = 0x20n;
    state.efer = 0x500n;
    for (const name of ['ss', 'ds', 'es'] as const) {
      state[name] = { selector: 16, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 };
    }
    state.gdtr = { base: BigInt(GDT), limit: 31 };
    state.idtr = { base: BigInt(IDT), limit: 0xfff };
  }

  /** `vendor`: the twelve letters of CPUID leaf 0; with every option of the model. */
  static async create(vendor: string): Promise<LongGuest> {
    const memory = new GuestMemory({ ramSize: 0x40_0000 });
    const vcpu = new InterpVcpu(memory);
    vcpu.setCpuid(withVendor(vmtape64Cpuid(MODEL_OPTIONS), vendor));
    return new LongGuest(memory, vcpu);
  }

  #u64(address: number, value: bigint): void {
    this.memory.view.setBigUint64(RAM_BASE + address, value, true);
  }

  #tables(): void {
    this.#u64(PML4, BigInt(PDPT | 7));
    this.#u64(PDPT, BigInt(DIRECTORY | 7));
    this.#u64(DIRECTORY, BigInt(LOW_TABLE | 7));
    this.#u64(DIRECTORY + 8, BigInt(HIGH_TABLE | 7));
    for (let page = 0x100; page < 0x110; page++) this.#u64(LOW_TABLE + page * 8, BigInt((page << 12) | 7));
    for (let page = 0; page < 0x30; page++) this.#u64(HIGH_TABLE + page * 8, BigInt(CODE + (page << 12) + 7));
    this.#u64(GDT + 8, 0x00af_9b00_0000_ffffn);
    this.#u64(GDT + 16, 0x00cf_9300_0000_ffffn);
    this.#u64(GDT + 24, 0x00cf_9b00_0000_ffffn);
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + vector * 16;
      this.#u64(
        IDT + vector * 16,
        BigInt(handler & 0xffff) | (8n << 16n) | (0x8e00n << 32n) | (BigInt(handler >> 16) << 48n),
      );
      this.memory.whole[RAM_BASE + handler] = HLT;
    }
  }

  /** Puts the instruction with a HLT behind it, and the vCPU before it. */
  enter(code: Uint8Array, registers: BigUint64Array, flags: bigint, bits: 32 | 64): void {
    const { memory, vcpu } = this;
    const state = this.#state;
    memory.whole.set(code, RAM_BASE + CODE);
    memory.whole[RAM_BASE + CODE + code.length] = HLT;
    vcpu.invalidateCode(CODE, 32);
    GPR.forEach((name, i) => {
      state[name] = bits === 64 || i < 8 ? (registers[i] ?? 0n) : 0n;
    });
    state.cs =
      bits === 64
        ? { selector: 8, base: 0n, limit: 0xffff_ffff, attributes: 0xa09b }
        : { selector: 24, base: 0n, limit: 0xffff_ffff, attributes: 0xc09b };
    state.rip = BigInt(CODE);
    state.rflags = flags | 0x202n;
    vcpu.setState(state);
  }

  /** Runs the instruction and the HLT behind it; throws if it does not come to a HLT. */
  execute(code: Uint8Array, registers: BigUint64Array, flags: bigint, bits: 32 | 64): CpuState {
    this.enter(code, registers, flags, bits);
    const reason = this.vcpu.run(this.vcpu.retired + 100);
    if (reason !== ExitReason.Halt) throw new Error(`${Buffer.from(code).toString('hex')}: exit ${reason}`);
    return this.vcpu.getState();
  }

  /** Maps the page of linear address `page` (of the 192 KiB from CODE) to physical memory. */
  map(page: number, physical: bigint): void {
    this.#u64(HIGH_TABLE + ((page - CODE) >> 12) * 8, physical === 0n ? 0n : physical | 7n);
  }

  /** Runs the case with its 64 bytes of memory at `operand`. */
  run(item: NativeCase, operand: number): LongResult {
    const { memory } = this;
    memory.whole.fill(0, RAM_BASE + operand - 0x200, RAM_BASE + operand + 0x200);
    memory.whole.set(item.memory, RAM_BASE + operand);
    const after = this.execute(item.code, item.registers, item.flags, item.bits);
    return {
      vector: vectorOf(after),
      registers: BigUint64Array.from(GPR, (name) => after[name]),
      flags: after.rflags,
      memory: memory.whole.slice(RAM_BASE + operand, RAM_BASE + operand + 64),
    };
  }
}

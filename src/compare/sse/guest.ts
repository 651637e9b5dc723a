/** A guest in 64-bit mode at CPL 0 that runs one instruction at a time on the interpreter. */
import * as layout from '../../../interp/layout.js';
import { MODEL_OPTIONS, vmtape64Cpuid, withVendor } from '../../vmm/cpu/cpuid.js';
import { InterpVcpu } from '../../vmm/cpu/interp.js';
import { powerOnState } from '../../vmm/cpu/state.js';
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { GuestMemory } from '../../vmm/memory.js';
import { MEMORY_BYTES, OPERAND, type SseCase } from './oracle.js';

const PML4 = 0x10_0000;
const PDPT = 0x10_1000;
const DIRECTORY = 0x10_2000;
const GDT = 0x10_5000;
const IDT = 0x10_6000;
const HANDLERS = 0x10_8000;
const CODE = 0x20_0000;
const HLT = 0xf4;
/** Present, writable, a page of 2 MiB. */
const LARGE_PAGE = 0x83n;
/** PAE, OSFXSR, OSXMMEXCPT. */
const CR4 = 0x620n;
const IMAGE_BYTES = 512;

/** What the instruction made. */
export interface SseGuestResult {
  /** The exception that it raised. */
  readonly vector: number | undefined;
  readonly registers: BigUint64Array;
  readonly flags: bigint;
  readonly image: Uint8Array;
  readonly memory: Uint8Array;
}

/** See the file's head. All options of the model are switched on. */
export class SseGuest {
  readonly #memory = new GuestMemory({ ramSize: 0x40_0000 });
  readonly #vcpu = new InterpVcpu(this.#memory);

  constructor() {
    this.#tables();
    this.#vcpu.setCpuid(withVendor(vmtape64Cpuid(MODEL_OPTIONS), 'GenuineIntel'));
    const state = powerOnState();
    state.cr0 = 0x8001_0033n;
    state.cr3 = BigInt(PML4);
    state.cr4 = CR4;
    state.efer = 0x500n;
    for (const name of ['ss', 'ds', 'es'] as const) {
      state[name] = { selector: 16, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 };
    }
    state.cs = { selector: 8, base: 0n, limit: 0xffff_ffff, attributes: 0xa09b };
    state.gdtr = { base: BigInt(GDT), limit: 23 };
    state.idtr = { base: BigInt(IDT), limit: 0xfff };
    this.#vcpu.setState(state);
  }

  #u64(address: number, value: bigint): void {
    this.#memory.view.setBigUint64(layout.RAM_BASE + address, value, true);
  }

  #tables(): void {
    this.#u64(PML4, BigInt(PDPT | 3));
    this.#u64(PDPT, BigInt(DIRECTORY | 3));
    this.#u64(DIRECTORY, LARGE_PAGE);
    this.#u64(DIRECTORY + 8, 0x20_0000n | LARGE_PAGE);
    this.#u64(GDT + 8, 0x00af_9b00_0000_ffffn);
    this.#u64(GDT + 16, 0x00cf_9300_0000_ffffn);
    for (let vector = 0; vector < 32; vector++) {
      const handler = HANDLERS + vector * 16;
      const gate = BigInt(handler & 0xffff) | (8n << 16n) | (0x8e00n << 32n) | (BigInt(handler >> 16) << 48n);
      this.#u64(IDT + vector * 16, gate);
      this.#memory.whole[layout.RAM_BASE + handler] = HLT;
    }
  }

  /** Runs the instruction and the HLT behind it; throws if it does not come to a HLT. */
  run(item: SseCase): SseGuestResult {
    const { view, whole } = this.#memory;
    const vcpu = this.#vcpu;
    whole.set(item.code, layout.RAM_BASE + CODE);
    whole[layout.RAM_BASE + CODE + item.code.length] = HLT;
    vcpu.invalidateCode(CODE, 32);
    whole.set(item.memory, layout.RAM_BASE + OPERAND);
    // Between two runs the registers in memory are exact; nothing that the mode depends on is changed here.
    for (const [i, value] of item.registers.entries()) view.setBigUint64(layout.CPU_GPR + i * 8, value, true);
    view.setBigUint64(layout.CPU_RIP, BigInt(CODE), true);
    view.setBigUint64(layout.CPU_RFLAGS, item.flags | 2n, true);
    view.setUint32(layout.CPU_HALTED, 0, true);
    whole.set(item.image, layout.CPU_FXSAVE);
    const reason = vcpu.run(vcpu.retired + 100);
    if (reason !== ExitReason.Halt) throw new Error(`${Buffer.from(item.code).toString('hex')}: exit ${reason}`);
    const handler = vcpu.rip - 1 - HANDLERS;
    return {
      vector: handler >= 0 && handler < 0x1000 ? handler >> 4 : undefined,
      registers: BigUint64Array.from({ length: 16 }, (_, i) => view.getBigUint64(layout.CPU_GPR + i * 8, true)),
      flags: view.getBigUint64(layout.CPU_RFLAGS, true),
      image: whole.slice(layout.CPU_FXSAVE, layout.CPU_FXSAVE + IMAGE_BYTES),
      memory: whole.slice(layout.RAM_BASE + OPERAND, layout.RAM_BASE + OPERAND + MEMORY_BYTES),
    };
  }
}

/**
 * A tiny guest for probes: 4 MiB of memory, code given as bytes, in real mode, or in long mode at CPL 0 or 3 with the first
 * GiB identity-mapped in 2 MiB pages that user code may use. I/O privilege level 3, so that user code can exit by OUT.
 *
 *     0x0500 GDT   0x1000 PML4   0x2000 PDPT   0x3000 page directory   0x4000 IDT   0x5000 TSS
 *     0x8000 stack of interrupts (grows down)   0x10000 code   0x80000 stack (grows down)
 */
import '../../base/webassembly.js';
import { KvmVcpu, type KvmVcpuOptions } from '../../vmm/cpu/kvm.js';
import { type CpuState, powerOnState } from '../../vmm/cpu/state.js';
import { ExitReason } from '../../vmm/cpu/vcpu.js';

/** Where a probe guest's code runs. */
export type ProbeMode = 'real' | 'cpl0' | 'cpl3';
/** All of them. */
export const PROBE_MODES: readonly ProbeMode[] = ['real', 'cpl0', 'cpl3'];

/** Bytes of memory. */
export const PROBE_MEMORY = 4 << 20;
/** Where the code of {@link ProbeGuest.load} begins. */
export const PROBE_CODE = 0x1_0000;
/** A page for the guest's data. */
export const PROBE_DATA = 0x2_0000;
/** Where handlers of {@link ProbeGuest.setHandler} lie, 64 bytes each. */
export const PROBE_HANDLERS = 0x3_0000;
/** Microseconds after which a run of a probe is kicked. */
export const PROBE_TIMEOUT = 200_000;

const GDT = 0x500;
const PML4 = 0x1000;
const PDPT = 0x2000;
const PAGE_DIRECTORY = 0x3000;
const IDT = 0x4000;
const TSS = 0x5000;
const KERNEL_CODE = 0x08;
const KERNEL_DATA = 0x10;
const USER_DATA = 0x18 | 3;
const USER_CODE = 0x20 | 3;
const TASK = 0x28;
const INTERRUPT_STACK = 0x8000;
const STACK = 0x8_0000;

/** A VM with such a guest. Close it. */
export class ProbeGuest {
  readonly memory: Uint8Array;
  readonly view: DataView;
  readonly vcpu: KvmVcpu;

  constructor(
    readonly mode: ProbeMode,
    options: KvmVcpuOptions = {},
  ) {
    const pages = PROBE_MEMORY / 65536;
    this.memory = new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
    this.view = new DataView(this.memory.buffer);
    this.vcpu = new KvmVcpu([{ gpa: 0, bytes: this.memory, readonly: false }], options);
    if (mode !== 'real') this.#writeTables();
  }

  /** Puts `code` at PROBE_CODE and the processor before it; `flags` are added to RFLAGS. */
  load(code: readonly number[], flags = 0n): void {
    this.memory.set(code, PROBE_CODE);
    const state = this.mode === 'real' ? realState() : longState(this.mode);
    state.rflags |= flags;
    this.vcpu.setState(state);
  }

  /** The handler of exception or interrupt `vector` (long mode): runs at CPL 0 on its own stack. */
  setHandler(vector: number, code: readonly number[]): void {
    const address = PROBE_HANDLERS + vector * 64;
    this.memory.set(code, address);
    const at = IDT + vector * 16;
    this.view.setUint32(at, ((address & 0xffff) | (KERNEL_CODE << 16)) >>> 0, true);
    this.view.setUint32(at + 4, ((address & 0xffff_0000) | 0xee00) >>> 0, true);
    this.view.setUint32(at + 8, 0, true);
  }

  /** Runs to the next exit; Kicked when {@link PROBE_TIMEOUT} passes first. */
  run(timeout = PROBE_TIMEOUT): ExitReason {
    this.vcpu.armTimer(timeout);
    const reason = this.vcpu.run(Number.POSITIVE_INFINITY);
    this.vcpu.armTimer(0);
    return reason;
  }

  /** Runs until the guest writes to `port`; what it wrote, or undefined after any other exit. */
  runToOut(port: number): number | undefined {
    const reason = this.run();
    const { exit } = this.vcpu;
    if (reason !== ExitReason.Io || !exit.isWrite || exit.address !== port) return undefined;
    return exit.size === 4 ? exit.bytes.getUint32(exit.dataOffset, true) : exit.bytes.getUint8(exit.dataOffset);
  }

  close(): void {
    this.vcpu.close();
  }

  #writeTables(): void {
    const { view } = this;
    view.setBigUint64(PML4, BigInt(PDPT | 7), true);
    view.setBigUint64(PDPT, BigInt(PAGE_DIRECTORY | 7), true);
    for (let i = 0; i < 512; i++) view.setBigUint64(PAGE_DIRECTORY + i * 8, BigInt(i * 0x20_0000) | 0x87n, true);
    const descriptors = [0n, 0xaf9b00_0000ffffn, 0xcf9300_0000ffffn, 0xcff300_0000ffffn, 0xaffb00_0000ffffn];
    for (const [i, descriptor] of descriptors.entries()) view.setBigUint64(GDT + i * 8, descriptor << 0n, true);
    view.setBigUint64(GDT + TASK, 0x8b00_0000_0067n | (BigInt(TSS) << 16n), true);
    view.setBigUint64(GDT + TASK + 8, 0n, true);
    view.setBigUint64(TSS + 4, BigInt(INTERRUPT_STACK), true);
  }
}

function realState(): CpuState {
  const state = powerOnState();
  state.cs = { ...state.cs, selector: PROBE_CODE >> 4, base: BigInt(PROBE_CODE) };
  for (const name of ['ds', 'es'] as const)
    state[name] = { ...state[name], selector: PROBE_DATA >> 4, base: BigInt(PROBE_DATA) };
  state.rip = 0n;
  state.rsp = 0x8000n;
  state.cr0 = 0x10n;
  return state;
}

function longState(mode: 'cpl0' | 'cpl3'): CpuState {
  const state = powerOnState();
  const user = mode === 'cpl3';
  const data = {
    selector: user ? USER_DATA : KERNEL_DATA,
    base: 0n,
    limit: 0xffff_ffff,
    attributes: user ? 0xc0f3 : 0xc093,
  };
  for (const name of ['es', 'ss', 'ds', 'fs', 'gs'] as const) state[name] = { ...data };
  state.cs = {
    selector: user ? USER_CODE : KERNEL_CODE,
    base: 0n,
    limit: 0xffff_ffff,
    attributes: user ? 0xa0fb : 0xa09b,
  };
  state.tr = { selector: TASK, base: BigInt(TSS), limit: 0x67, attributes: 0x8b };
  state.gdtr = { base: BigInt(GDT), limit: TASK + 15 };
  state.idtr = { base: BigInt(IDT), limit: 0xfff };
  // PE, MP, ET, NE, WP, PG; PAE, OSFXSR, OSXMMEXCPT; SCE, LME, LMA, NXE.
  state.cr0 = 0x8001_0033n;
  state.cr3 = BigInt(PML4);
  state.cr4 = 0x620n;
  state.efer = 0xd01n;
  state.rip = BigInt(PROBE_CODE);
  state.rsp = BigInt(STACK);
  state.rflags = 0x3002n;
  return state;
}

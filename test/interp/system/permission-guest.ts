/** Runs guests/permissions64.s and permissions32.s: many accesses through page tables in one run, on either engine. */
import { RAM_BASE } from '../../../interp/layout.js';
import { writeIdentityMap } from '../../../src/vmm/boot/tables.js';
import { InterpVcpu } from '../../../src/vmm/cpu/interp.js';
import { powerOnState, SegmentAttribute } from '../../../src/vmm/cpu/state.js';
import { type CpuidEntry, ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { GuestMemory } from '../../../src/vmm/memory.js';
import type { PagingCase, PagingForm } from './permission-oracle.js';
import { type EngineUnderTest, guestImage } from './system-guest.js';

const CODE = 0x1_0000;
const GDT = 0x5_0000;
const IDT = 0x5_1000;
const TSS = 0x5_2000;
const PARAM = 0x5_3000;
const SCRATCH = 0x5_4000;
const STACK = 0x5_8000;
/** Where the tables of levels 1, 2 and 3 that are tried lie; level 4 is an entry of the guest's own. */
export const TABLES = [0x6_2000, 0x6_1000, 0x6_0000] as const;
/** The user's code, its tables, and the root and tables of 32-bit guests. */
const STUB = 0x6_6000;
const STUB_TABLES = [0x6_3000, 0x6_4000, 0x6_5000] as const;
const ROOT = 0x6_8000;
const LOW_TABLES = 0x7_0000;
const PML4 = 0x1000;
const RECORDS = 0x20_0000;
const RESULTS = 0x50_0000;
const RECORD = 64;
/** The page that is tried: of 4 KiB, or from here on; with 1 GiB the page begins at 0. */
export const DATA = 0x80_0000;
const MOST = (RESULTS - RECORDS) / RECORD;
const LINEAR: Readonly<Record<PagingForm, bigint>> = {
  '32-bit': 0x8080_0000n,
  PAE: 0x8080_0000n,
  '4-level': 0x80_0080_0000n,
};
const P = 1n;
const W = 2n;
const U = 4n;

/** What an access did. */
export interface Observation {
  /** `ok`, `#PF(code)` or `#GP(0)`; a fault at another address than the access's has that in it. */
  readonly verdict: string;
  /** The entries afterwards, by level. */
  readonly entries: readonly bigint[];
}

/** Where the four levels' entries of the linear address lie; what a form lacks lies aside. */
function places(form: PagingForm): number[] {
  const aside = [SCRATCH, SCRATCH + 16] as const;
  if (form === '32-bit') return [TABLES[0], ROOT + 0x202 * 4, aside[0], aside[1]];
  if (form === 'PAE') return [TABLES[0], TABLES[1] + 4 * 8, ROOT + 2 * 8, aside[0]];
  return [TABLES[0], TABLES[1] + 4 * 8, TABLES[2], PML4 + 8];
}

class Image {
  readonly memory = new GuestMemory({ ramSize: 16 << 20 });

  constructor(readonly form: PagingForm) {
    this.memory.write(CODE, guestImage(form === '4-level' ? 'permissions64' : 'permissions32'));
    this.#tables();
    this.#descriptors();
    const wide = form === '4-level' ? [0x48] : [];
    // read: mov rax,[rdi]; write: mov [rdi+8],rax; fetch: lea rax,[rdi+16], jmp rax. Then ud2.
    this.memory.write(STUB, Uint8Array.from([...wide, 0x8b, 0x07, 0x0f, 0x0b]));
    this.memory.write(STUB + 16, Uint8Array.from([...wide, 0x89, 0x47, 0x08, 0x0f, 0x0b]));
    this.memory.write(STUB + 32, Uint8Array.from([...wide, 0x8d, 0x47, 0x10, 0xff, 0xe0]));
    // What a supervisor's and a user's fetch execute: ret; ud2.
    this.memory.write(DATA, Uint8Array.from([0xc3]));
    this.memory.write(DATA + 16, Uint8Array.from([0x0f, 0x0b]));
    this.memory.writeU64(PARAM, LINEAR[form]);
    // From level 4 down.
    for (const [i, place] of places(form).reverse().entries()) this.memory.writeU64(PARAM + 8 + i * 8, BigInt(place));
  }

  #tables(): void {
    const { memory, form } = this;
    const [first, second, third] = STUB_TABLES;
    const open = P | W | U;
    if (form === '4-level') {
      writeIdentityMap(memory);
      memory.writeU64(PML4 + 16, BigInt(first) | open);
      memory.writeU64(first, BigInt(second) | open);
      memory.writeU64(second, BigInt(third) | open);
      memory.writeU64(third, BigInt(STUB) | open);
    } else if (form === 'PAE') {
      memory.writeU64(ROOT, BigInt(first) | P);
      for (let i = 0; i < 8; i++) memory.writeU64(first + i * 8, (BigInt(i) << 21n) | P | W | 0x80n);
      memory.writeU64(ROOT + 8, BigInt(second) | P);
      memory.writeU64(second, BigInt(third) | open);
      memory.writeU64(third, BigInt(STUB) | open);
    } else {
      for (let i = 0; i < 4; i++) memory.writeU32(ROOT + i * 4, (LOW_TABLES + i * 0x1000) | 3);
      for (let i = 0; i < 0x1000; i++) memory.writeU32(LOW_TABLES + i * 4, (i << 12) | 3);
      memory.writeU32(ROOT + 0x100 * 4, first | 7);
      memory.writeU32(first, STUB | 7);
    }
  }

  #descriptors(): void {
    const { memory, form } = this;
    const is64 = form === '4-level';
    const code = is64 ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn;
    memory.writeU64(GDT + 0x10, code);
    memory.writeU64(GDT + 0x18, 0x00cf_9300_0000_ffffn);
    memory.writeU64(GDT + 0x20, 0x00cf_f300_0000_ffffn);
    memory.writeU64(GDT + 0x28, code | (3n << 45n));
    // The TSS, busy; in 64-bit mode of two halves, the second of which is zero.
    memory.writeU64(GDT + 0x30, 0x0000_8b00_0000_0067n | (BigInt(TSS & 0xffff) << 16n) | (BigInt(TSS >> 16) << 32n));
    for (const [vector, offset, dpl] of [
      [14, 0x20, 0],
      [13, 0x40, 0],
      [6, 0x60, 0],
    ] as const) {
      const at = IDT + vector * (is64 ? 16 : 8);
      memory.writeU32(at, (0x10 << 16) | ((CODE + offset) & 0xffff));
      memory.writeU32(at + 4, ((CODE + offset) & 0xffff_0000) | 0x8e00 | (dpl << 13));
    }
    if (is64) memory.writeU64(TSS + 4, BigInt(STACK));
    else {
      memory.writeU32(TSS + 4, STACK);
      memory.writeU32(TSS + 8, 0x18);
    }
  }

  enter(vcpu: Vcpu, count: number): void {
    const is64 = this.form === '4-level';
    const state = powerOnState();
    const { codeOrData, present, long, defaultBig: big, granularity, dplShift } = SegmentAttribute;
    const limit = 0xffff_ffff;
    const flat = codeOrData | present | granularity;
    const data = (selector: number, dpl: number) => {
      return { selector, base: 0n, limit, attributes: 3 | flat | big | (dpl << dplShift) };
    };
    state.cs = { selector: 0x10, base: 0n, limit, attributes: 0xb | flat | (is64 ? long : big) };
    state.ss = data(0x18, 0);
    state.ds = data(0x23, 3);
    state.es = data(0x23, 3);
    state.gdtr = { base: BigInt(GDT), limit: 0x3f };
    state.idtr = { base: BigInt(IDT), limit: 0xfff };
    state.tr = { selector: 0x30, base: BigInt(TSS), limit: 0x67, attributes: 0xb | present };
    state.cr0 = is64 ? 0x8000_0011n : 0x11n;
    state.cr3 = BigInt(is64 ? PML4 : ROOT);
    state.cr4 = this.form === '32-bit' ? 0n : 0x20n;
    state.efer = is64 ? 0x500n : 0n;
    state.rip = BigInt(CODE);
    state.rsp = BigInt(STACK);
    state.rbx = BigInt(RECORDS);
    state.rbp = BigInt(RESULTS);
    state.r15 = BigInt(count);
    state.r12 = state.efer;
    this.memory.writeU32(PARAM + 40, is64 ? this.memory.readU32(PARAM + 40) : count);
    if (!is64) this.memory.writeU32(PARAM + 44, 0);
    vcpu.setState(state);
  }
}

function writeRecord(view: DataView, at: number, one: PagingCase): void {
  const is64 = one.form === '4-level';
  const cr4 =
    (one.form === '32-bit' ? 0 : 0x20) | (one.pse ? 0x10 : 0) | (one.smep ? 0x10_0000 : 0) | (one.smap ? 0x20_0000 : 0);
  view.setBigUint64(at, 0x8000_0033n | (one.wp ? 0x1_0000n : 0n), true);
  view.setBigUint64(at + 8, BigInt(cr4), true);
  view.setBigUint64(at + 16, (is64 ? 0x500n : 0n) | (one.nxe ? 0x800n : 0n), true);
  view.setUint32(at + 24, 0x202 | (one.ac ? 0x4_0000 : 0), true);
  view.setUint32(at + 28, ['read', 'write', 'fetch'].indexOf(one.access) | (one.user ? 4 : 0), true);
  for (let level = 4; level >= 1; level--) {
    view.setBigUint64(at + 32 + (4 - level) * 8, one.entries[level] as bigint, true);
  }
}

function readResult(view: DataView, at: number, one: PagingCase): Observation {
  const code = view.getUint32(at, true);
  const offset = one.access === 'read' ? 0n : one.access === 'write' ? 8n : one.user ? 16n : 0n;
  const address = view.getBigUint64(at + 8, true);
  const vector = code >>> 16;
  let verdict = vector === 0 ? 'ok' : vector === 14 ? `#PF(${code & 0xffff})` : `#GP(${code & 0xffff})`;
  if (vector === 14 && address !== LINEAR[one.form] + offset) verdict += ` at ${address.toString(16)}`;
  if (vector === 13) verdict += ` at rip ${address.toString(16)}`;
  const entries = [4, 3, 2, 1, 0].map((i) => (i === 4 ? 0n : view.getBigUint64(at + 16 + i * 8, true)));
  return { verdict, entries };
}

/** Runs the cases, which are all of one form. */
export async function observe(
  engine: EngineUnderTest,
  cases: readonly PagingCase[],
  cpuid: readonly CpuidEntry[],
): Promise<Observation[]> {
  const observations: Observation[] = [];
  for (let from = 0; from < cases.length; from += MOST) {
    const part = cases.slice(from, from + MOST);
    const image = new Image((part[0] as PagingCase).form);
    const view = new DataView(image.memory.whole.buffer, RAM_BASE);
    for (const [i, one] of part.entries()) writeRecord(view, RECORDS + i * RECORD, one);
    const vcpu = engine === 'kvm' ? await openKvm(image.memory) : new InterpVcpu(image.memory);
    try {
      vcpu.setCpuid(cpuid);
      image.enter(vcpu, part.length);
      const reason = vcpu.run(Number.POSITIVE_INFINITY);
      if (reason !== ExitReason.Halt) {
        const { rip, rbp, cr2 } = vcpu.getState();
        const which = describeProgress(Number(rbp) - RESULTS, cases.length);
        throw new Error(`exit ${reason} at ${rip.toString(16)}, CR2 ${cr2.toString(16)}: ${which}`);
      }
      for (const [i, one] of part.entries()) observations.push(readResult(view, RESULTS + i * RECORD, one));
    } finally {
      vcpu.close();
    }
  }
  return observations;
}

function describeProgress(bytes: number, count: number): string {
  return `case ${bytes / RECORD} of ${count}`;
}

/** KVM without the interpreter at its side. */
async function openKvm(memory: GuestMemory): Promise<Vcpu> {
  const { KvmVcpu } = await import('../../../src/vmm/cpu/kvm.js');
  return KvmVcpu.open(memory);
}

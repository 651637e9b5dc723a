/** The image of the comparing guest: tables, the harness and the handlers of exceptions (layout.ts says where). */
import { type CpuState, powerOnState } from '../../vmm/cpu/state.js';
import { Assembler } from './assembler.js';
import { buildRealImage } from './image-real.js';
import * as at from './layout.js';
import { Case, Result, Selector } from './layout.js';
import { CODE_SEGMENT, HARNESS_SEGMENT } from './layout-real.js';
import type { Level } from './levels.js';

/** Selectors of a level; `code` is also that of the harness. */
export interface LevelSelectors {
  readonly code: number;
  readonly code32: number;
  readonly code16: number;
  readonly stack: number;
}

/** The selectors that the instructions of a level run with. */
export function selectorsOf(level: Level): LevelSelectors {
  if (level === 'real') return { code: HARNESS_SEGMENT, code32: 0, code16: CODE_SEGMENT, stack: HARNESS_SEGMENT };
  return level !== 'kernel'
    ? { code: Selector.userCode, code32: Selector.userCode32, code16: Selector.userCode16, stack: Selector.userData }
    : { code: Selector.kernelCode, code32: Selector.kernelCode32, code16: 0, stack: Selector.kernelData };
}

/** Vectors that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX. */
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
/** Accessed and dirty are set beforehand: no walk changes the tables. */
const PRESENT = 0x61;
const WRITABLE = 2;
const USER = 4;
const LARGE = 0x80;
const NO_EXECUTE = 1n << 63n;

/** What the engine must know of an image. */
export interface GuestImage {
  /** The state that begins a batch. */
  readonly begin: CpuState;
  /** Where a case begins, where the instructions come back to, and UD2 at the end of a batch. */
  readonly loop: number;
  readonly back: number;
  readonly end: number;
}

/** Writes the image to guest-physical address 0 of `ram`. */
export function buildImage(ram: Uint8Array, level: Level): GuestImage {
  if (level === 'real') return buildRealImage(ram);
  const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  writePageTables(view);
  writeDescriptors(view);
  const harness = assembleHarness(level);
  ram.set(harness.code, at.HARNESS);
  ram.set(assembleHandlers(view, harness, selectorsOf(level)), at.HANDLERS);
  const { loop, back, end } = harness;
  return { begin: beginState(level), loop, back, end };
}

function writePageTables(view: DataView): void {
  const entry = (table: number, index: number, value: bigint) => view.setBigUint64(table + index * 8, value, true);
  const user = PRESENT | WRITABLE | USER;
  entry(at.PML4, 0, BigInt(at.PDPT | user));
  entry(at.PDPT, 0, BigInt(at.DIRECTORY | user));
  entry(at.DIRECTORY, 0, BigInt(at.LOW_TABLE | user));
  entry(at.DIRECTORY, 1, BigInt(at.SECOND_TABLE | user));
  for (let i = 2; i < at.RAM_SIZE >> 21; i++) {
    const large = BigInt((i << 21) | user | LARGE);
    entry(at.DIRECTORY, i, i === at.CODE >> 21 ? large : large | NO_EXECUTE);
  }
  for (let page = at.TABLES; page < 0x20_0000; page += 0x1000) {
    const isHarness = page === at.HARNESS || page === at.HANDLERS;
    const rights = page >= at.HARNESS ? user : PRESENT | WRITABLE;
    entry(at.LOW_TABLE, page >> 12, BigInt(page | rights) | (isHarness ? 0n : NO_EXECUTE));
  }
  for (let i = 0; i < 2; i++) {
    const window = BigInt((at.WINDOW_PAGES + i * 0x1000) | user) | NO_EXECUTE;
    entry(at.LOW_TABLE, (at.ALIAS_PAGES >> 12) + i, window);
    entry(at.SECOND_TABLE, ((at.WINDOW_PAGES >> 12) & 511) + i, window);
  }
  entry(at.SECOND_TABLE, (at.READONLY_PAGE >> 12) & 511, BigInt(at.READONLY_PAGE | PRESENT | USER));
  entry(at.SECOND_TABLE, (at.SUPERVISOR_PAGE >> 12) & 511, BigInt(at.SUPERVISOR_PAGE | PRESENT | WRITABLE));
}

function writeDescriptors(view: DataView): void {
  const descriptor = (selector: number, value: bigint) => view.setBigUint64(at.GDT + (selector & ~7), value, true);
  descriptor(Selector.kernelCode32, 0x00cf_9b00_0000_ffffn);
  descriptor(Selector.kernelCode, 0x00af_9b00_0000_ffffn);
  descriptor(Selector.kernelData, 0x00cf_9300_0000_ffffn);
  descriptor(Selector.userCode32, 0x00cf_fb00_0000_ffffn);
  descriptor(Selector.userData, 0x00cf_f300_0000_ffffn);
  descriptor(Selector.userCode, 0x00af_fb00_0000_ffffn);
  descriptor(Selector.task, 0x0000_8b00_0000_0067n | (BigInt(at.TSS & 0xff_ffff) << 16n));
  // The upper half of the LDT's descriptor is zero, as its address is below 4 GiB.
  descriptor(Selector.ldt, 0x0000_8200_0000_0007n | (BigInt(at.LDT & 0xff_ffff) << 16n));
  descriptor(Selector.processor, 0x0040_f500_0000_0000n);
  view.setBigUint64(at.LDT, code16Descriptor(), true);
  view.setBigUint64(at.TSS + 4, BigInt(at.HANDLER_STACK), true);
  view.setBigUint64(at.TSS + 36, BigInt(at.HANDLER_STACK), true);
  view.setUint16(at.TSS + 102, 0x68, true);
}

/** 16-bit code over the slots. */
function code16Descriptor(): bigint {
  const base = BigInt(at.CODE);
  const limit = BigInt(at.SLOTS * at.SLOT_BYTES - 1);
  return 0x0000_fb00_0000_0000n | limit | ((base & 0xff_ffffn) << 16n) | ((base >> 24n) << 56n);
}

/** The harness, and its labels that the handlers need. */
interface Harness {
  readonly code: Uint8Array;
  /** Where a case begins. */
  readonly loop: number;
  /** Where a case comes back to. */
  readonly back: number;
  /** UD2 at the end of a batch. */
  readonly end: number;
}

const RAX = 0;
const RSP = 4;
const RSI = 6;
const RDI = 7;

function assembleHarness(level: Level): Harness {
  const asm = new Assembler(at.HARNESS);
  asm.label('loop').set(RSP, at.HARNESS_STACK);
  asm.load(RSI, at.NEXT_CASE).set(RDI, at.INPUT).copy(Case.memory).set(RDI, at.WINDOW).copy(at.WINDOW_BYTES);
  asm.store(at.NEXT_CASE, RSI);
  for (const field of [Result.error, Result.rip, Result.cs, Result.frameFlags, Result.rsp, Result.ss, Result.cr2])
    asm.storeValue(at.OUTPUT + field, 0);
  asm.storeValue(at.OUTPUT + Result.vector, at.NO_VECTOR);
  // DS and ES the flat data segment, FS and GS null.
  asm.set(RAX, Selector.userData).raw(0x8e, 0xd8, 0x8e, 0xc0).raw(0x31, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8);
  // wrfsbase rax; wrgsbase rax
  if (level !== 'kernel') asm.raw(0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xf3, 0x48, 0x0f, 0xae, 0xd8);
  asm.fx(1, at.INPUT + Case.fxsave);
  asm.push(at.INPUT + Case.flags).raw(0x9d);
  for (let i = 0; i < 16; i++) asm.load(i, at.INPUT + Case.registers + i * 8);
  asm.jumpFar(at.INPUT + Case.entry);

  asm.label('back');
  for (let i = 0; i < 16; i++) asm.store(at.OUTPUT + Result.registers + i * 8, i);
  asm
    .set(RSP, at.HARNESS_STACK)
    .raw(0x9c)
    .pop(at.OUTPUT + Result.flags);
  // push 2; popfq: DF, AC and NT are clear again
  asm.raw(0x6a, 0x02, 0x9d);
  asm.fx(0, at.OUTPUT + Result.fxsave);
  for (const [i, segment] of [3, 0, 4, 5].entries()) asm.storeSegment(at.OUTPUT + Result.selectors + i * 2, segment);
  // rdfsbase rax; rdgsbase rax
  if (level !== 'kernel') {
    asm.raw(0xf3, 0x48, 0x0f, 0xae, 0xc0).store(at.OUTPUT + Result.fsBase, RAX);
    asm.raw(0xf3, 0x48, 0x0f, 0xae, 0xc8).store(at.OUTPUT + Result.gsBase, RAX);
  }
  asm.load(RDI, at.NEXT_RESULT).set(RSI, at.OUTPUT).copy(Result.memory).set(RSI, at.WINDOW).copy(at.WINDOW_BYTES);
  asm.store(at.NEXT_RESULT, RDI);
  asm.decrement(at.CASES_LEFT).jump('loop', 0x0f, 0x85);
  asm.label('end').raw(0x0f, 0x0b);
  return { code: asm.finish(), loop: asm.address('loop'), back: asm.address('back'), end: asm.address('end') };
}

/** Offsets from RSP in the handler, behind RAX and the vector. */
const FRAME = { vector: 8, error: 16, rip: 24, cs: 32, frameFlags: 40, rsp: 48, ss: 56 } as const;

/**
 * Each handler notes what came and goes on at the harness's `back`, with all registers as the exception left them. At `end` it
 * tells the host by OUT first, which puts the next batch in place, and begins anew.
 */
function assembleHandlers(view: DataView, harness: Harness, selectors: LevelSelectors): Uint8Array {
  const asm = new Assembler(at.HANDLERS);
  for (let vector = 0; vector < 256; vector++) {
    writeGate(view, vector, asm.here);
    if (!WITH_ERROR.has(vector)) asm.raw(0x6a, 0);
    asm.raw(0x68).u32(vector).jump('common', 0xe9);
  }
  const loadFrame = (offset: number) => asm.raw(0x48, 0x8b, 0x44, 0x24, offset);
  const storeFrame = (offset: number, value: number) => asm.raw(0x48, 0xc7, 0x44, 0x24, offset).u32(value);
  asm.label('common').raw(0x50);
  loadFrame(FRAME.rip).raw(0x48, 0x3d).u32(harness.end).jump('done', 0x0f, 0x84);
  for (const [name, offset] of Object.entries(FRAME))
    loadFrame(offset).store(at.OUTPUT + Result[name as keyof typeof FRAME], RAX);
  asm.raw(0x0f, 0x20, 0xd0).store(at.OUTPUT + Result.cr2, RAX);
  storeFrame(FRAME.rip, harness.back);
  // and qword [rsp + 40], ~4100h: a trap of TF is not repeated; KVM's emulator loses NT in IRET, and the frame has shown it
  asm.raw(0x48, 0x81, 0x64, 0x24, FRAME.frameFlags).u32(~0x4100 >>> 0);
  asm.label('leave');
  storeFrame(FRAME.cs, selectors.code);
  storeFrame(FRAME.ss, selectors.stack);
  // pop rax; add rsp,16; iretq
  asm.raw(0x58, 0x48, 0x83, 0xc4, 0x10, 0x48, 0xcf);
  asm.label('done').raw(0xe6, at.DONE_PORT);
  storeFrame(FRAME.rip, harness.loop).jump('leave', 0xe9);
  return asm.finish();
}

function writeGate(view: DataView, vector: number, address: number): void {
  const gate = at.IDT + vector * 16;
  // A 64-bit interrupt gate of DPL 0 (3 for INT3 and INTO), on stack IST 1.
  const rights = vector === 3 || vector === 4 ? 0xee01 : 0x8e01;
  view.setUint32(gate, ((address & 0xffff) | (Selector.kernelCode << 16)) >>> 0, true);
  view.setUint32(gate + 4, ((address & 0xffff_0000) | rights) >>> 0, true);
}

/** Before the first case of a batch. */
function beginState(level: Level): CpuState {
  const state = powerOnState();
  const selectors = selectorsOf(level);
  const user = level !== 'kernel';
  const data = { selector: Selector.userData, base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3 };
  for (const name of ['es', 'ds'] as const) state[name] = { ...data };
  for (const name of ['fs', 'gs'] as const) state[name] = { selector: 0, base: 0n, limit: 0, attributes: 1 << 16 };
  state.ss = { ...data, selector: selectors.stack, attributes: user ? 0xc0f3 : 0xc093 };
  state.cs = { selector: selectors.code, base: 0n, limit: 0xffff_ffff, attributes: user ? 0xa0fb : 0xa09b };
  state.tr = { selector: Selector.task, base: BigInt(at.TSS), limit: 0x67, attributes: 0x8b };
  state.ldtr = { selector: Selector.ldt, base: BigInt(at.LDT), limit: 7, attributes: 0x82 };
  state.gdtr = { base: BigInt(at.GDT), limit: 0x7f };
  state.idtr = { base: BigInt(at.IDT), limit: 0xfff };
  // As Linux sets them: PE, MP, ET, NE, WP, AM, PG; PAE, OSFXSR, OSXMMEXCPT, FSGSBASE; SCE, LME, LMA, NXE.
  state.cr0 = 0x8005_0033n;
  state.cr3 = BigInt(at.PML4);
  state.cr4 = 0x1_0620n;
  state.efer = 0xd01n;
  state.rip = BigInt(at.HARNESS);
  state.rsp = BigInt(at.HARNESS_STACK);
  // IF is set: natively executed user code sees it so.
  state.rflags = 0x202n;
  return state;
}

/** The image of the comparing guest in real mode: interrupt vectors, handlers and the harness (layout-real.ts says where). */
import { type CpuState, powerOnState } from '../../vmm/cpu/state.js';
import { Assembler } from './assembler.js';
import type { GuestImage } from './image.js';
import { Case, DONE_PORT, NO_VECTOR, Result, WINDOW_BYTES } from './layout.js';
import * as at from './layout-real.js';

const SEGMENT = { es: 0, ss: 2, ds: 3, fs: 4, gs: 5 } as const;
/** Record field → segment register. */
const CASE_SEGMENTS = [SEGMENT.ds, SEGMENT.es, SEGMENT.fs, SEGMENT.gs] as const;
const CX = 1;
const SP = 4;
const SI = 6;
const DI = 7;

/** 16-bit code in the harness's segment; memory is named by offsets in it. */
class Assembler16 {
  readonly asm: Assembler;

  constructor(offset: number) {
    this.asm = new Assembler(offset);
  }

  /** An instruction with CS:[offset], its prefixes and opcode first. */
  memory(offset: number, reg: number, ...opcode: number[]): this {
    this.asm.raw(...opcode, 0x06 | (reg << 3), offset & 0xff, offset >> 8);
    return this;
  }

  set(reg: number, value: number): this {
    this.asm.raw(0xb8 + reg, value & 0xff, value >> 8);
    return this;
  }

  /** mov word cs:[offset], value */
  store(offset: number, value: number): this {
    this.memory(offset, 0, 0x2e, 0xc7);
    this.asm.raw(value & 0xff, value >> 8);
    return this;
  }

  /** mov segment, AX after mov ax, value */
  segment(segment: number, value: number): this {
    this.set(0, value);
    this.asm.raw(0x8e, 0xc0 | (segment << 3));
    return this;
  }

  /** rep movsd of so many bytes */
  copy(bytes: number): this {
    this.set(CX, bytes / 4);
    this.asm.raw(0x66, 0xf3, 0xa5);
    return this;
  }

  jump(label: string, ...opcode: number[]): this {
    this.asm.jump(label, 0x66, ...opcode);
    return this;
  }
}

/** Writes the image to guest-physical address 0 of `ram`. */
export function buildRealImage(ram: Uint8Array): GuestImage {
  ram.fill(at.FILLER);
  const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  const base = at.HARNESS_SEGMENT * 16;
  ram.fill(0, base + at.NEXT_CASE, base + at.HARNESS_STACK);
  const harness = assembleHarness();
  ram.set(harness.asm.finish(), base + at.HARNESS);
  const back = harness.asm.address('back');
  ram.set(assembleHandlers(view, back), base + at.HANDLERS);
  return { begin: beginState(), loop: at.HARNESS, back, end: harness.asm.address('done') };
}

function assembleHarness(): Assembler16 {
  const code = new Assembler16(at.HARNESS);
  const { asm } = code;
  asm.label('loop').raw(0xfc);
  code.segment(SEGMENT.ss, at.HARNESS_SEGMENT).set(SP, at.HARNESS_STACK);
  code.segment(SEGMENT.es, at.HARNESS_SEGMENT).memory(at.NEXT_CASE, SEGMENT.ds, 0x2e, 0x8e);
  code.set(SI, 0).set(DI, at.INPUT).copy(Case.memory);
  code
    .segment(SEGMENT.es, at.WINDOW >> 4)
    .set(DI, 0)
    .copy(WINDOW_BYTES);
  // add word cs:[next case], paragraphs of a record
  code.memory(at.NEXT_CASE, 0, 0x2e, 0x83).asm.raw(at.CASE_PARAGRAPHS);
  for (const field of [Result.rip, Result.cs, Result.frameFlags]) code.store(at.OUTPUT + field, 0);
  code.store(at.OUTPUT + Result.vector, NO_VECTOR);
  code.memory(at.INPUT + Case.fxsave, 1, 0x2e, 0x0f, 0xae);
  for (const [i, segment] of CASE_SEGMENTS.entries())
    code.memory(at.INPUT + Case.segments + i * 2, segment, 0x2e, 0x8e);
  // push dword cs:[flags]; popfd
  code.memory(at.INPUT + Case.flags, 6, 0x66, 0x2e, 0xff).asm.raw(0x66, 0x9d);
  code.memory(at.INPUT + Case.segments + 8, SEGMENT.ss, 0x2e, 0x8e);
  for (let i = 0; i < 8; i++) code.memory(at.INPUT + Case.registers + i * 8, i, 0x66, 0x2e, 0x8b);
  // jmp far cs:[entry], a 16:32 pointer
  code.memory(at.INPUT + Case.entry, 5, 0x66, 0x2e, 0xff);

  asm.label('back');
  for (let i = 0; i < 8; i++) code.memory(at.OUTPUT + Result.registers + i * 8, i, 0x66, 0x2e, 0x89);
  for (const [i, segment] of CASE_SEGMENTS.entries())
    code.memory(at.OUTPUT + Result.selectors + i * 2, segment, 0x2e, 0x8c);
  code.memory(at.OUTPUT + Result.stackSelector, SEGMENT.ss, 0x2e, 0x8c);
  code.segment(SEGMENT.ss, at.HARNESS_SEGMENT).set(SP, at.HARNESS_STACK);
  // pushfd; pop dword cs:[flags]; cld
  asm.raw(0x66, 0x9c);
  code.memory(at.OUTPUT + Result.flags, 0, 0x66, 0x2e, 0x8f).asm.raw(0xfc);
  code.memory(at.OUTPUT + Result.fxsave, 0, 0x2e, 0x0f, 0xae);
  code.memory(at.NEXT_RESULT, SEGMENT.es, 0x2e, 0x8e).set(DI, 0);
  code.segment(SEGMENT.ds, at.HARNESS_SEGMENT).set(SI, at.OUTPUT).copy(Result.memory);
  code
    .segment(SEGMENT.ds, at.WINDOW >> 4)
    .set(SI, 0)
    .copy(WINDOW_BYTES);
  code.memory(at.NEXT_RESULT, 0, 0x2e, 0x83).asm.raw(at.RESULT_PARAGRAPHS);
  // dec word cs:[cases left]
  code.memory(at.CASES_LEFT, 1, 0x2e, 0xff).jump('loop', 0x0f, 0x85);
  asm.label('done').raw(0xe6, DONE_PORT);
  code.jump('loop', 0xe9);
  return code;
}

/** Each handler notes its vector and the frame, and goes on at `back` with all registers as the exception left them. */
function assembleHandlers(view: DataView, back: number): Uint8Array {
  const code = new Assembler16(at.HANDLERS);
  const { asm } = code;
  for (let vector = 0; vector < 256; vector++) {
    view.setUint16(vector * 4, asm.here, true);
    view.setUint16(vector * 4 + 2, at.HARNESS_SEGMENT, true);
    code.store(at.OUTPUT + Result.vector, vector).jump('common', 0xe9);
  }
  asm.label('common');
  for (const field of [Result.rip, Result.cs, Result.frameFlags]) code.memory(at.OUTPUT + field, 0, 0x2e, 0x8f);
  // jmp back
  asm.raw(0xe9, ...word(back - (asm.here + 3)));
  return asm.finish();
}

function word(value: number): [number, number] {
  return [value & 0xff, (value >> 8) & 0xff];
}

function beginState(): CpuState {
  const state = powerOnState();
  const base = BigInt(at.HARNESS_SEGMENT * 16);
  state.cs = { ...state.cs, selector: at.HARNESS_SEGMENT, base };
  state.ss = { ...state.ss, selector: at.HARNESS_SEGMENT, base };
  state.idtr = { base: 0n, limit: 0x3ff };
  // ET, MP, NE; OSFXSR, OSXMMEXCPT.
  state.cr0 = 0x32n;
  state.cr4 = 0x600n;
  state.rip = BigInt(at.HARNESS);
  state.rsp = BigInt(at.HARNESS_STACK);
  state.rflags = 0x202n;
  return state;
}

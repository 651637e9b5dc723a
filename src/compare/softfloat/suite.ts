/** x87 instructions on the interpreter and on the processor of the host, from the same operands: results, status word, tags, memory. */
import { RAM_BASE } from '../../../interp/layout.js';
import { vmtape64Cpuid, withVendor } from '../../vmm/cpu/cpuid.js';
import { InterpVcpu } from '../../vmm/cpu/interp.js';
import { powerOnState } from '../../vmm/cpu/state.js';
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { GuestMemory } from '../../vmm/memory.js';
import { CODE_ADDRESS, DATA_ADDRESS } from './native.js';
import { Words, writeOperand } from './operands.js';
import type { X87Operation } from './operations.js';

/** Bytes of a case: a at 0, control word at 10, b at 16, FNSAVE's image at 32, memory results at 140. */
export const SLOT = 160;
const SAVED = 32;
const RESULT = 140;
/** Where the page tables lie. */
const TABLES = 0x1000;
const RET = 0xc3;
const HLT = 0xf4;

/** The machine code of one operation over `count` cases. */
export function routineOf(operation: X87Operation, count: number): Uint8Array {
  const x87 = [
    ...[0xdb, 0xe3],
    ...(operation.loads ? [0xdb, 0x6e, 16] : []),
    ...[0xdb, 0x2e],
    ...[0xd9, 0x6e, 10],
    ...operation.code,
    ...[0xdd, 0x76, SAVED],
  ];
  // LDMXCSR; MOVQ XMM0 and XMM1; the instruction; STMXCSR [RSI+148]
  const sse = [
    ...[0x0f, 0xae, 0x56, 10],
    ...[0xf3, 0x0f, 0x7e, 0x06],
    ...[0xf3, 0x0f, 0x7e, 0x4e, 16],
    ...operation.code,
    ...[0x0f, 0xae, 0x9e, RESULT + 8, 0, 0, 0],
  ];
  const body = [...(operation.sse ? sse : x87), ...[0x48, 0x81, 0xc6, SLOT, 0, 0, 0], ...[0x48, 0xff, 0xc9]];
  const back = new Uint8Array(new Int32Array([-body.length - 6]).buffer);
  const word = (value: number): number[] => [...new Uint8Array(new Uint32Array([value]).buffer)];
  return Uint8Array.from([0xbe, ...word(DATA_ADDRESS), 0xb9, ...word(count), ...body, 0x0f, 0x85, ...back, RET]);
}

/** Which control words a batch has. */
export interface Controls {
  readonly rounding: number;
  /** 0, 2 or 3; undefined: any. */
  readonly precision?: number;
}

/** The data of a batch. A part of the cases has exceptions unmasked, and a part has b near a. */
export function makeCases(operation: X87Operation, controls: Controls, count: number, seed: number): Uint8Array {
  const random = new Words(seed);
  const data = new Uint8Array(count * SLOT);
  const view = new DataView(data.buffer);
  for (let at = 0; at < data.length; at += SLOT) {
    writeOperand(view, at, operation.a, random);
    if (operation.b !== undefined) writeOperand(view, at + 16, operation.b, random);
    if (operation.b === 'ext' && random.below(6) === 0) {
      data.copyWithin(at + 16, at, at + 10);
      view.setUint8(at + 16 + random.below(10), random.below(256));
    }
    if (operation.sse) {
      // DAZ and FTZ in a part of the cases; all exceptions are masked.
      const flushes = [0, 0, 0x40, 0x8000, 0x8040][random.below(5)] ?? 0;
      view.setUint16(at + 10, 0x1f80 | flushes | (controls.rounding << 13), true);
      continue;
    }
    const masks = random.below(4) === 0 ? random.below(64) : 63;
    const precision = controls.precision ?? [3, 3, 2, 0, 1][random.below(5)] ?? 3;
    view.setUint16(at + 10, 0x40 | masks | (precision << 8) | (controls.rounding << 10), true);
  }
  return data;
}

/** A guest in 64-bit mode that runs routines over data. */
export class X87Guest {
  readonly #memory: GuestMemory;
  readonly #vcpu: InterpVcpu;

  /** `vendor`: the twelve letters of CPUID leaf 0, whose processors the interpreter follows where they differ. */
  constructor(dataSize: number, vendor: string) {
    this.#memory = new GuestMemory({ ramSize: (DATA_ADDRESS + dataSize + 0x1f_ffff) & ~0x1f_ffff });
    this.#vcpu = new InterpVcpu(this.#memory);
    this.#vcpu.setCpuid(withVendor(vmtape64Cpuid(), vendor));
    const view = new DataView(this.#memory.whole.buffer, RAM_BASE);
    view.setBigUint64(TABLES, BigInt(TABLES + 0x1000 + 3), true);
    view.setBigUint64(TABLES + 0x1000, BigInt(TABLES + 0x2000 + 3), true);
    for (let i = 0; i < 512; i++) view.setBigUint64(TABLES + 0x2000 + i * 8, BigInt(i * 0x20_0000 + 0x83), true);
  }

  /** What the routine makes of the data. */
  run(routine: Uint8Array, data: Uint8Array): Uint8Array {
    const whole = this.#memory.whole;
    whole.set(routine, RAM_BASE + CODE_ADDRESS);
    whole[RAM_BASE + CODE_ADDRESS + routine.length - 1] = HLT;
    whole.set(data, RAM_BASE + DATA_ADDRESS);
    this.#vcpu.invalidateCode(CODE_ADDRESS, routine.length);
    const state = powerOnState();
    state.cr0 = 0x8001_0031n;
    state.cr3 = BigInt(TABLES);
    state.cr4 = 0x220n;
    state.efer = 0x500n;
    state.cs = { selector: 8, base: 0n, limit: 0xffff_ffff, attributes: 0xa09b };
    for (const name of ['ss', 'ds', 'es'] as const) {
      state[name] = { selector: 16, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 };
    }
    state.rflags = 0x202n;
    state.rsp = 0x8_0000n;
    state.rip = BigInt(CODE_ADDRESS);
    this.#vcpu.setState(state);
    const reason = this.#vcpu.run(this.#vcpu.retired + 1e9);
    if (reason !== ExitReason.Halt) throw new Error(`the routine ended with exit ${reason}`);
    return whole.subarray(RAM_BASE + DATA_ADDRESS, RAM_BASE + DATA_ADDRESS + data.length);
  }
}

/** A case with different results. */
export interface X87Difference {
  readonly operation: string;
  readonly operands: string;
  readonly control: number;
  readonly what: string;
}

function hex(data: Uint8Array, from: number, length: number): string {
  return Buffer.from(
    data
      .subarray(from, from + length)
      .slice()
      .reverse(),
  ).toString('hex');
}

/** Fields of a slot, and which of their bits count: the selectors are not kept (interp/execute/x87-state.ts). */
const FIELDS: readonly [string, number, number][] = [
  ['FCW', SAVED, 2],
  ['FSW', SAVED + 4, 2],
  ['FTW', SAVED + 8, 2],
  ...Array.from({ length: 8 }, (_, i): [string, number, number] => [`ST${i}`, SAVED + 28 + i * 10, 10]),
  ['memory', RESULT, 12],
];
/** FIP, opcode and FDP. A switch of tasks on the host may clear them on AMD's processors, so zeros are no difference. */
const POINTERS: readonly [string, number, number][] = [
  ['FIP', SAVED + 12, 4],
  ['FOP', SAVED + 18, 2],
  ['FDP', SAVED + 20, 4],
];

function same(a: Uint8Array, b: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Every field but the stack's numbers. */
const STATUS_FIELDS = FIELDS.filter(([name]) => !name.startsWith('ST'));
/** Of FSW: which way a result was rounded, and that it underflowed. */
const C1 = 0x200;
const UE = 0x10;

/** Distance of two numbers of 80 bits in units in the last place. */
function distance(a: Uint8Array, b: Uint8Array, at: number): bigint {
  const value = (bytes: Uint8Array): bigint => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 10);
    const high = BigInt(view.getUint16(8, true));
    // The integer bit follows from the exponent.
    const magnitude = ((high & 0x7fffn) << 63n) | (view.getBigUint64(0, true) & 0x7fff_ffff_ffff_ffffn);
    return high & 0x8000n ? -magnitude : magnitude;
  };
  const difference = value(a) - value(b);
  return difference < 0n ? -difference : difference;
}

/** Do the tags of two numbers differ because one is a zero, a denormal, the other not? */
function tagsApart(a: Uint8Array, b: Uint8Array, at: number): boolean {
  const kind = (bytes: Uint8Array): number => {
    const normal = (((bytes[at + 9] as number) & 0x7f) | (bytes[at + 8] as number)) !== 0;
    return normal ? 0 : bytes.subarray(at, at + 8).every((byte) => byte === 0) ? 1 : 2;
  };
  return kind(a) !== kind(b);
}

/**
 * As far as an operation is specified, does a case differ? What follows from a last bit that is not specified may differ with it: C1, and
 * where the two results lie on either side of zero or of the smallest normal number, UE and the tag.
 */
function looselyDifferent(native: Uint8Array, interpreted: Uint8Array, at: number, tolerance: number): boolean {
  const word = (bytes: Uint8Array, offset: number): number =>
    (bytes[at + offset] as number) | ((bytes[at + offset + 1] as number) << 8);
  const top = (word(native, SAVED + 4) >> 11) & 7;
  let statusMask = 0xffff & ~C1;
  let tagMask = 0xffff;
  for (let i = 0; i < 8; i++) {
    const place = at + SAVED + 28 + i * 10;
    const apart = distance(native, interpreted, place);
    if (apart > BigInt(tolerance)) return true;
    if (apart !== 0n && tagsApart(native, interpreted, place)) {
      statusMask &= ~UE;
      tagMask &= ~(3 << (((top + i) & 7) * 2));
    }
  }
  return STATUS_FIELDS.some(([name, offset, length]) => {
    if (name !== 'FSW' && name !== 'FTW') return !same(native, interpreted, at + offset, length);
    const mask = name === 'FSW' ? statusMask : tagMask;
    return ((word(native, offset) ^ word(interpreted, offset)) & mask) !== 0;
  });
}

/** The differing fields of every case, at most `most` cases; `count` counts them all. */
export function compareCases(
  operation: X87Operation,
  native: Uint8Array,
  interpreted: Uint8Array,
  most: number,
): { count: number; shown: X87Difference[] } {
  const shown: X87Difference[] = [];
  let count = 0;
  for (let at = 0; at < native.length; at += SLOT) {
    const { tolerance } = operation;
    if (tolerance !== undefined && !looselyDifferent(native, interpreted, at, tolerance)) continue;
    const wrong: string[] = [];
    for (const [name, offset, length] of FIELDS) {
      if (same(native, interpreted, at + offset, length)) continue;
      wrong.push(
        `${name}: processor ${hex(native, at + offset, length)}, interpreter ${hex(interpreted, at + offset, length)}`,
      );
    }
    for (const [name, offset, length] of POINTERS) {
      const zero = native.subarray(at + offset, at + offset + length).every((byte) => byte === 0);
      if (zero || same(native, interpreted, at + offset, length)) continue;
      wrong.push(
        `${name}: processor ${hex(native, at + offset, length)}, interpreter ${hex(interpreted, at + offset, length)}`,
      );
    }
    if (wrong.length === 0) continue;
    count++;
    if (shown.length >= most) continue;
    shown.push({
      operation: operation.name,
      operands: `${hex(native, at, 10)} ${hex(native, at + 16, 10)}`,
      control: (native[at + 10] as number) | ((native[at + 11] as number) << 8),
      what: wrong.join('; '),
    });
  }
  return { count, shown };
}

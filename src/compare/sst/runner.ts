/** Runs the recorded tests on a vCPU, each from its initial state to its HLT, and compares what came out. */
import { RAM_BASE } from '../../../interp/layout.js';
import { hex } from '../../base/hex.js';
import { powerOnState } from '../../vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../vmm/memory.js';
import { type Difference, differencesOf, UPPER_FLAGS } from './differences.js';
import { type MooTest, REGISTER_NAMES, Register } from './moo.js';

/** One thing that came out otherwise than recorded. */
export interface Mismatch {
  /** A register, `RAM 0x1234`, or `run`. */
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
}

/** RAM that the tests need: real mode reaches 0x10ffef. */
export const SST_RAM = 0x20_0000;

/** Enough for any test: an instruction, the handler's HLT, and a HLT that was not where it should be. */
const INSTRUCTION_LIMIT = 64;
/** FFFF:FFE0, where a HLT waits for an exception that an 80286 does not raise. */
const TRAP_SEGMENT = 0xffff;
const TRAP_OFFSET = 0xffe0;
const TRAP_ADDRESS = TRAP_SEGMENT * 16 + TRAP_OFFSET;
const HLT = 0xf4;
const POWER_ON_CR0 = 0x6000_0010n;
/** No x87: the recording machine had no 80287. */
const CR0_EM = 4n;

type Expected = { registers: number[]; ram: Map<number, number> };

/** See the file's head. */
export class SstRunner {
  readonly #state = powerOnState();

  constructor(
    private readonly memory: GuestMemory,
    private readonly vcpu: Vcpu,
  ) {}

  /** Runs a test of the file `opcode`; no mismatch: it passed. */
  run(opcode: string, test: MooTest): Mismatch[] {
    const rows = differencesOf(opcode, test);
    const raises = rows.find((row) => row.raises !== undefined)?.raises;
    const placed = this.#place(test, raises);
    this.#enter(test);
    const ignore = rows.some((row) => row.ignore);
    const stopped = this.#runToHalt(ignore);
    const found: Mismatch[] = [];
    if (stopped !== undefined) found.push({ what: 'run', expected: 'HLT', actual: stopped });
    else if (!ignore) {
      const expected = raises !== undefined ? expectRaised(test, placed) : expectRecorded(test, placed);
      this.#compare(test, rows, expected, found);
    }
    this.#clear(placed);
    return found;
  }

  /** Writes the test's memory; returns it. */
  #place(test: MooTest, raises: number | undefined): Map<number, number> {
    const placed = new Map<number, number>();
    const { ram } = test.initial;
    for (let i = 0; i < ram.length; i += 2) placed.set(ram[i] ?? 0, ram[i + 1] ?? 0);
    if (raises !== undefined) {
      const vector = raises * 4;
      placed.set(vector, TRAP_OFFSET & 0xff).set(vector + 1, TRAP_OFFSET >> 8);
      placed.set(vector + 2, TRAP_SEGMENT & 0xff).set(vector + 3, TRAP_SEGMENT >> 8);
      placed.set(TRAP_ADDRESS, HLT);
    }
    for (const [address, value] of placed) {
      this.memory.whole[RAM_BASE + address] = value;
      this.vcpu.invalidateCode(address, 1);
    }
    this.vcpu.takeDirtyPages();
    return placed;
  }

  #enter(test: MooTest): void {
    const state = this.#state;
    const value = (index: number): number => test.initial.registers[index] ?? 0;
    const big = (index: number): bigint => BigInt(value(index));
    state.rax = big(Register.AX);
    state.rbx = big(Register.BX);
    state.rcx = big(Register.CX);
    state.rdx = big(Register.DX);
    state.rsp = big(Register.SP);
    state.rbp = big(Register.BP);
    state.rsi = big(Register.SI);
    state.rdi = big(Register.DI);
    state.rip = big(Register.IP);
    state.rflags = BigInt((value(Register.FLAGS) & ~UPPER_FLAGS) | 2);
    for (const [name, index] of [
      ['cs', Register.CS],
      ['ss', Register.SS],
      ['ds', Register.DS],
      ['es', Register.ES],
    ] as const) {
      state[name].selector = value(index);
      state[name].base = BigInt(value(index) * 16);
    }
    state.idtr = { base: 0n, limit: 0x3ff };
    state.cr0 = POWER_ON_CR0 | CR0_EM;
    this.vcpu.setState(state);
  }

  /** Undefined: it stopped at a HLT, or went on `elsewhere`. Every port reads ones, as the recording machine's empty bus. */
  #runToHalt(elsewhere: boolean): string | undefined {
    const limit = this.vcpu.retired + INSTRUCTION_LIMIT;
    for (;;) {
      const reason = this.vcpu.run(limit);
      if (reason === ExitReason.Halt || (elsewhere && reason === ExitReason.Limit)) return undefined;
      if (reason !== ExitReason.Io) return `exit ${reason} at IP ${hex(this.vcpu.rip)}`;
      const exit = this.vcpu.exit;
      if (!exit.isWrite) {
        for (let i = 0; i < exit.size * exit.count; i++) exit.bytes.setUint8(exit.dataOffset + i, 0xff);
      }
    }
  }

  #compare(test: MooTest, rows: Difference[], expected: Expected, found: Mismatch[]): void {
    const state = this.vcpu.getState();
    const actual = [
      state.rax,
      state.rbx,
      state.rcx,
      state.rdx,
      state.cs.selector,
      state.ss.selector,
      state.ds.selector,
      state.es.selector,
      state.rsp,
      state.rbp,
      state.rsi,
      state.rdi,
      state.rip,
      state.rflags,
    ].map(Number);
    const flagMask = rows.reduce((mask, row) => mask & ~(row.flags ?? 0), 0xffff & ~UPPER_FLAGS);
    REGISTER_NAMES.forEach((name, index) => {
      if (rows.some((row) => row.registers?.includes(index))) return;
      const mask = index === Register.FLAGS ? flagMask : 0xffff_ffff;
      const want = expected.registers[index] ?? 0;
      const have = actual[index] ?? 0;
      if (((want ^ have) & mask) !== 0) found.push({ what: name, expected: hex(want, 4), actual: hex(have, 4) });
    });
    const pushed = test.exception === undefined ? -1 : pushedFlags(expected.registers);
    for (const [address, want] of expected.ram) {
      const have = this.memory.whole[RAM_BASE + address] ?? 0;
      const mask = address === pushed ? flagMask : address === pushed + 1 ? flagMask >> 8 : 0xff;
      if (((want ^ have) & mask) !== 0) {
        found.push({ what: `RAM ${hex(address, 5)}`, expected: hex(want, 2), actual: hex(have, 2) });
      }
    }
    for (const page of this.vcpu.takeDirtyPages()) this.#findStray(page, expected, found);
  }

  /** Bytes that the instruction should not have written. */
  #findStray(page: number, expected: Expected, found: Mismatch[]): void {
    const bytes = this.memory.bytes(page * 0x1000, 0x1000);
    for (let i = 0; i < bytes.length; i++) {
      const address = page * 0x1000 + i;
      if (bytes[i] === 0 || expected.ram.has(address)) continue;
      found.push({ what: `RAM ${hex(address, 5)}`, expected: 'untouched', actual: hex(bytes[i] ?? 0, 2) });
      bytes[i] = 0;
    }
    for (const address of expected.ram.keys()) if (address >> 12 === page) bytes[address & 0xfff] = 0;
  }

  #clear(placed: Map<number, number>): void {
    for (const page of this.vcpu.takeDirtyPages()) this.memory.bytes(page * 0x1000, 0x1000).fill(0);
    for (const address of placed.keys()) this.memory.whole[RAM_BASE + address] = 0;
  }
}

/** Where the FLAGS of a frame of three words lie (the recording's own address is cut to a word). */
function pushedFlags(registers: readonly number[]): number {
  return (registers[Register.SS] ?? 0) * 16 + (((registers[Register.SP] ?? 0) + 4) & 0xffff);
}

/** What the recording says. */
function expectRecorded(test: MooTest, placed: Map<number, number>): Expected {
  const registers = test.initial.registers.map((value, index) => test.final.registers[index] ?? value ?? 0);
  const ram = new Map(placed);
  for (let i = 0; i < test.final.ram.length; i += 2) ram.set(test.final.ram[i] ?? 0, test.final.ram[i + 1] ?? 0);
  return { registers, ram };
}

/** What a processor does that raises an exception at the instruction, and stops at the trap's HLT. */
function expectRaised(test: MooTest, placed: Map<number, number>): Expected {
  const registers = test.initial.registers.map((value) => value ?? 0);
  const ram = new Map(placed);
  const flags = ((registers[Register.FLAGS] ?? 0) & ~UPPER_FLAGS) | 2;
  let sp = registers[Register.SP] ?? 0;
  for (const value of [flags, registers[Register.CS] ?? 0, registers[Register.IP] ?? 0]) {
    sp = (sp - 2) & 0xffff;
    const address = (registers[Register.SS] ?? 0) * 16 + sp;
    ram.set(address, value & 0xff).set(address + 1, value >> 8);
  }
  registers[Register.SP] = sp;
  registers[Register.CS] = TRAP_SEGMENT;
  registers[Register.IP] = TRAP_OFFSET + 1;
  registers[Register.FLAGS] = flags & ~0x300;
  return { registers, ram };
}

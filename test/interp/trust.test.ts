/** Another engine over the same memory: code that it wrote (interp/trust.ts), and what is asked for its sake (RUN_… of interp/layout.ts). */
import { afterEach, describe, expect, test } from 'vitest';
import { InterpVcpu } from '../../src/vmm/cpu/interp.js';
import { ExitReason } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
const RAX = 0;
const RDX = 2;
const FXSAVE_OPERAND = 0x2_0000;
/** Of the segments of user code. */
const DPL3 = 0x60;
/** The identity map of docs/booting.md, and U/S in its entries. */
const TABLES = 0x1000;
const TABLES_END = 0x7000;
const USER_PAGE = 4;
let vcpu: InterpVcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

async function start(hex: string): Promise<void> {
  const guest = await loadGuest('interp', Buffer.from(hex.replaceAll(' ', ''), 'hex'), 'long64', BASE);
  ({ memory } = guest);
  if (!(guest.vcpu instanceof InterpVcpu)) throw new Error('the interpreter was asked for');
  vcpu = guest.vcpu;
}

function register(index: number): number {
  const bytes = new Uint8Array(144);
  vcpu.readRegisters(bytes);
  return new DataView(bytes.buffer).getUint32(index * 8, true);
}

/** Another engine's write, which the interpreter is not told of. */
function writeUnseen(at: number, bytes: readonly number[]): void {
  memory.bytes(at, bytes.length).set(bytes);
}

/** It ran, and the interpreter goes on from its state at the beginning. */
function takeTurn(): void {
  vcpu.distrustCode();
  vcpu.setState({ ...vcpu.getState(), rip: BigInt(BASE), halted: false });
}

/** To user code, at the same place, which all tables of the identity map then allow. */
function enterUser(): void {
  for (let at = TABLES; at < TABLES_END; at += 8) memory.writeU8(at, memory.readU8(at) | USER_PAGE);
  const state = vcpu.getState();
  const user = (segment: typeof state.cs) => ({
    ...segment,
    selector: segment.selector | 3,
    attributes: segment.attributes | DPL3,
  });
  vcpu.setState({ ...state, cs: user(state.cs), ss: user(state.ss) });
}

describe('code that another engine wrote', () => {
  test('is executed in the next turn', async () => {
    await start('b811000000 f4'); // mov eax,11h; hlt
    takeTurn();
    for (const value of [0x11, 0x22, 0x33]) {
      writeUnseen(BASE + 1, [value]);
      takeTurn();
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(register(RAX)).toBe(value);
    }
  });

  test('is executed where it only undoes what the interpreter wrote', async () => {
    // mov byte [rip+2],22h: the immediate of the instruction behind the jump; jmp +0; mov eax,11h; hlt
    await start('c6050300000022 eb00 b811000000 f4');
    const immediate = BASE + 10;
    for (let turn = 0; turn < 3; turn++) {
      writeUnseen(immediate, [0x11]);
      takeTurn();
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(register(RAX)).toBe(0x22);
      // The page is again what it was when the turn began, and the decoded code is not.
      writeUnseen(immediate, [0x11]);
      vcpu.distrustCode();
      vcpu.setState({ ...vcpu.getState(), rip: BigInt(immediate - 1), halted: false });
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(register(RAX)).toBe(0x11);
    }
  });

  test('is executed across the end of a page', async () => {
    await start('f4');
    const at = BASE + 0xffd;
    writeUnseen(at, [0xb8, 0x11, 0, 0, 0, 0xf4]);
    for (const value of [0x44, 0x55]) {
      writeUnseen(BASE + 0x1001, [value]);
      vcpu.distrustCode();
      vcpu.setState({ ...vcpu.getState(), rip: BigInt(at), halted: false });
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(register(RAX)).toBe(value * 2 ** 24 + 0x11);
    }
  });
});

describe('user code that an interpreter executes wherever it runs', () => {
  test('ends with the boundary at which the kernel is entered', async () => {
    await start('9090 f4'); // nop; nop; hlt, which raises #GP(0) there
    enterUser();
    vcpu.setStayUser(true);
    expect(vcpu.privilege).toBe(3);
    expect(vcpu.run(2)).toBe(ExitReason.Limit);
    // There is no IDT: the exception ends in a shutdown.
    expect(vcpu.run(Infinity)).toBe(ExitReason.Shutdown);
    takeTurn();
    const state = vcpu.getState();
    vcpu.setState({
      ...state,
      cs: { ...state.cs, attributes: state.cs.attributes & ~DPL3 },
      ss: { ...state.ss, attributes: state.ss.attributes & ~DPL3 },
    });
    expect(vcpu.run(Infinity)).toBe(ExitReason.LeftUser);
    expect(vcpu.rip).toBe(BASE);
  });

  test('reads the time stamp by an exit, in ring 3 only', async () => {
    await start('0f31 f4'); // rdtsc; hlt
    vcpu.assist(true, false);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.unhookedCount).toBe(1);
    takeTurn();
    enterUser();
    expect(vcpu.run(Infinity)).toBe(ExitReason.MsrRead);
    expect([vcpu.exit.address, vcpu.exit.size]).toEqual([0x10, 8]);
    vcpu.exit.bytes.setBigUint64(vcpu.exit.dataOffset, 0x1234_5678_9abc_def0n, true);
    expect(vcpu.complete()).toBeUndefined();
    expect([register(RDX), register(RAX)]).toEqual([0x1234_5678, 0x9abc_def0]);
    expect(vcpu.rip).toBe(BASE + 2);
    expect(vcpu.unhookedCount).toBe(1);
  });

  test.each([
    ['under paging outside long mode', false],
    ['all code', true],
  ])('reads the time stamp by an exit: %s', async (_name, all) => {
    await start('0f31 f4'); // rdtsc; hlt
    vcpu.assist(false, !all, all);
    // This code is in long mode: its paging does not count.
    expect(vcpu.run(Infinity)).toBe(all ? ExitReason.MsrRead : ExitReason.Halt);
  });

  test('has CPUID that no hook should have had', async () => {
    await start('0fa2 90'); // cpuid; nop
    vcpu.assist(true, false);
    enterUser();
    vcpu.run(2);
    expect(vcpu.unhookedCount).toBe(0);
  });
});

test.each([
  [false, 0, 0xff],
  [false, 3, 0xff],
  [true, 0, 0],
  [true, 3, 0xff],
])('FXSAVE of a KVM that clears (%s), in ring %i', async (clears, ring, rest) => {
  await start('480fae06 90'); // fxsave64 [rsi]; nop
  vcpu.setState({ ...vcpu.getState(), rsi: BigInt(FXSAVE_OPERAND), cr4: vcpu.getState().cr4 | 0x200n });
  memory.fill(FXSAVE_OPERAND, 512, 0xff);
  vcpu.clearWithFxsave(clears);
  if (ring === 3) enterUser();
  vcpu.run(1);
  expect(memory.readU8(FXSAVE_OPERAND + 415)).toBe(0);
  expect(new Set(memory.bytes(FXSAVE_OPERAND + 416, 96))).toEqual(new Set([rest]));
});

/** What of debugging is state of the CPU (SDM vol. 3B, chapter 17): a trap that waits behind MOV SS, its shadow, IA32_DEBUGCTL; on both engines. */
import { afterEach, describe, expect, test } from 'vitest';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { kvmMissing, kvmNote } from '../../native/kvm-host.js';
import { type EngineUnderTest, type GuestMode, loadGuest } from './system-guest.js';

const BASE = 0x7c00;
const HANDLER = 0x600;
const WATCH_READS_OF_2 = 0x7_0401n;

const open: Vcpu[] = [];
afterEach(() => {
  for (const vcpu of open.splice(0)) vcpu.close();
});

async function load(engine: EngineUnderTest, mode: GuestMode, ...bytes: number[]) {
  const loaded = await loadGuest(engine, Uint8Array.from(bytes), mode, BASE);
  open.push(loaded.vcpu);
  if (mode === 'real') {
    for (const vector of [1, 13]) loaded.memory.writeU32(vector * 4, HANDLER + vector);
    for (const vector of [1, 13]) loaded.memory.writeU8(HANDLER + vector, 0xf4);
  }
  return loaded;
}

test('a trap that MOV SS holds back goes with the state to another processor', async () => {
  // mov ss,[2000h]; nop; hlt
  const code = [0x8e, 0x16, 0x00, 0x20, 0x90, 0xf4];
  const first = await load('interp', 'real', ...code);
  first.memory.writeU16(0x2000, 0);
  first.vcpu.setState({ ...first.vcpu.getState(), dr0: 0x2000n, dr7: WATCH_READS_OF_2 });
  expect(first.vcpu.run(1)).toBe(ExitReason.Limit);
  const state = first.vcpu.getState();
  expect(state).toMatchObject({ pendingDebug: 1, interruptShadow: true, shadowHoldsTraps: true, dr6: 0xffff_0ff0n });
  const second = await load('interp', 'real', ...code);
  second.vcpu.setState(state);
  expect(second.vcpu.getState()).toEqual(state);
  expect(second.vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(second.vcpu.rip).toBe(HANDLER + 2);
  expect(second.memory.readU16(Number(second.vcpu.getState().rsp))).toBe(BASE + 5);
  expect(second.vcpu.getState()).toMatchObject({ pendingDebug: 0, dr6: 0xffff_0ff1n });
});

test('a shadow of STI comes back as one, which holds no step back', async () => {
  // sti; nop; hlt
  const { vcpu } = await load('interp', 'real', 0xfb, 0x90, 0xf4);
  expect(vcpu.run(1)).toBe(ExitReason.Limit);
  const state = vcpu.getState();
  expect(state).toMatchObject({ interruptShadow: true, shadowHoldsTraps: false });
  vcpu.setState({ ...state, rflags: state.rflags | 0x100n });
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  expect(vcpu.rip).toBe(HANDLER + 2);
});

const engines: readonly EngineUnderTest[] = ['interp', 'kvm'];

describe.each(engines)('on %s', (engine) => {
  const missing = engine === 'kvm' && kvmMissing !== undefined;

  test.skipIf(missing)(`a pending trap is kept, and delivered before the next instruction${kvmNote}`, async () => {
    const { vcpu, memory } = await load(engine, 'real', 0x90, 0xf4);
    const state = { ...vcpu.getState(), pendingDebug: 0x4000 };
    vcpu.setState(state);
    expect(vcpu.getState()).toEqual(state);
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Halt);
    expect(vcpu.rip).toBe(HANDLER + 2);
    expect(memory.readU16(0x6ffa)).toBe(BASE);
    expect(vcpu.getState()).toMatchObject({ pendingDebug: 0, dr6: 0xffff_4ff0n });
  });

  test.skipIf(missing)(`IA32_DEBUGCTL holds BTF, and the rest is reserved${kvmNote}`, async () => {
    // mov ecx,1d9h; mov eax,2; xor edx,edx; wrmsr; xor eax,eax; rdmsr; mov ebx,eax; mov eax,40h; wrmsr
    const { vcpu } = await load(
      engine,
      'real',
      ...[0x66, 0xb9, 0xd9, 0x01, 0, 0, 0x66, 0xb8, 2, 0, 0, 0, 0x66, 0x31, 0xd2, 0x0f, 0x30],
      ...[0x66, 0x31, 0xc0, 0x0f, 0x32, 0x66, 0x89, 0xc3, 0x66, 0xb8, 0x40, 0, 0, 0, 0x0f, 0x30],
    );
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Halt);
    expect(vcpu.rip).toBe(HANDLER + 14);
    expect(vcpu.getState()).toMatchObject({ rbx: 2n, debugCtl: 2n });
  });
});

describe('in 64-bit mode', () => {
  async function trapped(dr0: bigint, dr7: bigint, change: object, ...code: number[]) {
    const { vcpu, memory } = await load('interp', 'long64', ...code, 0xf4);
    // An IDT with a gate for #DB, whose handler halts.
    memory.writeU32(0x70_0010, 0x0010_0601);
    memory.writeU32(0x70_0014, 0x0000_8e00);
    memory.writeU8(HANDLER + 1, 0xf4);
    const state = vcpu.getState();
    vcpu.setState({ ...state, idtr: { base: 0x70_0000n, limit: 0xfff }, cr4: state.cr4 | 0x600n, dr0, dr7, ...change });
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Halt);
    return vcpu.rip === HANDLER + 2 ? Number(vcpu.getState().dr6 & 0xe00fn) : undefined;
  }

  test.each<[string, bigint, bigint, number | undefined]>([
    ['the last bytes of a store of 16', 0x5_000fn, 0x1_0401n, 1],
    ['the bytes behind it', 0x5_0010n, 0x1_0401n, undefined],
    ['an address above 4 GiB, which is another', 0x1_0005_0000n, 0x1_0401n, undefined],
  ])('a breakpoint on %s', async (_, dr0, dr7, expected) => {
    // movups [rdi],xmm0
    expect(await trapped(dr0, dr7, { rdi: 0x5_0000n }, 0x0f, 0x11, 0x07)).toBe(expected);
  });

  test('a breakpoint on an instruction', async () => {
    expect(await trapped(BigInt(BASE + 1), 0x401n, {}, 0x90, 0x90)).toBe(1);
    expect(await trapped(BigInt(BASE + 1) + 0x1_0000_0000n, 0x401n, {}, 0x90, 0x90)).toBeUndefined();
  });
});

/** Near calls, returns and indirect jumps in 64-bit and 32-bit mode: targets, stacks, and faults that leave no trace. */
import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../../interp/layout.js';
import { CODE, LongGuest, vectorOf } from './long-guest.js';

const STACK = 0x21_0800;
const guest = LongGuest.create('GenuineIntel');

function registers(values: Record<number, bigint>): BigUint64Array {
  const all = new BigUint64Array(16);
  all[4] = BigInt(STACK);
  for (const [index, value] of Object.entries(values)) all[Number(index)] = value;
  return all;
}

async function run(code: number[], values: Record<number, bigint>, bits: 32 | 64 = 64, flags = 0n) {
  const machine = await guest;
  const state = machine.execute(Uint8Array.from(code), registers(values), flags, bits);
  const u64 = (address: number): bigint => machine.memory.view.getBigUint64(RAM_BASE + address, true);
  return { state, u64, vector: vectorOf(state) };
}

async function poke(address: number, value: bigint): Promise<void> {
  (await guest).memory.view.setBigUint64(RAM_BASE + address, value, true);
}

describe('CALL and RET', () => {
  it('E8 pushes the address behind it and jumps', async () => {
    // call +2; (2 bytes skipped); hlt
    const { state, u64 } = await run([0xe8, 2, 0, 0, 0, 0xff, 0xff], {});
    expect(state.rip).toBe(BigInt(CODE + 8));
    expect(state.rsp).toBe(BigInt(STACK - 8));
    expect(u64(STACK - 8)).toBe(BigInt(CODE + 5));
  });

  it('FF /2 with RSP as base uses the RSP from before', async () => {
    await poke(STACK, BigInt(CODE + 3));
    // call [rsp]
    const { state, u64 } = await run([0xff, 0x14, 0x24], {});
    expect(state.rip).toBe(BigInt(CODE + 4));
    expect(u64(STACK - 8)).toBe(BigInt(CODE + 3));
  });

  it('a call to a non-canonical address is #GP(0) at the call, and pushes nothing', async () => {
    await poke(STACK - 8, 0x1234n);
    const { state, u64, vector } = await run([0xff, 0xd0], { 0: 0x8000_0000_0000n });
    expect(vector).toBe(13);
    // The frame: SS, RSP, RFLAGS, CS, RIP, error code.
    expect(u64(Number(state.rsp))).toBe(0n);
    expect(u64(Number(state.rsp) + 8)).toBe(BigInt(CODE));
    expect(u64(Number(state.rsp) + 32)).toBe(BigInt(STACK));
  });

  it('C2 releases its immediate', async () => {
    await poke(STACK, BigInt(CODE + 3));
    const { state } = await run([0xc2, 0x10, 0x80], {});
    expect(state.rip).toBe(BigInt(CODE + 4));
    expect(state.rsp).toBe(BigInt(STACK + 8 + 0x8010));
  });

  it('C3 to a non-canonical address leaves RSP', async () => {
    await poke(STACK, 0x8000_0000_0000_0000n);
    const { state, u64, vector } = await run([0xc3], {});
    expect(vector).toBe(13);
    expect(u64(Number(state.rsp) + 32)).toBe(BigInt(STACK));
  });

  it('66 E8 in 32-bit mode pushes a word and cuts EIP', async () => {
    // The target is 0x0007, where no page is: #PF at EIP 7 with SP two bytes down.
    const { state, u64, vector } = await run([0x66, 0xe8, 3, 0], {}, 32);
    expect(vector).toBe(14);
    expect(u64(Number(state.rsp) + 8)).toBe(7n);
    expect(u64(Number(state.rsp) + 32)).toBe(BigInt(STACK - 2));
  });
});

describe('POPF at CPL 0', () => {
  it('changes IF, IOPL, AC and ID, not VM; RF falls', async () => {
    await poke(STACK, 0x3f_7fd7n & ~0x100n);
    const { state } = await run([0x9d], {});
    expect(state.rflags & 0x3f_7fd7n).toBe(0x24_7ed7n);
    expect(state.rsp).toBe(BigInt(STACK + 8));
  });

  it('with 66 leaves the upper half', async () => {
    await poke(STACK, 0xffff_0000n | 0x0202n);
    const { state } = await run([0x66, 0x9d], {}, 64, 0x20_0000n);
    expect(state.rflags).toBe(0x20_0202n);
    expect(state.rsp).toBe(BigInt(STACK + 2));
  });
});

describe('BOUND', () => {
  it.each([
    [5n, undefined],
    [4n, undefined],
    [7n, undefined],
    [3n, 5],
    [8n, 5],
    [0xffff_ffffn, 5],
  ])('index %d of 4 to 7: vector %s', async (index, expected) => {
    await poke(STACK, 4n | (7n << 32n));
    const { vector } = await run([0x62, 0x04, 0x24], { 0: index }, 32);
    expect(vector).toBe(expected);
  });
});

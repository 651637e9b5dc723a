/** Repeated strings that leave in their middle: for ports, for MMIO, for a page fault, for the host's limits. */
import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../../interp/layout.js';
import { ExitReason } from '../../../src/vmm/cpu/vcpu.js';
import { CODE, LongGuest, vectorOf } from './long-guest.js';

const AREA = 0x21_0000;
/** A page that is mapped where there is no memory. */
const MMIO_PAGE = 0x22_0000;
const MMIO_ADDRESS = 0x4000_0000;

function registers(values: Record<number, bigint>): BigUint64Array {
  const all = new BigUint64Array(16);
  all[4] = BigInt(AREA + 0x8000);
  for (const [index, value] of Object.entries(values)) all[Number(index)] = value;
  return all;
}

describe('REP INSW', () => {
  it('leaves for each element; registers are those of the iteration; it counts once', async () => {
    const guest = await LongGuest.create('GenuineIntel');
    const { vcpu, memory } = guest;
    guest.enter(Uint8Array.from([0xf3, 0x66, 0x6d]), registers({ 1: 3n, 2: 0x1f0n, 7: BigInt(AREA) }), 0n, 64);
    const before = vcpu.retired;
    for (let i = 0; i < 3; i++) {
      expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Io);
      expect(vcpu.exit).toMatchObject({ address: 0x1f0, size: 2, isWrite: false, count: 1 });
      expect(vcpu.retired).toBe(before);
      vcpu.exit.bytes.setUint16(vcpu.exit.dataOffset, 0x1111 * (i + 1), true);
    }
    expect(vcpu.complete()).toBeUndefined();
    const state = vcpu.getState();
    expect(state.rcx).toBe(0n);
    expect(state.rdi).toBe(BigInt(AREA + 6));
    expect(state.rip).toBe(BigInt(CODE + 3));
    expect(vcpu.retired).toBe(before + 1);
    expect(memory.view.getBigUint64(RAM_BASE + AREA, true)).toBe(0x3333_2222_1111n);
  });

  it('complete() gives the next element as a further exit', async () => {
    const guest = await LongGuest.create('GenuineIntel');
    const { vcpu } = guest;
    guest.enter(Uint8Array.from([0xf3, 0x6c]), registers({ 1: 2n, 2: 0x60n, 7: BigInt(AREA) }), 0n, 64);
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Io);
    vcpu.exit.bytes.setUint8(vcpu.exit.dataOffset, 0x11);
    expect(vcpu.complete()).toBe(ExitReason.Io);
    vcpu.exit.bytes.setUint8(vcpu.exit.dataOffset, 0x22);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Halt);
  });

  it('a target that cannot be written faults before the port is read', async () => {
    const guest = await LongGuest.create('GenuineIntel');
    guest.map(MMIO_PAGE, 0n);
    const state = guest.execute(
      Uint8Array.from([0xf3, 0x6c]),
      registers({ 1: 2n, 2: 0x60n, 7: BigInt(MMIO_PAGE) }),
      0n,
      64,
    );
    expect(vectorOf(state)).toBe(14);
    expect(state.rcx).toBe(2n);
  });
});

describe('REP MOVSW', () => {
  it('from MMIO: one exit an element', async () => {
    const guest = await LongGuest.create('GenuineIntel');
    const { vcpu, memory } = guest;
    guest.map(MMIO_PAGE, BigInt(MMIO_ADDRESS));
    const start = registers({ 1: 3n, 6: BigInt(MMIO_PAGE + 0x10), 7: BigInt(AREA) });
    guest.enter(Uint8Array.from([0xf3, 0x66, 0xa5]), start, 0n, 64);
    for (let i = 0; i < 3; i++) {
      expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Mmio);
      expect(vcpu.exit).toMatchObject({ address: MMIO_ADDRESS + 0x10 + 2 * i, size: 2, isWrite: false });
      vcpu.exit.bytes.setUint16(vcpu.exit.dataOffset, 0xa0 + i, true);
    }
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Halt);
    expect(memory.view.getBigUint64(RAM_BASE + AREA, true)).toBe(0xa2_00a1_00a0n);
    expect(vcpu.getState()).toMatchObject({ rcx: 0n, rsi: BigInt(MMIO_PAGE + 0x16), rdi: BigInt(AREA + 6) });
  });
});

describe('REP STOSB', () => {
  it('into a page that is not there: #PF with the registers of that iteration', async () => {
    const guest = await LongGuest.create('GenuineIntel');
    guest.map(MMIO_PAGE, 0n);
    const start = registers({ 0: 0x5an, 1: 0x200n, 7: BigInt(MMIO_PAGE - 0x80) });
    const state = guest.execute(Uint8Array.from([0xf3, 0xaa]), start, 0n, 64);
    expect(vectorOf(state)).toBe(14);
    expect(state.cr2).toBe(BigInt(MMIO_PAGE));
    expect(state.rcx).toBe(0x180n);
    expect(state.rdi).toBe(BigInt(MMIO_PAGE));
    const stored = guest.memory.bytes(MMIO_PAGE - 0x82, 0x82);
    expect(Array.from(stored.subarray(0, 4))).toEqual([0, 0, 0x5a, 0x5a]);
    expect(stored.subarray(2).every((byte) => byte === 0x5a)).toBe(true);
  });

  it('single-stepped: one iteration a step, RIP stays, nothing counts before the last', async () => {
    const guest = await LongGuest.create('GenuineIntel');
    const { vcpu } = guest;
    guest.enter(Uint8Array.from([0xf3, 0xaa]), registers({ 1: 3n, 7: BigInt(AREA) }), 0n, 64);
    vcpu.setSingleStep(true);
    const before = vcpu.retired;
    for (const [count, rip, retired] of [
      [2n, CODE, 0],
      [1n, CODE, 0],
      [0n, CODE + 2, 1],
    ] as const) {
      expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Debug);
      expect(vcpu.getState()).toMatchObject({ rcx: count, rip: BigInt(rip) });
      expect(vcpu.retired - before).toBe(retired);
    }
  });

  it('REP INSB: an interrupt injected once complete() is through finds RIP behind it', async () => {
    const guest = await LongGuest.create('GenuineIntel');
    const { vcpu, memory } = guest;
    guest.enter(Uint8Array.from([0xf3, 0x6c]), registers({ 1: 2n, 2: 0x60n, 7: BigInt(AREA) }), 0n, 64);
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Io);
    // The answer of the first element; the second asks again, so the window opens only behind the instruction.
    vcpu.exit.bytes.setUint8(vcpu.exit.dataOffset, 1);
    expect(vcpu.complete()).toBe(ExitReason.Io);
    vcpu.exit.bytes.setUint8(vcpu.exit.dataOffset, 2);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.canInject).toBe(true);
    vcpu.injectInterrupt(0x21);
    expect(vcpu.run(Number.POSITIVE_INFINITY)).toBe(ExitReason.Halt);
    const state = vcpu.getState();
    expect(vectorOf(state)).toBe(0x21);
    expect(memory.view.getBigUint64(RAM_BASE + Number(state.rsp), true)).toBe(BigInt(CODE + 2));
  });
});

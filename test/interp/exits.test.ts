/** Exits for port and memory-mapped I/O: what they show, how the instruction goes on, and what else ends a run (interp/io.ts). */
import { afterEach, describe, expect, test } from 'vitest';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
/** No memory here: the machine has 16 MiB. */
const DEVICE = 0xfed0_0000;
const RSI = 6;
const RDI = 7;
let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

async function start(...bytes: number[]): Promise<void> {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from(bytes), 'long64', BASE));
}

function register(index: number): bigint {
  const bytes = new Uint8Array(144);
  vcpu.readRegisters(bytes);
  return new DataView(bytes.buffer).getBigUint64(index * 8, true);
}

/** The exit as [reason, address, size, isWrite, data]. */
function seen(reason: ExitReason | undefined) {
  const { address, size, isWrite, bytes, dataOffset } = vcpu.exit;
  let data = 0n;
  for (let i = size - 1; i >= 0; i--) data = (data << 8n) | BigInt(bytes.getUint8(dataOffset + i));
  return isWrite ? [reason, address, size, 'write', data] : [reason, address, size, 'read'];
}

function answer(value: bigint): void {
  vcpu.exit.bytes.setBigUint64(vcpu.exit.dataOffset, value, true);
}

describe('ports', () => {
  test('OUT leaves before it is finished, and complete() finishes it', async () => {
    // out 0x80, al; hlt
    await start(0xe6, 0x80, 0xf4);
    vcpu.setRegister(0, 0x1234_56ab, 0);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Io, 0x80, 1, 'write', 0xabn]);
    expect(vcpu.retired).toBe(0);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.retired).toBe(1);
    expect(vcpu.rip).toBe(BASE + 2);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.retired).toBe(2);
  });

  test('IN takes the answer; run() finishes it too', async () => {
    // in eax, dx; hlt
    await start(0xed, 0xf4);
    vcpu.setRegister(0, 0xffff_ffff, 0xffff_ffff);
    vcpu.setRegister(2, 0x3f8, 0);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Io, 0x3f8, 4, 'read']);
    answer(0xaaaa_bbbb_1234_5678n);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(register(0)).toBe(0x1234_5678n);
    expect(vcpu.retired).toBe(2);
  });

  test('REP OUTSB is an exit an element and one instruction', async () => {
    // rep outsb; hlt
    await start(0xf3, 0x6e, 0xf4);
    memory.write(0x8_0000, Uint8Array.from([1, 2, 3]));
    vcpu.setRegister(RSI, 0x8_0000, 0);
    vcpu.setRegister(1, 3, 0);
    vcpu.setRegister(2, 0xe9, 0);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Io, 0xe9, 1, 'write', 1n]);
    expect(seen(vcpu.complete())).toEqual([ExitReason.Io, 0xe9, 1, 'write', 2n]);
    expect(register(1)).toBe(2n);
    expect(seen(vcpu.complete())).toEqual([ExitReason.Io, 0xe9, 1, 'write', 3n]);
    expect(vcpu.retired).toBe(0);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.retired).toBe(1);
    expect(register(RSI)).toBe(0x8_0003n);
  });
});

describe('memory-mapped I/O', () => {
  test('a read and a write', async () => {
    // mov eax, [rsi]; mov [rsi+4], rax; hlt
    await start(0x8b, 0x06, 0x48, 0x89, 0x46, 0x04, 0xf4);
    vcpu.setRegister(RSI, DEVICE, 0);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE, 4, 'read']);
    answer(0xffff_ffff_1122_3344n);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE + 4, 8, 'write', 0x1122_3344n]);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  });

  test('an access across a page is two pieces', async () => {
    // mov rax, [rsi]; mov [rsi], eax; hlt
    await start(0x48, 0x8b, 0x06, 0x89, 0x06, 0xf4);
    vcpu.setRegister(RSI, DEVICE + 0xffd, 0);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE + 0xffd, 3, 'read']);
    answer(0x33_2211n);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE + 0x1000, 5, 'read']);
    answer(0x88_7766_5544n);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE + 0xffd, 3, 'write', 0x33_2211n]);
    expect(register(0)).toBe(0x8877_6655_4433_2211n);
    expect(seen(vcpu.complete())).toEqual([ExitReason.Mmio, DEVICE + 0x1000, 1, 'write', 0x44n]);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.retired).toBe(2);
  });

  test('a read-modify-write is a read and a write of one instruction', async () => {
    // add dword [rsi], 5; hlt
    await start(0x83, 0x06, 0x05, 0xf4);
    vcpu.setRegister(RSI, DEVICE, 0);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE, 4, 'read']);
    answer(10n);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE, 4, 'write', 15n]);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.retired).toBe(1);
  });

  test('REP MOVSB from a device to memory', async () => {
    // rep movsb; hlt
    await start(0xf3, 0xa4, 0xf4);
    vcpu.setRegister(RSI, DEVICE, 0);
    vcpu.setRegister(RDI, 0x8_0000, 0);
    vcpu.setRegister(1, 2, 0);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE, 1, 'read']);
    answer(0x61n);
    expect(seen(vcpu.run(Infinity))).toEqual([ExitReason.Mmio, DEVICE + 1, 1, 'read']);
    answer(0x62n);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect([...memory.bytes(0x8_0000, 2)]).toEqual([0x61, 0x62]);
    expect(vcpu.retired).toBe(2);
  });
});

describe('other ends of a run', () => {
  test('a kick ends the next run before any instruction, once', async () => {
    await start(0x90, 0xf4);
    vcpu.kick();
    expect(vcpu.run(Infinity)).toBe(ExitReason.Kicked);
    expect(vcpu.retired).toBe(0);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  });

  test('a single step is one instruction, or one iteration', async () => {
    // nop; rep stosb; hlt
    await start(0x90, 0xf3, 0xaa, 0xf4);
    vcpu.setRegister(RDI, 0x8_0000, 0);
    vcpu.setRegister(1, 2, 0);
    vcpu.setSingleStep(true);
    const places = [];
    for (let i = 0; i < 3; i++) {
      expect(vcpu.run(Infinity)).toBe(ExitReason.Debug);
      places.push([vcpu.rip - BASE, register(1), vcpu.retired]);
    }
    expect(places).toEqual([
      [1, 2n, 1],
      [1, 1n, 1],
      [3, 0n, 2],
    ]);
  });

  test('an instruction that the model does not have is no engine error', async () => {
    // nop; getsec
    await start(0x90, 0x0f, 0x37, 0xf4);
    expect(vcpu.run(Infinity)).not.toBe(ExitReason.EngineError);
  });

  test('the pages that were written are told once', async () => {
    // mov [rsi], eax; mov [rsi], eax; hlt
    await start(0x89, 0x06, 0x89, 0x06, 0xf4);
    vcpu.setRegister(RSI, 0x8_5000, 0);
    vcpu.run(1);
    vcpu.takeDirtyPages();
    expect([...vcpu.takeDirtyPages()]).toEqual([]);
    vcpu.run(2);
    expect([...vcpu.takeDirtyPages()]).toEqual([0x85]);
  });
});

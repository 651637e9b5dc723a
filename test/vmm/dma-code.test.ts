/**
 * Code that a device overwrites by DMA. The machine has no device of its own that masters the bus, so here is one: a copier that is driven
 * by descriptors in guest memory and writes guest memory as any device of the machine has to (GuestMemory.write).
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { AddressRange, Device } from '../../src/vmm/device.js';
import { Machine } from '../../src/vmm/machine.js';
import type { EngineName } from '../../src/vmm/machine-options.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { stateTable } from '../../src/vmm/state/fields.js';
import { machineOf } from '../helpers/tape.js';
import { kvmMissing } from '../native/kvm-host.js';

const PORT = 0x500;
const MAIN = 0x10_0000;
const ROUTINE = 0x12_0000;
const SOURCE = 0x13_0000;
const DESCRIPTORS = 0x14_0000;
const HLT = 0xf4;

/** A write of a guest-physical address does the transfer that is described there: u32 source, u32 target, u32 length. */
class Copier implements Device {
  readonly name = 'copier';
  readonly ports: readonly AddressRange[] = [{ base: PORT, length: 4 }];
  readonly mmio: readonly AddressRange[] = [];
  readonly stateTable = stateTable('copier', 1, {});
  transfers = 0;

  constructor(readonly memory: GuestMemory) {}

  readPort(): number {
    return this.transfers;
  }
  writePort(_port: number, _size: number, descriptor: number): void {
    const [source, target, length] = [0, 4, 8].map((at) => this.memory.readU32(descriptor + at)) as [
      number,
      number,
      number,
    ];
    if (length > 0) this.memory.write(target, this.memory.bytes(source, length).slice());
    this.transfers++;
  }
  readMmio(): void {}
  writeMmio(): void {}
  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }
  advance(): void {}
  reset(): void {}
  saveState(): Record<string, unknown> {
    return {};
  }
  loadState(): void {}
}

let machine: Machine | undefined;
afterEach(() => machine?.close());

const u32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];

/** Runs `main` at MAIN with `bytes` elsewhere in memory; RAX and RBX at its HLT. */
async function run(
  engine: EngineName,
  main: readonly number[],
  bytes: readonly (readonly [number, readonly number[]])[],
) {
  machine = await Machine.open(machineOf(engine, Uint8Array.from(main), 'long64', MAIN));
  const copier = new Copier(machine.memory);
  machine.board.bus.attach(copier);
  for (const [at, values] of bytes) machine.memory.write(at, Uint8Array.from(values));
  const end = await machine.run();
  expect(end.reason).toBe('halted');
  const registers = new Uint8Array(144);
  machine.vcpu.readRegisters(registers);
  const view = new DataView(registers.buffer);
  return { rax: view.getUint32(0, true), rbx: view.getUint32(24, true), transfers: copier.transfers };
}

/** call RBP, three times; the transfer of the first descriptor; call RBP; HLT. */
function callAroundTransfer(routine: number): number[] {
  const repeated = [0xff, 0xd5, 0xe2, 0xfc]; // call rbp; loop
  const transfer = [0xb8, ...u32(DESCRIPTORS), 0x66, 0xba, ...u32(PORT).slice(0, 2), 0xef]; // mov eax,…; mov dx,…; out dx,eax
  return [0xbd, ...u32(routine), 0xb9, ...u32(3), ...repeated, ...transfer, 0xff, 0xd5, HLT];
}

const returning = (value: number) => [0xb8, ...u32(value), 0xc3]; // mov eax,value; ret

describe.each([['interp'], ['kvm']] as const)('code that a device overwrites, on %s', (engine) => {
  const missing = engine === 'kvm' ? kvmMissing : undefined;
  const note = missing === undefined ? '' : ` [skipped: ${missing}]`;

  it.skipIf(missing !== undefined)(`is the new code when it is called again${note}`, async () => {
    const bytes = [
      [ROUTINE, returning(1)],
      [SOURCE, returning(7)],
      [DESCRIPTORS, [...u32(SOURCE), ...u32(ROUTINE), ...u32(6)]],
    ] as const;
    expect(await run(engine, callAroundTransfer(ROUTINE), bytes)).toMatchObject({ rax: 7, transfers: 1 });
  });

  it.skipIf(missing !== undefined)(`lies across two pages, of which the second is overwritten${note}`, async () => {
    const routine = ROUTINE + 0xffe;
    const bytes = [
      [routine, returning(0x0101_0101)],
      [SOURCE, [0x22, 0x33, 0x44]],
      [DESCRIPTORS, [...u32(SOURCE), ...u32(ROUTINE + 0x1000), ...u32(3)]],
    ] as const;
    expect(await run(engine, callAroundTransfer(routine), bytes)).toMatchObject({ rax: 0x4433_2201 });
  });

  it.skipIf(missing !== undefined)(
    `is executed through another linear address than the identical one${note}`,
    async () => {
      // MOV [PD of the second GiB], 2 MiB at 0: written by the guest's own page tables, which the loader made.
      const alias = 0x4000_0000;
      const map = [
        ...[0x0f, 0x20, 0xde], // mov rsi,cr3
        ...[0x48, 0x8b, 0x36, 0x81, 0xe6, 0x00, 0xf0, 0xff, 0xff], // mov rsi,[rsi]; and esi,-4096
        ...[0x48, 0x8b, 0x76, 0x08, 0x81, 0xe6, 0x00, 0xf0, 0xff, 0xff], // mov rsi,[rsi+8]; and esi,-4096
        ...[0x48, 0xc7, 0x06, ...u32(0x83)], // mov qword [rsi],83h
        ...[0x0f, 0x20, 0xde, 0x0f, 0x22, 0xde], // mov rsi,cr3; mov cr3,rsi
      ];
      const bytes = [
        [ROUTINE, returning(1)],
        [SOURCE, returning(7)],
        [DESCRIPTORS, [...u32(SOURCE), ...u32(ROUTINE), ...u32(6)]],
      ] as const;
      const main = [...map, ...callAroundTransfer(alias + ROUTINE)];
      expect(await run(engine, main, bytes)).toMatchObject({ rax: 7 });
    },
  );

  it.skipIf(missing !== undefined)(`begins right behind the instruction that starts the transfer${note}`, async () => {
    const loop = [
      ...[0x89, 0xf0, 0xef], // mov eax,esi; out dx,eax
      ...[0xb3, 0x01], // mov bl,1: the immediate is overwritten by the third transfer
      ...[0x83, 0xc6, 0x10], // add esi,16
      ...[0xff, 0xcf, 0x75, 0xf4], // dec edi; jnz
    ];
    const main = [
      0xbe,
      ...u32(DESCRIPTORS),
      0xbf,
      ...u32(3),
      0x66,
      0xba,
      ...u32(PORT).slice(0, 2),
      0x31,
      0xdb,
      ...loop,
      HLT,
    ];
    const immediate = MAIN + main.length - 1 - loop.length + 4;
    const nothing = [0, 0, 0, 0].flatMap(u32);
    const bytes = [
      [SOURCE, [0x77]],
      [DESCRIPTORS, [...nothing, ...nothing, ...u32(SOURCE), ...u32(immediate), ...u32(1)]],
    ] as const;
    expect(await run(engine, main, bytes)).toMatchObject({ rbx: 0x77, transfers: 3 });
  });
});

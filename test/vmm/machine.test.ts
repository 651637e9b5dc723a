import { describe, expect, it } from 'vitest';
import type { FlatMode } from '../../src/vmm/boot/request.js';
import type { ExitRecord } from '../../src/vmm/cpu/vcpu.js';
import { Machine } from '../../src/vmm/machine.js';
import type { EngineName, MachineEnd, MachineOptions } from '../../src/vmm/machine-options.js';
import { deafTaps } from '../../src/vmm/machine-taps.js';
import { machineOf, noKvm, Text } from '../helpers/tape.js';

/** Runs code at 7C00, 16-bit if nothing else is said, to its end. */
async function run(
  engine: EngineName,
  code: readonly number[],
  more: Partial<MachineOptions> = {},
  mode: FlatMode = 'real',
): Promise<{ end: MachineEnd; machine: Machine; text: string }> {
  const serial = new Text();
  const options = machineOf(engine, Uint8Array.from(code), mode, 0x7c00, { serial, ...more });
  const machine = await Machine.open({ ...options, limits: { timeout: 10, ...more.limits } });
  try {
    const end = await machine.run();
    return { end, machine, text: serial.text };
  } finally {
    machine.close();
  }
}

const sayHi = [0xba, 0xf8, 0x03, 0xb0, 0x48, 0xee, 0xb0, 0x69, 0xee]; // mov dx,3f8; mov al,'H'; out; mov al,'i'; out
const halt = [0xfa, 0xf4]; // cli; hlt
const forever = [0xeb, 0xfe]; // jmp $

describe.each(['interp', 'kvm'] as const)('a machine on %s', (engine) => {
  describe.skipIf(engine === 'kvm' && noKvm !== undefined)(`(${noKvm ?? 'KVM is there'})`, () => {
    it('ends where the guest halts with interrupts off', async () => {
      const { end, text } = await run(engine, [...sayHi, ...halt]);
      expect(end).toMatchObject({ reason: 'halted', exitCode: 0, position: 'exit' });
      expect(text).toBe('Hi');
    });

    it('ends where the guest halts and every interrupt is masked', async () => {
      const masked = [0xb0, 0xff, 0xe6, 0x21, 0xe6, 0xa1, 0xfb, 0xf4]; // mov al,ff; out 21; out a1; sti; hlt
      expect((await run(engine, masked)).end.reason).toBe('halted');
    });

    it('ends with the exit code of port F4', async () => {
      const { end } = await run(engine, [0xb0, 0x05, 0xe6, 0xf4, ...forever]);
      expect(end).toMatchObject({ reason: 'exit-port', exitCode: 11, position: 'exit' });
    });

    it.each([
      ['CF9', [0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee]],
      ['the i8042', [0xb0, 0xfe, 0xe6, 0x64]],
      ['port 92h', [0xb0, 0x01, 0xe6, 0x92]],
    ])('ends with a reset by %s', async (_name, code) => {
      expect((await run(engine, [...code, ...forever])).end).toMatchObject({ reason: 'reset', position: 'exit' });
    });

    it('ends with a triple fault', async () => {
      const noIdt = [0x0f, 0x01, 0x1d, 0x10, 0x7c, 0x00, 0x00, 0x0f, 0x0b]; // lidt [7c10], which is zero; ud2
      const { end } = await run(engine, noIdt, {}, 'prot32');
      expect(end).toMatchObject({ reason: 'shutdown', exitCode: 1 });
    });

    it('IA32_APIC_BASE is state of the CPU: the guest disables its APIC, and CPUID says so', async () => {
      // mov ecx,1b; rdmsr; and ah,f7; wrmsr
      const disable = [0x66, 0xb9, 0x1b, 0, 0, 0, 0x0f, 0x32, 0x80, 0xe4, 0xf7, 0x0f, 0x30];
      // mov eax,1; cpuid; mov al,dh; out f4,al
      const show = [0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0x88, 0xf0, 0xe6, 0xf4];
      const before = await run(engine, [...show, ...forever]);
      const after = await run(engine, [...disable, ...show, ...forever]);
      // Bit 9 of EDX is bit 2 of the exit code, v * 2 + 1.
      expect([before, after].map(({ end }) => (end.exitCode >> 2) & 1)).toEqual([1, 0]);
      expect(before.end.exitCode ^ after.end.exitCode).toBe(0b100);
    });

    it('ends when the text came over the serial console', async () => {
      const { end, text } = await run(engine, [...sayHi, ...sayHi, ...halt], { limits: { untilSerial: 'iH' } });
      expect(end.reason).toBe('serial-text');
      expect(text).toBe('HiH');
    });

    it('has failed when a text of a failure came over the serial console', async () => {
      const limits = { untilSerial: 'iHi', failSerial: ['Oops', 'iH'] };
      const { end, text } = await run(engine, [...sayHi, ...sayHi, ...halt], { limits });
      expect(end).toMatchObject({ reason: 'serial-text', exitCode: 1, position: 'exit' });
      expect(end.message).toBe('The guest has failed: it sent "iH".');
      expect(text).toBe('HiH');
    });

    it('ends at the limit of exits', async () => {
      const { end, machine } = await run(engine, [0xe6, 0x80, 0xeb, 0xfc], { limits: { exits: 25 } });
      expect(end.reason).toBe('limit');
      expect(machine.exits).toBe(25);
    });

    it('ends when the time is up although the guest makes no exit', async () => {
      const { end } = await run(engine, forever, { limits: { timeout: 0.2 } });
      expect(end).toMatchObject({ reason: 'timeout', exitCode: 1 });
    });

    it('ends when it is stopped', async () => {
      const options = machineOf(engine, Uint8Array.from(forever), 'real', 0x7c00);
      const machine = await Machine.open(options);
      const end = await machine.run(() => machine.stop());
      machine.close();
      expect(end.reason).toBe('interrupted');
    });

    it('gives the elements of REP OUTSB one by one, and MSR accesses that fault', async () => {
      const heard: string[] = [];
      const taps = {
        ...deafTaps,
        exit(exit: ExitRecord, element: number, fault: boolean) {
          const value = exit.bytes.getUint8(exit.dataOffset + element * exit.size);
          heard.push(`${exit.reason} ${exit.address.toString(16)} ${value} ${fault}`);
        },
      };
      const code = [
        ...[0xbe, 0x12, 0x7c, 0xb9, 0x03, 0x00, 0xba, 0x80, 0x00, 0xf3, 0x6e], // mov si,7c12; mov cx,3; mov dx,80; rep outsb
        ...halt,
        ...[0, 0, 0, 0, 0, 7, 8, 9],
      ];
      await run(engine, code, { taps });
      expect(heard).toEqual(['1 80 7 false', '1 80 8 false', '1 80 9 false', expect.stringMatching(/^5 /)]);
    });

    it('hands the host’s bytes to the serial port at the next exit', async () => {
      const echo = [
        ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8], // mov dx,3fd; in al,dx; test al,1; jz
        ...[0xba, 0xf8, 0x03, 0xec, 0xee, ...halt], // mov dx,3f8; in al,dx; out dx,al
      ];
      const serial = new Text();
      const machine = await Machine.open(machineOf(engine, Uint8Array.from(echo), 'real', 0x7c00, { serial }));
      machine.receive(Uint8Array.of(0x5a));
      expect((await machine.run()).reason).toBe('halted');
      machine.close();
      expect(serial.text).toBe('Z');
    });

    it('throws VMTAPE_UNCLAIMED on a strict bus, and counts otherwise', async () => {
      const code = [0xe5, 0xc8, ...halt]; // in ax,c8
      await expect(run(engine, code, { strictBus: true })).rejects.toMatchObject({
        code: 'VMTAPE_UNCLAIMED',
        exitCode: 1,
      });
      const { machine } = await run(engine, code);
      expect(machine.board.bus.unclaimed()).toEqual([{ space: 'port', address: 0xc8, reads: 1, writes: 0 }]);
    });
  });
});

describe('a machine that counts', () => {
  it('ends at the limit of instructions, exactly', async () => {
    const { end, machine } = await run('interp', forever, { limits: { instructions: 12_345_678 } });
    expect(end).toMatchObject({ reason: 'limit', position: 'count' });
    expect(machine.exits).toBe(0);
  });
});

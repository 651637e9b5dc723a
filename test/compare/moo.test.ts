/** The reader of the MOO format: what it reads, and that a damaged file gets one error which names the byte. */
import { describe, expect, it } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { readMoo } from '../../src/compare/sst/moo.js';

function chunk(tag: string, ...payload: number[][]): number[] {
  const bytes = payload.flat();
  return [...Buffer.from(tag, 'latin1'), ...u32(bytes.length), ...bytes];
}

function u16(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

const registers = chunk('REGS', u16(0x3fff), ...Array.from({ length: 14 }, (_, i) => u16(0x1000 + i)));
const memory = chunk('RAM ', u32(1), u32(0x12345), [0xf4]);
const final = chunk('FINA', chunk('REGS', u16(0x1000), u16(0x100d)), chunk('RAM ', u32(0)));
const test = chunk(
  'TEST',
  u32(7),
  chunk('NAME', u32(3), [...Buffer.from('hlt')]),
  chunk('BYTS', u32(1), [0xf4]),
  chunk('INIT', registers, memory),
  final,
  chunk('EXCP', [13], u32(0x600)),
);
const file = Uint8Array.from([...chunk('MOO ', [1, 0, 0, 0], u32(1), [...Buffer.from('C286')]), ...test]);

function errorOf(bytes: Uint8Array): VmtapeError {
  try {
    readMoo(bytes, 'F4.MOO');
  } catch (error) {
    if (error instanceof VmtapeError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('readMoo', () => {
  it('reads a test', () => {
    const [only] = readMoo(file, 'F4.MOO');
    expect(only?.index).toBe(7);
    expect(only?.name).toBe('hlt');
    expect(Array.from(only?.bytes ?? [])).toEqual([0xf4]);
    expect(only?.initial.registers[13]).toBe(0x100d);
    expect(Array.from(only?.initial.ram ?? [])).toEqual([0x12345, 0xf4]);
    expect(only?.final.registers[12]).toBe(0x100d);
    expect(only?.final.registers[0]).toBeUndefined();
    expect(only?.exception).toEqual({ vector: 13, flagsAddress: 0x600 });
  });

  it('names the file and the byte of every cut', () => {
    for (let length = 0; length < file.length; length++) {
      const error = errorOf(file.subarray(0, length));
      expect(error.code).toBe('VMTAPE_MOO');
      expect(error.exitCode).toBe(5);
      expect(error.message).toMatch(/^F4\.MOO: .* at byte \d+$|tests expected/);
    }
  });

  it('refuses a count that the file cannot hold', () => {
    const damaged = Uint8Array.from(file);
    const at = Buffer.from(file).indexOf('RAM ') + 8;
    damaged.set([0xff, 0xff, 0xff, 0xff], at);
    expect(errorOf(damaged).message).toMatch(/bytes of memory/);
  });
});

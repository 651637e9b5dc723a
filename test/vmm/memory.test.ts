/** The layout's numbers are written out: RAM at 0x400_0000 of the WebAssembly.Memory, the page map at 0x40_0000. */
import { describe, expect, it } from 'vitest';
import { GuestMemory, memoryRuns } from '../../src/vmm/memory.js';
import { memoryDigest } from '../../src/vmm/memory-digest.js';

const MIB = 0x10_0000;
const mapped = (memory: GuestMemory, gpa: number): number =>
  memory.view.getUint32(0x40_0000 + (gpa / 0x1000) * 4, true);

describe('RAM', () => {
  it('is read and written little-endian, from address 0', () => {
    const memory = new GuestMemory({ ramSize: MIB });
    memory.writeU64(0x1000, 0x1122_3344_5566_7788n);
    expect(memory.readU8(0x1000)).toBe(0x88);
    expect(memory.readU16(0x1001)).toBe(0x6677);
    expect(memory.readU32(0x1004)).toBe(0x1122_3344);
    expect(memory.whole[0x400_1007]).toBe(0x11);
    expect(memory.bytes(0x1000, 2)).toEqual(Uint8Array.of(0x88, 0x77));
  });

  it('ends where it ends', () => {
    const memory = new GuestMemory({ ramSize: MIB });
    memory.writeU8(MIB - 1, 1);
    for (const access of [
      () => memory.readU8(MIB),
      () => memory.readU32(MIB - 3),
      () => memory.bytes(MIB - 1, 2),
      () => memory.readU8(-1),
    ]) {
      expect(access).toThrowError(expect.objectContaining({ code: 'VMTAPE_MEMORY' }));
    }
  });

  it('is one region and fills the page map', () => {
    const memory = new GuestMemory({ ramSize: 2 * MIB });
    expect(memory.regions).toEqual([{ gpa: 0, offset: 0x400_0000, length: 2 * MIB, readonly: false }]);
    expect(mapped(memory, 0)).toBe(0x400_0003);
    expect(mapped(memory, 2 * MIB - 0x1000)).toBe(0x41f_f003);
    expect(mapped(memory, 2 * MIB)).toBe(0);
  });

  it.each([0, MIB - 4096, MIB + 1, 0xc000_1000, Number.NaN])('cannot have %d bytes', (ramSize) => {
    expect(() => new GuestMemory({ ramSize })).toThrowError(expect.objectContaining({ code: 'VMTAPE_MEMORY' }));
  });

  it('can have 3 GiB', () => {
    const memory = new GuestMemory({ ramSize: 0xc000_0000 });
    memory.writeU32(0xbfff_fffc, 0xdead_beef);
    expect(memory.readU32(0xbfff_fffc)).toBe(0xdead_beef);
  });

  it('tells what the host wrote', () => {
    const memory = new GuestMemory({ ramSize: MIB });
    const told: number[][] = [];
    memory.onHostWrite = (gpa, length) => told.push([gpa, length]);
    memory.write(0x2000, new Uint8Array(10));
    memory.writeU16(0x3000, 1);
    memory.fill(0x4000, 0x1000, 0);
    expect(told).toEqual([
      [0x2000, 10],
      [0x3000, 2],
      [0x4000, 0x1000],
    ]);
  });
});

describe('a ROM', () => {
  it('ends at 1 MiB and at 4 GiB, and cannot be written', () => {
    const memory = new GuestMemory({ ramSize: 2 * MIB, rom: Uint8Array.of(1, 2, 3) });
    expect(memory.readU8(0xffff_ffff)).toBe(3);
    expect(memory.readU8(0xf_ffff)).toBe(3);
    expect(memory.readU8(0xffff_fffc)).toBe(0xff);
    expect(() => memory.writeU8(0xf_ffff, 0)).toThrow('is a ROM');
    // Present and not writable; the last page of RAM below it is.
    expect(mapped(memory, 0xffff_f000)).toBe(0xc0_0001);
    expect(mapped(memory, 0xf_f000)).toBe(0xc0_0001);
    expect(mapped(memory, 0xf_e000)).toBe(0x40f_e003);
  });

  it('shows at most 128 KiB below 1 MiB', () => {
    const rom = new Uint8Array(256 * 1024).fill(7);
    const memory = new GuestMemory({ ramSize: 2 * MIB, rom });
    expect(memory.regions.map(({ gpa, length, readonly }) => [gpa, length, readonly])).toEqual([
      [0, 0xe_0000, false],
      [0xe_0000, 0x2_0000, true],
      [MIB, MIB, false],
      [0xfffc_0000, 0x4_0000, true],
    ]);
    expect(memory.readU8(0xd_ffff)).toBe(0);
    expect(memory.readU8(0xe_0000)).toBe(7);
  });

  it.each([0, 0x40_0001])('cannot have %d bytes', (length) => {
    expect(() => new GuestMemory({ ramSize: MIB, rom: new Uint8Array(length) })).toThrow('a ROM cannot have');
  });
});

describe('windows', () => {
  const rom = new Uint8Array(0x1_8000).fill(7);
  const views = (changes: Readonly<Record<number, 'ram' | 'ram-readonly'>>) =>
    Array.from({ length: 14 }, (_, index) => changes[index] ?? 'bus');
  const make = () => new GuestMemory({ ramSize: 2 * MIB, rom, hasWindows: true });

  it('show the bus at first, where the ROM is', () => {
    const memory = make();
    expect(memory.regions.map(({ gpa, length, readonly }) => [gpa, length, readonly])).toEqual([
      [0, 0xa_0000, false],
      [0xe_8000, 0x4000, true],
      [0xe_c000, 0x4000, true],
      [0xf_0000, 0x1_0000, true],
      [MIB, MIB, false],
      [0xfffe_8000, 0x1_8000, true],
    ]);
    expect([0xa_0000, 0xc_0000, 0xe_7000].map((gpa) => mapped(memory, gpa))).toEqual([0, 0, 0]);
    expect(memory.readU8(0xe_8000)).toBe(7);
  });

  it('become RAM, which keeps its contents when it is not seen', () => {
    const memory = make();
    memory.show(views({ 13: 'ram' }));
    expect(mapped(memory, 0xf_f000)).toBe(0x40f_f003);
    memory.writeU8(0xf_0000, 1);
    memory.show(views({ 13: 'ram-readonly' }));
    expect(mapped(memory, 0xf_f000)).toBe(0x40f_f001);
    expect(() => memory.writeU8(0xf_0000, 2)).toThrow('is a ROM');
    memory.show(views({}));
    expect(memory.readU8(0xf_0000)).toBe(7);
    memory.writeRam(0xf_0001, Uint8Array.of(3));
    memory.show(views({ 13: 'ram' }));
    expect([memory.readU8(0xf_0000), memory.readU8(0xf_0001)]).toEqual([1, 3]);
  });

  it('tell which of them changed, and nothing if none did', () => {
    const memory = make();
    const told: number[][] = [];
    memory.onRemap = (changed) => told.push(changed.map(({ gpa }) => gpa));
    memory.show(views({}));
    memory.show(views({ 0: 'ram', 3: 'ram' }));
    memory.show(views({ 0: 'ram', 3: 'ram' }));
    expect(told).toEqual([[0xa_0000, 0xc_8000]]);
  });

  it('hide nothing from a trace: all RAM, and the ROM below 4 GiB', () => {
    const memory = make();
    memory.writeRam(0xf_0000, Uint8Array.of(9));
    const runs = memoryRuns(memory);
    expect(runs.map(({ gpa, bytes }) => [gpa, bytes.length])).toEqual([
      [0, 2 * MIB],
      [0xfffe_8000, 0x1_8000],
    ]);
    expect(runs[0]?.bytes[0xf_0000]).toBe(9);
    const other = make();
    expect(memoryDigest({ memory })).not.toBe(memoryDigest({ memory: other }));
  });
});

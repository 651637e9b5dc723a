/** The ACPI tables as a guest finds them: offsets are those of ACPI 6.5, section 5.2, written out. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { writeAcpiTables } from '../../../src/vmm/boot/acpi.js';
import { buffer, device, eisaId, integer, name, packageOf } from '../../../src/vmm/boot/aml.js';
import { bootGuest } from '../../../src/vmm/boot/boot.js';
import { madt } from '../../../src/vmm/boot/madt.js';
import { acpiTable } from '../../../src/vmm/boot/table.js';
import { GuestMemory } from '../../../src/vmm/memory.js';
import { file, load } from '../../helpers/boot.js';
import { buildElf } from '../../helpers/elf.js';

const MEBIBYTE = 0x10_0000;
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** The tables of a machine, by signature, found from the RSDP. */
function tablesOf(memory: GuestMemory, rsdp: number): Map<string, Uint8Array> {
  const at = (address: number): Uint8Array => memory.bytes(address, memory.readU32(address + 4));
  const found = new Map<string, Uint8Array>();
  const put = (address: number): void => void found.set(text(at(address).subarray(0, 4)), at(address));
  const xsdt = Number(memory.readU64(rsdp + 24));
  put(memory.readU32(rsdp + 16));
  put(xsdt);
  for (let entry = 36; entry < memory.readU32(xsdt + 4); entry += 8) put(Number(memory.readU64(xsdt + entry)));
  const fadt = Number(memory.readU64(xsdt + 36));
  put(memory.readU32(fadt + 36));
  put(Number(memory.readU64(fadt + 140)));
  return found;
}

function written(ramSize = 16 * MEBIBYTE, more: readonly Uint8Array[] = []) {
  const memory = new GuestMemory({ ramSize });
  const rsdp = writeAcpiTables(memory, more);
  return { memory, rsdp, tables: tablesOf(memory, rsdp) };
}

describe('the RSDP', () => {
  const { memory, rsdp } = written();
  it('"on 16-byte boundaries" of 0E0000h to 0FFFFFh', () => {
    expect(rsdp % 16).toBe(0);
    expect(rsdp).toBeGreaterThanOrEqual(0xe_0000);
    expect(rsdp).toBeLessThan(0x10_0000);
  });
  it('has both checksums', () => {
    expect(text(memory.bytes(rsdp, 8))).toBe('RSD PTR ');
    expect([sum(memory.bytes(rsdp, 20)), sum(memory.bytes(rsdp, 36))]).toEqual([0, 0]);
    expect([memory.readU8(rsdp + 15), memory.readU32(rsdp + 20)]).toEqual([2, 36]);
  });
});

describe('the tables', () => {
  const { memory, rsdp, tables } = written();
  it('are those that the machine needs', () => {
    expect([...tables.keys()]).toEqual(['RSDT', 'XSDT', 'FACP', 'FACS', 'DSDT']);
  });
  it.each(['RSDT', 'XSDT', 'FACP', 'DSDT'])('%s has a checksum', (signature) => {
    expect(sum(tables.get(signature) as Uint8Array)).toBe(0);
  });
  it('RSDT and XSDT name the same', () => {
    const xsdt = Number(memory.readU64(rsdp + 24));
    expect(BigInt(memory.readU32(memory.readU32(rsdp + 16) + 36))).toBe(memory.readU64(xsdt + 36));
  });
  it('FACS is aligned to 64 bytes', () => {
    const fadt = Number(memory.readU64(Number(memory.readU64(rsdp + 24)) + 36));
    expect(memory.readU32(fadt + 36) % 64).toBe(0);
  });
  it('the FADT tells where the registers are', () => {
    const fadt = Buffer.from(tables.get('FACP') as Uint8Array);
    expect(fadt.readUInt16LE(46)).toBe(9);
    expect(fadt.readUInt32LE(48)).toBe(0);
    expect([56, 64, 76].map((at) => fadt.readUInt32LE(at))).toEqual([0x600, 0x604, 0x608]);
    expect([...fadt.subarray(88, 92)]).toEqual([4, 2, 0, 4]);
    expect(fadt.readUInt16LE(109)).toBe(0b1111);
    expect(fadt.readUInt32LE(112) & 0x10_0400).toBe(0x400);
    expect([...fadt.subarray(116, 129)]).toEqual([1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6]);
    expect([148, 172, 208].map((at) => fadt.readUInt16LE(at + 4))).toEqual([0x600, 0x604, 0x608]);
  });
  it('the DSDT begins with \\_S5, whose SLP_TYP is 5', () => {
    const code = (tables.get('DSDT') as Uint8Array).subarray(36, 36 + 15);
    expect([...code]).toEqual([0x08, 0x5c, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x08, 4, 0x0a, 5, 0x0a, 5, 0, 0]);
  });
});

it('takes more tables', () => {
  const madt = acpiTable('APIC', 3, 44, (view) => view.setUint32(36, 0xfee0_0000, true));
  expect(sum(madt)).toBe(0);
  const { memory, tables, rsdp } = written(undefined, [madt]);
  expect(tables.get('APIC')).toEqual(madt);
  expect(memory.readU32(memory.readU32(rsdp + 16) + 4)).toBe(36 + 2 * 4);
});

describe('the MADT', () => {
  const bytes = Buffer.from(madt());
  const entries: number[][] = [];
  for (let at = 44; at < bytes.length; at += bytes[at + 1] as number) {
    entries.push([...bytes.subarray(at, at + (bytes[at + 1] as number))]);
  }
  it('says where the local APIC is, and that there are 8259A', () => {
    expect([text(bytes.subarray(0, 4)), sum(bytes), bytes.readUInt32LE(36), bytes.readUInt32LE(40)]).toEqual([
      'APIC',
      0,
      0xfee0_0000,
      1,
    ]);
  });
  it('has a processor, an I/O APIC, two overrides, and LINT1 for NMIs', () => {
    expect(entries).toEqual([
      [0, 8, 0, 0, 1, 0, 0, 0],
      [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
      [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
      [2, 10, 0, 9, 9, 0, 0, 0, 0b1101, 0],
      [4, 6, 0xff, 0, 0, 1],
    ]);
  });
  it('is there, and IA32_APIC_BASE enables the APIC, unless the machine has none', () => {
    const segment = { virtual: 0x100_0000n, physical: 0x100_0000n, bytes: Uint8Array.of(0xf4) };
    const kernel = file(buildElf({ bits: 64, entry: 0x100_0000n, segments: [segment] }));
    const boot = (apic?: boolean) =>
      bootGuest({
        ramSize: 32 * MEBIBYTE,
        source: { kind: 'kernel', kernel, commandLine: '' },
        hooks: new Set(),
        ...(apic !== undefined && { apic }),
      });
    const seen = [boot(), boot(false)].map(({ memory, cpu }) => [
      tablesOf(memory, 0xf_0000).has('APIC'),
      (cpu.apicBase >> 11n) & 1n,
    ]);
    expect(seen).toEqual([
      [true, 1n],
      [false, 0n],
    ]);
  });
});

describe('AML', () => {
  it.each([
    [0, [0]],
    [1, [1]],
    [2, [0x0a, 2]],
    [0x100, [0x0b, 0, 1]],
    [0x1_0000, [0x0c, 0, 0, 1, 0]],
  ])('the integer %i', (value, bytes) => {
    expect(integer(value)).toEqual(bytes);
  });
  it('EisaId ("PNP0A03") is 030AD041h', () => {
    expect(eisaId('PNP0A03')).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
  });
  it('pads a name', () => {
    expect(name('AB', integer(1))).toEqual([0x08, 0x41, 0x42, 0x5f, 0x5f, 1]);
  });
  it.each([
    [61, [0x3f]],
    [62, [0x41, 0x04]],
    [4092, [0x4f, 0xff]],
    [4093, [0x81, 0x00, 0x01]],
  ])('a package of %i bytes and their count has the length %j', (size, length) => {
    const bytes = packageOf(Array.from({ length: size }, () => 0)).slice(1, 1 + length.length);
    expect(bytes).toEqual(length);
  });
  it('a device and a buffer', () => {
    expect(device('A', buffer([7, 8]))).toEqual([0x5b, 0x82, 11, 0x41, 0x5f, 0x5f, 0x5f, 0x11, 5, 0x0a, 2, 7, 8]);
  });
});

test('boot_params and hvm_start_info name the RSDP; a Multiboot kernel finds it', () => {
  const segment = { virtual: 0x100_0000n, physical: 0x100_0000n, bytes: Uint8Array.of(0xf4) };
  const elf = { bits: 64, entry: 0x100_0000n, segments: [segment] } as const;
  const source = (bytes: Uint8Array) => ({ kind: 'kernel', kernel: file(bytes), commandLine: '' }) as const;
  const linux = load(source(buildElf(elf)), 32 * MEBIBYTE);
  expect(linux.memory.readU64(0x7070)).toBe(0xf_0000n);
  const pvh = load(source(buildElf({ ...elf, pvhEntry: 0x100_0000 })), 32 * MEBIBYTE);
  expect(pvh.memory.readU64(Number(pvh.cpu.rbx) + 32)).toBe(0xf_0000n);
  for (const { memory } of [linux, pvh]) expect(text(memory.bytes(0xf_0000, 8))).toBe('RSD PTR ');
});

describe('iasl', () => {
  const isThere = spawnSync('iasl', ['-v']).status === 0;
  it.skipIf(!isThere)('reads and compiles every table again (skipped without iasl, of acpica-tools)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmtape-acpi-'));
    try {
      for (const ramSize of [16 * MEBIBYTE, 2048 * MEBIBYTE]) {
        for (const [signature, bytes] of written(ramSize, [madt()]).tables) {
          const path = join(folder, signature);
          writeFileSync(`${path}.dat`, bytes);
          const out = spawnSync('iasl', ['-d', `${path}.dat`], { encoding: 'utf8' });
          const again = spawnSync('iasl', [`${path}.dsl`], { encoding: 'utf8' });
          const said = `${out.stdout}${out.stderr}${again.stdout}${again.stderr}`;
          expect(said).not.toMatch(/^(Warning|Error)|ACPI (Warning|Error)/m);
          expect(said).toContain('0 Errors, 0 Warnings');
        }
      }
      expect(readFileSync(join(folder, 'DSDT.dsl'), 'utf8')).toContain('EisaId ("PNP0A03")');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

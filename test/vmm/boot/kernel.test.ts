import { expect, test } from 'vitest';
import type { KernelRequest } from '../../../src/vmm/boot/request.js';
import { file, load, run } from '../../helpers/boot.js';
import { bzImage as buildBzImage } from '../../helpers/bzimage.js';
import { buildElf, type TestElf } from '../../helpers/elf.js';

const kernel = (bytes: Uint8Array, more: Partial<KernelRequest> = {}) =>
  ({ kind: 'kernel', kernel: file(bytes, 'vmlinuz'), commandLine: '', ...more }) as const;

const text = (memory: { bytes(at: number, length: number): Uint8Array }, at: number, length: number) =>
  Buffer.from(memory.bytes(at, length)).toString('latin1');

/** A header, then code that answers 1 at the exit port if EAX is the magic and the second word of the command line begins with `a`. */
function multibootImage(flags: number, addresses: readonly number[]): Buffer {
  const image = Buffer.alloc(0x100);
  image.writeUInt32LE(0x1bad_b002, 0);
  image.writeUInt32LE(flags, 4);
  image.writeUInt32LE((0x1_0000_0000 * 2 - 0x1bad_b002 - flags) % 0x1_0000_0000, 8);
  for (const [index, address] of addresses.entries()) image.writeUInt32LE(address, 12 + index * 4);
  // cmp eax,0x2badb002; jne bad; mov ecx,[ebx+16]; cmp byte [ecx+8],'a'; jne bad; mov al,1; out; bad: mov al,2; out
  image.set([0x3d, 0x02, 0xb0, 0xad, 0x2b, 0x75, 0x0d, 0x8b, 0x4b, 0x10, 0x80, 0x79, 8, 0x61, 0x75, 4], 0x40);
  image.set([0xb0, 1, 0xe6, 0xf4, 0xb0, 2, 0xe6, 0xf4], 0x50);
  return image;
}

test('Multiboot with address fields', async () => {
  const image = multibootImage(0x1_0000, [0x10_0000, 0x10_0000, 0, 0x10_2000, 0x10_0040]);
  expect(await run(kernel(image, { commandLine: 'abc' }))).toMatchObject({ exitCode: 3 });
  expect(await run(kernel(image, { commandLine: 'xyz' }))).toMatchObject({ exitCode: 5 });
});

test('Multiboot as ELF32, with a module', async () => {
  const image = multibootImage(0b11, []);
  const elf = buildElf({
    bits: 32,
    entry: 0x20_0040n,
    segments: [{ virtual: 0x20_0000n, physical: 0x20_0000n, bytes: image, memorySize: 0x1000 }],
  });
  const request = kernel(elf, { commandLine: 'a', initrd: file([1, 2, 3], 'disk') });
  expect(await run(request)).toMatchObject({ exitCode: 3 });
  const { memory, cpu } = load(request);
  const info = Number(cpu.rbx);
  expect(memory.readU32(info)).toBe(0b10_0100_1101);
  expect(memory.readU32(info + 4)).toBe(639);
  expect(memory.readU32(info + 8)).toBe(3 * 1024);
  expect(memory.readU32(info + 20)).toBe(1);
  const module = memory.readU32(info + 24);
  const start = memory.readU32(module);
  expect(memory.readU32(module + 4)).toBe(start + 3);
  expect([...memory.bytes(start, 3)]).toEqual([1, 2, 3]);
  expect(text(memory, memory.readU32(module + 8), 5)).toBe('disk\0');
  const map = memory.readU32(info + 48);
  expect(memory.readU32(info + 44)).toBe(4 * 24);
  expect(memory.readU32(map)).toBe(20);
  expect(memory.readU64(map + 4 + 24 * 3)).toBe(0x10_0000n);
  expect(memory.readU64(map + 12 + 24 * 3)).toBe(0x30_0000n);
});

test('Multiboot with several modules, each with its command line', () => {
  const image = multibootImage(0x1_0000, [0x10_0000, 0x10_0000, 0, 0x10_2000, 0x10_0040]);
  const modules = [
    { file: file([1], 'dir/dom0'), words: 'console=hvc0 quiet' },
    { file: file([2, 2], 'disk'), words: '' },
  ];
  const { memory, cpu } = load(kernel(image, { modules }));
  const info = Number(cpu.rbx);
  expect(memory.readU32(info + 20)).toBe(2);
  const entries = [0, 16].map((at) => memory.readU32(info + 24) + at);
  const parts = entries.map((entry) => [memory.readU32(entry), memory.readU32(entry + 4)] as const);
  expect(parts.map(([from, to]) => [...memory.bytes(from, to - from)])).toEqual([[1], [2, 2]]);
  expect((parts[1] as readonly [number, number])[1]).toBeLessThanOrEqual((parts[0] as readonly [number, number])[0]);
  const [first, second] = entries.map((entry) => memory.readU32(entry + 8)) as [number, number];
  expect(text(memory, first, 24)).toBe('dom0 console=hvc0 quiet\0');
  expect(text(memory, second, 5)).toBe('disk\0');
  const five = { modules: Array.from({ length: 5 }, () => ({ file: file([1]), words: '' })) };
  expect(() => load(kernel(image, five))).toThrow('up to 4 modules');
  const long = { modules: [1, 2, 3].map(() => ({ file: file([1]), words: 'x'.repeat(240) })) };
  expect(() => load(kernel(image, long))).toThrow('too long');
});

test('only a Multiboot image takes modules', () => {
  const request = kernel(bzImage(), { modules: [{ file: file([1]), words: '' }] });
  expect(() => load(request, 0x400_0000)).toThrow('no Multiboot image');
});

test('the BIOS data area of a Multiboot kernel names COM1 and the end of conventional memory', () => {
  const image = multibootImage(0x1_0000, [0x10_0000, 0x10_0000, 0, 0x10_2000, 0x10_0040]);
  const { memory } = load(kernel(image));
  expect([0x400, 0x40e, 0x413].map((at) => memory.readU16(at))).toEqual([0x3f8, 0x9fc0, 639]);
});

test('of a Multiboot image without symbols, what is not reached is left alone', () => {
  // Code: rdtsc; jmp $. Then what looks like another RDTSC, and is data.
  const image = multibootImage(0b11, []);
  image.set([0x0f, 0x31, 0xeb, 0xfe, 0x0f, 0x31], 0x40);
  const elf = buildElf({
    bits: 32,
    entry: 0x20_0040n,
    segments: [{ virtual: 0x20_0000n, physical: 0x20_0000n, bytes: image, memorySize: 0x1000 }],
    sections: [{ name: '.text', virtual: 0x20_0000n, bytes: image, executable: true }],
  });
  const { memory, hooks, doubtful } = load(kernel(elf));
  expect(hooks.sites.map(({ address }) => address)).toEqual([0x20_0040n]);
  expect([...memory.bytes(0x20_0040, 6)]).toEqual([0xe7, 0xe2, 0xeb, 0xfe, 0x0f, 0x31]);
  expect(doubtful).toEqual([0x20_0044n]);
});

const linux: TestElf = {
  bits: 64,
  entry: 0x100_0000n,
  segments: [
    {
      virtual: 0xffff_ffff_8100_0000n,
      physical: 0x100_0000n,
      // rdtsc; cmp rsi,0x7000; jne bad; cmp dword [rsi+0x202],'HdrS'; jne bad; mov al,1; out; bad: mov al,2; out
      bytes: Uint8Array.of(
        ...[0x0f, 0x31, 0x48, 0x81, 0xfe, 0, 0x70, 0, 0, 0x75, 0x10],
        ...[0x81, 0xbe, 2, 2, 0, 0, 0x48, 0x64, 0x72, 0x53, 0x75, 0x04],
        ...[0xb0, 1, 0xe6, 0xf4, 0xb0, 2, 0xe6, 0xf4],
      ),
      memorySize: 0x2000,
    },
  ],
};
const linuxText = linux.segments[0]?.bytes as Uint8Array;
const linuxSections = [{ name: '.text', virtual: 0xffff_ffff_8100_0000n, bytes: linuxText, executable: true }];
const RAM = 0x200_0000;

test('vmlinux starts by the 64-bit boot protocol; its hooks are known at both of its addresses', async () => {
  const elf = buildElf({ ...linux, sections: linuxSections });
  const guest = load(kernel(elf, { commandLine: 'quiet', initrd: file(new Uint8Array(5000).fill(7)) }), RAM);
  const { memory, cpu, hooks } = guest;
  expect(cpu).toMatchObject({ rip: 0x100_0000n, rsi: 0x7000n, efer: 0x500n });
  expect(cpu.cs.selector).toBe(0x10);
  expect(cpu.ds.selector).toBe(0x18);
  expect(memory.readU16(0x71fe)).toBe(0xaa55);
  expect(memory.readU8(0x7210)).toBe(0xff);
  expect(memory.readU32(0x7218)).toBe(RAM - 0x2000);
  expect(memory.readU32(0x721c)).toBe(5000);
  expect(text(memory, memory.readU32(0x7228), 6)).toBe('quiet\0');
  expect(memory.readU8(0x71e8)).toBe(4);
  expect([memory.readU64(0x72d0), memory.readU64(0x72d8), memory.readU32(0x72e0)]).toEqual([0n, 0x9_fc00n, 1]);
  expect(memory.readU64(0x72d0 + 60 + 8)).toBe(BigInt(RAM - 0x10_0000));
  expect([...memory.bytes(0x100_0000, 2)]).toEqual([0xe7, 0xe2]);
  expect(hooks.sites.map(({ address }) => address)).toEqual([0xffff_ffff_8100_0000n, 0x100_0000n]);
  expect(await run(kernel(elf), RAM)).toMatchObject({ exitCode: 3 });
});

test('code in a segment that is not executable is hooked too: .init.text of a 32-bit vmlinux lies in one', () => {
  const bytes = Uint8Array.of(0x0f, 0x31, 0xf4); // rdtsc; hlt
  const init = { virtual: 0xc110_0000n, physical: 0x110_0000n, bytes };
  const elf = buildElf({
    bits: 32,
    entry: 0x100_0000n,
    segments: [
      { virtual: 0xc100_0000n, physical: 0x100_0000n, bytes },
      { ...init, executable: false },
    ],
    sections: [
      { name: '.text', virtual: 0xc100_0000n, bytes, executable: true },
      { name: '.init.text', virtual: 0xc110_0000n, bytes, executable: true },
      { name: '.altinstructions', virtual: 0xc120_0000n, bytes: new Uint8Array(0) },
    ],
  });
  const { memory, hooks } = load(kernel(elf), RAM);
  expect(hooks.sites.map(({ address }) => address)).toEqual([0xc100_0000n, 0xc110_0000n, 0x100_0000n, 0x110_0000n]);
  for (const address of [0x100_0000, 0x110_0000]) expect([...memory.bytes(address, 2)]).toEqual([0xe7, 0xe2]);
});

test('a PVH kernel starts in 32 bits with hvm_start_info', async () => {
  // cmp dword [ebx],0x336ec578; jne bad; mov al,1; out; bad: mov al,2; out
  const bytes = Uint8Array.of(0x81, 0x3b, 0x78, 0xc5, 0x6e, 0x33, 0x75, 4, 0xb0, 1, 0xe6, 0xf4, 0xb0, 2, 0xe6, 0xf4);
  const elf = buildElf({
    bits: 64,
    entry: 0x100_0000n,
    segments: [{ virtual: 0x100_0000n, physical: 0x100_0000n, bytes }],
    pvhEntry: 0x100_0000,
  });
  const request = kernel(elf, { commandLine: 'hello', initrd: file([9]) });
  const { memory, cpu } = load(request, RAM);
  const info = Number(cpu.rbx);
  expect(cpu.cr0).toBe(0x11n);
  expect(memory.readU32(info + 12)).toBe(1);
  const module = Number(memory.readU64(info + 16));
  expect(memory.readU8(Number(memory.readU64(module)))).toBe(9);
  expect(memory.readU64(module + 8)).toBe(1n);
  expect(text(memory, Number(memory.readU64(info + 24)), 6)).toBe('hello\0');
  expect(memory.readU32(info + 48)).toBe(4);
  expect(await run(request, RAM)).toMatchObject({ exitCode: 3 });
});

/** A bzImage whose code is `linuxText`. */
const bzImage = (change?: (header: Buffer) => void): Buffer => buildBzImage(linuxText, change);

test('a bzImage starts at its 64-bit entry; nothing of it is hooked', async () => {
  const { memory, cpu, hooks, isScanned } = load(kernel(bzImage(), { commandLine: 'x', initrd: file([5]) }), RAM);
  expect(cpu.rip).toBe(0x100_0200n);
  expect(cpu.efer).toBe(0x500n);
  expect(memory.readU32(0x7214)).toBe(0x100_0000);
  expect(memory.readU32(0x7260)).toBe(0x8000);
  expect(memory.readU32(0x721c)).toBe(1);
  expect(isScanned).toBe(false);
  expect(hooks.sites).toEqual([]);
  expect(await run(kernel(bzImage()), RAM)).toMatchObject({ exitCode: 3 });
});

test('a bzImage without a 64-bit entry starts by the 32-bit boot protocol', () => {
  const { cpu } = load(kernel(bzImage((header) => header.writeUInt16LE(0, 0x236))), RAM);
  expect(cpu).toMatchObject({ rip: 0x100_0000n, rsi: 0x7000n, cr0: 0x11n });
});

const vmlinux = buildElf(linux);
const cut = (bytes: Uint8Array, length: number) => bytes.subarray(0, length);
const patched = (offset: number, value: number) => {
  const copy = Buffer.from(vmlinux);
  copy.writeUInt8(value, offset);
  return copy;
};

test.each<[string, KernelRequest, string]>([
  ['a text file', kernel(Buffer.from('#!/bin/sh\n')), 'VMTAPE_NOT_A_KERNEL'],
  ['an empty file', kernel(new Uint8Array(0)), 'VMTAPE_NOT_A_KERNEL'],
  ['an ELF file cut off in its header', kernel(cut(vmlinux, 40)), 'VMTAPE_NOT_A_KERNEL'],
  ['an ELF file cut off in its program headers', kernel(cut(vmlinux, 80)), 'VMTAPE_NOT_A_KERNEL'],
  ['an ELF file cut off in a segment', kernel(cut(vmlinux, 0x1004)), 'VMTAPE_NOT_A_KERNEL'],
  ['an object file', kernel(patched(16, 1)), 'VMTAPE_NOT_A_KERNEL'],
  ['another processor', kernel(patched(18, 0xb7)), 'VMTAPE_NOT_A_KERNEL'],
  ['a big-endian file', kernel(patched(5, 2)), 'VMTAPE_NOT_A_KERNEL'],
  ['an entry outside', kernel(buildElf({ ...linux, entry: 0x5000n })), 'VMTAPE_NOT_A_KERNEL'],
  ['a bzImage cut off in its setup code', kernel(cut(bzImage(), 700)), 'VMTAPE_NOT_A_KERNEL'],
  ['a bzImage too large', kernel(bzImage((header) => header.writeUInt32LE(0x200_0000, 0x260))), 'VMTAPE_DOES_NOT_FIT'],
  [
    'a segment too large',
    kernel(
      buildElf({
        ...linux,
        segments: [{ ...(linux.segments[0] as never as TestElf['segments'][0]), memorySize: RAM }],
      }),
    ),
    'VMTAPE_DOES_NOT_FIT',
  ],
  ['an initrd too large', kernel(vmlinux, { initrd: file(new Uint8Array(RAM)) }), 'VMTAPE_DOES_NOT_FIT'],
  ['an empty initrd', kernel(vmlinux, { initrd: file([]) }), 'VMTAPE_BOOT'],
  ['a long command line', kernel(vmlinux, { commandLine: 'x'.repeat(2048) }), 'VMTAPE_BOOT'],
  [
    'a kernel below 1 MiB',
    kernel(buildElf({ ...linux, segments: [{ virtual: 0n, physical: 0n, bytes: linuxText }] })),
    'VMTAPE_BOOT',
  ],
])('%s is refused with one sentence', (_what, source, code) => {
  expect(() => load(source, RAM)).toThrow(expect.objectContaining({ code, exitCode: 2 }));
});

test('no cut of a kernel, and no changed byte of its headers, makes the loader fail in another way', () => {
  const attempt = (bytes: Uint8Array) => {
    try {
      load(kernel(bytes), 0x110_0000);
    } catch (error) {
      expect(error).toMatchObject({ name: 'VmtapeError', exitCode: 2 });
    }
  };
  for (let at = 0; at < 0x80; at += 3) attempt(patched(at, 0xff));
  for (let length = 0; length < vmlinux.length; length += 601) attempt(cut(vmlinux, length));
});

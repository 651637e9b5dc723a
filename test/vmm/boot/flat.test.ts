import { expect, test } from 'vitest';
import type { FlatMode } from '../../../src/vmm/boot/request.js';
import { file, load, run } from '../../helpers/boot.js';

const flat = (bytes: readonly number[], mode: FlatMode, loadAt: number) =>
  ({ kind: 'flat', image: file(bytes), mode, loadAt }) as const;

test('real mode starts at 0000:load address with a stack below 9fc00', () => {
  const { cpu, memory } = load(flat([0xf4], 'real', 0x7c00));
  expect(cpu).toMatchObject({ rip: 0x7c00n, cr0: 0x10n, rflags: 2n, rsp: 0xfc00n });
  expect(cpu.cs).toMatchObject({ selector: 0, base: 0n, limit: 0xffff });
  expect(cpu.ss).toMatchObject({ selector: 0x9000, base: 0x9_0000n });
  expect(memory.readU8(0x7c00)).toBe(0xf4);
});

test('real mode beyond 64 KiB has a code segment', () => {
  const { cpu } = load(flat([0xf4], 'real', 0x2_0005));
  expect(cpu.rip).toBe(5n);
  expect(cpu.cs).toMatchObject({ selector: 0x2000, base: 0x2_0000n });
});

test('prot32 has flat segments and no paging', () => {
  const { cpu } = load(flat([0xf4], 'prot32', 0x10_0000));
  expect(cpu).toMatchObject({ rip: 0x10_0000n, cr0: 0x11n, efer: 0n, rsp: 0x9_fc00n });
  expect(cpu.cs).toMatchObject({ selector: 0x10, base: 0n, limit: 0xffff_ffff, attributes: 0xc09b });
  expect(cpu.ds).toMatchObject({ selector: 0x18, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 });
});

test('long64 maps the first 4 GiB to themselves by the tables at 0x1000', () => {
  const { cpu, memory } = load(flat([0xf4], 'long64', 0x10_0000));
  expect(cpu).toMatchObject({ cr0: 0x8000_0011n, cr3: 0x1000n, cr4: 0x20n, efer: 0x500n });
  expect(cpu.cs.attributes).toBe(0xa09b);
  expect(memory.readU64(0x1000)).toBe(0x2003n);
  expect(memory.readU64(0x1008)).toBe(0n);
  for (const gib of [0, 1, 2, 3]) {
    const directory = memory.readU64(0x2000 + gib * 8);
    expect(directory).toBe(BigInt(0x3003 + gib * 0x1000));
    expect(memory.readU64(Number(directory & ~0xfffn) + 511 * 8)).toBe(
      BigInt(gib * 0x4000_0000 + 511 * 0x20_0000) + 0x83n,
    );
  }
  expect(memory.readU64(0x2020)).toBe(0n);
});

test.each([
  // mov al,3; push ax; pop bx; out 0xf4,al
  ['real', 0x7c00, [0xb0, 3, 0x50, 0x5b, 0xe6, 0xf4]],
  ['real', 0x8_1230, [0xb0, 3, 0x50, 0x5b, 0xe6, 0xf4]],
  ['prot32', 0x10_0000, [0xb0, 3, 0x50, 0x5b, 0xe6, 0xf4]],
  ['long64', 0x10_0000, [0xb0, 3, 0x50, 0x5b, 0xe6, 0xf4]],
  // lgdt stays as it is: reload DS and SS from the GDT that the loader wrote, then exit
  ['prot32', 0x10_0000, [0x66, 0xb8, 0x18, 0, 0x8e, 0xd8, 0x8e, 0xd0, 0xb0, 3, 0xe6, 0xf4]],
] as const)('%s code at %i runs', async (mode, loadAt, code) => {
  expect(await run(flat(code, mode, loadAt))).toMatchObject({ reason: 'exit-port', exitCode: 7 });
});

test('a hooked RDTSC gives time that goes on', async () => {
  // rdtsc; mov ebx,eax; rdtsc; sub eax,ebx; jz bad; mov al,1; out 0xf4,al; bad: mov al,2; out 0xf4,al
  const code = [0x0f, 0x31, 0x89, 0xc3, 0x0f, 0x31, 0x29, 0xd8, 0x74, 4, 0xb0, 1, 0xe6, 0xf4, 0xb0, 2, 0xe6, 0xf4];
  expect(load(flat(code, 'long64', 0x10_0000)).hooks.sites).toHaveLength(2);
  expect(await run(flat(code, 'long64', 0x10_0000))).toMatchObject({ exitCode: 3 });
});

test.each([
  ['an empty image', [], 'real', 0x7c00],
  ['real mode beyond its reach', [0xf4], 'real', 0x10_0000],
  ['an image on the tables', [0xf4], 'long64', 0x6fff],
  ['an image beyond the memory', [0xf4, 0xf4], 'prot32', 0x3f_ffff],
] as const)('%s is refused', (_what, code, mode, loadAt) => {
  expect(() => load(flat(code, mode, loadAt))).toThrow(expect.objectContaining({ exitCode: 2 }));
});

test('an image on the usual stack gets another', () => {
  expect(load(flat([0xf4], 'prot32', 0x9_f000)).cpu.rsp).toBe(0x7c00n);
});

test('a ROM is at the top of the first MiB and of 4 GiB, and starts as after reset', async () => {
  const rom = Buffer.alloc(0x1_0000, 0x90);
  // at the reset vector: jmp to the start, which writes 5 to the exit port
  rom.set([0xb0, 5, 0xe6, 0xf4]);
  rom.set([0xe9, 0x0d, 0], 0xfff0);
  const { memory, cpu } = load({ kind: 'rom', rom: file(rom) });
  expect(cpu.cs).toMatchObject({ selector: 0xf000, base: 0xffff_0000n });
  expect(cpu.rip).toBe(0xfff0n);
  expect(memory.readU8(0xf_fff0)).toBe(0xe9);
  expect(memory.readU8(0xffff_fff0)).toBe(0xe9);
  expect(await run({ kind: 'rom', rom: file(rom) })).toMatchObject({ reason: 'exit-port', exitCode: 11 });
});

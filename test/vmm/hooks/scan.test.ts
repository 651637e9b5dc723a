import { expect, test } from 'vitest';
import { parseElf } from '../../../src/vmm/boot/elf.js';
import { scanFlat } from '../../../src/vmm/hooks/flat.js';
import { scanElf } from '../../../src/vmm/hooks/scan.js';
import { HookKind } from '../../../src/vmm/hooks/table.js';
import { buildElf } from '../../helpers/elf.js';

const all = new Set(Object.values(HookKind));
const base = 0xffff_ffff_8100_0000n;

function scan(code: readonly number[], more: { name: string; virtual: bigint; bytes: Uint8Array }[] = []) {
  const bytes = Uint8Array.from(code);
  const file = buildElf({
    bits: 64,
    entry: 0x100_0000n,
    segments: [{ virtual: base, physical: 0x100_0000n, bytes }],
    sections: [{ name: '.text', virtual: base, bytes, executable: true }, ...more],
  });
  return scanElf(parseElf(file, 'test'), all);
}

const summary = (found: ReturnType<typeof scan>) =>
  found.sites.map(({ address, key, kind, length }) => [Number(address - base), Number(key - base), kind, length]);

test('RDTSC becomes OUT, found behind the OUT; longer ones are padded with NOPs', () => {
  // nop; rdtsc; cpuid; rdtscp; rdrand rdx; ret
  const found = scan([0x90, 0x0f, 0x31, 0x0f, 0xa2, 0x0f, 0x01, 0xf9, 0x48, 0x0f, 0xc7, 0xf2, 0xc3]);
  expect(summary(found)).toEqual([
    [1, 3, HookKind.Rdtsc, 2],
    [3, 5, HookKind.Cpuid, 2],
    [5, 8, HookKind.Rdtscp, 3],
    [8, 10, HookKind.Rdrand, 4],
  ]);
  expect(found.patches.map(({ bytes }) => [...bytes])).toEqual([
    [0xe7, 0xe2],
    [0xe7, 0xe2],
    [0x90, 0xe7, 0xe2],
    [0xe7, 0xe2, 0x90, 0x90],
  ]);
  expect(found.sites[3]).toMatchObject({ register: 2, width: 64 });
});

test('bytes within another instruction are left alone', () => {
  // mov eax, 0xa20f310f; ret
  expect(scan([0xb8, 0x0f, 0x31, 0x0f, 0xa2, 0xc3]).sites).toEqual([]);
});

test('with unwind rows, code that does not run from one row to the next is doubtful', () => {
  const orcAt = base + 0x1000n;
  const starts = [0, 6, 9];
  const bytes = Buffer.alloc(12);
  for (const [index, start] of starts.entries()) {
    bytes.writeInt32LE(Number(base + BigInt(start) - (orcAt + BigInt(index * 4))), index * 4);
  }
  // 0: nop; rdtsc; nop; nop; nop   6: mov eax, imm32 runs over 9   9: … rdtsc within   then ret
  const code = [0x90, 0x0f, 0x31, 0x90, 0x90, 0x90, 0x0f, 0x31, 0xb8, 0x90, 0x90, 0x90, 0x90, 0xc3];
  const found = scan(code, [{ name: '.orc_unwind_ip', virtual: orcAt, bytes }]);
  expect(summary(found)).toEqual([[1, 3, HookKind.Rdtsc, 2]]);
  expect(found.doubtful).toEqual([base + 6n]);
});

test("a replacement of the kernel's alternatives is keyed where it will run", () => {
  // rdtsc and three NOPs, to be replaced by `lfence; rdtsc` or by `rdtscp`
  const tableAt = base + 0x1000n;
  const replacementAt = base + 0x2000n;
  const replacement = Uint8Array.of(0x0f, 0xae, 0xe8, 0x0f, 0x31, 0x0f, 0x01, 0xf9);
  const table = Buffer.alloc(24);
  for (const [index, [offset, length]] of [
    [0, 5],
    [5, 3],
  ].entries()) {
    const at = tableAt + BigInt(index * 12);
    table.writeInt32LE(Number(base - at), index * 12);
    table.writeInt32LE(Number(replacementAt + BigInt(offset as number) - (at + 4n)), index * 12 + 4);
    table.writeUInt8(5, index * 12 + 10);
    table.writeUInt8(length as number, index * 12 + 11);
  }
  const found = scan(
    [0x0f, 0x31, 0x90, 0x90, 0x90, 0xc3],
    [
      { name: '.altinstructions', virtual: tableAt, bytes: table },
      { name: '.altinstr_replacement', virtual: replacementAt, bytes: replacement },
    ],
  );
  expect(summary(found)).toEqual([
    [0, 2, HookKind.Rdtsc, 2],
    [3, 5, HookKind.Rdtsc, 2],
    [0, 3, HookKind.Rdtscp, 3],
  ]);
  expect(found.patches.map(({ address }) => Number(address - base))).toEqual([0, 0x2003, 0x2005]);
});

test('of a flat image only what runs is hooked', () => {
  // jmp +2; data 0f 31; rdtsc; call +1; hlt; ret — and behind it data that looks like code
  const image = Uint8Array.of(0xeb, 0x02, 0x0f, 0x31, 0x0f, 0x31, 0xe8, 0x01, 0, 0, 0, 0xf4, 0xc3, 0x0f, 0x31);
  const found = scanFlat(image, 0x10_0000n, 0x10_0000n, 32, all);
  expect(found.sites.map(({ address }) => Number(address))).toEqual([0x10_0004]);
});

test('an instruction on which another one lies is doubtful', () => {
  // jz +1 jumps into the middle of `b8 0f 31 …`; both ways are real
  const image = Uint8Array.of(0x74, 0x01, 0xb8, 0x0f, 0x31, 0x90, 0x90, 0xc3);
  const found = scanFlat(image, 0n, 0n, 64, all);
  expect(found.sites).toEqual([]);
  expect(found.doubtful).toEqual([3n]);
});

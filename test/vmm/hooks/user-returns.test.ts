import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseElf } from '../../../src/vmm/boot/elf.js';
import {
  findFlatUserReturns,
  findReturnsAround,
  findUserReturns,
  userReturnsOfTrace,
} from '../../../src/vmm/hooks/user-returns.js';
import { top } from '../../helpers/cli.js';
import { buildElf } from '../../helpers/elf.js';

const BASE = 0xffff_ffff_8100_0000n;

/** Returns of a kernel whose code is `hex`, as offsets, ascending. */
function offsets(hex: string, name = '.text', bits: 32 | 64 = 64): number[] {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const virtual = bits === 64 ? BASE : 0xc100_0000n;
  const segments = [{ virtual, physical: 0x100_0000n, bytes }];
  const sections = [{ name, virtual, bytes, executable: true }];
  const found = findUserReturns(parseElf(buildElf({ bits, entry: virtual, segments, sections }), 'test'));
  return found.map((address) => Number(address - virtual)).sort((a, b) => a - b);
}

describe('returns to user mode', () => {
  test('are IRETQ, SYSRETQ and SYSRETL where they begin', () => {
    // swapgs; iretq; swapgs; sysretq; sysretl
    expect(offsets('0f01f8 48cf 0f01f8 480f07 0f07')).toEqual([3, 8, 11]);
  });

  test('are none within other instructions', () => {
    // mov eax,cf48h (48 CF within); mov eax,70f48h; ret
    expect(offsets('b848cf0000 b8480f0700 c3')).toEqual([]);
  });

  test('are no returns of the kernel to itself: with its own flags and code selector', () => {
    // mov eax,ss; push rax; push rsp; add qword [rsp],8; pushfq; mov eax,cs; push rax; push 0; iretq
    expect(offsets('8cd0 50 54 4883042408 9c 8cc8 50 6800000000 48cf')).toEqual([]);
    // push 18h; push rdx; pushfq; push 10h; push 12345678h; iretq
    expect(offsets('6a18 52 9c 6a10 6878563412 48cf')).toEqual([]);
  });

  test('are those with the selectors of ring 3, and its flags from PUSHFQ', () => {
    // push 23h; push rdx; pushfq; push 2bh; push rcx; iretq
    expect(offsets('6a23 52 9c 6a2b 51 48cf')).toEqual([7]);
  });

  test('are the four nearest to a SYSRET, if there are more', () => {
    const far = '48cf'.repeat(3);
    const gap = '90'.repeat(64);
    expect(offsets(`${far}${gap}48cf 480f07 48cf 0f07`)).toEqual([70, 72, 75, 77]);
  });

  test('are not looked for in code that runs once, nor in 32-bit code', () => {
    expect(offsets('48cf', '.init.text')).toEqual([]);
    expect(offsets('cf', '.text', 32)).toEqual([]);
  });

  test('of a flat image are all bytes that may be one', () => {
    expect(findFlatUserReturns(Uint8Array.of(0xb8, 0x48, 0xcf, 0x48, 0x0f, 0x07), 0x1000n)).toEqual([0x1003n, 0x1001n]);
  });
});

const vmlinux = join(top, '.cache/guests/debian-amd64/vmlinux');
test.skipIf(!existsSync(vmlinux))('of Debian are SYSRETQ, SYSRETL and two IRETQ of the entry code', () => {
  const found = findUserReturns(parseElf(readFileSync(vmlinux), 'vmlinux'));
  expect(found.length).toBe(4);
  for (const address of found) expect(address >> 16n).toBe(0xffff_ffff_81c0n);
});

describe('returns around the entry of SYSCALL', () => {
  const around = (hex: string, entry: number) =>
    findReturnsAround(0x1000n + BigInt(entry), Buffer.from(hex.replaceAll(' ', ''), 'hex'), 0x1000n)
      .map((address) => Number(address - 0x1000n))
      .sort((a, b) => a - b);

  test('are those behind it and before it', () => {
    // iretq; nop; swapgs; sysretq; push 23h; push rdx; pushfq; push 2bh; push rcx; iretq
    expect(around('48cf 90 0f01f8 480f07 6a23 52 9c 6a2b 51 48cf', 3)).toEqual([0, 6, 16]);
  });

  test('are no returns of the kernel to itself', () => {
    // swapgs; sysretq; push 18h; push rdx; pushfq; push 10h; push rcx; iretq
    expect(around('0f01f8 480f07 6a18 52 9c 6a10 51 48cf', 0)).toEqual([3]);
  });

  const image = existsSync(vmlinux) ? parseElf(readFileSync(vmlinux), 'vmlinux') : undefined;
  test.skipIf(image === undefined)('of Debian are the same that its sections have', () => {
    const entry = 0xffff_ffff_81c0_0080n;
    const { virtual = 0n, bytes = new Uint8Array(0) } =
      image?.segments.find((one) => entry >= one.virtual && entry < one.virtual + BigInt(one.bytes.length)) ?? {};
    const from = Number(entry - virtual) & ~0x3fff;
    const code = bytes.subarray(from, from + 0x8000);
    const wanted = image === undefined ? [] : findUserReturns(image);
    expect(findReturnsAround(entry, code, virtual + BigInt(from))).toEqual(wanted);
  });
});

describe("a trace's header", () => {
  test('names them in hexadecimal', () => {
    expect(userReturnsOfTrace({ userReturns: ['0x10', '0xffffffff81c00227'] })).toEqual([
      0x10n,
      0xffff_ffff_81c0_0227n,
    ]);
    expect(userReturnsOfTrace({ userReturns: [] })).toEqual([]);
  });

  test.each([
    [undefined],
    [7],
    ['0x10'],
    [['10']],
    [['0x1'.padEnd(20, '0')]],
    [['0x1', '0x2', '0x3', '0x4', '0x5']],
    [[1]],
  ])('is not believed where it cannot be: %j', (userReturns) => {
    expect(userReturnsOfTrace({ userReturns })).toBeUndefined();
  });
});

/** Repeated strings over many pages: in bulk or one by one, the result is that of a byte-by-byte reference. */
import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../../interp/layout.js';
import { LongGuest } from './long-guest.js';

/** Three pages of the guest are known to be there: 0x210000 to 0x22ffff. */
const AREA = 0x21_0000;
const LENGTH = 0x2_0000;
const RAX = 0x1122_3344_5566_7788n;

interface Case {
  readonly name: string;
  readonly code: number[];
  readonly element: number;
  readonly move: boolean;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly backward?: boolean;
}

const cases: Case[] = [
  { name: 'REP MOVSB over pages', code: [0xf3, 0xa4], element: 1, move: true, from: 0x123, to: 0x8345, count: 0x3456 },
  {
    name: 'REP MOVSQ, unaligned',
    code: [0xf3, 0x48, 0xa5],
    element: 8,
    move: true,
    from: 0x0fd,
    to: 0x7ff9,
    count: 0x600,
  },
  {
    name: 'REP MOVSB, target one byte on: a fill',
    code: [0xf3, 0xa4],
    element: 1,
    move: true,
    from: 0x800,
    to: 0x801,
    count: 0x2000,
  },
  {
    name: 'REP MOVSD, target 6 bytes on',
    code: [0xf3, 0xa5],
    element: 4,
    move: true,
    from: 0x802,
    to: 0x808,
    count: 0x700,
  },
  {
    name: 'REP MOVSW, target behind the source',
    code: [0xf3, 0x66, 0xa5],
    element: 2,
    move: true,
    from: 0x808,
    to: 0x802,
    count: 0x900,
  },
  {
    name: 'REP MOVSB backward',
    code: [0xf3, 0xa4],
    element: 1,
    move: true,
    from: 0x3123,
    to: 0x9345,
    count: 0x2456,
    backward: true,
  },
  { name: 'REP STOSB', code: [0xf3, 0xaa], element: 1, move: false, from: 0, to: 0x0ff1, count: 0x2345 },
  { name: 'REP STOSW', code: [0xf3, 0x66, 0xab], element: 2, move: false, from: 0, to: 0x0fff, count: 0x1345 },
  { name: 'REP STOSQ', code: [0xf3, 0x48, 0xab], element: 8, move: false, from: 0, to: 0x1003, count: 0x800 },
  {
    name: 'REP STOSD backward',
    code: [0xf3, 0xab],
    element: 4,
    move: false,
    from: 0,
    to: 0x5003,
    count: 0x800,
    backward: true,
  },
];

/** Element by element, as the manual has it. */
function reference(bytes: Uint8Array, item: Case): void {
  const step = item.backward ? -item.element : item.element;
  const value = new Uint8Array(new BigUint64Array([RAX]).buffer, 0, item.element);
  for (let i = 0; i < item.count; i++) {
    const from = item.from + i * step;
    bytes.set(item.move ? bytes.slice(from, from + item.element) : value, item.to + i * step);
  }
}

describe('repeated string instructions', () => {
  for (const item of cases) {
    it(item.name, async () => {
      const guest = await LongGuest.create('GenuineIntel');
      const area = guest.memory.whole.subarray(RAM_BASE + AREA, RAM_BASE + AREA + LENGTH);
      for (let i = 0; i < area.length; i++) area[i] = (i * 7 + (i >> 8)) & 0xff;
      const expected = area.slice();
      reference(expected, item);
      const registers = new BigUint64Array(16);
      registers[0] = RAX;
      registers[1] = BigInt(item.count);
      registers[4] = BigInt(AREA + LENGTH - 8);
      registers[6] = BigInt(AREA + item.from);
      registers[7] = BigInt(AREA + item.to);
      const before = guest.vcpu.retired;
      const after = guest.execute(Uint8Array.from(item.code), registers, item.backward ? 0x400n : 0n, 64);
      const step = BigInt((item.backward ? -item.element : item.element) * item.count);
      expect(after.rcx).toBe(0n);
      expect(after.rdi).toBe(BigInt(AREA + item.to) + step);
      expect(after.rsi).toBe(BigInt(AREA + item.from) + (item.move ? step : 0n));
      expect(Buffer.compare(area, expected)).toBe(0);
      // The whole of it counts as one instruction, HLT as another.
      expect(guest.vcpu.retired - before).toBe(2);
    });
  }
});

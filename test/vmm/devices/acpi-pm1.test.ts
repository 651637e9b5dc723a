import { expect, it } from 'vitest';
import { AcpiPm1 } from '../../../src/vmm/devices/acpi-pm1/acpi-pm1.js';
import { file, run } from '../../helpers/boot.js';
import { type OnBench, onBench } from './bench.js';

const make = (): OnBench<AcpiPm1> =>
  onBench((bench) => {
    const power = { off: () => bench.note('off', 1) };
    return new AcpiPm1({ irq: bench.irq(9), clock: bench.clock, power });
  });
/** The first nanosecond at which 2^23 ticks of 3.579545 MHz have passed. */
const HALF_PERIOD = Math.ceil((2 ** 23 * 1e9) / 3_579_545);

it('SCI_EN is always set, and cannot be cleared', () => {
  const pm1 = make();
  expect(pm1.device.readPort(0x604, 2)).toBe(0x0001);
  pm1.device.writePort(0x604, 2, 0);
  expect(pm1.device.readPort(0x604, 2)).toBe(0x0001);
});

it.each([
  [0x3400, true],
  [0x3401, true],
  [0x1400, false],
  [0x2000, false],
  [0x2c00, false],
  [0x3c00, false],
])('%i in PM1 control switches off: %s', (value, isOff) => {
  const pm1 = make();
  pm1.device.writePort(0x604, 2, value);
  expect(pm1.seen()).toEqual(isOff ? ['off=1'] : []);
  // "SLP_EN: This is a write-only bit and reads to it always return a zero."
  expect(pm1.device.readPort(0x604, 2)).toBe((value & 0x1c00) | 1);
});

it('switches off by two writes, as ACPICA does: SLP_TYP, then SLP_EN with it', () => {
  const pm1 = make();
  pm1.device.writePort(0x604, 2, 0x1401);
  expect(pm1.seen()).toEqual([]);
  pm1.device.writePort(0x604, 2, 0x3401);
  expect(pm1.seen()).toEqual(['off=1']);
});

it('keeps the enable bits that there are', () => {
  const pm1 = make();
  pm1.device.writePort(0x602, 2, 0xfffe);
  expect(pm1.device.readPort(0x602, 2)).toBe(0x0720);
  pm1.out(0x603, 0x00);
  expect(pm1.device.readPort(0x600, 4)).toBe(0x0020_0000);
});

it('TMR_STS "gets set anytime the most significant bit of a 24/32-bit counter changes"', () => {
  const pm1 = make();
  pm1.pass(HALF_PERIOD - 1);
  expect(pm1.in(0x600)).toBe(0);
  pm1.pass(1);
  expect(pm1.in(0x600)).toBe(1);
  pm1.out(0x600, 0xfe);
  expect(pm1.in(0x600)).toBe(1);
  pm1.out(0x600, 0x01);
  expect(pm1.in(0x600)).toBe(0);
  pm1.pass(HALF_PERIOD);
  expect(pm1.in(0x600)).toBe(1);
  expect(pm1.seen()).toEqual([]);
});

it('interrupts while TMR_STS and TMR_EN are both set', () => {
  const pm1 = make();
  expect(pm1.device.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  pm1.out(0x602, 0x01);
  expect(pm1.device.nextDeadline()).toBe(HALF_PERIOD);
  pm1.pass(HALF_PERIOD);
  expect(pm1.seen()).toEqual(['irq 9=1']);
  expect(pm1.device.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  pm1.out(0x600, 0x01);
  expect(pm1.seen()).toEqual(['irq 9=0']);
  expect(pm1.device.nextDeadline()).toBe(Math.ceil((2 ** 24 * 1e9) / 3_579_545));
});

it('interrupts at once when a status that is set becomes enabled', () => {
  const pm1 = make();
  pm1.pass(10 * HALF_PERIOD);
  pm1.out(0x602, 0x01);
  expect(pm1.seen()).toEqual(['irq 9=1']);
  pm1.out(0x602, 0x00);
  expect(pm1.seen()).toEqual(['irq 9=0']);
});

it.each([{ enable: 0x0002 }, { control: 0x0400 | 0x0001 }])('refuses the reserved bits of %j', (fields) => {
  const { device } = make();
  expect(() => device.loadState({ ...device.saveState(), ...fields })).toThrow('reserved');
});

it('a guest that writes SLP_TYP of S5 with SLP_EN ends its run', async () => {
  // mov dx,604h; mov ax,3401h; out dx,ax; hlt
  const image = file([0xba, 0x04, 0x06, 0xb8, 0x01, 0x34, 0xef, 0xf4]);
  const end = await run({ kind: 'flat', image, loadAt: 0x1000, mode: 'real' });
  expect(end).toMatchObject({ reason: 'power-off', exitCode: 0 });
});

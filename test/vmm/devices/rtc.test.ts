/** Motorola MC146818A, 1984; the CMOS map of the PC/AT. */
import { describe, expect, it } from 'vitest';
import { Rtc } from '../../../src/vmm/devices/rtc/rtc.js';
import { type OnBench, onBench } from './bench.js';

const SECOND = 1_000_000_000;
const MIB = 0x10_0000;

function make(start = '2026-01-01T00:00:00Z', memorySize = 128 * MIB): OnBench<Rtc> {
  const startTime = Date.parse(start) / 1000;
  return onBench((bench) => new Rtc({ irq: bench.irq(8), clock: bench.clock }, { startTime, memorySize }));
}
const get = (rtc: OnBench<Rtc>, index: number): number => {
  rtc.out(0x70, index);
  return rtc.in(0x71);
};
const set = (rtc: OnBench<Rtc>, index: number, value: number): void => {
  rtc.out(0x70, index);
  rtc.out(0x71, value);
};
/** Century and year, month, day, hours, minutes, seconds, as they are shown. */
const shown = (rtc: OnBench<Rtc>): string =>
  [0x32, 9, 8, 7, 4, 2, 0].map((index) => get(rtc, index).toString(16).padStart(2, '0')).join(' ');

describe('the calendar', () => {
  it('shows the start in BCD and 24 hours, and its day of the week', () => {
    const rtc = make('2026-01-01T13:45:59Z');
    expect(shown(rtc)).toBe('20 26 01 01 13 45 59');
    // Thursday; Sunday is 1.
    expect(get(rtc, 6)).toBe(5);
  });

  it.each([
    ['2024-02-28T23:59:59Z', '20 24 02 29 00 00 00'],
    ['2023-02-28T23:59:59Z', '20 23 03 01 00 00 00'],
    ['2000-02-29T23:59:59Z', '20 00 03 01 00 00 00'],
    ['2100-02-28T23:59:59Z', '21 00 03 01 00 00 00'],
    ['1999-12-31T23:59:59Z', '20 00 01 01 00 00 00'],
    ['9999-12-31T23:59:59Z', '00 00 01 01 00 00 00'],
  ])('a second after %s is %s', (start, expected) => {
    const rtc = make(start);
    rtc.pass(SECOND);
    expect(shown(rtc)).toBe(expected);
  });

  it('agrees with the host on every day of 400 years', () => {
    for (let day = 0; day < 146_097; day += 29) {
      const time = Date.parse('2001-03-01T12:34:56Z') + day * 86_400_000;
      const rtc = make(new Date(time).toISOString());
      const date = new Date(time);
      const bcd = (value: number) => String(value).padStart(2, '0');
      const year = bcd(Math.floor(date.getUTCFullYear() / 100));
      const expected = `${year} ${bcd(date.getUTCFullYear() % 100)} ${bcd(date.getUTCMonth() + 1)} ${bcd(date.getUTCDate())} 12 34 56`;
      expect(shown(rtc)).toBe(expected);
      expect(get(rtc, 6)).toBe(date.getUTCDay() + 1);
    }
  });

  it('12 hours: bit 7 is the afternoon, midnight and noon are 12', () => {
    const rtc = make('2026-01-01T11:59:59Z');
    set(rtc, 0x0b, 0x00);
    set(rtc, 4, 0x11);
    rtc.pass(SECOND);
    expect(get(rtc, 4)).toBe(0x92);
    set(rtc, 4, 0x91);
    set(rtc, 2, 0x59);
    set(rtc, 0, 0x59);
    rtc.pass(SECOND);
    expect(shown(rtc)).toBe('20 26 01 02 12 00 00');
  });

  it('counts in binary', () => {
    const rtc = make();
    set(rtc, 0x0b, 0x06);
    set(rtc, 0x09, 26);
    set(rtc, 0x32, 20);
    set(rtc, 0, 58);
    rtc.pass(SECOND);
    expect(get(rtc, 0)).toBe(59);
  });

  it('SET holds the updates, and time goes on when it is cleared', () => {
    const rtc = make();
    set(rtc, 0x0b, 0x82);
    set(rtc, 0, 0x30);
    rtc.pass(5 * SECOND);
    expect(get(rtc, 0)).toBe(0x30);
    set(rtc, 0x0b, 0x02);
    rtc.pass(SECOND);
    expect(get(rtc, 0)).toBe(0x31);
  });

  it('the first update comes half a second after the divider is started', () => {
    const rtc = make();
    set(rtc, 0x0a, 0x70);
    rtc.pass(10 * SECOND);
    set(rtc, 0x0a, 0x26);
    rtc.pass(SECOND / 2 - 1);
    expect(get(rtc, 0)).toBe(0x00);
    rtc.pass(1);
    expect(get(rtc, 0)).toBe(0x01);
  });
});

it('update in progress shows for 2228 µs before the registers change', () => {
  const rtc = make();
  rtc.pass(SECOND - 2_228_001);
  expect(get(rtc, 0x0a) & 0x80).toBe(0);
  rtc.pass(1);
  expect(get(rtc, 0x0a) & 0x80).toBe(0x80);
  rtc.pass(2_228_000);
  expect(get(rtc, 0x0a) & 0x80).toBe(0);
});

describe('interrupts', () => {
  it('periodic: 1024 Hz, until register C is read', () => {
    const rtc = make();
    set(rtc, 0x0b, 0x42);
    const start = rtc.bench.clock.now();
    rtc.pass(rtc.device.nextDeadline());
    expect(rtc.bench.clock.now() - start).toBe(976_563);
    expect(rtc.level(8)).toBe(true);
    expect(rtc.device.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    expect(get(rtc, 0x0c)).toBe(0xc0);
    expect(rtc.level(8)).toBe(false);
    expect(get(rtc, 0x0c)).toBe(0x00);
  });

  it('periodic interrupts do not drift: 8192 Hz for 10 seconds', () => {
    const rtc = make();
    set(rtc, 0x0a, 0x23);
    set(rtc, 0x0b, 0x42);
    let count = 0;
    for (; rtc.device.nextDeadline() <= 10 * SECOND; count++) {
      rtc.pass(rtc.device.nextDeadline() - rtc.bench.clock.now());
      get(rtc, 0x0c);
    }
    expect(count).toBe(81_920);
  });

  it('alarm: at the time set', () => {
    const rtc = make();
    set(rtc, 1, 0x30);
    set(rtc, 3, 0x02);
    set(rtc, 5, 0x00);
    set(rtc, 0x0b, 0x22);
    expect(rtc.device.nextDeadline()).toBe(150 * SECOND);
    rtc.pass(150 * SECOND);
    expect(rtc.level(8)).toBe(true);
    expect(get(rtc, 0x0c) & 0xa0).toBe(0xa0);
  });

  it('"don\'t care" codes: every minute', () => {
    const rtc = make();
    set(rtc, 1, 0x00);
    set(rtc, 3, 0xff);
    set(rtc, 5, 0xc0);
    set(rtc, 0x0b, 0x22);
    expect(rtc.device.nextDeadline()).toBe(60 * SECOND);
    rtc.pass(60 * SECOND);
    get(rtc, 0x0c);
    expect(rtc.device.nextDeadline()).toBe(120 * SECOND);
  });

  it('an alarm that is no time never comes', () => {
    const rtc = make();
    set(rtc, 5, 0x77);
    set(rtc, 0x0b, 0x22);
    expect(rtc.device.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it('update ended', () => {
    const rtc = make();
    set(rtc, 0x0b, 0x12);
    rtc.pass(SECOND);
    expect(get(rtc, 0x0c) & 0x90).toBe(0x90);
  });

  it('a flag that is set already interrupts when it is enabled', () => {
    const rtc = make();
    rtc.pass(SECOND);
    expect(rtc.level(8)).toBe(false);
    set(rtc, 0x0b, 0x12);
    expect(rtc.level(8)).toBe(true);
  });
});

describe('the CMOS memory', () => {
  const word = (rtc: OnBench<Rtc>, at: number): number => get(rtc, at) | (get(rtc, at + 1) << 8);

  it.each([
    [1, 0, 0],
    [16, 15 * 1024, 0],
    [128, 0xffff, 112 * 16],
    [3072, 0xffff, 3056 * 16],
  ])('%i MiB', (mib, extended, above16) => {
    const rtc = make(undefined, mib * MIB);
    expect(word(rtc, 0x15)).toBe(640);
    expect(word(rtc, 0x17)).toBe(extended);
    expect(word(rtc, 0x30)).toBe(extended);
    expect(word(rtc, 0x34)).toBe(above16);
    expect([0x5b, 0x5c, 0x5d].map((at) => get(rtc, at))).toEqual([0, 0, 0]);
    let sum = 0;
    for (let at = 0x10; at <= 0x2d; at++) sum += get(rtc, at);
    expect((get(rtc, 0x2e) << 8) | get(rtc, 0x2f)).toBe(sum);
  });

  it('keeps what is written, the shutdown byte too; C and D cannot be written', () => {
    const rtc = make();
    for (const index of [0x0f, 0x33, 0x7f]) set(rtc, index, 0xa5);
    set(rtc, 0x0d, 0);
    expect([0x0f, 0x33, 0x7f, 0x0d].map((index) => get(rtc, index))).toEqual([0xa5, 0xa5, 0xa5, 0x80]);
  });

  it('bit 7 of the index switches NMI off', () => {
    const rtc = make();
    rtc.out(0x70, 0x8d);
    expect(rtc.device.nmiOff).toBe(true);
    expect(rtc.in(0x71)).toBe(0x80);
  });
});

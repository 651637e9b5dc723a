/**
 * The calendar of the clock: registers to a date and back, and adding seconds. The proleptic Gregorian calendar, years 0
 * to 9999.
 */
import * as bits from './registers.js';

const DAY_SECONDS = 86_400;
/** Days of 400 years, after which the calendar repeats. */
const ERA_DAYS = 146_097;
const YEARS_DAYS = ERA_DAYS * 25;

/** Days since 1 March of year 0 for a date; the months of a year counted from March, so that the leap day is last. */
function daysOf(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1;
  const months = (month + 9) % 12;
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  return years * 365 + leaps + Math.floor((months * 306 + 5) / 10) + day - 1;
}

/** The date of a day number. */
function dateOf(days: number): { year: number; month: number; day: number } {
  const era = Math.floor(days / ERA_DAYS);
  const ofEra = days - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const months = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * months + 2) / 5) + 1;
  const month = months < 10 ? months + 3 : months - 9;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day };
}

/** A register's number, in the mode of register B. */
function decode(cells: Uint8Array, value: number): number {
  return (cells[bits.REGISTER_B] as number) & bits.B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

function encode(cells: Uint8Array, value: number): number {
  return (cells[bits.REGISTER_B] as number) & bits.B_BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

/** An hours register as 0 to 23, or more if it is not valid. */
export function decodeHours(cells: Uint8Array, value: number): number {
  if ((cells[bits.REGISTER_B] as number) & bits.B_24) return decode(cells, value);
  const twelve = decode(cells, value & ~bits.PM);
  if (twelve < 1 || twelve > 12) return 24;
  return (twelve % 12) + (value & bits.PM ? 12 : 0);
}

function encodeHours(cells: Uint8Array, hours: number): number {
  if ((cells[bits.REGISTER_B] as number) & bits.B_24) return encode(cells, hours);
  return encode(cells, hours % 12 || 12) | (hours >= 12 ? bits.PM : 0);
}

/** A minutes or seconds register as a number; above 59 if it is not valid. */
export function decodeSixty(cells: Uint8Array, value: number): number {
  return decode(cells, value);
}

/** The second of the day that the registers show. Values out of range count as the last one in range. */
export function secondOfDay(cells: Uint8Array): number {
  const hours = Math.min(23, decodeHours(cells, cells[bits.HOURS] as number));
  const minutes = Math.min(59, decode(cells, cells[bits.MINUTES] as number));
  const seconds = Math.min(59, decode(cells, cells[bits.SECONDS] as number));
  return hours * 3600 + minutes * 60 + seconds;
}

/** Sets all time registers to `days` (as of {@link daysOf}) and the second of that day. */
function show(cells: Uint8Array, days: number, second: number, weekday: number): void {
  const { year, month, day } = dateOf(days);
  cells[bits.SECONDS] = encode(cells, second % 60);
  cells[bits.MINUTES] = encode(cells, Math.floor(second / 60) % 60);
  cells[bits.HOURS] = encodeHours(cells, Math.floor(second / 3600));
  cells[bits.WEEKDAY] = encode(cells, weekday);
  cells[bits.DAY] = encode(cells, day);
  cells[bits.MONTH] = encode(cells, month);
  cells[bits.YEAR] = encode(cells, year % 100);
  cells[bits.CENTURY] = encode(cells, Math.floor(year / 100) % 100);
}

/** Lets the registers count on by `seconds`, a whole number. */
export function addSeconds(cells: Uint8Array, seconds: number): void {
  const sum = secondOfDay(cells) + seconds;
  const passed = Math.floor(sum / DAY_SECONDS);
  const within = (value: number | undefined, low: number, high: number): number =>
    Math.min(high, Math.max(low, decode(cells, value as number)));
  const year = within(cells[bits.CENTURY], 0, 99) * 100 + within(cells[bits.YEAR], 0, 99);
  const days = daysOf(year, within(cells[bits.MONTH], 1, 12), within(cells[bits.DAY], 1, 31)) + passed;
  const weekday = ((within(cells[bits.WEEKDAY], 1, 7) - 1 + passed) % 7) + 1;
  // 31 December 9999 is followed by 1 January of year 0. The first two months of year 0 have negative numbers.
  show(cells, ((days + 60) % YEARS_DAYS) - 60, sum - passed * DAY_SECONDS, weekday);
}

/** Sets the registers to a time in seconds since 1970, a whole number, not negative. */
export function showUnixTime(cells: Uint8Array, time: number): void {
  const passed = Math.floor(time / DAY_SECONDS);
  // 1 January 1970 was a Thursday; Sunday is 1.
  const weekday = ((passed + 4) % 7) + 1;
  show(cells, (daysOf(1970, 1, 1) + passed) % YEARS_DAYS, time - passed * DAY_SECONDS, weekday);
}

/** Seconds from the time shown until the alarm matches, 1 to 86400; Infinity if it never does. */
export function secondsToAlarm(cells: Uint8Array): number {
  const matcher = (register: number, read: (cells: Uint8Array, value: number) => number): number => {
    const value = cells[register] as number;
    return (value & bits.ALARM_ANY) === bits.ALARM_ANY ? -1 : read(cells, value);
  };
  const hour = matcher(bits.HOURS_ALARM, decodeHours);
  const minute = matcher(bits.MINUTES_ALARM, decode);
  const second = matcher(bits.SECONDS_ALARM, decode);
  if (hour > 23 || minute > 59 || second > 59) return Number.POSITIVE_INFINITY;
  const now = secondOfDay(cells);
  const next = nextMatch(now + 1, hour, minute, second);
  return (next < DAY_SECONDS ? next : nextMatch(0, hour, minute, second) + DAY_SECONDS) - now;
}

/** The first second of the day from `from` on that matches; DAY_SECONDS or more if none does. -1 matches all. */
function nextMatch(from: number, hour: number, minute: number, second: number): number {
  for (let h = Math.floor(from / 3600); h < 24; h++) {
    if (hour >= 0 && h !== hour) continue;
    const firstMinute = Math.max(0, Math.floor(from / 60) - h * 60);
    for (let m = firstMinute; m < 60; m++) {
      if (minute >= 0 && m !== minute) continue;
      const start = h * 3600 + m * 60;
      const s = Math.max(0, from - start);
      if (second < 0 && s < 60) return start + s;
      if (second >= s) return start + second;
    }
  }
  return DAY_SECONDS;
}

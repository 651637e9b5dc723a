/** The timer of the local APIC (Intel SDM volume 3A, section 10.5.4): its state is when the count is 0 next. */
import { TIME_MAX } from '../../state/fields.js';
import { divisorOf, LVT_PERIODIC, Lvt } from './registers.js';
import type { LapicState } from './state.js';

/** The count as it reads, in whole steps of the divider, which starts anew with each count. */
export function currentCount({ timerZero, timerDivide }: LapicState, now: number): number {
  if (timerZero === Number.POSITIVE_INFINITY) return 0;
  return Math.ceil((timerZero - now) / divisorOf(timerDivide));
}

/** Counts down from `count`; 0 stops. */
export function startTimer(state: LapicState, count: number, now: number): void {
  const zero = now + count * divisorOf(state.timerDivide);
  state.timerZero = count > 0 && zero <= TIME_MAX ? zero : Number.POSITIVE_INFINITY;
}

/** A count under way goes on at the new rate. */
export function changeDivide(state: LapicState, divide: number, now: number): void {
  const left = currentCount(state, now);
  state.timerDivide = divide;
  startTimer(state, left, now);
}

/** Whether the count has come to 0, once or more often; then a periodic timer counts again, and another stops. */
export function takeExpiry(state: LapicState, now: number): boolean {
  if (now < state.timerZero) return false;
  const isPeriodic = ((state.lvt[Lvt.Timer] as number) & LVT_PERIODIC) !== 0;
  const period = longestCount(state);
  const missed = Math.floor((now - state.timerZero) / period);
  const next = state.timerZero + (missed + 1) * period;
  state.timerZero = isPeriodic && next <= TIME_MAX ? next : Number.POSITIVE_INFINITY;
  return true;
}

/** How long the initial count lasts, in nanoseconds. */
export function longestCount({ timerInitial, timerDivide }: LapicState): number {
  return timerInitial * divisorOf(timerDivide);
}

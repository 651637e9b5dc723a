/** What the fields of a local APIC's saved state must say of each other. */
import { stateError } from '../../state/check.js';
import * as bits from './registers.js';
import type { LapicState } from './state.js';
import { longestCount } from './timer.js';

const { Delivery } = bits;

/** Throws VMTAPE_STATE for a state that no local APIC has at guest time `now`. */
export function checkLapicState(state: LapicState, now: number): void {
  checkTable(state);
  for (const name of ['isr', 'irr', 'tmr'] as const) {
    if (((state[name][0] as number) & 0xffff) !== 0) throw stateError(`lapic.${name}`, 'has a vector below 16');
  }
  const masks = { errors: bits.ERROR_MASK, errorStatus: bits.ERROR_MASK, commandLow: bits.COMMAND_MASK };
  for (const [name, mask] of Object.entries({ ...masks, timerDivide: bits.DIVIDE_MASK })) {
    const value = state[name as keyof typeof masks | 'timerDivide'];
    if ((value & ~mask) !== 0) throw stateError(`lapic.${name}`, 'has bits that are reserved');
  }
  if (state.timerZero === Number.POSITIVE_INFINITY) return;
  const longest = longestCount(state);
  if (longest === 0 || state.timerZero - now > longest) {
    throw stateError('lapic.timerZero', 'is further away than the count lasts');
  }
}

function checkTable({ lvt, spurious }: LapicState): void {
  const isOff = (spurious & bits.SOFTWARE_ENABLE) === 0;
  for (const [index, entry] of lvt.entries()) {
    const path = `lapic.lvt[${index}]`;
    if ((entry & ~(bits.LVT_MASKS[index] as number)) !== 0) throw stateError(path, 'has bits that are reserved');
    // LINT0 and LINT1 are as firmware leaves them until the APIC is switched on.
    const isWire = entry === Delivery.ExtInt << 8 || entry === Delivery.Nmi << 8;
    if (isOff && (entry & bits.LVT_MASKED) === 0 && !isWire) {
      throw stateError(path, 'is not masked though the APIC is off');
    }
  }
}

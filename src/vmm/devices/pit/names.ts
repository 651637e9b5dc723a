/** The registers of the 8254 by name, and port 61h (82371AB, "NMISC"). */
import { type Register, register } from '../../register.js';
import * as bits from './registers.js';
import type { CounterState } from './state.js';

const MODE = register('control', 'BCD M:3 RW:2 SC:2');
const LATCH = register('latch', '-:6 SC:2');
const READ_BACK = register('read-back', '- CNT0 CNT1 CNT2 NO-STATUS NO-COUNT');
const PORT_61 = register(
  'port61',
  'TIM_CNT2_EN SPKR_DAT_EN PCI_SERR_EN IOCHK_NMI_EN REF_TOGGLE TIM_CNT2_OUT IOCHK_NMI_STS SERR_NMI_STS',
);
const COUNTERS = [0, 1, 2].map((index) => ({
  low: register(`counter${index}.low`),
  high: register(`counter${index}.high`),
  status: register(`counter${index}.status`, 'BCD M:3 RW:2 NULL OUT'),
}));

/** What an access to `port` reaches, with the counters as they are. */
export function pitRegister(port: number, isWrite: boolean, value: number, all: readonly CounterState[]): Register {
  if (port === bits.PORT_61) return PORT_61;
  if (port === bits.CONTROL) {
    if (!isWrite) return MODE;
    if (value >> 6 === bits.READ_BACK) return READ_BACK;
    return ((value >> 4) & 3) === 0 ? LATCH : MODE;
  }
  const index = port - bits.COUNTER_0;
  const counter = all[index] as CounterState;
  const names = COUNTERS[index] as (typeof COUNTERS)[number];
  if (!isWrite && counter.statusLatched) return names.status;
  const isHigh =
    counter.access === 'both' ? (isWrite ? counter.writeHigh : counter.readHigh) : counter.access === 'high';
  return isHigh ? names.high : names.low;
}

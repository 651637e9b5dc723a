/** The registers of the MC146818A by name, and the CMOS memory of the PC. */
import { type Register, register } from '../../register.js';
import * as bits from './registers.js';

const INDEX = register('index', 'INDEX:7 NMI-OFF');
const CLOCK: readonly Register[] = [
  ...['seconds', 'seconds-alarm', 'minutes', 'minutes-alarm', 'hours', 'hours-alarm', 'weekday', 'day', 'month'].map(
    (name) => register(name),
  ),
  register('year'),
  register('A', 'RS:4 DV:3 UIP'),
  register('B', 'DSE 24/12 DM SQWE UIE AIE PIE SET'),
  register('C', '- - - - UF AF PF IRQF'),
  register('D', '-:7 VRT'),
];
const MEMORY = Array.from({ length: 128 }, (_, index) => {
  const hex = `0x${index.toString(16).padStart(2, '0')}`;
  return register(index === bits.CENTURY ? 'century' : `cmos[${hex}]`);
});

/** What an access to `port` reaches; `index`: the index register. */
export function rtcRegister(port: number, index: number): Register {
  return port === bits.INDEX ? INDEX : ((CLOCK[index] ?? MEMORY[index]) as Register);
}

/** The registers of the local APIC by name (Intel SDM volume 3A, table 10-1). */
import { type Register, register } from '../../register.js';
import * as bits from './registers.js';

const dword = (name: string, fields = '') => register(name, fields, 4);
const LVT = 'VECTOR:8 MODE:3 - STATUS LOW IRR LEVEL MASKED PERIODIC';
const SLOT = 0x10;

const registers = new Map<number, Register>([
  [bits.ID, dword('ID', '-:24 ID:8')],
  [bits.VERSION, dword('VERSION', 'VERSION:8 -:8 MAXLVT:8')],
  [bits.TASK_PRIORITY, dword('TPR')],
  [bits.ARBITRATION_PRIORITY, dword('APR')],
  [bits.PROCESSOR_PRIORITY, dword('PPR')],
  [bits.END_OF_INTERRUPT, dword('EOI')],
  [bits.REMOTE_READ, dword('RRD')],
  [bits.LOGICAL_DESTINATION, dword('LDR', '-:24 ID:8')],
  [bits.DESTINATION_FORMAT, dword('DFR', '-:28 MODEL:4')],
  [bits.SPURIOUS, dword('SVR', 'VECTOR:8 ENABLE FOCUS-OFF')],
  [bits.ERROR_STATUS, dword('ESR', '-:5 SEND-VECTOR RECEIVE-VECTOR REGISTER')],
  [bits.COMMAND_LOW, dword('ICR.low', 'VECTOR:8 MODE:3 LOGICAL STATUS - ASSERT LEVEL -:2 SHORTHAND:2')],
  [bits.COMMAND_HIGH, dword('ICR.high', '-:24 DESTINATION:8')],
  ...['timer', 'thermal', 'PMC', 'LINT0', 'LINT1', 'error'].map((name, index): [number, Register] => [
    bits.LVT_TIMER + SLOT * index,
    dword(`LVT.${name}`, LVT),
  ]),
  [bits.TIMER_INITIAL, dword('initial-count')],
  [bits.TIMER_CURRENT, dword('current-count')],
  [bits.TIMER_DIVIDE, dword('divide')],
]);
for (const [name, base] of [
  ['ISR', bits.IN_SERVICE],
  ['TMR', bits.TRIGGER_MODE],
  ['IRR', bits.REQUESTS],
] as const) {
  for (let index = 0; index < 8; index++) registers.set(base + SLOT * index, dword(`${name}${index}`));
}

/** The register at an offset of the APIC's page. */
export function lapicRegister(offset: number): Register | undefined {
  return registers.get(offset);
}

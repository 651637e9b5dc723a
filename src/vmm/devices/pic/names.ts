/** The registers and command words of the 8259A pair by name: `pic1` is the master. */
import { type Register, register } from '../../register.js';
import * as bits from './registers.js';
import type { ChipState } from './state.js';

const INPUTS = (first: number): string => Array.from({ length: 8 }, (_, index) => `IRQ${first + index}`).join(' ');

interface ChipNames {
  readonly icw1: Register;
  readonly ocw2: Register;
  readonly ocw3: Register;
  readonly expected: Readonly<Record<ChipState['expects'], Register>>;
  readonly imr: Register;
  readonly irr: Register;
  readonly isr: Register;
  readonly poll: Register;
  readonly elcr: Register;
}

function namesOf(unit: string, first: number): ChipNames {
  const named = (name: string, fields = '') => register(name, fields, 1, unit);
  return {
    icw1: named('ICW1', 'IC4 SNGL ADI LTIM'),
    ocw2: named('OCW2', 'L:3 - - EOI SL R'),
    ocw3: named('OCW3', 'RIS RR P - - SMM ESMM'),
    expected: {
      none: named('OCW1', INPUTS(first)),
      icw2: named('ICW2'),
      icw3: named('ICW3'),
      icw4: named('ICW4', 'UPM AEOI M/S BUF SFNM'),
    },
    imr: named('IMR', INPUTS(first)),
    irr: named('IRR', INPUTS(first)),
    isr: named('ISR', INPUTS(first)),
    poll: named('POLL', 'L:3 - - - - I'),
    elcr: named('ELCR', INPUTS(first)),
  };
}

const master = namesOf('pic1', 0);
const slave = namesOf('pic2', 8);

/** What an access to `port` reaches in `chip`, which is the one at that port. */
export function picRegister(port: number, isWrite: boolean, value: number, chip: ChipState): Register {
  const isMaster = port === bits.MASTER_COMMAND || port === bits.MASTER_DATA || port === bits.ELCR_MASTER;
  const names = isMaster ? master : slave;
  if (port === bits.ELCR_MASTER || port === bits.ELCR_SLAVE) return names.elcr;
  const isData = port === bits.MASTER_DATA || port === bits.SLAVE_DATA;
  if (isWrite) {
    if (isData) return names.expected[chip.expects];
    return value & bits.ICW1 ? names.icw1 : value & bits.OCW3 ? names.ocw3 : names.ocw2;
  }
  if (chip.poll) return names.poll;
  if (isData) return names.imr;
  return chip.readIsr ? names.isr : names.irr;
}

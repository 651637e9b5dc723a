/** The state of the local APIC. The class of the task priority is CR8, and the base is IA32_APIC_BASE: both are state of the CPU. */
import { array, bool, deadline, type StateOf, stateTable, u8, u32 } from '../../state/fields.js';
import * as bits from './registers.js';

const vectors = () => array(u32(), 8);

/** See registers.ts for the bits. */
export const lapicState = stateTable('lapic', 2, {
  /** TPR[3:0]. */
  subclass: u8({ max: 15 }),
  /** Bits 24 to 31 of LDR, and the model of DFR: 15 flat, 0 cluster. */
  logicalId: u8(),
  model: u8({ max: 15, initial: 15 }),
  spurious: u32({ max: bits.SPURIOUS_MASK, initial: 0xff }),
  /** One bit a vector. */
  isr: vectors(),
  tmr: vectors(),
  irr: vectors(),
  /** ESR as it reads, and the errors since it was written last. */
  errorStatus: u8({ max: bits.ERROR_MASK }),
  errors: u8({ max: bits.ERROR_MASK }),
  commandLow: u32({ max: bits.COMMAND_MASK }),
  /** Bits 24 to 31 of the high half of ICR. */
  commandTo: u8(),
  /** In the order of their registers. */
  lvt: array(u32({ max: 0x3_ffff }), 6),
  /** LINT0 is driven high. */
  lint0: bool(),
  /** The timer: its registers, and when the count is 0 next; never: it does not run. */
  timerInitial: u32(),
  timerDivide: u8({ max: bits.DIVIDE_MASK }),
  timerZero: deadline(),
  /** An NMI that was accepted waits for the processor's next boundary behind an exit. */
  nmi: bool({ since: 2 }),
});

/** The state of the local APIC. */
export type LapicState = StateOf<typeof lapicState>;

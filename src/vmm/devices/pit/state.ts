/** The state of the interval timer. Ticks are of 1.193182 MHz; tick TICK_ORIGIN is at time 0. */
import {
  array,
  bool,
  deadline,
  oneOf,
  type StateOf,
  stateTable,
  struct,
  time,
  u8,
  u16,
  u32,
} from '../../state/fields.js';
import { PORT_61_WRITABLE } from './registers.js';

/** So that a count under way at time 0 may have begun before it. */
export const TICK_ORIGIN = 0x2_0000;

/** The state of the three counters and of port 61h. */
export const pitState = stateTable('pit', 1, {
  counters: array(
    struct({
      mode: u8({ max: 5 }),
      bcd: bool(),
      /** Bytes of the counter that are written and read. */
      access: oneOf(['both', 'low', 'high']),
      gate: bool(),
      /**
       * idle: no count was written; armed: waits for a trigger of the gate; running: counts since `start`; frozen: the
       * gate holds it, `elapsed` ticks after its start.
       */
      phase: oneOf(['idle', 'armed', 'running', 'frozen']),
      /** The tick at which the counting element was loaded. */
      start: time(),
      elapsed: time(),
      /** What the counting element was loaded with: 1 to 65536; invalid BCD digits give up to 16665. */
      loaded: u32({ min: 1, max: 0x1_0000 }),
      /** The count register: what is loaded next. */
      count: u32({ min: 1, max: 0x1_0000 }),
      /** The count register was written and not loaded. */
      nullCount: bool({ initial: true }),
      /** Modes 2 and 3: the tick at which the count register is loaded, if it waits for that. */
      takeOver: deadline(),
      /** The low byte was written, the high byte comes next. */
      writeHigh: bool(),
      writeLow: u8(),
      readHigh: bool(),
      countLatched: bool(),
      countLatch: u16(),
      statusLatched: bool(),
      statusLatch: u8(),
      /** The last tick that was looked at. */
      seen: time({ initial: TICK_ORIGIN }),
    }),
    3,
  ),
  /** Bits 3:0 of port 61h. */
  port61: u8({ max: PORT_61_WRITABLE }),
  /** The level of IRQ 0. */
  irq: bool(),
});

/** The state of the interval timer. */
export type PitState = StateOf<typeof pitState>;
/** The state of one counter. */
export type CounterState = PitState['counters'][number];

/** The state of the two interrupt controllers. */
import { array, bool, oneOf, type StateOf, stateTable, struct, u8 } from '../../state/fields.js';

/** See registers.ts for the words. */
export const picState = stateTable('pic', 1, {
  /** 0: master, 1: slave. */
  chips: array(
    struct({
      /** The levels of the eight inputs. */
      lines: u8(),
      /** Edges that wait: requests of the edge-triggered inputs. */
      edges: u8(),
      /** In service. */
      isr: u8(),
      /** Masked. */
      imr: u8(),
      /** Level-triggered inputs, ELCR. */
      elcr: u8(),
      /** The vector of input 0, divided by 8 (ICW2). */
      vectorPage: u8({ max: 31 }),
      /** The input of lowest priority. */
      lowest: u8({ max: 7, initial: 7 }),
      /** The initialisation word that comes next. */
      expects: oneOf(['none', 'icw2', 'icw3', 'icw4']),
      /** Bits of ICW1 and ICW4, and what OCW2 and OCW3 chose. */
      single: bool(),
      levelMode: bool(),
      wantsIcw4: bool(),
      icw3: u8(),
      autoEoi: bool(),
      rotateOnAutoEoi: bool(),
      nested: bool(),
      specialMask: bool(),
      poll: bool(),
      readIsr: bool(),
    }),
    2,
  ),
});

/** The state of the pair. */
export type PicState = StateOf<typeof picState>;
/** The state of one chip. */
export type ChipState = PicState['chips'][number];

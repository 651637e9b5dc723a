/** Cases that execute what is not theirs: an earlier case wrote over their code, or they jump into another's. */
import type { InsnCase } from './case.js';
import type { InsnEngine } from './engine.js';
import { layoutOf } from './guest-layout.js';
import { exitLength } from './place.js';

/** As many bytes of filler behind each other are filler: the far JMP of CPL 0, or INT3s. */
const FILLER_BYTES = 7;

/**
 * Does case `index` of a batch execute bytes that are neither its own, as they were placed, nor filler, nor the harness's? Then what becomes
 * of it is not its own affair. `engine` is the interpreter's.
 */
export function executesForeign(engine: InsnEngine, cases: readonly InsnCase[], index: number): boolean {
  const one = cases[index] as InsnCase;
  const { fills } = layoutOf(engine.level);
  const [slots, , filler] = fills[0] as readonly [number, number, number];
  const end = one.address + one.code.length + exitLength(one.bits);
  let isForeign = false;
  engine.follow(cases, index, (address, { ram, placed }) => {
    if (address >= one.address && address < end) {
      for (let i = address; i < end; i++) isForeign ||= ram[i] !== placed[i - slots];
    } else if (fills.some(([from, length]) => address >= from && address < from + length)) {
      for (let i = 0; i < FILLER_BYTES; i++) isForeign ||= ram[address + i] !== filler;
    }
  });
  return isForeign;
}

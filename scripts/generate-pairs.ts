/** The handlers of pairs of instructions (interp/fuse.ts), for interp/generated/opcodes.ts. */
import { pairs, placed } from '../interp/opcodes/pairs.js';

/** A table entry that fits only where the first's segment is flat. */
const NEEDS_FLAT = 0x8000;

/** What the generated file has for pairs. */
export interface GeneratedPairs {
  /** All calls that the functions make, for the imports. */
  readonly calls: readonly string[];
  /** The functions, without their heads, in the order of their numbers. */
  readonly bodies: readonly string[];
  /** For each handler number where its list begins in {@link lists}. */
  readonly heads: readonly number[];
  /** Number of the second, number of the pair (and NEEDS_FLAT); 0 ends a list. */
  readonly lists: readonly number[];
}

/** Does the first of a pair have a memory operand? Its handler's name says so. */
const hasMemory = (name: string): boolean => /Mem|^push|^pop/.test(name) && !name.startsWith('lea');

function firstPart(call: string): { lines: string[]; flat: boolean } {
  const [, name = '', type = ''] = /^(\w+)(?:<(\w+)>)?/.exec(call) ?? [];
  if (!hasMemory(name)) return { lines: [`${call};`], flat: false };
  const how = placed[name];
  if (how === undefined || (/^aluMem/.test(name) && !call.includes('ALU_CMP'))) {
    throw new Error(`${call} cannot be the first of a pair`);
  }
  const onPlace = call.replace(name, how.name).replace(/\)$/, ', at)');
  return {
    lines: [
      `const at = ${how.place.replace('<T>', `<${type}>`)};`,
      'if (at == 0) {',
      '  alone(op);',
      '  return;',
      '}',
      `${onPlace};`,
    ],
    flat: how.flat,
  };
}

/**
 * Makes the handlers of all pairs whose parts are handlers. `numbers` gives the number of a handler call, `going` the calls
 * that go on by themselves, `next` is the first free number.
 */
export function generatePairs(
  numbers: ReadonlyMap<string, number>,
  going: ReadonlySet<string>,
  next: number,
): GeneratedPairs {
  const bodies: string[] = [];
  const byFirst = new Map<number, number[]>();
  for (const [first, second] of pairs) {
    const [a, b] = [numbers.get(first), numbers.get(second)];
    if (a === undefined || b === undefined) continue;
    const { lines, flat } = firstPart(first);
    const rest = ['const second = op + OP_BYTES;', 'setCurrentOp(second);', `${second.replace(/\bop\b/g, 'second')};`];
    if (!going.has(second)) rest.push('goOn(second);');
    const number = next + bodies.push([...lines, ...rest].join('\n  ')) - 1;
    byFirst.set(a, [...(byFirst.get(a) ?? []), b, number | (flat ? NEEDS_FLAT : 0)]);
  }
  const lists = [0];
  const heads = new Array<number>(next).fill(0);
  for (const [first, list] of byFirst) {
    heads[first] = lists.length;
    lists.push(...list, 0);
  }
  return { calls: bodies, bodies, heads, lists };
}

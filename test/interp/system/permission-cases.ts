/** The cases of the page-table tests: products of rights over the levels, absent entries, reserved and ignored bits. */
import { DATA, TABLES } from './permission-guest.js';
import type { AccessKind, PagingCase, PagingForm } from './permission-oracle.js';

const P = 1n;
const W = 2n;
const U = 4n;
const PS = 0x80n;
const NX = 1n << 63n;
const ACCESSES: readonly AccessKind[] = ['read', 'write', 'fetch'];
const BOTH = [false, true] as const;

/** A form and a page size. */
export interface Mapping {
  readonly form: PagingForm;
  readonly leaf: 1 | 2 | 3;
  /** Levels whose entries have U/S and R/W, from the leaf up. */
  readonly levels: readonly number[];
  readonly text: string;
}

/** All of them. */
export const MAPPINGS: readonly Mapping[] = [
  { form: '32-bit', leaf: 1, levels: [1, 2], text: '32-bit paging, 4 KiB' },
  { form: '32-bit', leaf: 2, levels: [2], text: '32-bit paging, 4 MiB' },
  { form: 'PAE', leaf: 1, levels: [1, 2], text: 'PAE paging, 4 KiB' },
  { form: 'PAE', leaf: 2, levels: [2], text: 'PAE paging, 2 MiB' },
  { form: '4-level', leaf: 1, levels: [1, 2, 3, 4], text: '4-level paging, 4 KiB' },
  { form: '4-level', leaf: 2, levels: [2, 3, 4], text: '4-level paging, 2 MiB' },
  { form: '4-level', leaf: 3, levels: [3, 4], text: '4-level paging, 1 GiB' },
];

/** What the processor has. */
export interface Processor {
  /** SMEP and SMAP. */
  readonly smap: boolean;
  /** MAXPHYADDR. */
  readonly width: number;
}

/** Switches of the processor. */
type Switches = Pick<PagingCase, 'wp' | 'pse' | 'smep' | 'smap' | 'nxe' | 'ac'>;

const OFF: Switches = { wp: true, pse: false, smep: false, smap: false, nxe: false, ac: false };

/** Entries that allow everything; PSE is on where a page of 4 MiB needs it. */
function open({ form, leaf }: Mapping): bigint[] {
  const table = (level: number): bigint => BigInt(TABLES[level - 1] as number);
  return [1, 2, 3, 4].reduce<bigint[]>(
    (entries, level) => {
      const rights = form === 'PAE' && level === 3 ? P : P | W | U;
      if (level < leaf || (form === '32-bit' && level > 2) || (form === 'PAE' && level > 3)) entries.push(0n);
      else if (level > leaf) entries.push(table(level - 1) | rights);
      else entries.push((level === 3 ? 0n : BigInt(DATA)) | rights | (level > 1 ? PS : 0n));
      return entries;
    },
    [0n],
  );
}

/** The same with bits of levels flipped. */
function flipped(entries: readonly bigint[], changes: ReadonlyMap<number, bigint>): bigint[] {
  return entries.map((entry, level) => entry ^ (changes.get(level) ?? 0n));
}

/** All subsets of `levels`, with `bit` in each. */
function subsets(levels: readonly number[], bit: bigint): Map<number, bigint>[] {
  return Array.from(
    { length: 2 ** levels.length },
    (_, set) => new Map(levels.filter((_level, i) => (set >> i) & 1).map((level) => [level, bit])),
  );
}

/** The six accesses. */
function* accesses({ form, leaf }: Mapping, switches: Switches, entries: readonly bigint[]): Generator<PagingCase> {
  const pse = form === '32-bit' && leaf === 2 ? true : switches.pse;
  for (const user of BOTH) {
    for (const access of ACCESSES) yield { form, leaf, access, user, ...switches, pse, entries };
  }
}

/** U/S and R/W over all levels × WP × SMEP × SMAP with AC. */
function* rights(mapping: Mapping, has: Processor): Generator<PagingCase> {
  const smaps = has.smap
    ? ([
        [false, false],
        [true, false],
        [true, true],
      ] as const)
    : ([[false, false]] as const);
  for (const us of subsets(mapping.levels, U)) {
    for (const rw of subsets(mapping.levels, W)) {
      const entries = flipped(flipped(open(mapping), us), rw);
      for (const wp of BOTH) {
        for (const smep of has.smap ? BOTH : [false]) {
          for (const [smap, ac] of smaps) yield* accesses(mapping, { ...OFF, wp, smep, smap, ac }, entries);
        }
      }
    }
  }
}

/** XD over all levels × NXE × SMEP × U/S of the leaf; absent entries; what is in front of what. */
function* others(mapping: Mapping, has: Processor): Generator<PagingCase> {
  const all = open(mapping);
  const wide = mapping.form !== '32-bit';
  const smeps = has.smap ? BOTH : [false];
  for (const nxe of wide ? BOTH : [false]) {
    for (const smep of smeps) {
      const switches = { ...OFF, nxe, smep };
      for (const closed of [0n, U, W | U]) {
        const entries = flipped(all, new Map([[mapping.leaf, closed]]));
        for (const nx of wide ? subsets(mapping.levels, NX) : []) {
          yield* accesses(mapping, switches, flipped(entries, nx));
        }
        const present = mapping.form === 'PAE' ? [...mapping.levels, 3] : mapping.levels;
        for (const absent of subsets(present, P)) yield* accesses(mapping, switches, flipped(entries, absent));
      }
      yield* reservedBits(mapping, switches, all, has.width);
    }
  }
}

/** Each reserved and some ignored bits of each level, alone, above an absent entry, and where rights are missing too. */
function* reservedBits(
  mapping: Mapping,
  switches: Switches,
  all: readonly bigint[],
  width: number,
): Generator<PagingCase> {
  const numbers =
    mapping.form === '32-bit' ? [3, 4, 8, 9, 11, 21] : [3, 4, 8, 9, 11, 13, 17, 20, 29, 40, 47, 51, 52, 58, 59, 62];
  const levels = mapping.form === 'PAE' ? [...mapping.levels, 3] : mapping.levels;
  for (const level of levels) {
    const more = level === 4 ? [7] : mapping.form === 'PAE' && level === 3 ? [1, 2, 5, 6, 7, 63] : [];
    for (const number of [...numbers, ...more]) {
      // An address bit of a table or a page that may be: it would lead elsewhere.
      if (number >= 12 && number < 30 && !(level === mapping.leaf && level > 1)) continue;
      if (number === 29 && level !== 3) continue;
      if (number >= 30 && number < width) continue;
      if (mapping.form === '32-bit' && number === 21 && level !== mapping.leaf) continue;
      const bad = new Map([[level, 1n << BigInt(number)]]);
      yield* accesses(mapping, switches, flipped(all, bad));
      yield* accesses(mapping, switches, flipped(flipped(all, bad), new Map([[mapping.leaf, U | W]])));
      for (const absent of mapping.levels.filter((other) => other !== level)) {
        yield* accesses(mapping, switches, flipped(flipped(all, bad), new Map([[absent, P]])));
      }
    }
  }
}

/** Bit 7 of a PDE of 32-bit paging without CR4.PSE is ignored: the entry leads to a table. */
function* withoutPse(mapping: Mapping): Generator<PagingCase> {
  if (mapping.form !== '32-bit' || mapping.leaf !== 1) return;
  yield* accesses(mapping, OFF, flipped(open(mapping), new Map([[2, PS]])));
}

/** Every case of a mapping. */
export function casesOf(mapping: Mapping, has: Processor): PagingCase[] {
  return [...rights(mapping, has), ...others(mapping, has), ...withoutPse(mapping)];
}

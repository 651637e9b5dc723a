/** A run of many cases: what differs, sorted by opcode and kind, shrunk. */

import type { OpcodeRow } from '../../../interp/opcodes/row.js';
import type { HostPort } from '../../base/host.js';
import type { InsnCase } from './case.js';
import { type CaseDifference, Comparison, keyOf, type Oracle } from './comparison.js';
import type { FieldDifference } from './difference.js';
import { isGap } from './emulator-gaps.js';
import type { Explanation } from './explained.js';
import type { Generator } from './generate.js';
import { layoutOf } from './guest-layout.js';
import { isUserLevel, type Level } from './levels.js';
import { shrink } from './shrink.js';
import { siliconMissing } from './silicon.js';

/** Differences of one opcode and kind. */
export interface Finding {
  readonly key: string;
  count: number;
  /** The first case. */
  readonly number: number;
  readonly shrunk: InsnCase;
  readonly differences: readonly FieldDifference[];
  readonly expected: Uint8Array;
}

/** What a campaign found. */
export interface CampaignReport {
  readonly cases: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  /** Cases that differ in ways that rows explain, by row. */
  readonly explained: ReadonlyMap<Explanation, number>;
  /** Rows of the opcode table that were executed, and how often. */
  readonly rows: ReadonlyMap<OpcodeRow, number>;
  /** Of those that are explained by KVM's emulator: so many were run in a process, and the processor did what the interpreter does. */
  readonly confirmed: number | undefined;
  /** Differences in a batch that the case alone does not show: they follow from another case's. */
  readonly followed: number;
}

/** Findings that are shrunk; the rest is reported as it came. */
const MOST_SHRUNK = 300;

/** Runs `cases` cases. `progress` is called after each batch. */
export function runCampaign(
  generator: Generator,
  cases: number,
  host: HostPort,
  oracle: Oracle = 'kvm',
  progress: (done: number) => void = () => {},
): CampaignReport {
  const comparison = new Comparison(generator.level, oracle);
  const judge = oracle === 'kvm' && isUserLevel(generator.level) && siliconMissing() === undefined;
  const campaign = new Campaign(comparison, judge ? new Comparison(generator.level, 'process') : undefined);
  const rows = new Map<OpcodeRow, number>();
  const begun = host.now();
  try {
    const { slots } = layoutOf(generator.level);
    for (let first = 0; first < cases; first += slots) {
      const batch = Array.from({ length: Math.min(slots, cases - first) }, (_, i) => generator.make(first + i));
      for (const { row } of batch) rows.set(row, (rows.get(row) ?? 0) + 1);
      for (const part of parted(batch, generator.level)) campaign.run(part);
      progress(first + batch.length);
    }
    campaign.judgeWaiting();
  } finally {
    comparison.close();
    campaign.judge?.close();
  }
  const seconds = (host.now() - begun) / 1e9;
  const { findings, explained, followed } = campaign;
  const confirmed = campaign.judge ? campaign.confirmed : undefined;
  return { cases, seconds, findings, explained, rows, confirmed, followed };
}

class Campaign {
  readonly explained = new Map<Explanation, number>();
  /** Cases whose explanation a process of the host confirmed. */
  confirmed = 0;
  followed = 0;
  readonly #byKey = new Map<string, Finding>();
  readonly #slots: number;
  /** Explained, and to be confirmed. */
  #waiting: InsnCase[] = [];

  constructor(
    readonly comparison: Comparison,
    readonly judge: Comparison | undefined,
  ) {
    this.#slots = layoutOf(comparison.level).slots;
  }

  get findings(): Finding[] {
    return [...this.#byKey.values()].sort((a, b) => b.count - a.count);
  }

  run(batch: readonly InsnCase[]): void {
    const { different, strayed } = this.comparison.runBatch(batch);
    const before = this.#byKey.size;
    const followers = different.filter((one) => !this.#note(one)).map(({ one }) => one);
    if (followers.length > 0) this.#judgeFollowers(batch, different, followers);
    else if (strayed && different.length === 0) this.#findStray(batch);
    else if (strayed && this.#byKey.size === before) this.#rerun(batch, new Set(different.map(({ one }) => one)));
    if (this.#waiting.length >= this.#slots) this.judgeWaiting();
  }

  /** False: what differs here does not where the case is alone. */
  #note({ one, differences }: CaseDifference): boolean {
    const unexplained: FieldDifference[] = [];
    const rows = new Set<Explanation>();
    for (const difference of differences) {
      const row = this.comparison.explain(one, difference);
      if (row) rows.add(row);
      else unexplained.push(difference);
    }
    for (const row of rows) this.explained.set(row, (this.explained.get(row) ?? 0) + 1);
    if (unexplained.length > 0) {
      const known = this.#byKey.get(keyOf(one, unexplained));
      if (known) known.count++;
      return known !== undefined || this.#confirm(one);
    }
    if (this.judge && [...rows].some((row) => row.oracle === 'kvm' && !row.unconfirmed)) this.#waiting.push(one);
    return true;
  }

  /** Runs the case alone: only what differs there is a finding of its own. */
  #confirm(one: InsnCase): boolean {
    const { unexplained } = this.comparison.runOne(one);
    if (unexplained.length === 0) return false;
    const key = keyOf(one, unexplained);
    const known = this.#byKey.get(key);
    if (known) known.count++;
    else this.#add(key, one, this.#byKey.size < MOST_SHRUNK ? shrink(this.comparison, one) : one);
    return true;
  }

  #add(key: string, one: InsnCase, shrunk: InsnCase, comparison = this.comparison): void {
    const { unexplained, expected } = comparison.runOne(shrunk);
    this.#byKey.set(key, { key, count: 1, number: one.number, shrunk, differences: unexplained, expected });
  }

  /** They must be equal once the cases that differ by themselves are gone; else the difference is one between cases. */
  #judgeFollowers(
    batch: readonly InsnCase[],
    different: readonly CaseDifference[],
    followers: readonly InsnCase[],
  ): void {
    const causes = new Set(different.map(({ one }) => one));
    for (const one of followers) causes.delete(one);
    this.#rerun(batch, causes);
    this.followed += followers.length;
  }

  /** The batch without some of its cases: what still differs is a finding, unless it follows from stray writes that are explained. */
  #rerun(batch: readonly InsnCase[], without: ReadonlySet<InsnCase>, last = false): void {
    const rest = batch.filter((one) => !without.has(one));
    if (rest.length === 0) return;
    const { different, strayed } = this.comparison.runBatch(rest);
    const unexplained = different.filter(({ one, differences }) =>
      differences.some((it) => !this.comparison.explain(one, it)),
    );
    if (unexplained.length > 0 && !last) {
      // Who differs alone, if only around the window, goes too.
      const causes = rest.filter((one) => this.comparison.runOne(one).differences.length > 0);
      this.#rerun(rest, new Set(causes), true);
      return;
    }
    const foreign = unexplained.filter(({ one }) => this.comparison.executesForeign(rest, rest.indexOf(one)));
    if (foreign.length > 0) {
      // What they make of another case's bytes may show in the cases behind them, too.
      this.#rerun(rest, new Set(foreign.map(({ one }) => one)), true);
      return;
    }
    for (const { one, differences } of unexplained) {
      const key = `${keyOf(one, differences)}, only behind other cases`;
      const known = this.#byKey.get(key);
      if (known) known.count++;
      else
        this.#byKey.set(key, {
          key,
          count: 1,
          number: one.number,
          shrunk: one,
          differences,
          expected: new Uint8Array(),
        });
    }
    if (strayed && different.length === 0) this.#findStray(rest);
  }

  /** The results agree, but memory around the window does not: which case wrote there? */
  #findStray(batch: readonly InsnCase[]): void {
    const [one] = batch;
    if (batch.length > 1) {
      const middle = batch.length >> 1;
      const halves = [batch.slice(0, middle), batch.slice(middle)];
      const strayed = halves.filter((half) => this.comparison.runBatch(half).strayed);
      for (const half of strayed) this.#findStray(half);
      if (strayed.length > 0) return;
    } else if (one && this.#confirm(one)) return;
    this.followed++;
  }

  /** Runs what is explained in a process: where the processor is not of the interpreter's opinion, the row is wrong. */
  judgeWaiting(): void {
    const { judge } = this;
    if (!judge) return;
    for (let at = 0; at < this.#waiting.length; at += this.#slots) {
      const batch = apart(this.#waiting.slice(at, at + this.#slots), this.#slots);
      for (const cases of batch) this.#judgeBatch(judge, cases);
    }
    this.#waiting = [];
  }

  #judgeBatch(judge: Comparison, cases: readonly InsnCase[]): void {
    this.confirmed += cases.length;
    for (const { one } of judge.runBatch(cases).different) {
      const { unexplained } = judge.runOne(one);
      if (unexplained.length === 0) continue;
      this.confirmed--;
      const key = `${keyOf(one, unexplained)}, excused, but a process of the host says so too`;
      const known = this.#byKey.get(key);
      if (known) known.count++;
      else this.#add(key, one, one, judge);
    }
  }
}

/**
 * Apart what KVM's emulator does not execute: the interpreter writes there, KVM does not, and the cases beside would all be run again to see that
 * nothing else wrote.
 */
function parted(batch: readonly InsnCase[], level: Level): readonly (readonly InsnCase[])[] {
  if (isUserLevel(level)) return [batch];
  const [executed, not]: [InsnCase[], InsnCase[]] = [[], []];
  for (const one of batch) (isGap(one, level) ? not : executed).push(one);
  return [executed, not].filter(({ length }) => length > 0);
}

/** Batches in which no two cases have the same slot. */
function apart(cases: readonly InsnCase[], slots: number): InsnCase[][] {
  const batches: { readonly slots: Set<number>; readonly cases: InsnCase[] }[] = [];
  for (const one of cases) {
    const slot = one.number % slots;
    // A case at the end of a slot goes on in the next.
    const free = batches.find(({ slots }) => !slots.has(slot) && !slots.has(slot + 1) && !slots.has(slot - 1));
    const batch = free ?? { slots: new Set<number>(), cases: [] };
    if (!free) batches.push(batch);
    batch.slots.add(slot);
    batch.cases.push(one);
  }
  return batches.map((batch) => batch.cases);
}

/** A run of many cases: what differs, sorted by opcode and kind, shrunk. */
import type { HostPort } from '../../base/host.js';
import type { InsnCase } from './case.js';
import { type CaseDifference, Comparison, keyOf } from './comparison.js';
import type { FieldDifference } from './difference.js';
import type { Explanation } from './explained.js';
import type { Generator } from './generate.js';
import { SLOTS } from './layout.js';
import { shrink } from './shrink.js';

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
  progress: (done: number) => void = () => {},
): CampaignReport {
  const comparison = new Comparison(generator.level);
  const campaign = new Campaign(comparison);
  const begun = host.now();
  try {
    for (let first = 0; first < cases; first += SLOTS) {
      const batch = Array.from({ length: Math.min(SLOTS, cases - first) }, (_, i) => generator.make(first + i));
      campaign.run(batch);
      progress(first + batch.length);
    }
  } finally {
    comparison.close();
  }
  const seconds = (host.now() - begun) / 1e9;
  return { cases, seconds, findings: campaign.findings, explained: campaign.explained, followed: campaign.followed };
}

class Campaign {
  readonly explained = new Map<Explanation, number>();
  followed = 0;
  readonly #byKey = new Map<string, Finding>();

  constructor(readonly comparison: Comparison) {}

  get findings(): Finding[] {
    return [...this.#byKey.values()].sort((a, b) => b.count - a.count);
  }

  run(batch: readonly InsnCase[]): void {
    const { different, strayed } = this.comparison.runBatch(batch);
    const before = this.#byKey.size;
    for (const one of different) this.#note(one);
    if (strayed && different.length === 0) this.#findStray(batch);
    else if (strayed && this.#byKey.size === before) this.followed++;
  }

  #note({ one, differences }: CaseDifference): void {
    const unexplained: FieldDifference[] = [];
    const rows = new Set<Explanation>();
    for (const difference of differences) {
      const row = this.comparison.explain(one, difference);
      if (row) rows.add(row);
      else unexplained.push(difference);
    }
    for (const row of rows) this.explained.set(row, (this.explained.get(row) ?? 0) + 1);
    if (unexplained.length === 0) return;
    const known = this.#byKey.get(keyOf(one, unexplained));
    if (known) known.count++;
    else this.#confirm(one);
  }

  /** Runs the case alone: only what differs there is a finding of its own. */
  #confirm(one: InsnCase): void {
    const alone = this.comparison.runOne(one);
    if (alone.unexplained.length === 0) {
      this.followed++;
      return;
    }
    const key = keyOf(one, alone.unexplained);
    const known = this.#byKey.get(key);
    if (known) {
      known.count++;
      return;
    }
    const shrunk = this.#byKey.size < MOST_SHRUNK ? shrink(this.comparison, one) : one;
    const { unexplained, expected } = this.comparison.runOne(shrunk);
    this.#byKey.set(key, { key, count: 1, number: one.number, shrunk, differences: unexplained, expected });
  }

  /** The results agree, but memory around the window does not: which case wrote there? */
  #findStray(batch: readonly InsnCase[]): void {
    for (const one of batch) {
      if (this.comparison.runOne(one).unexplained.length === 0) continue;
      this.#confirm(one);
      return;
    }
    this.followed++;
  }
}

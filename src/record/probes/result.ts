/** What a probe found. */
import { ExitReason } from '../../vmm/cpu/vcpu.js';

/** `unknown`: the probe could not be carried out; the evidence says why. */
export type Verdict = 'yes' | 'no' | 'partly' | 'unknown';

/** The answer to one question about this host. JSON. */
export interface ProbeResult {
  /** Stable: `window.cpl0` … */
  readonly id: string;
  /** A question that `yes` answers well. */
  readonly question: string;
  readonly verdict: Verdict;
  /** What was seen, one sentence. */
  readonly evidence: string;
}

/** Runs a probe; what it throws becomes an `unknown` result. */
export function probe(id: string, question: string, body: () => { verdict: Verdict; evidence: string }): ProbeResult {
  try {
    return { id, question, ...body() };
  } catch (error) {
    return { id, question, verdict: 'unknown', evidence: error instanceof Error ? error.message : String(error) };
  }
}

/** `yes` if all are, `no` if none is, else `partly`. */
export function allOf(results: readonly boolean[]): Verdict {
  if (results.every(Boolean)) return 'yes';
  return results.some(Boolean) ? 'partly' : 'no';
}

const NAMES = new Map<number, string>(Object.entries(ExitReason).map(([name, value]) => [value, name]));

/** An exit reason in words. */
export function reasonName(reason: number): string {
  return NAMES.get(reason) ?? `exit reason ${reason}`;
}

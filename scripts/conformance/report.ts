/** What a suite says: lines for people or, with --json, one object, both on standard output; and on a terminal how far it is. */
import { ExitCode } from '../../src/base/errors.js';

/** Milliseconds between two states of the progress line. */
const INTERVAL = 200;

/** What every suite's object has; each adds fields of its own. */
export interface SuiteResult {
  /** What was compared, and how much of it differed without an explanation. */
  readonly cases: number;
  readonly different: number;
  readonly seconds: number;
  readonly [field: string]: unknown;
}

/** A suite's output. The suites compute without a pause, so no timer can draw the progress: they call {@link progress} as they go. */
export class Report {
  readonly #began = performance.now();
  readonly #isWatched = process.stderr.isTTY === true;
  #shownAt = 0;

  constructor(
    readonly suite: string,
    readonly json: boolean,
  ) {}

  /** Seconds since the suite began, to a tenth. */
  get seconds(): number {
    return Math.round((performance.now() - this.#began) / 100) / 10;
  }

  /** A line for people. */
  line(text: string): void {
    this.#clear();
    if (!this.json) process.stdout.write(`${text}\n`);
  }

  /** How far it is: on standard error, if that is a terminal. */
  progress(text: () => string): void {
    if (!this.#isWatched) return;
    const now = performance.now();
    if (now - this.#shownAt < INTERVAL) return;
    this.#shownAt = now;
    process.stderr.write(`\r\u001b[K${text()}`);
  }

  /** The end of the suite: `summary` for people, or the object. Returns the exit code. */
  finish(result: SuiteResult, summary: string): ExitCode {
    this.line(summary);
    if (this.json) process.stdout.write(`${JSON.stringify({ suite: this.suite, ...result })}\n`);
    return result.different === 0 ? ExitCode.Ok : ExitCode.Divergence;
  }

  /** The end of a suite for which the host has not what is needed. Returns the exit code. */
  skip(reason: string): ExitCode {
    this.line(`${this.suite}: skipped: ${reason}`);
    if (this.json) process.stdout.write(`${JSON.stringify({ suite: this.suite, skipped: reason })}\n`);
    return ExitCode.HostCannot;
  }

  #clear(): void {
    if (this.#shownAt !== 0) process.stderr.write('\r\u001b[K');
    this.#shownAt = 0;
  }
}

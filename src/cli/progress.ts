/** The progress line: on a terminal only, on standard error, and gone when the work is done. */

const INTERVAL = 200;

/** Somebody watches: standard error is a terminal. */
export function isWatched(): boolean {
  return process.stderr.isTTY === true;
}

/** Shows what `text` says, five times a second, until {@link stop}. Does nothing where nobody watches. */
export class Progress {
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #text: () => string;
  #isShown = false;
  #last = performance.now();

  /** `isQuiet`: the console of the guest is on the same terminal, which would be a muddle. */
  constructor(text: () => string, isQuiet: boolean) {
    this.#text = text;
    if (isQuiet || !isWatched()) return;
    this.#timer = setInterval(() => this.tick(), INTERVAL);
    this.#timer.unref();
  }

  /** For work that does not come back to the event loop: shows the line if it is time. */
  tick(): void {
    const now = performance.now();
    if (this.#timer === undefined || now - this.#last < INTERVAL / 2) return;
    this.#last = now;
    this.#isShown = true;
    process.stderr.write(`\r\u001b[K${this.#text()}`);
  }

  /** Clears the line. */
  stop(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    if (this.#isShown) process.stderr.write('\r\u001b[K');
    this.#isShown = false;
  }
}

/** 1234567 as `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Signals that end a process unless it listens (signal(7)). */

const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;
const SIGNAL_EXIT = 128;

/** One of {@link endingSignals}. */
export type EndingSignal = keyof typeof NUMBERS;

/** The terminal is gone, Ctrl-C, Ctrl-\, and the polite request of another process. */
export const endingSignals = Object.keys(NUMBERS) as readonly EndingSignal[];

/** The exit code by which a shell knows that a signal ended the process. */
export function signalExit(signal: EndingSignal): number {
  return SIGNAL_EXIT + NUMBERS[signal];
}

/** Ctrl-C, SIGTERM, SIGQUIT, and SIGHUP, when the terminal is gone: the first ends the work cleanly, a second one at once. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const;
const SIGNAL_EXIT = 128;
const SIGINT_NUMBER = 2;

/** Calls `stop` on the first signal while `work` runs. */
export async function withSignals<T>(stop: () => void, work: () => Promise<T>): Promise<T> {
  let isStopped = false;
  const onSignal = (): void => {
    if (isStopped) process.exit(SIGNAL_EXIT + SIGINT_NUMBER);
    isStopped = true;
    stop();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await work();
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** Ctrl-C, SIGTERM, SIGQUIT, and SIGHUP, when the terminal is gone: the first ends the work cleanly, a second one at once. */
import { endingSignals, signalExit } from '../base/signals.js';

/** Calls `stop` on the first signal while `work` runs. */
export async function withSignals<T>(stop: () => void, work: () => Promise<T>): Promise<T> {
  let isStopped = false;
  const onSignal = (): void => {
    if (isStopped) process.exit(signalExit('SIGINT'));
    isStopped = true;
    stop();
  };
  for (const signal of endingSignals) process.on(signal, onSignal);
  try {
    return await work();
  } finally {
    for (const signal of endingSignals) process.off(signal, onSignal);
  }
}

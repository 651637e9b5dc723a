/** What the host gives: the only place besides the command line where its time is read. */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';

/** The host's time, as a port: the machine and the sessions never read a clock by themselves. */
export interface HostPort {
  /** Monotonic nanoseconds since an arbitrary moment, a whole number. */
  now(): number;
  /** Lets the process do other work (signals, input), for `milliseconds` or, with 0, for one turn of the event loop. */
  sleep(milliseconds: number): Promise<void>;
}

/** The host as it is. */
export const realHost: HostPort = {
  now: () => Math.floor(performance.now() * 1e6),
  sleep: async (milliseconds) => {
    if (milliseconds > 0) await delay(milliseconds);
    else await turn();
  },
};

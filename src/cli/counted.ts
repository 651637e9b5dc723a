/** Work on a trace that counts records: its progress line, and its end by a signal. */
import { formatCount, Progress } from './progress.js';
import { withSignals } from './signals.js';

/** Told how many records are done; true asks the work to stop. Gives the event loop a turn, for signals and the progress line. */
export type CountRecords = (records: number) => Promise<boolean>;

/** Does `work`, showing "N records" and `verb`. Its result, and the last count that it told. */
export async function counted<T>(
  verb: string,
  work: (onProgress: CountRecords) => Promise<T>,
): Promise<{ result: T; records: number }> {
  let records = 0;
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
  };
  const onProgress = async (count: number): Promise<boolean> => {
    records = count;
    await new Promise((resolve) => setImmediate(resolve));
    return isStopped;
  };
  const progress = new Progress(() => `${formatCount(records)} records ${verb}`, false);
  const result = await withSignals(stop, () => work(onProgress)).finally(() => progress.stop());
  return { result, records };
}

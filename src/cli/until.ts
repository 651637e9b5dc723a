/** --until of replay: where it stops. */
import type { VmtapeError } from '../base/errors.js';
import type { ReplayOptions } from '../replay/options.js';
import type { TraceReader } from '../trace/reader.js';
import { formatCount } from './progress.js';
import { parseCount, usageError } from './values.js';

/** A place in a recording. */
export type Until =
  | { readonly kind: 'record' | 'icount'; readonly number: number }
  | { readonly kind: 'serial'; readonly text: string };

/** `record:N`, or N alone; `icount:N`; `serial:TEXT`. */
export function parseUntil(text: string): Until {
  const match = /^(record|icount|serial):(.*)$/s.exec(text);
  if (match === null) return { kind: 'record', number: parseCount('--until', text, 0) };
  const [, kind, value = ''] = match;
  if (kind !== 'serial') return { kind: kind as 'record' | 'icount', number: parseCount('--until', value, 0) };
  if (value === '') throw usageError('--until serial: names no text', 'write it as serial:"login: "');
  return { kind: 'serial', text: Buffer.from(value, 'utf8').toString('latin1') };
}

/** The options of the replay. Throws if the engine cannot stop there. */
export function untilOptions(until: Until | undefined, engine: string): Partial<ReplayOptions> {
  if (until === undefined) return {};
  if (until.kind === 'serial') return { untilSerial: until.text };
  if (until.kind === 'record') return { until: until.number };
  if (engine !== 'interp') throw usageError('--until icount: needs --engine interp: KVM does not count instructions');
  return { untilCount: until.number };
}

/** Throws if the place is behind the end of the recording, as far as the trace says, or before `start`, where the replay starts. */
export function checkUntil(until: Until | undefined, reader: TraceReader, start: { readonly retired: number }): void {
  if (until === undefined || until.kind === 'serial') return;
  const { number } = until;
  if (until.kind === 'record') {
    const { records } = reader.index.root;
    if (number > records) throw pastTheEnd(`--until record:${number}`, `${formatCount(records)} records`);
    return;
  }
  const retired = reader.end?.retired ?? -1;
  if (retired >= 0 && number > retired)
    throw pastTheEnd(`--until icount:${number}`, `${formatCount(retired)} instructions`);
  if (number < start.retired) {
    throw usageError(
      `--until icount:${number} is before the checkpoint that --from starts at, ${formatCount(start.retired)} instructions`,
    );
  }
}

/** Throws if the record of --from is behind the end of the recording. */
export function checkFrom(from: number | undefined, reader: TraceReader): void {
  const { records } = reader.index.root;
  if (from !== undefined && from > records)
    throw pastTheEnd(`--from record:${from}`, `${formatCount(records)} records`);
}

/** The replay came to the end, and not to the place. */
export function notReached(until: Until, instructions: number | undefined): VmtapeError {
  if (until.kind === 'serial') {
    return usageError(`--until serial:${JSON.stringify(until.text)} is not reached: the guest never sends that text`);
  }
  const most = instructions === undefined ? 'less' : `${formatCount(instructions)} instructions`;
  return pastTheEnd(`--until ${until.kind}:${until.number}`, most);
}

function pastTheEnd(place: string, has: string): VmtapeError {
  return usageError(`${place} is past the end: the recording has ${has}`);
}

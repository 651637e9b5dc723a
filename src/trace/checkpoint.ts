/** Checkpoints: whole states of the machine within a trace, from which a replay can start. */
import { ColumnError } from './columns.js';
import { Fields } from './fields.js';
import { packMessage, unpackMessage } from './msgpack.js';

/** The state before a record. Its memory is that of the number {@link TraceCheckpoint.set}. */
export interface TraceCheckpoint {
  /** The ordinal of the record that comes next. */
  readonly record: number;
  /** Instructions retired; -1 where nobody counted. */
  readonly retired: number;
  /** Guest nanoseconds. */
  readonly time: number;
  /** The number of its memory. */
  readonly set: number;
  /** The states of CPU and devices, and whatever else a replay needs, by name; each as its owner encodes it. */
  readonly parts: Readonly<Record<string, Uint8Array>>;
}

/** The payload of a frame. */
export function checkpointMessage(checkpoint: TraceCheckpoint): Uint8Array {
  const { record, retired, time, set, parts } = checkpoint;
  return packMessage({ record, retired, time, set, parts: Object.entries(parts) });
}

/** Reads a frame. Throws {@link ColumnError}. */
export function parseCheckpoint(payload: Uint8Array): TraceCheckpoint {
  const fields = new Fields(unpackMessage(payload), 'checkpoint');
  const parts = new Map<string, Uint8Array>();
  for (const entry of fields.list('parts')) {
    const [name, bytes] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof name !== 'string' || !(bytes instanceof Uint8Array))
      throw new ColumnError('has no checkpoint with valid parts');
    parts.set(name, new Uint8Array(bytes));
  }
  return {
    record: fields.number('record', Number.MAX_SAFE_INTEGER),
    retired: fields.number('retired', Number.MAX_SAFE_INTEGER, -1),
    time: fields.number('time', Number.MAX_SAFE_INTEGER),
    set: fields.number('set', 0x7fff_ffff),
    parts: Object.fromEntries(parts),
  };
}

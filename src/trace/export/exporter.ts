/** Writing the records of a trace in another format: one record in memory at a time. */
import type { TraceCursor } from '../cursor.js';
import type { TraceRecord } from '../record.js';

/** A format. Each method returns the text that comes next. */
export interface Exporter {
  /** How the text becomes bytes; latin1 is for formats that are bytes themselves. */
  readonly encoding: 'utf8' | 'latin1';
  /** Before the first record. */
  begin(): string;
  /** The record is reused by the reader: what must be kept is copied. */
  record(record: TraceRecord): string;
  /** Behind the last record that could be read, of a truncated trace too: the output is whole then. */
  finish(): string;
  /** What else is to be told of the output, as JSON: when it is finished. */
  readonly summary?: object;
}

/** Text is given on in pieces of at least this length, but for the last. */
const PIECE = 0x1_0000;

/**
 * Exports what `cursor` reads, in pieces; then its `damage` says why it read no further. `isStopped` is asked between the
 * pieces; true ends the export in its middle, and then the result is false.
 */
export async function exportRecords(
  cursor: TraceCursor,
  exporter: Exporter,
  write: (piece: Uint8Array) => Promise<void> | void,
  isStopped: () => boolean = () => false,
): Promise<boolean> {
  let text = exporter.begin();
  while (cursor.next()) {
    text += exporter.record(cursor.record);
    // Many records may make no text: a console is a small part of a trace.
    if (text.length < PIECE && cursor.count % PIECE !== 0) continue;
    await write(Buffer.from(text, exporter.encoding));
    text = '';
    if (isStopped()) return false;
  }
  await write(Buffer.from(text + exporter.finish(), exporter.encoding));
  return true;
}

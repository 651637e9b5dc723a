/**
 * The memory that a recording starts from: the pages of RAM that are not all zeros, each distinct content once, and the
 * ROM. Pages frames hold contents, PAGES_PER_FRAME a frame; the page map frame lists which page has which content.
 */
import { createHash } from 'node:crypto';
import { ColumnError, ColumnReader, ColumnWriter } from './columns.js';
import { PAGE_SIZE, PAGES_PER_FRAME } from './format.js';
import { packMessage, unpackMessage } from './msgpack.js';

/** RAM as the trace sees it. Runs are ascending and start and end at a page. */
export interface RamRun {
  readonly gpa: number;
  readonly bytes: Uint8Array;
}

const zeroPage = Buffer.alloc(PAGE_SIZE);

/** Calls `onPages` with the payload of each Pages frame, then returns the payload of the page map. */
export function writeImage(runs: readonly RamRun[], onPages: (payload: Uint8Array) => void): Uint8Array {
  const known = new Map<string, number>();
  const map = new ColumnWriter();
  let batch: Uint8Array[] = [];
  let pages = 0;
  let lastPage = -1;
  let lastContent = 0;
  const flush = (): void => {
    if (batch.length > 0) onPages(packMessage(Buffer.concat(batch)));
    batch = [];
  };
  for (const run of runs) {
    for (let at = 0; at < run.bytes.length; at += PAGE_SIZE) {
      const page = run.bytes.subarray(at, at + PAGE_SIZE);
      if (zeroPage.equals(page)) continue;
      const digest = createHash('sha256').update(page).digest('base64');
      let content = known.get(digest);
      if (content === undefined) {
        content = known.size;
        known.set(digest, content);
        batch.push(page);
        if (batch.length === PAGES_PER_FRAME) flush();
      }
      const number = (run.gpa + at) / PAGE_SIZE;
      map.varint(number - lastPage - 1);
      map.signed(content - lastContent);
      lastPage = number;
      lastContent = content;
      pages++;
    }
  }
  flush();
  return packMessage([pages, known.size, map.peek()]);
}

/** The bytes of a Pages frame or a ROM frame. */
export function parseBytes(payload: Uint8Array): Uint8Array {
  const bytes = unpackMessage(payload);
  if (!(bytes instanceof Uint8Array)) throw new ColumnError('does not hold bytes');
  return bytes;
}

/** Which pages have which contents. */
export interface PageMap {
  /** Distinct contents. */
  readonly contents: number;
  /** Guest-physical page numbers, ascending. */
  readonly pages: Float64Array;
  /** The content of each. */
  readonly content: Uint32Array;
}

/** The page map of its frame. Throws {@link ColumnError}. */
export function parsePageMap(payload: Uint8Array, memorySize: number): PageMap {
  const message = unpackMessage(payload);
  if (!Array.isArray(message) || message.length !== 3) throw new ColumnError('is not a list of three values');
  const [count, contents, bytes] = message as unknown[];
  const limit = memorySize / PAGE_SIZE;
  if (!isCount(count, limit) || !isCount(contents, count) || !(bytes instanceof Uint8Array)) {
    throw new ColumnError('has bad totals');
  }
  const column = new ColumnReader(bytes, 'pages');
  const pages = new Float64Array(count);
  const content = new Uint32Array(count);
  let lastPage = -1;
  let lastContent = 0;
  for (let index = 0; index < count; index++) {
    lastPage += column.varint() + 1;
    lastContent += column.signed();
    if (lastPage >= limit) throw new ColumnError('names a page beyond the memory');
    if (lastContent < 0 || lastContent >= contents) throw new ColumnError('names a content that there is not');
    pages[index] = lastPage;
    content[index] = lastContent;
  }
  if (column.left > 0) throw new ColumnError(`has ${column.left} bytes too many`);
  return { contents, pages, content };
}

function isCount(value: unknown, limit: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= limit;
}

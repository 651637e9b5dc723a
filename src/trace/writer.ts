/** Writing a trace: header and image first, then records as they come, then the mark of a clean end. */
import { rmSync } from 'node:fs';
import { assert } from '../base/assert.js';
import { FrameKind, ID_SIZE } from './format.js';
import { FrameWriter } from './frame.js';
import { endMessage, headerMessage, type TraceEnd, type TraceHeader } from './header.js';
import { type RamRun, writeImage } from './image.js';
import { packMessage } from './msgpack.js';
import { RecordFrameWriter } from './record-frame.js';

/** The memory at the start of the recording. */
export interface TraceImage {
  readonly ram: readonly RamRun[];
  readonly rom?: Uint8Array | undefined;
}

/** Writes one trace. Append to {@link records}, and call {@link flush} whenever they are full. */
export class TraceWriter {
  readonly records: RecordFrameWriter;
  readonly #frames: FrameWriter;

  /** Makes the file with its header and image; if that fails, no file is left behind. */
  constructor(
    readonly path: string,
    readonly header: TraceHeader,
    image: TraceImage,
  ) {
    assert(header.id.length === ID_SIZE, 'the id of a recording has 16 bytes');
    this.records = new RecordFrameWriter(header.counting);
    this.#frames = new FrameWriter(path, header.id, header.date);
    try {
      this.#frames.write(FrameKind.Header, packMessage(headerMessage(header)));
      if (image.rom) this.#frames.write(FrameKind.Rom, packMessage(image.rom));
      const map = writeImage(image.ram, (payload) => this.#frames.write(FrameKind.Pages, payload));
      this.#frames.write(FrameKind.PageMap, map);
    } catch (error) {
      this.#frames.close();
      rmSync(path, { force: true });
      throw error;
    }
  }

  /** Bytes of the file so far. */
  get bytes(): number {
    return this.#frames.bytes;
  }

  /** Writes the records so far as a frame. */
  flush(): void {
    if (this.records.count > 0) this.#frames.write(FrameKind.Records, this.records.take());
  }

  /** Writes what is left and the mark of a clean end, and closes the file. */
  finish(end: Omit<TraceEnd, 'records'>): void {
    this.flush();
    this.#frames.write(FrameKind.End, packMessage(endMessage({ ...end, records: this.records.total })));
    this.close();
  }

  /** Closes the file as it is. Idempotent. */
  close(): void {
    this.#frames.close();
  }
}

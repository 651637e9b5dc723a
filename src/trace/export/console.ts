/** The bytes that the guest wrote to its serial console, and nothing else. */
import { RecordKind, type TraceRecord } from '../record.js';
import { type ByteTarget, SerialDecoder } from '../serial-decoder.js';
import type { Exporter } from './exporter.js';

const nowhere: ByteTarget = { write() {} };

/** See the head of the file. */
export class ConsoleExporter implements Exporter {
  readonly encoding = 'latin1';
  #bytes = '';
  /** As it is before the first record: in a part of another trace, it must be told. */
  readonly decoder = new SerialDecoder(
    {
      write: (byte) => {
        this.#bytes += String.fromCharCode(byte);
      },
    },
    nowhere,
  );

  begin(): string {
    return '';
  }

  record({ kind, address, size, data }: TraceRecord): string {
    if (kind !== RecordKind.IoWrite) return '';
    this.#bytes = '';
    for (let index = 0; index < size; index++) this.decoder.writeByte(address + index, data[index] as number);
    return this.#bytes;
  }

  finish(): string {
    return '';
  }
}

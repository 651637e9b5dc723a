/**
 * A timeline that ui.perfetto.dev and chrome://tracing open: JSON of the Trace Event Format (Google, "Trace Event Format",
 * JSON Object Format; phases M metadata, i instant, X complete). Tracks are its threads: exits, interrupts, host, the lines of the
 * consoles, and one for each device that the guest accessed.
 *
 * `ts` is guest time, in microseconds with three decimals.
 */
import { describeRecord, isWaypoint, RecordKind, recordNames, type TraceRecord } from '../record.js';
import { SerialDecoder } from '../serial-decoder.js';
import type { Exporter } from './exporter.js';
import { GuestTime } from './guest-time.js';

/** Names the registers of accesses: see AccessNames of the command line. */
export interface AccessNamer {
  /** Given every record in order: the parts of an access, with the device (undefined: nobody answers) and its register. */
  follow(record: TraceRecord): readonly {
    readonly device: string | undefined;
    readonly register: string;
    readonly address: number;
  }[];
}

const PROCESS = 1;
/** The numbers of the tracks; those of devices come behind them. */
const Track = { Exits: 1, Interrupts: 2, Host: 3, Serial: 4, DebugConsole: 5 } as const;
const trackNames = ['', 'exits', 'interrupts', 'host', 'serial console', 'debug console'];
/** A console line is cut there: a guest need not end its lines. */
const LINE_MAX = 1024;
const LINE_FEED = 0x0a;

interface Line {
  readonly bytes: number[];
  /** When its first byte came, and the ordinal of that record. */
  readonly start: number;
  readonly ordinal: number;
}

/** See the head of the file. */
export class PerfettoExporter implements Exporter {
  readonly encoding = 'utf8';
  readonly #names: AccessNamer;
  readonly #title: string;
  /** Track by name of the device. */
  readonly #tracks = new Map<string, number>();
  readonly #lines = new Map<number, Line>();
  /** As it is before the first record: in a part of another trace, it must be told. */
  readonly decoder: SerialDecoder;
  readonly #time: GuestTime;
  #ordinal = 0;
  #text = '';

  /** `title` names the whole; `time`: where it begins, and how it goes; `chipset`: of the trace's header. */
  constructor(names: AccessNamer, title: string, time = new GuestTime(), chipset?: 'i440fx') {
    this.#time = time;
    this.#names = names;
    this.#title = title;
    this.decoder = new SerialDecoder(
      { write: (byte) => this.#consoleByte(Track.Serial, byte) },
      { write: (byte) => this.#consoleByte(Track.DebugConsole, byte) },
      chipset,
    );
  }

  begin(): string {
    const name = { ph: 'M', pid: PROCESS, name: 'process_name', args: { name: this.#title } };
    this.#text = `{"displayTimeUnit":"ns","traceEvents":[\n${JSON.stringify(name)}`;
    for (let track = 1; track < trackNames.length; track++) this.#nameTrack(track, trackNames[track] as string);
    return this.#taken();
  }

  record(record: TraceRecord): string {
    this.#ordinal = record.ordinal;
    this.#time.see(record);
    const parts = this.#names.follow(record);
    switch (record.kind) {
      case RecordKind.Inject:
        if (isWaypoint(record)) this.#instant(Track.Host, 'waypoint', record);
        else this.#instant(Track.Interrupts, `vector 0x${record.vector.toString(16).padStart(2, '0')}`, record);
        break;
      case RecordKind.Input:
      case RecordKind.Dma:
        this.#instant(Track.Host, recordNames[record.kind] as string, record);
        break;
      case RecordKind.Time:
      case RecordKind.Digest:
        break;
      default:
        this.#instant(Track.Exits, recordNames[record.kind] as string, record);
        this.#access(record, parts);
    }
    return this.#taken();
  }

  finish(): string {
    for (const track of this.#lines.keys()) this.#endLine(track);
    return `${this.#taken()}\n]}\n`;
  }

  /** An access, on the track of its device; what is written to a console, there too. */
  #access(record: TraceRecord, parts: ReturnType<AccessNamer['follow']>): void {
    const { kind, address, size, data } = record;
    const way = kind === RecordKind.IoRead || kind === RecordKind.MmioRead ? 'read' : 'write';
    for (const part of parts) {
      const what = part.device === undefined ? `0x${part.address.toString(16)}` : part.register;
      this.#instant(this.#deviceTrack(part.device ?? 'unclaimed'), `${way} ${what}`, record);
    }
    if (kind !== RecordKind.IoWrite) return;
    for (let index = 0; index < size; index++) this.decoder.writeByte(address + index, data[index] as number);
  }

  #deviceTrack(name: string): number {
    const known = this.#tracks.get(name);
    if (known !== undefined) return known;
    const track = trackNames.length + this.#tracks.size;
    this.#tracks.set(name, track);
    this.#nameTrack(track, name);
    return track;
  }

  #consoleByte(track: number, byte: number): void {
    let line = this.#lines.get(track);
    if (!line) {
      line = { bytes: [], start: this.#time.now, ordinal: this.#ordinal };
      this.#lines.set(track, line);
    }
    if (byte !== LINE_FEED) line.bytes.push(byte);
    if (byte === LINE_FEED || line.bytes.length === LINE_MAX) this.#endLine(track);
  }

  #endLine(track: number): void {
    const line = this.#lines.get(track);
    this.#lines.delete(track);
    if (!line) return;
    const text = Buffer.from(line.bytes).toString('utf8').trimEnd();
    const times = { ts: line.start / 1000, dur: (this.#time.now - line.start) / 1000 };
    this.#event({
      ph: 'X',
      pid: PROCESS,
      tid: track,
      ...times,
      name: text || '(empty line)',
      args: { record: line.ordinal },
    });
  }

  #instant(track: number, name: string, record: TraceRecord): void {
    const { ordinal, vcpu } = record;
    const args = { record: ordinal, what: describeRecord(record), ...(vcpu !== 0 && { vcpu }) };
    this.#event({ ph: 'i', s: 't', pid: PROCESS, tid: track, ts: this.#time.now / 1000, name, args });
  }

  /** The name of a track, and its place among them. */
  #nameTrack(track: number, name: string): void {
    this.#event({ ph: 'M', pid: PROCESS, tid: track, name: 'thread_name', args: { name } });
    this.#event({ ph: 'M', pid: PROCESS, tid: track, name: 'thread_sort_index', args: { sort_index: track } });
  }

  #event(event: object): void {
    this.#text += `,\n${JSON.stringify(event)}`;
  }

  #taken(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}

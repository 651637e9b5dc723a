/**
 * When the records so far are written to the file: often enough that a recorder that dies loses little.
 *
 * On the interpreter that is decided by what the guest does alone, by its instructions and what they cost (interp/work.ts), so that two
 * recordings of a guest have the same frames; on KVM, and while a guest waits for its user, by the time of the host.
 */
import type { HostPort } from '../base/host.js';
import type { TraceWriter } from '../trace/writer.js';
import type { Machine } from '../vmm/machine.js';

/** The interpreter: no frame has records of two multiples of so many instructions, the work beyond them counted as instructions. */
const INSTRUCTIONS = 2 ** 24;
/** Otherwise: nanoseconds that a record waits at most, but for the slice under way. */
const WAIT = 500_000_000;
/** On KVM: nanoseconds of the host from one digest of the whole state to the next, at least. */
const DIGEST_WAIT = 1_000_000_000;
/** With more bytes that wait to be written than this, the guest waits too. */
const BACKLOG_MAX = 0x200_0000;

/** Flushes a trace at the right times. */
export class RecordPace {
  readonly #machine: Machine;
  readonly #writer: TraceWriter;
  readonly #host: HostPort;
  readonly #counting: boolean;
  #windowEnd = INSTRUCTIONS;
  /** When the last digest of the whole state was taken. */
  #digestAt: number;
  /** Since when records wait; -1: none was seen waiting. */
  #since = -1;

  constructor(machine: Machine, writer: TraceWriter, host: HostPort) {
    this.#machine = machine;
    this.#writer = writer;
    this.#host = host;
    this.#counting = writer.records.counting;
    this.#digestAt = host.now();
  }

  /** A record is about to be written at this count of instructions. */
  before(retired: number): void {
    const done = retired + (this.#machine.vcpu.work ?? 0);
    if (done >= this.#windowEnd) this.#nextWindow(done);
  }

  /** The guest rests. Throws what the writing of an earlier frame failed with. */
  async betweenSlices(): Promise<void> {
    const writer = this.#writer;
    if (writer.error) throw writer.error;
    if (this.#counting) this.before(this.#machine.vcpu.retired);
    if (!this.#counting || this.#machine.idleUntil !== undefined) this.#flushByTime();
    if (writer.backlog > BACKLOG_MAX) await writer.drained();
  }

  /** On KVM: it is time for a digest of the whole state. */
  get isDigestDue(): boolean {
    return !this.#counting && this.#host.now() - this.#digestAt >= DIGEST_WAIT;
  }
  /** One was taken. */
  digested(): void {
    if (!this.#counting) this.#digestAt = this.#host.now();
  }

  #nextWindow(done: number): void {
    this.#writer.flush();
    this.#windowEnd = (Math.floor(done / INSTRUCTIONS) + 1) * INSTRUCTIONS;
  }

  #flushByTime(): void {
    const { records } = this.#writer;
    const now = this.#host.now();
    if (records.count === 0) this.#since = -1;
    else if (this.#since < 0) this.#since = now;
    else if (now - this.#since >= WAIT) {
      this.#writer.flush();
      this.#since = -1;
    }
  }
}

/** Checking the digests of a recording: that of the architectural records so far, and that of the whole state. */
import { hexBytes } from '../base/hex.js';
import { describeRecord, RecordKind, type TraceRecord } from '../trace/record.js';
import { RUN_DIGEST_SIZE, RunDigest } from '../trace/run-digest.js';
import { ExitReason, type Vcpu } from '../vmm/cpu/vcpu.js';
import type { DirtyLog } from '../vmm/dirty-log.js';
import type { GuestMemory } from '../vmm/memory.js';
import { DigestForm, StateDigest } from '../vmm/state-digest.js';
import { earlyExit } from './landmark.js';
import type { ComparedDigests } from './options.js';
import { DivergenceFound } from './report.js';

/** The record is a digest of the whole state: it has a place of its own. */
export function hasState(record: TraceRecord): boolean {
  return record.kind === RecordKind.Digest && record.stateDigest.length > 0;
}

/** Checks one digest after the other. */
export class DigestChecker {
  /** Of what guest and devices did here. */
  readonly run = new RunDigest();
  #compared = 0;
  #passedOver = 0;
  readonly #vcpu: Vcpu;
  readonly #memory: GuestMemory;
  readonly #written: DirtyLog;
  /** Both the trace and the engine count instructions. */
  readonly #counting: boolean;
  /** By their form. */
  readonly #states = new Map<DigestForm, StateDigest>();
  /** The place of the last one that was equal, in words. */
  #last = 'at the start';

  constructor(vcpu: Vcpu, memory: GuestMemory, written: DirtyLog, counting: boolean) {
    this.#vcpu = vcpu;
    this.#memory = memory;
    this.#written = written;
    this.#counting = counting;
  }

  /**
   * Goes to the place of `record`, which {@link hasState}, but at most by so many instructions, and compares. False: it is not reached yet. Throws
   * {@link DivergenceFound}.
   */
  reach(record: TraceRecord, slice: number): boolean {
    const form = record.stateDigest[0] as DigestForm;
    const isExact = form === DigestForm.Exact;
    if (isExact && this.#counting && !this.#runTo(record, slice)) return false;
    if (isExact ? this.#counting : form === DigestForm.Portable) this.#checkState(record, form);
    else this.#passedOver++;
    return true;
  }

  /** The place is the first boundary at that count behind what was done before: an interrupt that was injected is delivered. */
  #runTo(record: TraceRecord, slice: number): boolean {
    const reason = this.#vcpu.run(Math.min(this.#vcpu.retired + slice, record.retired));
    if (reason === ExitReason.Kicked) return false;
    if (reason !== ExitReason.Limit) throw earlyExit(record, reason);
    return this.#vcpu.retired >= record.retired;
  }

  #checkState(record: TraceRecord, form: DigestForm): void {
    let state = this.#states.get(form);
    if (!state) {
      state = new StateDigest(this.#vcpu, this.#memory, this.#written.reader(), form);
      this.#states.set(form, state);
    }
    const actual = state.take();
    const names = state.difference(record.stateDigest, actual);
    if (names) {
      const last = `the last state that was equal is ${this.#last}`;
      throw new DivergenceFound(
        `the state differs: ${names.join(', ')}`,
        describeRecord(record),
        `state ${hexBytes(actual)}; ${last}`,
      );
    }
    this.#compared++;
    this.#last = `at record ${record.ordinal}`;
  }

  /** What came of it so far. */
  get result(): ComparedDigests {
    return { run: hexBytes(this.run.bytes()), states: this.#compared, passedOver: this.#passedOver };
  }

  /** The rolling digest is that of what was done here. Throws {@link DivergenceFound}. */
  checkRun(record: TraceRecord): void {
    if (record.bytes.length !== RUN_DIGEST_SIZE || this.run.is(record.bytes)) return;
    const actual = `run ${hexBytes(this.run.bytes())}`;
    throw new DivergenceFound('the digest of the records so far differs', describeRecord(record), actual);
  }
}

/** Sealing: a replay on the interpreter learns how many instructions were retired at each record of a trace whose recorder did not count. */
import type { HostPort } from '../base/host.js';
import { AmendedFile } from '../trace/amended-file.js';
import { CountsWriter } from '../trace/counts.js';
import type { GuestFiles } from '../trace/memory-reader.js';
import type { ReplayResult } from './options.js';
import { ReplaySession } from './session.js';

/** What is sealed, and how. */
export interface SealOptions {
  readonly path: string;
  /** The sealed trace; default: the trace itself. */
  readonly output?: string | undefined;
  readonly files?: GuestFiles | undefined;
  readonly host: HostPort;
}

/** What came of it. */
export type SealResult =
  /** Every record has its count. `isNew` false: it had before, and nothing was written. */
  | { readonly kind: 'sealed'; readonly isNew: boolean; readonly records: number }
  /** The replay did not come to its end: nothing was written. */
  | { readonly kind: 'unsealed'; readonly replay: Exclude<ReplayResult, { kind: 'complete' }> };

/** One sealing. */
export class SealSession {
  readonly #session: ReplaySession;
  readonly #counts: CountsWriter;
  readonly #file: AmendedFile | undefined;

  private constructor(session: ReplaySession, counts: CountsWriter, file: AmendedFile | undefined) {
    this.#session = session;
    this.#counts = counts;
    this.#file = file;
  }

  /** Opens the trace, and its copy. Throws what a trace that is damaged, or was not closed, is. Close the session when it is done with. */
  static async open({ path, output, files, host }: SealOptions): Promise<SealSession> {
    const counts = new CountsWriter();
    const session = await ReplaySession.open({ path, files, host, mode: 'cpu', counts });
    try {
      const { header, isSealed } = session.reader;
      const file = header.counting || isSealed ? undefined : new AmendedFile(path, output);
      return new SealSession(session, counts, file);
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Records whose counts are known. */
  get records(): number {
    return this.#counts.records;
  }

  /** Replays the trace, and puts the sealed one in its place. */
  async run(): Promise<SealResult> {
    const { records } = this.#session.reader.index.root;
    if (!this.#file) return { kind: 'sealed', isNew: false, records };
    const replay = await this.#session.run();
    if (replay.kind !== 'complete') return { kind: 'unsealed', replay };
    if (replay.damage) throw replay.damage;
    this.#file.append((appender) => appender.counts(this.#counts.frames()));
    this.#file.finish();
    return { kind: 'sealed', isNew: true, records };
  }

  /** Ends it soon: nothing is written. */
  stop(): void {
    this.#session.stop();
  }

  /** Idempotent. */
  close(): void {
    this.#file?.discard();
    this.#session.close();
  }
}

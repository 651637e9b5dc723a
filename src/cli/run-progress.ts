/** The progress line of a machine that runs: how far the guest is, how busy, and what it said last. */
import { performance } from 'node:perf_hooks';
import type { ByteSink } from '../vmm/device.js';
import type { Machine } from '../vmm/machine.js';
import { formatCount } from './progress.js';

const LINE_MAX = 200;
const COLUMNS = 80;
/** Exits a second are those since so many milliseconds at least. */
const RATE_MILLISECONDS = 1000;

/** Keeps the last line that is not empty of the bytes that go through. */
export class LastLine implements ByteSink {
  readonly #line = new Uint8Array(LINE_MAX);
  #length = 0;
  #isDone = false;

  constructor(readonly target: ByteSink) {}

  write(byte: number): void {
    if (byte === 0x0a || byte === 0x0d) this.#isDone = true;
    else {
      if (this.#isDone) this.#length = 0;
      this.#isDone = false;
      if (this.#length < LINE_MAX) this.#line[this.#length++] = byte;
    }
    this.target.write(byte);
  }

  /** Without what could steer a terminal. */
  get text(): string {
    const text = new TextDecoder('latin1').decode(this.#line.subarray(0, this.#length));
    return text.replace(/\p{Cc}(\[[0-9;?]*[A-Za-z])?/gu, ' ');
  }
}

/** Makes the line, for Progress of progress.ts. `line`: what the guest said last, if that is not on the same terminal. */
export function runProgress(machine: Machine, line: LastLine | undefined): () => string {
  let from = performance.now();
  let before = machine.exits;
  let rate = '';
  return () => {
    const now = performance.now();
    if (now - from >= RATE_MILLISECONDS) {
      rate = `, ${formatCount(Math.round(((machine.exits - before) * 1000) / (now - from)))} a second`;
      from = now;
      before = machine.exits;
    }
    const { retired } = machine.vcpu;
    const far = Number.isNaN(retired)
      ? `guest time ${(machine.board.clock.last / 1e9).toFixed(2)} s`
      : `${formatCount(Math.floor(retired / 1e6))} million instructions`;
    const said = line === undefined || line.text === '' ? '' : ` | ${line.text}`;
    const text = `${far}, ${formatCount(machine.exits)} exits${rate}${said}`;
    return text.slice(0, (process.stderr.columns ?? COLUMNS) - 1);
  };
}

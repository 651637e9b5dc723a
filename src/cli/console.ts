/** Where the bytes of the guest's serial console go, and where its input comes from. */
import { closeSync, openSync } from 'node:fs';
import type { ByteSink } from '../vmm/device.js';
import { checkOutput, describeFileError, writeAll } from './files.js';
import { KeyFilter, makeRaw } from './terminal.js';
import { usageError } from './values.js';

const BUFFER_SIZE = 0x1_0000;

/** What --serial asks for. */
export type SerialChoice =
  | { readonly kind: 'stdio' }
  | { readonly kind: 'none' }
  | { readonly kind: 'file'; readonly path: string };

/** `stdio`, `none` or `file:PATH`. */
export function parseSerial(text: string): SerialChoice {
  if (text === 'stdio' || text === 'none') return { kind: text };
  if (text.startsWith('file:')) {
    const path = text.slice('file:'.length);
    checkOutput('--serial', path);
    return { kind: 'file', path };
  }
  throw usageError(`--serial ${text} is not known`, 'it is stdio, none or file:PATH');
}

/** The guest's console is on the user's terminal, where nothing else must be written meanwhile. */
export function isOnTerminal(choice: SerialChoice): boolean {
  return choice.kind === 'stdio' && process.stdout.isTTY === true;
}

/** A sink that can be closed. */
export interface ConsoleOutput extends ByteSink {
  /** Writes what is buffered. */
  flush(): void;
  close(): void;
}

/** Opens the sink of a choice. */
export function openConsole(choice: SerialChoice): ConsoleOutput {
  switch (choice.kind) {
    case 'none':
      return { write() {}, flush() {}, close() {} };
    case 'stdio':
      return new BufferedSink((bytes) => process.stdout.write(bytes));
    case 'file':
      return openFile(choice.path);
  }
}

function openFile(path: string): ConsoleOutput {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'w');
  } catch (error) {
    throw usageError(`--serial: ${path} ${describeFileError(error)}`);
  }
  return new BufferedSink(
    (bytes) => writeAll(descriptor, bytes),
    () => closeSync(descriptor),
  );
}

/** Collects bytes until a full buffer or the next turn of the event loop. */
class BufferedSink implements ConsoleOutput {
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #length = 0;
  #isScheduled = false;
  #isClosed = false;

  constructor(
    readonly output: (bytes: Uint8Array) => void,
    readonly onClose?: () => void,
  ) {}

  write(byte: number): void {
    this.#buffer[this.#length++] = byte;
    if (this.#length === BUFFER_SIZE) this.flush();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#length === 0 || this.#isClosed) return;
    const bytes = this.#buffer.slice(0, this.#length);
    this.#length = 0;
    this.output(bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    this.onClose?.();
  }
}

/**
 * Gives what comes over standard input to the guest: what is typed on a terminal, or what a pipe or file holds. Returns
 * how to stop that.
 */
export function readConsole(receive: (bytes: Uint8Array) => void): () => void {
  const isTerminal = process.stdin.isTTY === true;
  const keys = new KeyFilter();
  const onData = (typed: Buffer): void => {
    const { bytes, ends } = isTerminal ? keys.take(typed) : { bytes: typed, ends: 0 };
    receive(bytes);
    for (let end = 0; end < ends; end++) process.kill(process.pid, 'SIGINT');
  };
  const restore = isTerminal ? makeRaw(process.stdin) : undefined;
  const onError = (): void => {};
  process.stdin.on('data', onData);
  process.stdin.on('error', onError);
  return () => {
    restore?.();
    process.stdin.off('data', onData);
    process.stdin.pause();
    process.stdin.unref?.();
  };
}

/** Bytes from the host on their way to the serial port. */
import type { Board } from './machine-board.js';
import type { MachineTaps } from './machine-taps.js';

/** Holds what the port has no room for yet. */
export class HostInput {
  readonly #bytes: number[] = [];
  readonly #one = new Uint8Array(1);

  get isEmpty(): boolean {
    return this.#bytes.length === 0;
  }

  /** Bytes came. */
  push(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  /** Gives the port what it takes. */
  feed(board: Board, taps: MachineTaps): void {
    while (this.#bytes.length > 0) {
      this.#one[0] = this.#bytes[0] as number;
      if (!board.receive(this.#one)) return;
      this.#bytes.shift();
      taps.input(this.#one[0] as number);
    }
  }
}

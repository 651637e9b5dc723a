/**
 * Chance that is the same for the same seed on every host: xoshiro128** 1.1 (Blackman and Vigna, 2018), seeded by
 * SplitMix32. This is the only source of random numbers in the product.
 */
export class Prng {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let counter = seed >>> 0;
    for (let index = 0; index < 4; index++) {
      counter = (counter + 0x9e37_79b9) >>> 0;
      let mixed = Math.imul(counter ^ (counter >>> 16), 0x21f0_aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
      this.#state[index] = mixed ^ (mixed >>> 15);
    }
    // All zeros is the one state that never changes.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** The four words of the state. */
  save(): number[] {
    return [...this.#state];
  }

  /** Goes on as the one whose state this was. */
  load(words: readonly number[]): void {
    this.#state.set(words);
  }

  /** The next u32. */
  u32(): number {
    const state = this.#state;
    // Not by destructuring, which goes through an iterator and costs several times as much.
    const a = state[0] as number;
    const b = state[1] as number;
    const c = state[2] as number;
    const d = state[3] as number;
    const five = Math.imul(b, 5);
    const answer = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    state[2] = c ^ a;
    state[3] = d ^ b;
    state[1] = b ^ (state[2] as number);
    state[0] = a ^ (state[3] as number);
    state[2] = (state[2] as number) ^ (b << 9);
    const last = state[3] as number;
    state[3] = (last << 11) | (last >>> 21);
    return answer;
  }

  /** A whole number from 0 to `limit` - 1; `limit` is 1 to 2^32. */
  below(limit: number): number {
    // Rejects the last, incomplete multiple of `limit`, so that every answer is equally likely.
    const usable = 0x1_0000_0000 - (0x1_0000_0000 % limit);
    for (;;) {
      const value = this.u32();
      if (value < usable) return value % limit;
    }
  }
}

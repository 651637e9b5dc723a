/** Thrown by {@link assert}: a bug of vmtape, never of its input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Holds in every build. `fact` is what must be true, said positively. */
export function assert(condition: boolean, fact: string): asserts condition {
  if (!condition) throw new AssertionError(`vmtape bug: this does not hold: ${fact}`);
}

/** For the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`vmtape bug: unexpected value ${String(value)}`);
}

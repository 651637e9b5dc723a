/** Sets of interrupt vectors: eight words of 32, as in ISR, TMR and IRR (Intel SDM volume 3A, section 10.8.4). */

/** The set with a vector in it or not. */
export function putVector(set: number[], vector: number, isIn: boolean): void {
  const word = vector >> 5;
  const bit = 1 << (vector & 31);
  set[word] = (isIn ? (set[word] as number) | bit : (set[word] as number) & ~bit) >>> 0;
}

/** Whether a vector is in the set. */
export function hasVector(set: readonly number[], vector: number): boolean {
  return (((set[vector >> 5] as number) >>> (vector & 31)) & 1) === 1;
}

/** The highest vector in the set, which has the highest priority; -1: it is empty. */
export function highestVector(set: readonly number[]): number {
  for (let word = 7; word >= 0; word--) {
    const bits = set[word] as number;
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
  }
  return -1;
}

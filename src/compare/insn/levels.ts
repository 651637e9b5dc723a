/**
 * Where instructions are executed: `user` 64-bit code at CPL 3, `user32` and `user16` 32- and 16-bit code there, `kernel` CPL 0 in 64- and
 * 32-bit code, `real` real mode.
 */
export type Level = 'user' | 'user32' | 'user16' | 'kernel' | 'real';

/** Those at CPL 3. */
export const USER_LEVELS: readonly Level[] = ['user', 'user32', 'user16'];

/** Is it one of those? */
export function isUserLevel(level: Level): boolean {
  return USER_LEVELS.includes(level);
}

/**
 * The command line that keeps Linux from what a host's KVM shows it although CPUID was to hide it, and a replay on the interpreter lacks
 * (docs/booting.md says why these words).
 */

/** Features that `clearcpuid=` takes from a kernel. */
const CLEARED = ['rdrand', 'rdseed', 'shstk'];
const CLEAR = 'clearcpuid=';
/** Without its vDSOs (of 64 and of 32 bits) Linux answers a program that asks for the time, and its own RDTSC is hooked. */
const NO_VDSO = ['vdso=0', 'vdso32=0'];

/** The words for a kernel that sees the features `beyond` the model; none: it needs none. */
export function proposedWords(beyond: readonly string[]): string[] {
  return missingWords(beyond, '');
}

/** The same in words, for the ledger. */
export function proposedCommandLine(beyond: readonly string[]): string {
  const words = proposedWords(beyond);
  return words.length === 0 ? 'nothing special: it does not use them unasked' : words.join(' ');
}

/**
 * The words of {@link proposedWords} that a Linux command line lacks. A `clearcpuid=` has what the line clears already: of several, Linux takes
 * the last (Linux, arch/x86/lib/cmdline.c).
 */
export function missingWords(beyond: readonly string[], commandLine: string): string[] {
  const given = commandLine.split(/\s+/);
  const last = given.filter((word) => word.startsWith(CLEAR)).at(-1);
  const cleared = last?.slice(CLEAR.length).split(',') ?? [];
  const uncleared = CLEARED.filter((name) => beyond.includes(name) && !cleared.includes(name));
  return [
    ...(beyond.includes('xsave') && !given.includes('noxsave') ? ['noxsave'] : []),
    ...(uncleared.length > 0 ? [CLEAR + [...cleared, ...uncleared].join(',')] : []),
  ];
}

/** The words that a Linux command line lacks for programs to ask the kernel for the time; what it says of a vDSO stays. */
export function missingVdsoWords(commandLine: string): string[] {
  const given = commandLine.split(/\s+/).map((word) => word.replace(/=.*/, '='));
  return NO_VDSO.filter((word) => !given.includes(word.replace(/=.*/, '=')));
}

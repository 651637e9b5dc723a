/** Whether KVM can be used here, asked of the command itself. */

import { vmtape } from './cli.js';
import { guestOptions } from './guest-sources.js';

/** A guest of corpora/guests on KVM, all of it. */
function runOnKvm(guest: string): ReturnType<typeof vmtape> {
  return vmtape(['run', '--engine', 'kvm', '--assist-user', 'off', '--timeout', '30', ...guestOptions(guest)]);
}

let answer: Promise<string | undefined> | undefined;

/** Undefined: guests run on KVM here. Else the reason why not, in the command's own words. */
export function whyNoKvm(): Promise<string | undefined> {
  answer ??= runOnKvm('selfmod').then((result) => (result.code === 6 ? result.stderr.trim() : undefined));
  return answer;
}

let syscall: Promise<boolean> | undefined;

/**
 * The KVM of this host does SYSCALL from ring 3 and INT n in 64-bit code as a processor does. Software-nested ones may
 * not (head of corpora/guests/long-syscall.s), and then no recording of that guest can agree with the interpreter.
 */
export function kvmDoesSyscall(): Promise<boolean> {
  syscall ??= runOnKvm('long-syscall').then((result) => result.code === 33);
  return syscall;
}

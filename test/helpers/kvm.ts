/** Whether KVM can be used here, asked of the command itself. */

import { vmtape } from './cli.js';
import { guestOptions } from './guest-sources.js';

let answer: Promise<string | undefined> | undefined;

/** Undefined: guests run on KVM here. Else the reason why not, in the command's own words. */
export function whyNoKvm(): Promise<string | undefined> {
  answer ??= vmtape(['run', '--engine', 'kvm', '--timeout', '30', ...guestOptions('selfmod')]).then((result) =>
    result.code === 6 ? result.stderr.trim() : undefined,
  );
  return answer;
}

/**
 * The errors of loading a guest. A file that is not what its option says is a usage error (exit code 2), as the user
 * named the wrong file; so is a guest that the chosen machine cannot hold.
 */
import { ExitCode, VmtapeError } from '../../base/errors.js';

/** The file is not a guest of the kind asked for. `what` is the predicate: "is not …". */
export function notAKernel(name: string, what: string): VmtapeError {
  return new VmtapeError(
    'VMTAPE_NOT_A_KERNEL',
    `${name} ${what}`,
    ExitCode.Usage,
    '--kernel takes a Linux bzImage, a vmlinux or a Multiboot 1 image; raw code is for --flat',
  );
}

/** The guest does not fit into the memory of the machine. `what` is the subject with its sizes. */
export function doesNotFit(what: string, memorySize: number): VmtapeError {
  return new VmtapeError(
    'VMTAPE_DOES_NOT_FIT',
    `${what} does not fit into ${formatSize(memorySize)} of guest memory`,
    ExitCode.Usage,
    'give the machine more with --mem',
  );
}

/** A boot option that cannot be obeyed. */
export function badBoot(message: string, hint?: string): VmtapeError {
  return new VmtapeError('VMTAPE_BOOT', message, ExitCode.Usage, hint);
}

/** A size in bytes for people: `128 MiB`, `1.5 MiB`, `300 KiB`, `12 bytes`. */
export function formatSize(bytes: number): string {
  const units = [
    ['GiB', 0x4000_0000],
    ['MiB', 0x10_0000],
    ['KiB', 0x400],
  ] as const;
  for (const [unit, size] of units) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} byte${bytes === 1 ? '' : 's'}`;
}

/** Operating errors: a stable code, one sentence, and what to do next (design, section 8). */

/** Exit codes of the command line (design, section 8). */
export const ExitCode = {
  Ok: 0,
  GuestFailed: 1,
  Usage: 2,
  Divergence: 3,
  Finding: 4,
  BadFile: 5,
  HostCannot: 6,
} as const;
/** A value of {@link ExitCode}. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An error that a user can do something about. `message` is one sentence; `hint`, where given, says what to do next. */
export class VmtapeError extends Error {
  override readonly name = 'VmtapeError';
  constructor(
    /** Stable: VMTAPE_ and capitals. */
    readonly code: `VMTAPE_${string}`,
    message: string,
    /** The exit code of a command that ends with this error. */
    readonly exitCode: ExitCode,
    readonly hint?: string,
  ) {
    super(message);
  }
}

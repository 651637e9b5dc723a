/** How a command ends that fails: one line on standard error, and an exit code; never a stack trace. */
import { CommanderError } from 'commander';
import { AssertionError } from '../base/assert.js';
import { ExitCode, VmtapeError } from '../base/errors.js';

/** Prints what went wrong and returns the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
  process.stderr.write(`vmtape: ${describe(error)}\n`);
  return error instanceof VmtapeError ? error.exitCode : ExitCode.GuestFailed;
}

function describe(error: unknown): string {
  if (error instanceof VmtapeError) {
    const hint = error.hint === undefined ? '' : ` (${oneLine(error.hint)})`;
    return `${oneLine(error.message)}${hint}`;
  }
  if (error instanceof AssertionError) return oneLine(error.message);
  const { message, stack } = error as { message?: string; stack?: string };
  const where = /\bat .*?((?:src|dist)\/[^\s)]+)/.exec(stack ?? '')?.[1];
  return `vmtape bug: ${oneLine(message ?? String(error))}${where === undefined ? '' : ` at ${where}`}`;
}

/** A sentence without line breaks and without the full stop. */
function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replace(/\.$/, '');
}

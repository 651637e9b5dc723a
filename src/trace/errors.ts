/** The errors of a trace file; exit code 5. Each names the frame and the byte of the file where there is one. */
import { ExitCode, VmtapeError } from '../base/errors.js';
import { TRACE_VERSION } from './format.js';

/** A place in a trace file. */
export interface TracePlace {
  readonly path: string;
  /** The number of the frame; 0 is the first behind the prelude. */
  readonly frame: number;
  /** The offset in the file. */
  readonly byte: number;
}

function at(place: TracePlace): string {
  return `frame ${place.frame} at byte ${place.byte}`;
}

/** It does not begin as a trace does. */
export function foreignTrace(path: string, what: string): VmtapeError {
  return new VmtapeError(
    'VMTAPE_TRACE_FOREIGN',
    `${path} is not a vmtape trace: ${what}`,
    ExitCode.BadFile,
    'make one with: vmtape record -o FILE',
  );
}

/** A version that this vmtape does not know. */
export function unknownTraceVersion(path: string, version: number): VmtapeError {
  const hint =
    version === 0
      ? 'version 0 was a trial that no release writes: record the guest again'
      : `read it with a newer vmtape, one whose changelog names trace version ${version}`;
  const message = `${path} is a trace of version ${version}; this vmtape reads version ${TRACE_VERSION}`;
  return new VmtapeError('VMTAPE_TRACE_VERSION', message, ExitCode.BadFile, hint);
}

/** The file ends within a frame or without the mark of a clean end. */
export function truncatedTrace(place: TracePlace, what: string): VmtapeError {
  return new VmtapeError(
    'VMTAPE_TRACE_TRUNCATED',
    `${place.path} is truncated: ${at(place)} ${what}`,
    ExitCode.BadFile,
    'the recorder did not end cleanly, or the file was not copied whole; what is before it is readable: vmtape repair',
  );
}

/** Bytes that the writer could not have written. */
export function damagedTrace(place: TracePlace, what: string): VmtapeError {
  return new VmtapeError('VMTAPE_TRACE_DAMAGED', `${place.path} is damaged: ${at(place)} ${what}`, ExitCode.BadFile);
}

/** The operating system refused to read or write it. */
export function traceFileError(path: string, error: unknown): VmtapeError {
  const { code } = error as { code?: string };
  const sentences: Record<string, string> = {
    ENOENT: 'does not exist',
    EACCES: 'may not be opened: no permission',
    EPERM: 'may not be opened: no permission',
    EISDIR: 'is a directory',
    ENOSPC: 'cannot be written: no space is left on the device',
    ENOTDIR: 'does not exist: a part of its path is not a directory',
  };
  const what = sentences[code ?? ''] ?? `cannot be read or written: ${code ?? String(error)}`;
  return new VmtapeError('VMTAPE_TRACE_FILE', `${path} ${what}`, ExitCode.BadFile);
}

/** The file is what is wrong, and not the program. */
export function isTraceError(error: unknown): error is VmtapeError {
  return error instanceof VmtapeError && error.exitCode === ExitCode.BadFile;
}

/** Runs the real command, as a user does: bin/vmtape.mjs in a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The project's folder, with a slash at its end. */
export const top = fileURLToPath(new URL('../../', import.meta.url));

/** What a command did. */
export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Bytes as Latin-1. */
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run it. */
export interface CliOptions {
  readonly cwd?: string;
  /** Sends this signal once the predicate holds for what was printed so far. */
  readonly signalWhen?: (stdout: string) => boolean;
}

/** Runs `vmtape …` to its end. Standard input is empty. */
export function vmtape(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(top, 'bin/vmtape.mjs'), ...args], {
      cwd: options.cwd ?? top,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let signalled = false;
    child.stdout.on('data', (bytes: Buffer) => {
      stdout += bytes.toString('latin1');
      if (signalled || !options.signalWhen?.(stdout)) return;
      signalled = true;
      child.kill('SIGINT');
    });
    child.stderr.on('data', (bytes: Buffer) => {
      stderr += bytes.toString('utf8');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A folder for the files of one test file, gone at its end. */
export function workFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vmtape-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Files that are written beside their place, and renamed to it when they are whole. However the process ends, but by SIGKILL, those that are
 * not whole are removed: where nobody else listens to a signal that ends a process, this does, and exits.
 */
import { rmSync } from 'node:fs';
import { type EndingSignal, endingSignals, signalExit } from './signals.js';

const parts = new Set<string>();

/** The file at `path` is about to be made. */
export function beginPart(path: string): void {
  if (parts.size === 0) {
    process.on('exit', removeParts);
    for (const signal of endingSignals) process.on(signal, onSignal);
  }
  parts.add(path);
}

/** It is whole and in its place, or was removed. Idempotent. */
export function endPart(path: string): void {
  if (!parts.delete(path) || parts.size > 0) return;
  process.off('exit', removeParts);
  for (const signal of endingSignals) process.off(signal, onSignal);
}

/** Removes it, unless it has ended. Idempotent. */
export function removePart(path: string): void {
  if (parts.has(path)) rmSync(path, { force: true });
  endPart(path);
}

function removeParts(): void {
  for (const path of parts) rmSync(path, { force: true });
}

function onSignal(signal: EndingSignal): void {
  // Who else listens ends the work by itself.
  if (process.listenerCount(signal) > 1) return;
  process.exit(signalExit(signal));
}

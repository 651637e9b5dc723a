/** Why tests that need KVM are skipped here; undefined where they run. */
import { KvmSystem } from '../../src/vmm/cpu/addon.js';

function probe(): string | undefined {
  try {
    new KvmSystem().close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The reason, to be shown in the name of the skipped suite. */
export const kvmMissing = probe();
/** Ends the name of a suite. */
export const kvmNote = kvmMissing === undefined ? '' : ` [skipped: ${kvmMissing}]`;

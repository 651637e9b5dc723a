/** Traces of each version of the format, kept in corpora/traces. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { openTrace } from '../../src/trace/open.js';

const corpus = new URL('../../corpora/traces', import.meta.url).pathname;

describe('a trace of version 0', () => {
  it('is refused with a sentence that says what to do', async () => {
    const error = await openTrace(join(corpus, 'version-0.vmtape')).catch((thrown: unknown) => thrown);
    if (!(error instanceof VmtapeError)) throw error;
    expect(error.code).toBe('VMTAPE_TRACE_VERSION');
    expect(error.exitCode).toBe(5);
    expect(error.message).toContain('is a trace of version 0; this vmtape reads version 1');
    expect(error.hint).toContain('record the guest again');
  });
});

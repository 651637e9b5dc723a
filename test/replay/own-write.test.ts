/** The port of the hooks, written by the guest itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { machineOf, noKvm, record, replay } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-own-write-'));
afterAll(() => rmSync(directory, { recursive: true }));

// rdtsc (hooked); mov eax,12345678; out e2,eax; mov al,10; out f4,al
const image = Uint8Array.of(0x0f, 0x31, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xe7, 0xe2, 0xb0, 0x10, 0xe6, 0xf4);

describe.each(['interp', 'kvm'] as const)('on %s', (engine) => {
  it.skipIf(engine === 'kvm' && noKvm !== undefined)('a write that is no hook is a write', async () => {
    const path = join(directory, engine);
    const summary = await record(machineOf(engine, image, 'prot32', 0x10_0000), path);
    expect(summary.end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
    const lines = linesOf(path).filter((line) => /hook|io-write/.test(line));
    expect(lines).toEqual([
      expect.stringContaining('hook'),
      expect.stringContaining('io-write port 0xe2 size 4 = 0x12345678'),
      expect.stringContaining('io-write port 0xf4'),
    ]);
    for (const mode of ['machine', 'cpu'] as const) {
      expect(await replay(path, 'interp', mode)).toMatchObject({ kind: 'complete' });
    }
  });
});

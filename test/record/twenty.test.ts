import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PRELUDE_SIZE } from '../../src/trace/format.js';
import { guests, imageOf, machineOf, noKvm, record, replay, Text } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-twenty-'));
afterAll(() => rmSync(directory, { recursive: true }));

const [mode, loadAt] = guests['prot32-ticks'] as (typeof guests)[string];

describe.skipIf(noKvm !== undefined)(`twenty recordings on KVM (${noKvm ?? 'it is there'})`, () => {
  it('of the interrupt guest differ from each other, and each replays exactly', async () => {
    const contents = new Set<string>();
    for (let index = 0; index < 20; index++) {
      const path = join(directory, `${index}`);
      const serial = new Text();
      const { end } = await record(machineOf('kvm', imageOf('prot32-ticks'), mode, loadAt, { serial }), path);
      expect(end.exitCode).toBe(33);
      contents.add(readFileSync(path).subarray(PRELUDE_SIZE).toString('latin1'));
      const replayed = new Text();
      const result = await replay(path, 'interp', index % 2 === 0 ? 'machine' : 'cpu', { serial: replayed });
      expect(result).toMatchObject({ kind: 'complete', notes: [] });
      expect(replayed.text).toBe(serial.text);
    }
    expect(contents.size).toBe(20);
  }, 120_000);
});

describe('two recordings on the interpreter', () => {
  it('are the same but for the prelude', async () => {
    const bytes: Buffer[] = [];
    for (const name of ['a', 'b']) {
      const path = join(directory, name);
      await record(machineOf('interp', imageOf('prot32-ticks'), mode, loadAt), path);
      bytes.push(readFileSync(path).subarray(PRELUDE_SIZE));
    }
    expect(bytes[0]?.equals(bytes[1] as Buffer)).toBe(true);
  });
});

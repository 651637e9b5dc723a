import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Machine } from '../../src/vmm/machine.js';
import { guests, imageOf, machineOf, noKvm, record, replay, Text } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-record-'));
afterAll(() => rmSync(directory, { recursive: true }));

const engines = ['interp', 'kvm'] as const;
/** test/e2e/tapes.test.ts has the fourth, machine mode on KVM. */
const replays = [
  ['interp', 'machine'],
  ['interp', 'cpu'],
  ['kvm', 'cpu'],
] as const;

/** Guests that this host's KVM cannot run: it is software, and its SYSCALL leaves the processor in ring 3. */
const beyondKvm = new Set<string>();
if (noKvm === undefined) {
  const [mode, loadAt] = guests['long-syscall'] as (typeof guests)[string];
  const machine = await Machine.open(
    machineOf('kvm', imageOf('long-syscall'), mode, loadAt, { limits: { timeout: 10 } }),
  );
  if ((await machine.run()).exitCode !== 33) beyondKvm.add('long-syscall');
  machine.close();
}

describe.each(engines)('recorded on %s', (recorder) => {
  describe.skipIf(recorder === 'kvm' && noKvm !== undefined)(`(${noKvm ?? 'KVM is there'})`, () => {
    const names = Object.keys(guests).filter((name) => recorder === 'interp' || !beyondKvm.has(name));
    describe.each(names)('the guest %s', (name) => {
      const path = join(directory, `${name}.${recorder}`);
      const serial = new Text();

      it('is recorded', async () => {
        const [mode, loadAt] = guests[name] as (typeof guests)[string];
        const options = machineOf(recorder, imageOf(name), mode, loadAt, { serial, limits: { timeout: 20 } });
        const summary = await record(options, path);
        expect(summary.end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
        expect(serial.text).not.toBe('');
      }, 70_000);

      for (const [engine, mode] of replays) {
        it.skipIf(engine === 'kvm' && (noKvm !== undefined || beyondKvm.has(name)))(
          `replays on ${engine} in ${mode} mode`,
          async () => {
            const replayed = new Text();
            const result = await replay(path, engine, mode, { serial: replayed });
            expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
            expect(replayed.text).toBe(serial.text);
          },
          70_000,
        );
      }
    });
  });
});

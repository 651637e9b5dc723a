/** A machine whose host bridge switches memory (corpora/guests/rom-windows.s), saved in the midst of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { CheckpointFile } from '../../src/replay/checkpoint-file.js';
import { TraceReader } from '../../src/trace/reader.js';
import { bootGuest } from '../../src/vmm/boot/boot.js';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import type { EngineName, MachineOptions } from '../../src/vmm/machine-options.js';
import { imageOf, noKvm, record, replay, Text } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-windows-'));
afterAll(() => rmSync(directory, { recursive: true }));

function machine(engine: EngineName, serial: Text): MachineOptions {
  const source = { kind: 'rom', rom: { name: 'rom-windows', bytes: imageOf('rom-windows') } } as const;
  const guest = bootGuest({ ramSize: 0x40_0000, source, hooks: new Set() });
  return { engine, guest, cpuid: vmtape64Cpuid(), host: realHost, serial, limits: { timeout: 20 } };
}

describe('recorded on the interpreter', () => {
  const path = join(directory, 'interp');
  const serial = new Text();

  it('says in its header which chipset it has', async () => {
    expect((await record(machine('interp', serial), path)).end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
    const reader = new TraceReader(path);
    reader.close();
    expect(reader.header).toMatchObject({ chipset: 'i440fx', romSize: 4096 });
  });

  it('goes on from a checkpoint in each state of its windows, in both modes', { timeout: 120_000 }, async () => {
    const file = new CheckpointFile(path, { every: 200 });
    await replay(path, 'interp', 'machine', { checkpoints: file });
    file.finish();
    const reader = new TraceReader(path);
    const starts = reader.checkpoints().map((one) => one.record);
    reader.close();
    expect(starts.length).toBeGreaterThan(5);
    for (const from of starts) {
      for (const mode of ['machine', 'cpu'] as const) {
        const text = new Text();
        const result = await replay(path, 'interp', mode, { from, serial: text });
        expect(result, `${mode} mode, record ${from}`).toMatchObject({ kind: 'complete', end: { exitCode: 33 } });
        expect(serial.text.endsWith(text.text)).toBe(true);
      }
    }
  });
});

describe.skipIf(noKvm !== undefined)(`on KVM (${noKvm ?? 'it is there'})`, () => {
  it('says the same, and replays on both engines', { timeout: 120_000 }, async () => {
    const path = join(directory, 'kvm');
    const serial = new Text();
    expect((await record(machine('kvm', serial), path)).end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
    for (const [engine, mode] of [
      ['interp', 'machine'],
      ['interp', 'cpu'],
      ['kvm', 'machine'],
      ['kvm', 'cpu'],
    ] as const) {
      const text = new Text();
      expect(await replay(path, engine, mode, { serial: text })).toMatchObject({ kind: 'complete', notes: [] });
      expect(text.text).toBe(serial.text);
    }
  });
});

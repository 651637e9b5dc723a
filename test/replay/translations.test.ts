/**
 * A replay that begins with a checkpoint has decoded no code yet. The guest `translations` clears accessed and dirty bits without INVLPG, and
 * changes code behind an exit: it would tell, if what the interpreter remembers of page tables hung on what it has decoded.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { CheckpointFile } from '../../src/replay/checkpoint-file.js';
import { ReplaySession } from '../../src/replay/session.js';
import { TraceReader } from '../../src/trace/reader.js';
import { imageOf, machineOf, record, replay, Text } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-translations-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('what the interpreter remembers of page tables', () => {
  const path = join(directory, 'translations.vmtape');
  const text = new Text();
  let records: number[] = [];

  beforeAll(async () => {
    const machine = machineOf('interp', imageOf('translations'), 'long64', 0x10_0000, { serial: text });
    await record(machine, path);
    const file = new CheckpointFile(path, { every: 1 });
    expect((await replay(path, 'interp', 'machine', { checkpoints: file })).kind).toBe('complete');
    file.finish();
    const reader = new TraceReader(path);
    records = reader.checkpoints().map((one) => one.record);
    reader.close();
  }, 60_000);

  it('is what its own history says: a cached translation sets no bit again, and one that lost its place does', () => {
    const round = (digit: number) => ` 0 0 1 ${digit} 0\n`;
    expect(text.text).toBe(`${[1, 2, 3].map(round).join('')}OK\n`);
  });

  it('is the same from every checkpoint on', async () => {
    expect(records.length).toBeGreaterThan(50);
    const different: string[] = [];
    for (const from of records) {
      const session = await ReplaySession.open({ path, from, mode: 'machine', host: realHost });
      const result = await session.run();
      if (result.kind !== 'complete') different.push(`${from}: ${JSON.stringify(result, undefined, 1).slice(0, 200)}`);
      session.close();
    }
    expect(different).toEqual([]);
  }, 120_000);
});

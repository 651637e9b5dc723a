import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { areEqual, replayMatrix } from '../../scripts/replay-matrix.js';
import { editTrace } from '../../src/trace/edit.js';
import { RecordKind } from '../../src/trace/record.js';
import { top, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const trace = join(top, 'corpora/traces/version-1.1.vmtape');
const options = {
  replays: 1,
  nodes: [process.execPath],
  modes: ['machine', 'cpu'],
  timeout: 60,
  command: join(top, 'dist/src/cli/main.js'),
};

it.skipIf(!existsSync(options.command))(
  'a trace replays equally in both modes, in processes of their own',
  async () => {
    const replays = await replayMatrix({ ...options, trace });
    expect(replays.map(({ mode, records, states }) => [mode, records, states])).toEqual([
      ['machine', 5003, 1],
      ['cpu', 5003, 1],
    ]);
    expect(replays[0]?.version).toBe(process.version);
    expect(areEqual(replays)).toBe(true);
  },
);

it.skipIf(!existsSync(options.command))('a trace that differs, and a Node that there is not, are said', async () => {
  const other = join(folder, 'other');
  editTrace(trace, other, {
    record(one) {
      if (one.ordinal === 40 && one.kind === RecordKind.IoWrite) one.data[0] = 0;
      return true;
    },
  });
  const differing = await replayMatrix({ ...options, trace: other, modes: ['cpu'] });
  expect(areEqual(differing)).toBe(false);
  expect(differing[0]?.message).toBe('diverges at record 40: the guest writes another value');
  const missing = await replayMatrix({ ...options, trace, modes: ['cpu'], nodes: [join(folder, 'node')] });
  expect(missing[0]?.message).toContain('ENOENT');
});

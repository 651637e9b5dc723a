/** Every bad input: one line on standard error, its exit code, never a stack trace. */
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { vmtape, workFolder } from '../helpers/cli.js';
import { guestFolder, guestOptions } from '../helpers/guest-sources.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
const clocks = join(guestFolder, 'clocks.bin');
const prot32 = ['--flat', clocks, '--load-at', '0x100000', '--mode', 'prot32'];

beforeAll(async () => {
  await vmtape(['record', '--engine', 'interp', ...guestOptions('selfmod'), '-o', at('good.vmtape')]);
  const good = readFileSync(at('good.vmtape'));
  const cuts = { first: 10, middle: Math.floor(good.length / 2), last: good.length - 1 };
  for (const [name, kept] of Object.entries(cuts)) {
    copyFileSync(at('good.vmtape'), at(`cut-${name}`));
    truncateSync(at(`cut-${name}`), kept);
  }
  const newer = Buffer.from(good);
  newer.writeUInt32LE(99, 8);
  writeFileSync(at('newer.vmtape'), newer);
  const flipped = Buffer.from(good);
  const middle = Math.floor(good.length / 2);
  flipped[middle] = (flipped[middle] ?? 0) ^ 0xff;
  writeFileSync(at('flipped.vmtape'), flipped);
  writeFileSync(at('text.vmtape'), 'This is no trace.\nNot at all.\n');
  writeFileSync(at('empty'), '');
  writeFileSync(at('text.txt'), 'This is no kernel.\n');
  writeFileSync(at('two-mebibytes'), Buffer.alloc(2 << 20));
});

const cases: readonly (readonly [what: string, code: number, args: () => string[]])[] = [
  ['no guest', 2, () => ['run']],
  ['two guests', 2, () => ['run', '--flat', clocks, '--kernel', clocks]],
  ['an unknown option', 2, () => ['run', '--nonsense']],
  ['an unknown command', 2, () => ['nonsense']],
  ['record without -o', 2, () => ['record', ...prot32]],
  ['a mode that does not exist', 2, () => ['run', '--flat', clocks, '--mode', 'prot16']],
  ['an engine that does not exist', 2, () => ['run', '--engine', 'bochs', ...prot32]],
  ['memory: no number', 2, () => ['run', '--mem', 'lots', ...prot32]],
  ['memory: too little', 2, () => ['run', '--mem', '1K', ...prot32]],
  ['memory: too much', 2, () => ['run', '--mem', '64G', ...prot32]],
  ['a load address that is none', 2, () => ['run', '--flat', clocks, '--load-at', 'here', '--mode', 'prot32']],
  ['counting on KVM', 2, () => ['run', '--engine', 'kvm', '--max-instructions', '5', ...prot32]],
  ['an initrd without a kernel', 2, () => ['run', ...prot32, '--initrd', clocks]],
  ['a timeout that is none', 2, () => ['run', '--timeout', '-1', ...prot32]],
  ['a missing image', 2, () => ['run', '--flat', at('missing'), '--load-at', '0x7c00']],
  ['a missing kernel', 2, () => ['run', '--kernel', at('missing')]],
  ['a folder as kernel', 2, () => ['run', '--kernel', folder]],
  ['a text as kernel', 2, () => ['run', '--kernel', at('text.txt')]],
  ['an empty kernel', 2, () => ['run', '--kernel', at('empty')]],
  ['an image larger than memory', 2, () => ['run', '--mem', '1M', '--flat', at('two-mebibytes'), '--load-at', '0']],
  ['a trace that cannot be written', 2, () => ['record', ...prot32, '-o', at('no/such/folder/x.vmtape')]],
  ['a missing trace', 2, () => ['replay', at('missing.vmtape')]],
  ['a folder as trace', 2, () => ['replay', folder]],
  ['a text as trace', 5, () => ['replay', at('text.vmtape')]],
  ['an empty trace', 5, () => ['replay', at('empty')]],
  ['a trace of a newer version', 5, () => ['replay', at('newer.vmtape')]],
  ['a trace cut within its first bytes', 5, () => ['replay', '--serial', 'none', at('cut-first')]],
  ['a trace cut in the middle', 5, () => ['replay', '--serial', 'none', at('cut-middle')]],
  ['a trace without its last byte', 5, () => ['replay', '--serial', 'none', at('cut-last')]],
  ['a trace with a flipped byte', 5, () => ['replay', '--serial', 'none', at('flipped.vmtape')]],
  ['inspecting a text', 5, () => ['inspect', at('text.vmtape')]],
  ['a replay mode that does not exist', 2, () => ['replay', '--mode', 'video', at('good.vmtape')]],
  ['an ordinal that is none', 2, () => ['replay', '--until', 'noon', at('good.vmtape')]],
];

test.each(cases)('%s', async (_what, code, args) => {
  const result = await vmtape(args());
  expect(result.stderr, result.stderr).toMatch(/^vmtape: [^\n]+\n$/);
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(result.stderr).not.toMatch(/vmtape bug/);
  expect(result.code).toBe(code);
});

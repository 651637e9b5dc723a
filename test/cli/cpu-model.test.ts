import { expect, test } from 'vitest';
import { parseCpu } from '../../src/cli/cpu-model.js';
import { cpuidFor } from '../../src/cli/engine.js';
import { featureNames } from '../../src/vmm/cpu/cpuid-features.js';

test('--cpu adds options to the model and takes features from it', async () => {
  expect(parseCpu('vmtape64')).toEqual({ added: [], removed: [] });
  expect(parseCpu('vmtape64,+aes,+pclmulqdq,+sha')).toEqual({ added: ['aes', 'pclmulqdq', 'sha_ni'], removed: [] });
  expect(parseCpu('vmtape64,-smap,+lzcnt')).toEqual({ added: ['abm'], removed: ['smap'] });
  // The last word counts; what the model has anyway is no addition.
  expect(parseCpu('vmtape64,+aes,-aes,-smep,+smep')).toEqual({ added: [], removed: ['aes'] });

  const names = featureNames(await cpuidFor('hook', 'interp', parseCpu('vmtape64,+aes,-smap')));
  expect(names).toContain('aes');
  expect(names).not.toContain('smap');
  expect(featureNames(await cpuidFor('hook', 'interp'))).toContain('smap');
});

test.each([
  ['vmtape32', '--cpu vmtape32 is not known'],
  ['+aes', '--cpu +aes is not known'],
  ['vmtape64,aes', '--cpu vmtape64,aes: aes has no + or - before it'],
  ['vmtape64,', '--cpu vmtape64,: nothing has no + or - before it'],
  ['vmtape64,+avx', '--cpu: there is no feature avx'],
  ['vmtape64,+toString', '--cpu: there is no feature tostring'],
  ['vmtape64,-lm', '--cpu: no machine goes without lm'],
])('--cpu %s is refused in one line', (text, message) => {
  expect(() => parseCpu(text)).toThrow(expect.objectContaining({ code: 'VMTAPE_USAGE', exitCode: 2, message }));
});

import { expect, test } from 'vitest';
import { MODEL_OPTIONS, vmtape64Cpuid } from '../../../src/vmm/cpu/cpuid.js';
import { hiddenFeatures, hiddenOfTrace } from '../../../src/vmm/cpu/hidden.js';

test('a processor executes what it has and CPUID does not show, but for what KVM can take away', () => {
  const host = vmtape64Cpuid(MODEL_OPTIONS);
  const shown = vmtape64Cpuid(['aes'], ['smap', 'rdtscp', 'invpcid', 'fsgsbase']);
  const hidden = hiddenFeatures(host, shown);
  for (const name of ['smap', 'bmi1', 'abm', 'adx', 'sha_ni', 'pclmulqdq']) expect(hidden).toContain(name);
  for (const name of ['aes', 'sse2', 'rdtscp', 'invpcid', 'fsgsbase']) expect(hidden).not.toContain(name);
  expect(hiddenFeatures(shown, host)).toEqual([]);
});

test('the list of a trace is read with care', () => {
  expect(hiddenOfTrace({})).toEqual([]);
  expect(hiddenOfTrace({ hidden: 'bmi1' })).toEqual([]);
  expect(hiddenOfTrace({ hidden: ['bmi1', 7, 'of another vmtape', 'abm'] })).toEqual(['bmi1', 'abm']);
});

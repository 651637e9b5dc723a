import { expect, test } from 'vitest';
import { parseCpu } from '../../src/cli/cpu-model.js';
import { chooseEngine, cpuidFor, examineEngine, hooksFor, whyNotKvm } from '../../src/cli/engine.js';
import { Ledger } from '../../src/record/ledger.js';
import type { HostReport } from '../../src/record/probes/host.js';
import { featureNames } from '../../src/vmm/cpu/cpuid-features.js';
import { HookKind } from '../../src/vmm/hooks/table.js';
import { file, load } from '../helpers/boot.js';

test('--tsc hide takes the time-stamp counter out of CPUID, and nothing else', async () => {
  const shown = featureNames(await cpuidFor('hook', 'interp'));
  const hidden = featureNames(await cpuidFor('hide', 'interp'));
  expect(shown.filter((name) => !hidden.includes(name)).sort()).toEqual(['rdtscp', 'tsc']);
});

test('--cpu vmtape64,-apic takes the local APIC out of CPUID, and nothing else', async () => {
  const shown = featureNames(await cpuidFor('hook', 'interp'));
  const without = featureNames(await cpuidFor('hook', 'interp', parseCpu('vmtape64,-apic')));
  expect(shown.filter((name) => !without.includes(name))).toEqual(['apic']);
});

test('only --tsc hook replaces RDTSC; random numbers and CPUID are always the machine’s', () => {
  for (const policy of ['hook', 'hide', 'pass'] as const) {
    const kinds = hooksFor(policy);
    expect(kinds.has(HookKind.Rdtsc)).toBe(policy === 'hook');
    expect(kinds.has(HookKind.Rdtscp)).toBe(policy === 'hook');
    for (const kind of [HookKind.Rdrand, HookKind.Rdseed, HookKind.Cpuid]) expect(kinds.has(kind)).toBe(true);
  }
});

test('an engine that is named is taken; auto is KVM where it works', async () => {
  expect(await chooseEngine('interp')).toEqual({ engine: 'interp' });
  expect(await chooseEngine('kvm')).toEqual({ engine: 'kvm' });
  const reason = await whyNotKvm();
  expect(await chooseEngine('auto')).toEqual(reason === undefined ? { engine: 'kvm' } : { engine: 'interp', reason });
});

test('the interpreter needs no examination', async () => {
  const guest = load({ kind: 'flat', image: file([0xf4]), loadAt: 0x7c00, mode: 'real' });
  const facts = await examineEngine('interp', 'hook', guest);
  expect(facts.windowExact).toBe(true);
  expect(facts.ledger.rows.filter(({ status }) => status === 'open')).toEqual([]);
});

test('what would be hooked is open where the code cannot be searched', () => {
  const host = { kvm: { available: true }, rdtscExits: false, probes: [] } as unknown as HostReport;
  const row = (isUnscanned: boolean) => new Ledger({ engine: 'kvm', tsc: 'hook', host, isUnscanned }).row('tsc');
  expect(row(false).status).toBe('hooked');
  expect(row(true).status).toBe('open');
  expect(row(true).how).toContain('bzImage');
});

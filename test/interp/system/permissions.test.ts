/** Page-table rights over all levels, sizes and forms: a verdict a case from a guest, against the text of the manual; and KVM beside it. */
import { describe, expect, it } from 'vitest';
import { featureNames, findCpuid } from '../../../src/vmm/cpu/cpuid-features.js';
import type { CpuidEntry } from '../../../src/vmm/cpu/vcpu.js';
import { kvmMissing, kvmNote } from '../../native/kvm-host.js';
import { casesOf, MAPPINGS, type Mapping } from './permission-cases.js';
import { type Observation, observe } from './permission-guest.js';
import { describeCase, expectedOutcome, type PagingCase } from './permission-oracle.js';
import { TEST_CPUID } from './system-guest.js';

/** MAXPHYADDR of TEST_CPUID. */
const WIDTH = 40;
const ACCESSED = 0x20n;
const SHOWN = 20;

/** The cases that came out otherwise than the manual says, a line each. */
function deviations(cases: readonly PagingCase[], seen: readonly Observation[], width: number): string[] {
  return cases.flatMap((one, i) => {
    const { verdict, sets } = expectedOutcome(one, width);
    const observed = seen[i] as Observation;
    const entries = one.entries.map((entry, level) => entry | (sets[level] as bigint));
    // A fault may leave accessed bits in the entries that it used (4.8).
    const left = observed.entries.map((entry, level) =>
      verdict === 'ok' ? entry : (entry & ~ACCESSED) | ((one.entries[level] as bigint) & ACCESSED),
    );
    // #GP(0) of the MOV to CR3 says where it was, too.
    const same = observed.verdict === verdict || (verdict === '#GP(0)' && observed.verdict.startsWith(verdict));
    const line = `${describeCase(one)}: ${verdict} ${entries}, here ${observed.verdict} ${left}`;
    return same && String(left) === String(entries) ? [] : [line];
  });
}

/** The least number of cases, and the verdicts that must be among them: a generator that makes nothing must not pass. */
const LEAST: Readonly<Record<string, number>> = { '32-bit': 500, PAE: 2500, '4-level': 3500 };

describe.each(MAPPINGS)('$text', (mapping) => {
  it('allows, faults, and marks entries as the manual says', async () => {
    const cases = casesOf(mapping, { smap: true, width: WIDTH });
    expect(cases.length).toBeGreaterThan(LEAST[mapping.form] as number);
    const seen = await observe('interp', cases, TEST_CPUID);
    const verdicts = new Set(seen.map(({ verdict }) => verdict));
    for (const one of ['ok', '#PF(0)', '#PF(3)', '#PF(5)', '#PF(7)', '#PF(17)', '#PF(21)']) {
      expect(verdicts).toContain(one);
    }
    const wrong = deviations(cases, seen, WIDTH);
    expect(wrong.slice(0, SHOWN), `${wrong.length} of ${cases.length}`).toEqual([]);
  });

  it.skipIf(kvmMissing !== undefined)(`so does KVM${kvmNote}`, async (context) => {
    const { table, width } = await kvmTable();
    const names = featureNames(table);
    context.skip(mapping.leaf === 3 && !names.includes('pdpe1gb'), 'this KVM has no pages of 1 GiB');
    const has = { smap: names.includes('smap') && names.includes('smep'), width };
    const cases = casesOf(mapping, has);
    context.skip(await refusesPaging(mapping, cases, table), 'this KVM refuses CR0.PG outside long mode');
    const wrong = deviations(cases, await observe('kvm', cases, table), width);
    expect(wrong.slice(0, SHOWN), `${wrong.length} of ${cases.length}`).toEqual([]);
  });
});

/** The table as far as this KVM supports it, with its width of physical addresses, which no table changes where tables are nested. */
async function kvmTable(): Promise<{ table: CpuidEntry[]; width: number }> {
  const { supportedCpuid, withoutUnsupported } = await import('../../../src/vmm/cpu/kvm-cpuid.js');
  const supported = supportedCpuid();
  const sizes = findCpuid(supported, 0x8000_0008, 0)?.eax ?? WIDTH;
  const table = withoutUnsupported(TEST_CPUID, supported).map((row) =>
    row.function === 0x8000_0008 ? { ...row, eax: sizes } : row,
  );
  return { table, width: sizes & 0xff };
}

/** Software-nested KVM raises #GP(0) for the MOV to CR0 that enables 32-bit or PAE paging (docs/kvm-emulator.md). */
async function refusesPaging(mapping: Mapping, cases: PagingCase[], table: CpuidEntry[]): Promise<boolean> {
  if (mapping.form === '4-level') return false;
  const [seen] = await observe('kvm', cases.slice(0, 1), table);
  return seen?.verdict.startsWith('#GP(0)') === true;
}

/** A trace of another host: its CPU decides, and a refusal names what is missing. The traces are real ones with another header. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkFeatures, type DemandingHeader, featuresHint } from '../../src/replay/features.js';
import type { TraceHeader } from '../../src/trace/header.js';
import { TraceReader } from '../../src/trace/reader.js';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import { CPUID_FEATURES, featureNames } from '../../src/vmm/cpu/cpuid-features.js';
import { supportedCpuid } from '../../src/vmm/cpu/kvm-cpuid.js';
import type { CpuidEntry } from '../../src/vmm/cpu/vcpu.js';
import { vmtape, workFolder } from '../helpers/cli.js';
import { rewrite } from '../helpers/trace.js';
import { kvmMissing, kvmNote } from '../native/kvm-host.js';

const folder = workFolder();
const at = (name: string): string => join(folder, name);
const recorded = at('recorded.vmtape');
let header: TraceHeader;

beforeAll(async () => {
  // 16-bit code: mov eax,1; cpuid; mov al,'k'; mov dx,3f8; out dx,al; hlt
  writeFileSync(
    at('asks.bin'),
    Uint8Array.of(0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0xb0, 0x6b, 0xba, 0xf8, 3, 0xee, 0xf4),
  );
  // mov al,'k'; mov dx,3f8; out dx,al; hlt
  writeFileSync(at('asks-not.bin'), Uint8Array.of(0xb0, 0x6b, 0xba, 0xf8, 3, 0xee, 0xf4));
  expect(await record('asks', recorded)).toMatchObject({ code: 0, stdout: 'k' });
  const reader = new TraceReader(recorded);
  header = reader.header;
  reader.close();
});

const record = (name: string, to: string) =>
  vmtape(['record', '--engine', 'interp', '--flat', at(`${name}.bin`), '--mode', 'real', '-o', to]);

/** The table with further features. */
function showing(table: readonly CpuidEntry[], ...names: string[]): CpuidEntry[] {
  const rows = table.map((row) => ({ ...row }));
  for (const { name, leaf, index, register, bit } of CPUID_FEATURES) {
    const row = rows.find((one) => one.function === leaf && one.index === index);
    if (names.includes(name) && row) row[register] = (row[register] | (1 << bit)) >>> 0;
  }
  expect(featureNames(rows)).toEqual(expect.arrayContaining(names));
  return rows;
}

/** The recording, as if a host with these features had made it. */
function madeBy(name: string, change: Partial<TraceHeader>): string {
  rewrite(recorded, at(name), undefined, change);
  return at(name);
}

describe('on the interpreter', () => {
  test('a CPU that it lacks is refused in one line that names the features, with exit code 6', async () => {
    const trace = madeBy('avx.vmtape', { cpuid: showing(header.cpuid, 'avx', 'xsave') });
    for (const mode of ['machine', 'cpu']) {
      const result = await vmtape(['replay', trace, '--mode', mode]);
      expect(result).toMatchObject({ code: 6, stdout: '' });
      expect(result.stderr).toBe(
        `vmtape: ${trace}: the guest was shown xsave, avx, which this version's interpreter does not have (use the vmtape that recorded it, or later)\n`,
      );
    }
  });

  test('--ignore-cpu goes on, and the difference is found where the guest sees one', async () => {
    const trace = madeBy('ignored.vmtape', { cpuid: showing(header.cpuid, 'avx') });
    const result = await vmtape(['replay', trace, '--ignore-cpu', '--serial', 'none']);
    // The devices answer CPUID by the header's table, and the record has the answer of the other.
    expect(result.code).toBe(3);
    expect(result.stderr).toContain('a hooked instruction differs');
  });

  test('other tools read such a trace', async () => {
    const trace = madeBy('read.vmtape', { cpuid: showing(header.cpuid, 'avx') });
    expect(await vmtape(['verify', trace])).toMatchObject({ code: 0 });
    expect(await vmtape(['inspect', trace])).toMatchObject({ code: 0 });
  });

  test('what a KVM forced upon its guest is not demanded: its ledger says so', async () => {
    const forced: DemandingHeader = {
      ...header,
      engine: 'kvm',
      cpuid: showing(header.cpuid, 'avx'),
      ledger: [null, { id: 'cpuid-beyond-model', status: 'open' }],
    };
    await checkFeatures('t', forced, 'interp');
    for (const ledger of [null, [], [{ id: 'cpuid-beyond-model', status: 'closed' }]])
      await expect(checkFeatures('t', { ...forced, ledger }, 'interp')).rejects.toMatchObject({ code: 'VMTAPE_CPU' });
    // The interpreter forces nothing, whatever a ledger says.
    await expect(checkFeatures('t', { ...forced, engine: 'interp' }, 'interp')).rejects.toThrow('avx');
  });

  test('all options of the model are there', async () => {
    const cpuid = vmtape64Cpuid(['aes', 'bmi2', 'sha_ni']);
    await checkFeatures('t', { ...header, cpuid }, 'interp');
  });
});

describe.skipIf(kvmMissing !== undefined)(`on KVM${kvmNote}`, () => {
  /** A feature that this host's KVM does not have; there always is one (the IA-64 bit). */
  const lacking = (): string => {
    const host = featureNames(supportedCpuid());
    const { name = '' } = CPUID_FEATURES.find((one) => !host.includes(one.name) && one.leaf === 1) ?? {};
    expect(name).not.toBe('');
    return name;
  };
  const shownHere = () => {
    const host = featureNames(supportedCpuid());
    return vmtape64Cpuid(
      [],
      featureNames(header.cpuid).filter((name) => !host.includes(name) && name !== 'hypervisor'),
    );
  };

  test('a CPU that this KVM lacks is refused in one line that names the feature, with exit code 6', async () => {
    const name = lacking();
    const trace = madeBy('lacking.vmtape', { cpuid: showing(shownHere(), name) });
    const result = await vmtape(['replay', trace, '--engine', 'kvm']);
    expect(result).toMatchObject({ code: 6, stdout: '' });
    expect(result.stderr).toBe(
      `vmtape: ${trace}: the guest was shown ${name}, which this host's KVM does not have (use --engine interp)\n`,
    );
  });

  test('a CPU that it has is replayed', async () => {
    const trace = at('here.vmtape');
    expect(await vmtape(['record', '--engine', 'kvm', '--flat', at('asks.bin'), '-o', trace])).toMatchObject({
      code: 0,
    });
    expect(await vmtape(['replay', trace, '--engine', 'kvm'])).toMatchObject({ code: 0, stdout: 'k' });
  });

  test('a guest without CPUID in its code never asks: it is tried', async () => {
    expect(await record('asks-not', at('asks-not.vmtape'))).toMatchObject({ code: 0 });
    rewrite(at('asks-not.vmtape'), at('tried.vmtape'), undefined, { cpuid: showing(shownHere(), lacking()) });
    expect(await vmtape(['replay', at('tried.vmtape'), '--engine', 'kvm'])).toMatchObject({ code: 0, stdout: 'k' });
  });

  test('a kernel whose code was not searched may ask', async () => {
    const files = [{ role: 'kernel', name: 'bzImage', size: 1, sha256: '' }];
    const unsearched = { ...header, hooks: [], files, cpuid: showing(shownHere(), lacking()) };
    await expect(checkFeatures('t', unsearched, 'kvm')).rejects.toThrow(lacking());
    await checkFeatures('t', { ...unsearched, files: [] }, 'kvm');
  });

  test('the report of a divergence names what this KVM lacks, shown or only executed', async () => {
    const host = featureNames(supportedCpuid());
    const hidden = ['bmi1', 'aes', 'avx', 'ia64'].filter((name) => !host.includes(name));
    const shown = { ...header, cpuid: showing(shownHere(), lacking()), host: {} };
    expect(await featuresHint(shown)).toContain(`lacks features that the guest was shown: ${lacking()}; try`);
    const executed = { ...header, cpuid: shownHere(), host: { hidden: [...hidden, 'fpu'] } };
    expect(await featuresHint(executed)).toContain(`though they were not shown: ${hidden.join(', ')}; try`);
    expect(await featuresHint({ ...executed, host: {} })).toBeUndefined();
  });
});

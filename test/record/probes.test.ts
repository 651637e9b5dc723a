/** The probes and the ledger: their form everywhere, their substance where there is KVM. */
import { describe, expect, test } from 'vitest';
import { LEDGER_IDS, Ledger } from '../../src/record/ledger.js';
import { readEffectiveCpuid } from '../../src/record/probes/cpuid.js';
import { formatHostReport } from '../../src/record/probes/format.js';
import { examineHost, type HostReport } from '../../src/record/probes/host.js';
import { missingVdsoWords, missingWords, proposedCommandLine, proposedWords } from '../../src/record/proposal.js';
import { MODEL_OPTIONS, vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import { featureNames } from '../../src/vmm/cpu/cpuid-features.js';
import { kvmMissing, kvmNote } from '../native/kvm-host.js';

describe('where there is no KVM', () => {
  test('the report says so with the reason, and never throws', async () => {
    const report = await examineHost({ device: '/nonexistent/kvm' });
    expect(report.kvm.available).toBe(false);
    expect(report.kvm.reason).toMatch(/\S/);
    expect(report.windowIsExact).toBe(false);
    expect(formatHostReport(report)).toContain('KVM        not usable');
    expect(JSON.parse(JSON.stringify(report))).toMatchObject({ kvm: { available: false } });
  });

  test('the ledger of KVM is open where the host was not examined', () => {
    const ledger = new Ledger({ engine: 'kvm', tsc: 'hook' });
    expect(ledger.row('msr').status).toBe('open');
    expect(ledger.row('io').status).toBe('closed');
  });
});

/** What a ledger asks a host: by default all that is wanted. */
function host(more: Partial<HostReport>): HostReport {
  const good = { kvm: { available: true }, probes: [], windowIsExact: true, dirtyLogWorks: true, kickWorks: true };
  return { ...good, ...more } as unknown as HostReport;
}

describe('the ledger', () => {
  test.each<[Partial<HostReport>, boolean, RegExp]>([
    [{}, true, /^at the first boundary of the window, without an exit at a landmark$/],
    [{ windowIsExact: false }, true, /^at a landmark/],
    [{ windowIsExact: false }, false, /^they wait for an exit$/],
    [{ windowIsExact: false, kickWorks: false }, true, /^they wait for an exit$/],
    [{ windowIsExact: false, dirtyLogWorks: false }, true, /^they wait for an exit$/],
    [{ kickWorks: false }, true, /^at the first boundary of the window$/],
  ])('says where interrupts land that have to wait: %o, preemption %s', (more, preempts, how) => {
    const row = new Ledger({ engine: 'kvm', tsc: 'hook', host: host(more), preempts }).row('window');
    expect(row.how).toMatch(how);
    expect(row.status).toBe('closed');
    expect(row.evidence).toContain(more.windowIsExact === false ? 'windows open late' : 'the window is exact');
  });

  test('a hooked row that was met without its hook is open, a closed one stays closed', () => {
    const ledger = new Ledger({ engine: 'kvm', tsc: 'hook', host: host({ rdtscExits: false }) });
    expect(ledger.row('tsc').status).toBe('hooked');
    ledger.breach('tsc', 3);
    ledger.breach('io', 3);
    expect(ledger.row('tsc')).toMatchObject({ status: 'open', hits: 3 });
    expect(ledger.row('io')).toMatchObject({ status: 'closed', hits: 0 });
    expect(ledger.openHits()).toEqual(['RDTSC, RDTSCP']);
  });

  test('the interpreter has no open row', () => {
    const ledger = new Ledger({ engine: 'interp', tsc: 'hook' });
    expect(ledger.rows.map(({ id }) => id)).toEqual(LEDGER_IDS);
    expect(ledger.rows.filter(({ status }) => status !== 'closed')).toEqual([]);
  });

  test('a guest that the interpreter executes has none either, and its time stamps are exits', () => {
    const ledger = new Ledger({ engine: 'kvm', tsc: 'hook', host: host({}), isUnscanned: true, assistsAll: true });
    expect(ledger.rows.filter(({ status }) => status !== 'closed')).toEqual([]);
    expect(ledger.row('tsc').how).toMatch(/^it is an exit/);
  });

  test('a hit on an open row makes a recording inexact, on a closed one not', () => {
    const ledger = new Ledger({ engine: 'kvm', tsc: 'hook' });
    ledger.hit('io', 5);
    expect(ledger.openHits()).toEqual([]);
    ledger.hit('tsc');
    expect(ledger.openHits()).toEqual(['RDTSC, RDTSCP']);
    expect(JSON.parse(JSON.stringify(ledger))[0]).toMatchObject({ id: 'io', hits: 5 });
  });
});

test('a command line is proposed for what a host forces on a kernel', () => {
  expect(proposedCommandLine(['xsave', 'avx', 'rdrand', 'bmi1'])).toBe('noxsave clearcpuid=rdrand');
  expect(proposedCommandLine(['rdseed', 'rdrand'])).toBe('clearcpuid=rdrand,rdseed');
  expect(missingWords(['xsave', 'rdrand'], 'console=ttyS0 noxsave quiet')).toEqual(['clearcpuid=rdrand']);
  expect(missingWords(['bmi1'], '')).toEqual([]);
  // Linux takes the last clearcpuid= alone: what is to be added has what the line clears too.
  expect(missingWords(['rdrand', 'rdseed'], 'clearcpuid=smap clearcpuid=avx,rdseed')).toEqual([
    'clearcpuid=avx,rdseed,rdrand',
  ]);
  expect(missingWords(['rdrand', 'xsave'], 'clearcpuid=avx,rdrand noxsave')).toEqual([]);
  expect(proposedWords(['bmi1', 'fsrm'])).toEqual([]);
  expect(proposedCommandLine(['bmi1', 'fsrm'])).toMatch(/^nothing special/);
});

test('a command line is proposed that has programs ask the kernel for the time, unless it speaks of the vDSO', () => {
  expect(missingVdsoWords('')).toEqual(['vdso=0', 'vdso32=0']);
  expect(missingVdsoWords('console=ttyS0 vdso=0')).toEqual(['vdso32=0']);
  expect(missingVdsoWords('vdso32=1 quiet')).toEqual(['vdso=0']);
  expect(missingVdsoWords('vdso=1 vdso32=0')).toEqual([]);
});

describe('the CPUID table of the model', () => {
  test('it has what 64-bit Linux asks for, and none of what the interpreter lacks', () => {
    const names = featureNames(vmtape64Cpuid());
    for (const name of ['fpu', 'pae', 'pge', 'cmov', 'fxsr', 'sse', 'sse2', 'lm', 'nx', 'syscall', 'cx16', 'pdpe1gb']) {
      expect(names).toContain(name);
    }
    // What a guest can configure, though nothing comes of it.
    for (const name of ['mce', 'mca', 'mtrr', 'pat']) expect(names).toContain(name);
    // x86-64-v2.
    for (const name of ['mmx', 'sse3', 'ssse3', 'sse4_1', 'sse4_2', 'popcnt', 'lahf_lm']) expect(names).toContain(name);
    for (const name of ['xsave', 'avx', 'rdrand', 'rdseed', 'x2apic', 'tsc_deadline', 'monitor', 'rtm'])
      expect(names).not.toContain(name);
  });

  test('AES, PCLMULQDQ and SHA are options', () => {
    for (const name of ['aes', 'pclmulqdq', 'sha_ni']) {
      expect(MODEL_OPTIONS).toContain(name);
      expect(featureNames(vmtape64Cpuid())).not.toContain(name);
      expect(featureNames(vmtape64Cpuid([name]))).toContain(name);
    }
    expect(() => vmtape64Cpuid(['avx'])).toThrow();
  });
});

describe.skipIf(kvmMissing !== undefined)(`on this host${kvmNote}`, () => {
  test('every probe has an answer, and the report can be printed and sent', async () => {
    const report = await examineHost();
    expect(report.probes.map(({ id }) => id)).toContain('window.cpl0');
    expect(report.probes.filter(({ verdict }) => verdict === 'unknown')).toEqual([]);
    expect(report.msrFilterIsComplete).toBe(true);
    expect(report.dirtyLogWorks).toBe(true);
    expect(report.kickWorks).toBe(true);
    const text = formatHostReport(report);
    expect(text).toContain('Determinism ledger');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
    expect(JSON.parse(JSON.stringify(report)).probes.length).toBe(report.probes.length);
  }, 30_000);

  test('the effective CPUID has few enough rows for the interpreter, and the signature that was asked for or the host', () => {
    const seen = readEffectiveCpuid();
    expect(seen.table.length).toBeGreaterThan(5);
    expect(seen.table.length).toBeLessThanOrEqual(126);
    expect(featureNames(seen.table)).toContain('lm');
    expect(seen.isObeyed).toBe(seen.isSame && seen.beyond.length === 0 && seen.missing.length === 0);
  });
});

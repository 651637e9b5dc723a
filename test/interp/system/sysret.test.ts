/** SYSRET by vendor (SDM vol. 2 and AMD APM vol. 3, SYSRET): 64-bit mode alone, or all protected modes; what becomes of SS, and of bad addresses. */
import { afterEach, describe, expect, test } from 'vitest';
import { vmtape64Cpuid, withVendor } from '../../../src/vmm/cpu/cpuid.js';
import type { CpuState } from '../../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { type GuestMode, loadGuest } from './system-guest.js';

const CODE = 0x1_0000;
const TARGET = 0x1_0100;
const SYSRET = [0x0f, 0x07];
const SYSRETQ = [0x48, 0x0f, 0x07];
const SCE = 1n;
const COMPATIBILITY = { selector: 8, base: 0n, limit: 0xffff_ffff, attributes: 0xc09b };
const VENDORS = ['AuthenticAMD', 'GenuineIntel'] as const;

let vcpu: Vcpu;
afterEach(() => vcpu.close());

/** Executes one instruction; undefined: it raised an exception, for which there is no IDT. */
async function step(
  vendor: string,
  mode: GuestMode,
  code: readonly number[],
  change: Partial<CpuState> = {},
): Promise<CpuState | undefined> {
  const guest = await loadGuest('interp', Uint8Array.from(code), mode, CODE);
  vcpu = guest.vcpu;
  vcpu.setCpuid(withVendor(vmtape64Cpuid(), vendor));
  const state = vcpu.getState();
  vcpu.setState({
    ...state,
    efer: state.efer | SCE,
    star: 0x0033_0010_0000_0000n,
    rcx: BigInt(TARGET),
    r11: 0x246n,
    ss: { ...state.ss, selector: 0x18, limit: 0x7_ffff },
    ...change,
  });
  return vcpu.run(1) === ExitReason.Limit && vcpu.rip !== CODE ? vcpu.getState() : undefined;
}

describe('in 64-bit mode', () => {
  test.each(VENDORS)('%s: to 64-bit and to 32-bit code at CPL 3, with the flags of R11', async (vendor) => {
    const wide = await step(vendor, 'long64', SYSRETQ);
    expect(wide?.cs).toEqual({ selector: 0x43, base: 0n, limit: 0xffff_ffff, attributes: 0xa0fb });
    expect([wide?.rip, wide?.rflags, wide?.ss.selector]).toEqual([BigInt(TARGET), 0x246n, 0x3b]);
    vcpu.close();
    const narrow = await step(vendor, 'long64', SYSRET);
    expect(narrow?.cs).toEqual({ selector: 0x33, base: 0n, limit: 0xffff_ffff, attributes: 0xc0fb });
  });

  test.each([
    ['AuthenticAMD', 0x7_ffff],
    ['GenuineIntel', 0xffff_ffff],
  ])('%s: the limit of SS becomes %i', async (vendor, limit) => {
    const after = await step(vendor, 'long64', SYSRETQ);
    expect(after?.ss.limit).toBe(limit);
    expect((after?.ss.attributes ?? 0) & 0x60).toBe(0x60);
  });

  test('an address that is not canonical is #GP before the return on Intel, after it on AMD', async () => {
    const bad = { rcx: 0x8000_0000_0000_0000n };
    expect(await step('GenuineIntel', 'long64', SYSRETQ, bad)).toBeUndefined();
    vcpu.close();
    const after = await step('AuthenticAMD', 'long64', SYSRETQ, bad);
    expect([after?.rip, after?.cs.selector]).toEqual([bad.rcx, 0x43]);
    expect(vcpu.run(10)).toBe(ExitReason.Shutdown);
  });

  test.each(VENDORS)('%s: with EFER.SCE clear there is none', async (vendor) => {
    expect(await step(vendor, 'long64', SYSRET, { efer: 0x500n })).toBeUndefined();
  });
});

describe.each([
  ['compatibility mode', 'long64', { cs: COMPATIBILITY }],
  ['protected mode', 'prot32', {}],
] as const)('in %s', (_, mode, change) => {
  test('AMD: to 32-bit code at CPL 3, IF is set, R11 does not count', async () => {
    const after = await step('AuthenticAMD', mode, SYSRET, { ...change, rflags: 0x1_0047n });
    expect(after?.cs).toEqual({ selector: 0x33, base: 0n, limit: 0xffff_ffff, attributes: 0xc0fb });
    expect([after?.rip, after?.rflags, after?.ss.selector]).toEqual([BigInt(TARGET), 0x247n, 0x3b]);
  });

  test('Intel: #UD', async () => {
    expect(await step('GenuineIntel', mode, SYSRET, change)).toBeUndefined();
  });

  test('AMD at CPL 3: #GP', async () => {
    const user = { ...change, ss: { selector: 0x3b, base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3 } };
    expect(await step('AuthenticAMD', mode, SYSRET, user)).toBeUndefined();
  });
});

test('in real mode there is none', async () => {
  expect(await step('AuthenticAMD', 'real', SYSRET, { idtr: { base: 0n, limit: 0 } })).toBeUndefined();
});

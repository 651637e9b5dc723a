/** CR4.UMIP (SDM vol. 3A, 2.5): SGDT, SIDT, SLDT, STR and SMSW outside CPL 0 raise #GP(0), and do what they did without it. */
import { afterEach, expect, test } from 'vitest';
import { vmtape64Cpuid } from '../../../src/vmm/cpu/cpuid.js';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { loadGuest } from './system-guest.js';

const CODE = 0x1_0000;
const UMIP = 0x800n;
const USER = {
  cs: { selector: 0x33, base: 0n, limit: 0xffff_ffff, attributes: 0xc0fb },
  ss: { selector: 0x3b, base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3 },
  ds: { selector: 0x3b, base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3 },
};

let vcpu: Vcpu;
afterEach(() => vcpu.close());

/** Executes one instruction of 32-bit code; false: it faulted, for which there is no IDT. */
async function passes(code: readonly number[], user: boolean, cr4: bigint): Promise<boolean> {
  ({ vcpu } = await loadGuest('interp', Uint8Array.from(code), 'prot32', CODE));
  vcpu.setCpuid(vmtape64Cpuid());
  vcpu.setState({ ...vcpu.getState(), ...(user ? USER : {}), cr4 });
  return vcpu.run(1) === ExitReason.Limit && vcpu.rip === CODE + code.length;
}

test.each([
  ['SGDT', [0x0f, 0x01, 0x05, 0, 0x30, 0, 0]],
  ['SIDT', [0x0f, 0x01, 0x0d, 0, 0x30, 0, 0]],
  ['SLDT', [0x0f, 0x00, 0xc0]],
  ['STR', [0x0f, 0x00, 0xc8]],
  ['SMSW', [0x0f, 0x01, 0xe0]],
  ['SMSW to memory', [0x0f, 0x01, 0x25, 0, 0x30, 0, 0]],
])('%s', async (_, code) => {
  const seen: boolean[] = [];
  for (const [user, cr4] of [
    [false, UMIP],
    [true, 0n],
    [true, UMIP],
  ] as const) {
    seen.push(await passes(code, user, cr4));
    vcpu.close();
  }
  await passes(code, false, 0n);
  expect(seen).toEqual([true, true, false]);
});

/** The ledger's row of KVM's paravirtual clocks: kvmclock, steal time and the like, by MSR, CPUID and hypercall. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { Ledger } from '../../src/record/ledger.js';
import type { HostReport } from '../../src/record/probes/host.js';
import { probeHypercalls } from '../../src/record/probes/hypercall.js';
import { ReplaySession } from '../../src/replay/session.js';
import { machineOf, noKvm, record, replay } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const folder = mkdtempSync(join(tmpdir(), 'vmtape-paravirtual-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Wall clock, system time (old and new), async page faults, steal time, EOI (Linux, Documentation/virt/kvm/x86/msr.rst). */
const MSRS = [0x11, 0x12, 0x4b56_4d00, 0x4b56_4d01, 0x4b56_4d02, 0x4b56_4d03, 0x4b56_4d04];
const DATA = 0x20_0000;
const CODE = 0x10_0000;
const HANDLER = 0x10_0200;
const IDT = 0x10_0800;

const u32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/**
 * Long mode: gives DATA + 1 (its address, and "enabled") to each MSR by WRMSR, counts the #GP in ESI, spins for a while, and says by OUT 80h how many were
 * refused, what CPUID 40000000h has in EBX, and what stands at DATA.
 */
function guest(): Uint8Array {
  const image = new Uint8Array(0x1000);
  const writes = MSRS.flatMap((index) => [
    ...[0xb9, ...u32(index), 0xb8, ...u32(DATA + 1), 0x31, 0xd2], // mov ecx,index; mov eax,DATA+1; xor edx,edx
    ...[0x0f, 0x30], // wrmsr
  ]);
  image.set([
    ...[0x31, 0xf6, 0x0f, 0x01, 0x1c, 0x25, ...u32(IDT + 0x100)], // xor esi,esi; lidt [IDT + 100h]
    ...writes,
    ...[0xb9, ...u32(200_000), 0xff, 0xc9, 0x75, 0xfc], // mov ecx,200000; 1: dec ecx; jnz 1b
    ...[0x89, 0xf0, 0xe7, 0x80], // mov eax,esi; out 80h,eax
    ...[0xb8, ...u32(0x4000_0000), 0x0f, 0xa2, 0x89, 0xd8, 0xe7, 0x80], // mov eax,40000000h; cpuid; mov eax,ebx; out 80h,eax
    ...[0x8b, 0x04, 0x25, ...u32(DATA), 0xe7, 0x80, 0xf4], // mov eax,[DATA]; out 80h,eax; hlt
  ]);
  // #GP: inc esi; add qword [rsp + 8],2; add rsp,8; iretq
  image.set([0xff, 0xc6, 0x48, 0x83, 0x44, 0x24, 8, 2, 0x48, 0x83, 0xc4, 8, 0x48, 0xcf], HANDLER - CODE);
  const view = new DataView(image.buffer);
  const gate = IDT - CODE + 13 * 16;
  view.setUint32(gate, (HANDLER & 0xffff) | (0x10 << 16), true);
  view.setUint32(gate + 4, 0x8e00 | (HANDLER & 0xffff_0000), true);
  view.setUint16(IDT - CODE + 0x100, 0xff, true);
  view.setUint32(IDT - CODE + 0x102, IDT, true);
  return image;
}

describe.each(['interp', 'kvm'] as const)('a guest on %s that wants the clocks of KVM', (engine) => {
  it.skipIf(engine === 'kvm' && noKvm !== undefined)(
    `is refused each, finds nothing written, and replays (${noKvm ?? 'KVM is there'})`,
    async () => {
      const path = join(folder, `${engine}.vmtape`);
      await record(machineOf(engine, guest(), 'long64', CODE), path);
      const lines = linesOf(path);
      const refused = lines.filter((line) => /msr-write .* refused with #GP\(0\)$/.test(line));
      expect(refused.map((line) => Number(/msr-write (0x[0-9a-f]+)/.exec(line)?.[1]))).toEqual(MSRS);
      const said = lines.filter((line) => line.includes('io-write port 0x80')).map((line) => line.split(' = ')[1]);
      const signature = `0x${Buffer.from('vmta').readUInt32LE().toString(16)}`;
      expect(said).toEqual(['0x00000007', signature, '0x00000000']);
      expect(await replay(path, 'interp', 'machine')).toMatchObject({ kind: 'complete' });
      const session = await ReplaySession.open({ path, mode: 'cpu', host: realHost });
      expect(await session.run()).toMatchObject({ kind: 'complete' });
      expect(session.guest.memory.bytes(DATA, 64).every((byte) => byte === 0)).toBe(true);
      session.close();
    },
  );
});

describe('hypercalls', () => {
  test.skipIf(noKvm !== undefined)(`are tried on this host (${noKvm ?? 'KVM is there'})`, () => {
    const { verdict, evidence } = probeHypercalls();
    expect(evidence).toMatch(/^VMCALL (raises|answers|gives).*, VMMCALL (raises|answers|gives)/);
    expect(verdict).toBe(/answers|gives/.test(evidence) ? 'no' : 'yes');
  });

  test.each([
    ['yes', true, 'closed'],
    ['no', true, 'open'],
    ['unknown', true, 'open'],
    ['yes', false, 'open'],
  ] as const)(
    'that all raise #UD: %s, and a filter that is complete: %s, make the row %s',
    (verdict, isFiltered, status) => {
      const probes = [{ id: 'hypercall', question: '', verdict, evidence: 'what was seen' }];
      const host = { kvm: { available: true }, probes, msrFilterIsComplete: isFiltered } as unknown as HostReport;
      const row = new Ledger({ engine: 'kvm', tsc: 'hook', host }).row('paravirtual');
      expect(row.status).toBe(status);
      expect(row.evidence).toContain('what was seen');
    },
  );
});

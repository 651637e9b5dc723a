/** MMX and SSE and the system: the checks that come first (SDM vol. 3A, table 14-1), #XM, #MF, accesses of 16 bytes. */
import { afterEach, describe, expect, test } from 'vitest';
import type { CpuState } from '../../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../../src/vmm/memory.js';
import { type GuestMode, loadGuest } from '../system/system-guest.js';

const BASE = 0x7c00;
const HANDLERS = 0x600;
const HLT = 0xf4;
/** CR4.OSFXSR, CR4.OSXMMEXCPT, CR4.PSE. */
const OSFXSR = 0x200n;
const OSXMMEXCPT = 0x400n;
const PSE = 0x10n;
const PG = 0x8000_0000n;

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

async function start(code: readonly number[], change: Partial<CpuState> = {}, mode: GuestMode = 'real') {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from([...code, HLT]), mode, BASE));
  if (mode === 'real') {
    for (let vector = 0; vector < 32; vector++) {
      memory.writeU32(vector * 4, HANDLERS + vector);
      memory.writeU8(HANDLERS + vector, HLT);
    }
  }
  vcpu.setState({ ...vcpu.getState(), ...change });
}

/** The vector of the exception, or undefined. */
function run(): number | undefined {
  expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
  const at = vcpu.rip - 1 - HANDLERS;
  return at >= 0 && at < 32 ? at : undefined;
}

/** An FXSAVE image with MXCSR, XMM0 and XMM1 by their words, and the x87 status word. */
function image(mxcsr: number, xmm0: readonly number[], xmm1: readonly number[], status = 0): Uint8Array {
  const bytes = vcpu.getState().fxsave.slice();
  const view = new DataView(bytes.buffer);
  view.setUint16(2, status, true);
  view.setUint32(24, mxcsr, true);
  xmm0.forEach((value, i) => {
    view.setUint32(160 + i * 4, value, true);
  });
  xmm1.forEach((value, i) => {
    view.setUint32(176 + i * 4, value, true);
  });
  return bytes;
}

function word(offset: number): number {
  const { fxsave } = vcpu.getState();
  return new DataView(fxsave.buffer, fxsave.byteOffset).getUint32(offset, true);
}

const PADDB_MM = [0x0f, 0xfc, 0xc1];
const PADDB_XMM = [0x66, 0x0f, 0xfc, 0xc1];
const DIVPS = [0x0f, 0x5e, 0xc1];

describe('the checks come in their order', () => {
  test.each([
    ['MMX under CR0.EM', PADDB_MM, { cr0: 0x14n }, 6],
    ['MMX under CR0.TS', PADDB_MM, { cr0: 0x18n }, 7],
    ['SSE with CR4.OSFXSR clear', PADDB_XMM, {}, 6],
    ['SSE under CR0.EM', PADDB_XMM, { cr0: 0x14n, cr4: OSFXSR }, 6],
    ['SSE under CR0.TS', PADDB_XMM, { cr0: 0x18n, cr4: OSFXSR }, 7],
    ['SSE with CR4.OSFXSR clear and CR0.TS', PADDB_XMM, { cr0: 0x18n }, 6],
    ['AESENC, which CPUID does not show', [0x66, 0x0f, 0x38, 0xdc, 0xc1], { cr4: OSFXSR }, 6],
    ['MOVAPS with F2', [0xf2, 0x0f, 0x28, 0xc1], { cr4: OSFXSR }, 6],
    ['PADDB with F3', [0xf3, 0x0f, 0xfc, 0xc1], { cr4: OSFXSR }, 6],
    ['LOCK MOVAPS', [0xf0, 0x0f, 0x28, 0x06, 0, 0x20], { cr4: OSFXSR }, 6],
    ['0F 38 FF', [0x0f, 0x38, 0xff, 0xc0], { cr4: OSFXSR }, 6],
    ['MOVNTPS from a register', [0x0f, 0x2b, 0xc1], { cr4: OSFXSR }, 6],
    // movaps xmm0, [0x2008]
    ['MOVAPS of an unaligned operand', [0x0f, 0x28, 0x06, 0x08, 0x20], { cr4: OSFXSR }, 13],
    ['MOVUPS of one', [0x0f, 0x10, 0x06, 0x08, 0x20], { cr4: OSFXSR }, undefined],
  ] as const)('%s', async (_, code, change, vector) => {
    await start(code, change);
    expect(run()).toBe(vector);
  });

  test('an x87 exception that waits comes before MMX', async () => {
    await start(PADDB_MM, { cr0: 0x30n });
    const state = vcpu.getState();
    // Zero divide, unmasked, with its summary.
    const fxsave = image(0x1f80, [], [], 0x8084);
    new DataView(fxsave.buffer).setUint16(0, 0x37b, true);
    vcpu.setState({ ...state, fxsave });
    expect(run()).toBe(16);
  });
});

describe('an unmasked exception', () => {
  const ones = [0x3f80_0000, 0x3f80_0000, 0x3f80_0000, 0x3f80_0000];
  // The second lane divides by zero, the third is inexact.
  const divisors = [0x3f80_0000, 0, 0x4040_0000, 0x3f80_0000];

  test.each([
    ['is #XM', OSFXSR | OSXMMEXCPT, 19],
    ['is #UD with CR4.OSXMMEXCPT clear', OSFXSR, 6],
  ])('%s, leaves its flag in MXCSR and the destination alone', async (_, cr4, vector) => {
    await start(DIVPS, { cr4 });
    vcpu.setState({ ...vcpu.getState(), fxsave: image(0x1d80, ones, divisors) });
    expect(run()).toBe(vector);
    expect(word(24)).toBe(0x1d84);
    expect([160, 164, 168, 172].map(word)).toEqual(ones);
  });

  test('that is masked is not one', async () => {
    await start(DIVPS, { cr4: OSFXSR | OSXMMEXCPT });
    vcpu.setState({ ...vcpu.getState(), fxsave: image(0x1f80, ones, divisors) });
    expect(run()).toBeUndefined();
    expect(word(24)).toBe(0x1fa4);
    expect([160, 164, 168, 172].map(word)).toEqual([0x3f80_0000, 0x7f80_0000, 0x3eaa_aaab, 0x3f80_0000]);
  });
});

describe('16 bytes', () => {
  const ROOT = 0x2_0000;
  const value = [0x0403_0201, 0x0807_0605, 0x0c0b_0a09, 0x100f_0e0d];

  test('that cross into a page that is not there write nothing', async () => {
    // movups [esi], xmm0, two of 4-MiB pages and none behind them; the fault cannot be delivered.
    await start([0x0f, 0x11, 0x06], {}, 'prot32');
    for (const page of [0, 1]) memory.writeU32(ROOT + page * 4, (page << 22) | 0x83);
    const state = vcpu.getState();
    vcpu.setState({
      ...state,
      cr0: state.cr0 | PG,
      cr3: BigInt(ROOT),
      cr4: PSE | OSFXSR,
      rsi: 0x7f_fff8n,
      fxsave: image(0x1f80, value, []),
      idtr: { base: 0n, limit: 0 },
    });
    expect(vcpu.run(Infinity)).toBe(ExitReason.Shutdown);
    expect(vcpu.getState().cr2).toBe(0x80_0000n);
    expect(memory.readU32(0x7f_fff8)).toBe(0);
  });

  test('cross pages that are there', async () => {
    // movups [0x2ff9], xmm0; movups xmm1, [0x2ff9]
    await start([0x0f, 0x11, 0x06, 0xf9, 0x2f, 0x0f, 0x10, 0x0e, 0xf9, 0x2f], { cr4: OSFXSR });
    vcpu.setState({ ...vcpu.getState(), fxsave: image(0x1f80, value, []) });
    expect(run()).toBeUndefined();
    expect([176, 180, 184, 188].map(word)).toEqual(value);
    expect(memory.readU8(0x3000)).toBe(8);
  });

  test('of a device are accesses of at most 8 bytes that do not cross a page', async () => {
    // movups xmm0, [esi]; movups [esi], xmm0
    await start([0x0f, 0x10, 0x06, 0x0f, 0x11, 0x06], {}, 'prot32');
    vcpu.setState({ ...vcpu.getState(), cr4: OSFXSR, rsi: 0xd000_0ffcn });
    const seen: string[] = [];
    while (vcpu.run(Infinity) === ExitReason.Mmio) {
      const { isWrite, size, address, bytes, dataOffset } = vcpu.exit;
      const data = bytes.getUint8(dataOffset);
      seen.push(`${isWrite ? 'write' : 'read'} ${size} ${address.toString(16)}${isWrite ? ` ${data}` : ''}`);
      if (!isWrite) bytes.setUint8(dataOffset, seen.length);
    }
    expect(seen).toEqual([
      'read 4 d0000ffc',
      'read 8 d0001000',
      'read 4 d0001008',
      'write 4 d0000ffc 1',
      'write 8 d0001000 2',
      'write 4 d0001008 3',
    ]);
  });
});

test('RCPPS and RSQRTPS have 12 bits: 1/3 and 1/sqrt(2), infinities, zeros, flushed tiny results', async () => {
  // rcpps xmm0, xmm0; rsqrtps xmm1, xmm1
  await start([0x0f, 0x53, 0xc0, 0x0f, 0x52, 0xc9], { cr4: OSFXSR });
  const threes = [0x4040_0000, 0xff80_0000, 0x8000_0000, 0x7f7f_ffff];
  const twos = [0x4000_0000, 0x7f80_0000, 0x8000_0000, 0xbf80_0000];
  vcpu.setState({ ...vcpu.getState(), fxsave: image(0x1f80, threes, twos) });
  expect(run()).toBeUndefined();
  expect([160, 164, 168, 172].map((at) => word(at).toString(16))).toEqual(['3eaaa800', '80000000', 'ff800000', '0']);
  expect([176, 180, 184, 188].map((at) => word(at).toString(16))).toEqual(['3f350000', '0', 'ff800000', 'ffc00000']);
  expect(word(24)).toBe(0x1f80);
});

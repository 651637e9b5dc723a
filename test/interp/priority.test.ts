/**
 * Which of several faults of one instruction is raised (SDM vol. 3A, table 6-2): fetching comes before decoding, decoding before executing;
 * within fetching the limit of CS comes before the page.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { vmtape64Cpuid, withVendor } from '../../src/vmm/cpu/cpuid.js';
import type { CpuState } from '../../src/vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../src/vmm/cpu/vcpu.js';
import type { GuestMemory } from '../../src/vmm/memory.js';
import { type GuestMode, loadGuest } from './system/system-guest.js';

const BASE = 0x1_0000;
const HANDLERS = 0x1_1000;
const IDT = 0x1_2000;
const TSS = 0x1_4000;
const ROOT = 0x2_0000;
const TABLE = 0x2_1000;
const PG = 0x8000_0000n;
/** CR0: MP, EM, TS, NE; CR4: OSFXSR, OSXMMEXCPT. */
const [EM, TS, NE] = [4n, 8n, 0x20n] as const;
const OSFXSR = 0x600n;
const HLT = 0xf4;
const UD2 = [0x0f, 0x0b];

let vcpu: Vcpu;
let memory: GuestMemory;
afterEach(() => vcpu.close());

/** Every exception halts in its handler. */
async function start(mode: GuestMode, code: readonly number[], at: number, change: Partial<CpuState> = {}) {
  ({ vcpu, memory } = await loadGuest('interp', Uint8Array.from(code), mode, BASE));
  vcpu.setCpuid(vmtape64Cpuid());
  memory.write(BASE, new Uint8Array(0x1000));
  memory.write(at, Uint8Array.from(code));
  for (let vector = 0; vector < 32; vector++) {
    const gate = IDT + vector * (mode === 'long64' ? 16 : 8);
    memory.writeU8(HANDLERS + vector, HLT);
    memory.writeU32(gate, (0x10 << 16) | ((HANDLERS + vector) & 0xffff));
    memory.writeU32(gate + 4, 0x0001_8e00);
  }
  memory.writeU32(TSS + 4, 0x9_0000);
  memory.writeU32(TSS + 8, 0x18);
  const state = vcpu.getState();
  const ready = { idtr: { base: BigInt(IDT), limit: 0x1ff }, cr0: state.cr0 | NE, cr4: state.cr4 | OSFXSR };
  vcpu.setState({ ...state, ...ready, rip: BigInt(at), ...change });
}

/** The exception; `hlt`: none came. */
function outcome(): string {
  expect(vcpu.run(100)).toBe(ExitReason.Halt);
  const vector = vcpu.rip - 1 - HANDLERS;
  return vector >= 0 && vector < 32 ? `#${vector}` : 'hlt';
}

/** 32-bit paging that maps the first 4 MiB but for one page. */
const ABSENT = 0x1_3000;
async function paged(code: readonly number[], at: number, change: Partial<CpuState> = {}) {
  await start('prot32', code, at, { cr0: PG | NE | 0x11n, cr3: BigInt(ROOT), ...change });
  memory.writeU32(ROOT, TABLE | 3);
  for (let page = 0; page < 1024; page++) memory.writeU32(TABLE + page * 4, (page << 12) | 3);
  memory.writeU32(TABLE + (ABSENT >> 12) * 4, 0);
}

/** Flat 32-bit code up to and with `limit`. */
const codeLimit = (limit: number): Partial<CpuState> => ({
  cs: { selector: 0x10, base: 0n, limit, attributes: 0x409b },
});

describe('fetching', () => {
  test('the limit of CS comes before an absent page', async () => {
    await paged([], ABSENT, codeLimit(ABSENT - 1));
    expect(outcome()).toBe('#13');
    vcpu.close();
    await paged([], ABSENT, codeLimit(ABSENT));
    expect(outcome()).toBe('#14');
  });

  test('also in the middle of an instruction', async () => {
    // mov eax,imm32, two bytes of which are there
    await paged([0xb8, 0x11], ABSENT - 2, codeLimit(ABSENT - 1));
    expect(outcome()).toBe('#13');
    vcpu.close();
    await paged([0xb8, 0x11], ABSENT - 2);
    expect(outcome()).toBe('#14');
    expect(vcpu.getState().cr2).toBe(BigInt(ABSENT));
  });

  test('comes before decoding: LOCK before what could still be anything, an opcode that is not complete', async () => {
    for (const bytes of [[0xf0], [0x0f], [0xf0, 0x01], [0x0f, 0x38], [0x66, 0xf0, 0xff]]) {
      await paged(bytes, ABSENT - bytes.length);
      expect(outcome(), bytes.join()).toBe('#14');
      vcpu.close();
    }
    await paged([HLT], BASE);
  });

  // Zen 4 does so in a process; SDM vol. 2, UD, has a ModRM byte.
  test.each([0xff, 0xb9])('0F %x needs no ModRM byte on AMD: #UD at the end of a page or of CS', async (opcode) => {
    for (const [vendor, expected] of [
      ['AuthenticAMD', ['#6', '#6', '#6']],
      ['GenuineIntel', ['#14', '#13', '#14']],
    ] as const) {
      for (const [i, [bytes, change]] of [
        [[0x0f, opcode], {}],
        [[0x0f, opcode], codeLimit(ABSENT - 1)],
        [[0x0f, opcode, 0x05], {}],
      ].entries() as IterableIterator<[number, [number[], Partial<CpuState>]]>) {
        await paged(bytes, ABSENT - bytes.length, change);
        vcpu.setCpuid(withVendor(vmtape64Cpuid(), vendor));
        expect(outcome(), `${vendor} ${bytes}`).toBe(expected[i]);
        vcpu.close();
      }
    }
    await paged([HLT], BASE);
  });

  test('takes the ModRM byte, displacement and immediate of what is undefined in 0F 38 and 0F 3A', async () => {
    for (const bytes of [
      [0x0f, 0x38, 0xff],
      [0x0f, 0x38, 0xff, 0x05],
      [0x0f, 0x3a, 0xff, 0xc0],
      [0x0f, 0x3a, 0xff, 0x44, 0x24],
    ]) {
      await paged(bytes, ABSENT - bytes.length);
      expect(outcome(), bytes.join()).toBe('#14');
      vcpu.close();
    }
    await paged([0x0f, 0x38, 0xff, 0xc0], ABSENT - 4);
    expect(outcome()).toBe('#6');
    vcpu.close();
    await paged([0x0f, 0x3a, 0xff, 0xc0, 0x00], ABSENT - 5);
    expect(outcome()).toBe('#6');
  });

  test('ends where the instruction does: UD2 and HLT at the end of a page are themselves', async () => {
    await paged(UD2, ABSENT - 2);
    expect(outcome()).toBe('#6');
    vcpu.close();
    await paged([HLT], ABSENT - 1);
    expect(outcome()).toBe('hlt');
  });
});

describe('decoding', () => {
  const prefixes = (count: number) => new Array<number>(count).fill(0x66);

  test('15 bytes are an instruction, 16 are #GP(0) whatever they would be', async () => {
    await start('prot32', [...prefixes(14), 0x90, HLT], BASE);
    expect(outcome()).toBe('hlt');
    vcpu.close();
    for (const bytes of [[0x90], UD2, [0xf0, 0x90], [0x0f, 0x38, 0x0f, 0xc0]]) {
      await start('prot32', [...prefixes(16 - bytes.length), ...bytes, HLT], BASE);
      expect(outcome(), bytes.join()).toBe('#13');
      vcpu.close();
    }
    await start('prot32', [...prefixes(13), ...UD2], BASE);
    expect(outcome()).toBe('#6');
  });

  test('the length comes before the page of the sixteenth byte', async () => {
    await paged(prefixes(15), ABSENT - 15);
    expect(outcome()).toBe('#13');
    vcpu.close();
    await paged(prefixes(14), ABSENT - 14);
    expect(outcome()).toBe('#14');
  });

  test('#UD comes before #GP of a privilege, and before any access', async () => {
    // lock hlt; lock cli; lock lgdt [0]; invlpg eax
    for (const code of [
      [0xf0, HLT],
      [0xf0, 0xfa],
      [0xf0, 0x0f, 0x01, 0x10],
      [0x0f, 0x01, 0xff],
    ]) {
      await start('prot32', code, BASE, user);
      expect(outcome(), code.join()).toBe('#6');
      vcpu.close();
    }
    await start('prot32', [HLT], BASE, user);
    expect(outcome()).toBe('#13');
    vcpu.close();
    // lock mov [absent],eax
    await paged([0xf0, 0xa3, 0x00, 0x30, 0x01, 0x00], BASE);
    expect(outcome()).toBe('#6');
  });
});

/** CPL 3, with a task whose stack of CPL 0 is flat. */
const user: Partial<CpuState> = {
  cs: { selector: 0x23, base: 0n, limit: 0xffff_ffff, attributes: 0xc0fb },
  ss: { selector: 0x2b, base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3 },
  tr: { selector: 0x30, base: BigInt(TSS), limit: 0x67, attributes: 0x8b },
};

describe('#UD, #NM and what comes after', () => {
  const ADDPS = [0x0f, 0x58, 0x05, 0x00, 0x30, 0x01, 0x00];
  const FLD = [0xd9, 0x05, 0x00, 0x30, 0x01, 0x00];
  const PADDB = [0x0f, 0xfc, 0xc1];
  const cr0 = (bits: bigint) => ({ cr0: PG | NE | 0x11n | bits });

  test.each([
    ['SSE with EM and TS is #UD', ADDPS, cr0(EM | TS), '#6'],
    ['SSE without OSFXSR and with TS is #UD', ADDPS, { ...cr0(TS), cr4: 0n }, '#6'],
    ['SSE with TS is #NM before the page fault of its operand', ADDPS, cr0(TS), '#7'],
    ['SSE alone is the page fault', ADDPS, cr0(0n), '#14'],
    ['MMX with EM and TS is #UD', PADDB, cr0(EM | TS), '#6'],
    ['MMX with TS is #NM', PADDB, cr0(TS), '#7'],
    ['x87 with EM and TS is #NM, before the page fault of its operand', FLD, cr0(EM | TS), '#7'],
    ['x87 with LOCK is #UD before #NM', [0xf0, ...FLD], cr0(EM | TS), '#6'],
    ['SSE with LOCK is #UD before #NM', [0xf0, ...ADDPS], cr0(TS), '#6'],
    ['FWAIT with MP and TS is #NM', [0x9b], cr0(TS | 2n), '#7'],
  ] as const)('%s', async (_, code, change, expected) => {
    await paged(code, BASE, change);
    expect(outcome()).toBe(expected);
  });

  test('a pending x87 exception is #MF before the page fault of the operand, and #NM before it', async () => {
    const pending = async (bits: bigint) => {
      await paged(FLD, BASE, cr0(bits));
      const { fxsave } = vcpu.getState();
      const image = fxsave.slice();
      // FCW: zero-divide is not masked; FSW: it is pending, with ES and B.
      image[0] = 0x7b;
      image[2] = 0x84;
      image[3] = 0x80;
      vcpu.setState({ ...vcpu.getState(), fxsave: image });
      return outcome();
    };
    expect(await pending(0n)).toBe('#16');
    vcpu.close();
    expect(await pending(TS)).toBe('#7');
  });
});

describe('executing', () => {
  const absent = [0x00, 0x30, 0x01, 0x00];

  test.each([
    ['DIV by what cannot be read is #PF, not #DE', [0xf7, 0x35, ...absent], '#14'],
    ['a segment limit comes before the page', [0xa1, ...absent], '#13', { limit: 0x1_2fff }],
    ['a misaligned operand of 16 bytes is #GP before the page fault', [0x0f, 0x28, 0x05, 0x01, 0x30, 0x01, 0], '#13'],
    ['PUSH of what cannot be read comes before the stack', [0xff, 0x35, ...absent], '#14'],
    ['BOUND whose limits cannot be read is #PF', [0x62, 0x05, ...absent], '#14'],
    ['CMPXCHG8B that cannot write is #PF', [0x0f, 0xc7, 0x0d, ...absent], '#14'],
  ] as const)('%s', async (_, code, expected, data?: { readonly limit: number }) => {
    await paged(code, BASE);
    const state = vcpu.getState();
    if (data !== undefined) {
      vcpu.setState({ ...state, ds: { selector: 0x18, base: 0n, limit: data.limit, attributes: 0x4093 } });
    }
    expect(outcome()).toBe(expected);
  });

  test('a fault under TF is no single step', async () => {
    await paged([0xa1, ...absent], BASE, { rflags: 0x102n });
    expect(outcome()).toBe('#14');
    expect(vcpu.getState().dr6 & 0x4000n).toBe(0n);
  });
});

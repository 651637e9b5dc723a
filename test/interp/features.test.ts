/**
 * What CPUID does not show raises #UD, and what it shows executes: every row of the opcode table that belongs to a feature. That a row
 * belongs to the right one is held against iced-x86's list.
 */
import { CpuidFeature, Decoder, DecoderOptions } from 'iced-x86';
import { describe, expect, it } from 'vitest';
import type { OpcodeRow } from '../../interp/opcodes/row.js';
import { hexBytes } from '../../src/base/hex.js';
import { Decoded, OurDecoder } from '../../src/compare/decoder/engine.js';
import { loadRows } from '../../src/compare/insn/rows.js';
import { MODEL_FEATURES, MODEL_OPTIONS, vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import { CPUID_FEATURES } from '../../src/vmm/cpu/cpuid-features.js';
import { InterpVcpu } from '../../src/vmm/cpu/interp.js';
import { powerOnState } from '../../src/vmm/cpu/state.js';
import { type CpuidEntry, ExitReason } from '../../src/vmm/cpu/vcpu.js';
import { GuestMemory } from '../../src/vmm/memory.js';
import { encodeRow, randomOf } from './execute/encode-row.js';

/** The table with this feature set or cleared. */
function withFeature(name: string, on: boolean): CpuidEntry[] {
  const bits = CPUID_FEATURES.filter((one) => one.name === name);
  expect(bits, name).not.toEqual([]);
  return vmtape64Cpuid(MODEL_OPTIONS).map((row) => {
    const changed = { ...row };
    for (const { leaf, index, register, bit } of bits) {
      if (leaf !== row.function || index !== row.index) continue;
      changed[register] = (on ? changed[register] | (1 << bit) : changed[register] & ~(1 << bit)) >>> 0;
    }
    return changed;
  });
}

/** The row without the forms that are #UD for everyone; an operand size prefix would make it another instruction where 66 is refused. */
function withoutUndefined({ reg, mem, ...row }: OpcodeRow): OpcodeRow {
  const forms = { reg, mem };
  if (/undefinedOpcode/.test(reg ?? '')) forms.reg = undefined;
  if (/undefinedOpcode/.test(mem ?? '')) forms.mem = undefined;
  const size = row.refuses === 'any' ? 'none' : row.size;
  const kept = Object.entries(forms).filter(([, call]) => call !== undefined);
  return { ...row, size, ...Object.fromEntries(kept) };
}

/** An instruction of the row in the modes that have it. */
function encodings(row: OpcodeRow): { bits: 32 | 64; bytes: Uint8Array }[] {
  return ([32, 64] as const).flatMap((bits) => {
    const code = encodeRow(withoutUndefined(row), randomOf(1), 0x1000, bits);
    // Room for a window of the decoder. SYSRET needs 64-bit mode.
    return code === undefined || (bits === 32 && row.name === 'SYSRET')
      ? []
      : [{ bits, bytes: Uint8Array.from([...code, ...new Array(16).fill(0x90)]) }];
  });
}

/** What iced calls a feature, where the name is another. */
const ICED: Readonly<Record<string, string>> = {
  abm: 'LZCNT',
  clflush: 'CLFSH',
  cx16: 'CMPXCHG16B',
  sha_ni: 'SHA',
  xsave: 'XSAVE',
};
/** Undefined: iced is not asked. PADDQ of MMX registers is of SSE2 (SDM vol. 1, 5.6.3), iced says MMX; LAHF is one thing to it. */
const icedSays = (row: OpcodeRow): string | undefined => {
  if (row.name.startsWith('PADDQ') || row.feature === 'lahf_lm') return undefined;
  if (row.feature === 'cmov' && row.name.startsWith('F')) return 'FPU';
  if (row.feature === 'fpu') return undefined;
  return ICED[row.feature ?? ''] ?? row.feature?.toUpperCase();
};

const rows = (await loadRows()).filter(({ feature }) => feature !== undefined);

describe('an instruction exists where CPUID shows its feature', () => {
  for (const feature of [...new Set(rows.map((row) => row.feature as string))]) {
    it(feature, () => {
      for (const bits of [32, 64] as const) {
        const shown = new OurDecoder(bits, withFeature(feature, true));
        const hidden = new OurDecoder(bits, withFeature(feature, false));
        for (const row of rows.filter((one) => one.feature === feature)) {
          for (const { bytes } of encodings(row).filter((one) => one.bits === bits)) {
            const what = `${row.name} ${hexBytes(bytes.subarray(0, 15))} in ${bits}-bit code`;
            const kindOf = (decoder: OurDecoder) => (decoder.decode(bytes, 16, 1)[0] as number) >> 8;
            expect(kindOf(shown), what).toBe(Decoded.Valid);
            expect(shown.raisesUndefined(bytes), what).toBe(false);
            expect(kindOf(hidden), what).toBe(row.legacy ? Decoded.Valid : Decoded.Undefined);
            expect(hidden.raisesUndefined(bytes), what).toBe(!row.legacy);
          }
        }
      }
    });
  }

  it('no row belongs to a feature that is neither of the model nor an option, but for those that are nowhere shown', () => {
    const known = new Set([...MODEL_FEATURES, ...MODEL_OPTIONS, 'monitor', 'xsave']);
    expect([...new Set(rows.map((row) => row.feature))].filter((name) => !known.has(name as string))).toEqual([]);
  });

  it('and the feature is the one that iced-x86 names', () => {
    const wrong: string[] = [];
    for (const row of rows) {
      const name = icedSays(row);
      for (const { bits, bytes } of name === undefined ? [] : encodings(row)) {
        const decoder = new Decoder(bits, bytes, DecoderOptions.None);
        const instruction = decoder.decode();
        const names = [...instruction.cpuidFeatures()].map((one) => CpuidFeature[one] as string);
        if (!names.includes(name as string)) wrong.push(`${row.encoding} ${row.name}: ${row.feature}, iced: ${names}`);
        instruction.free();
        decoder.free();
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('a guest whose CPUID table changes', () => {
  const run = (code: readonly number[], tables: readonly (readonly CpuidEntry[])[], hidden: readonly string[] = []) => {
    const memory = new GuestMemory({ ramSize: 1 << 20 });
    const vcpu = new InterpVcpu(memory);
    memory.write(0x1000, Uint8Array.from([...code, 0xf4]));
    return tables.map((table) => {
      vcpu.setCpuid(table, hidden);
      const state = powerOnState();
      state.cs = { ...state.cs, selector: 0, base: 0n };
      state.rip = 0x1000n;
      // The handler of #UD is at 0: HLT.
      memory.write(0, Uint8Array.from([0xf4]));
      memory.write(6 * 4, Uint8Array.from([0, 0, 0, 0]));
      state.rsp = 0x8000n;
      state.rax = 0x0a0an;
      state.rcx = 0n;
      vcpu.setState(state);
      expect(vcpu.run(100)).toBe(ExitReason.Halt);
      const { rip, rax, rflags } = vcpu.getState();
      return rip === 1n ? '#UD' : `ax ${(rax & 0xffffn).toString(16)} flags ${(rflags & 0x41n).toString(16)}`;
    });
  };

  it('has MOVBE, has it not, and has it again, at the same address', () => {
    const tables = [true, false, true].map((on) => withFeature('movbe', on));
    expect(run([0x0f, 0x38, 0xf0, 0x06, 0x00, 0x10], tables)).toEqual(['ax f38 flags 0', '#UD', 'ax f38 flags 0']);
  });

  it('executes TZCNT and LZCNT of zero as BSF and BSR where they are not shown: the destination stays, ZF is set', () => {
    const of = (feature: string) => [true, false].map((on) => withFeature(feature, on));
    // CF is set where the source is zero; the result 16 is not zero.
    expect(run([0xf3, 0x0f, 0xbc, 0xc1], of('bmi1'))).toEqual(['ax 10 flags 1', 'ax a0a flags 40']);
    expect(run([0xf3, 0x0f, 0xbd, 0xc1], of('abm'))).toEqual(['ax 10 flags 1', 'ax a0a flags 40']);
  });

  it('executes what the processor of a recording executed although CPUID did not show it, and only that', () => {
    const without = [withFeature('bmi1', false)];
    expect(run([0xf3, 0x0f, 0xbc, 0xc1], without, ['bmi1'])).toEqual(['ax 10 flags 1']);
    expect(run([0xf3, 0x0f, 0xbc, 0xc1], without, ['abm', 'avx'])).toEqual(['ax a0a flags 40']);
    const memory = new GuestMemory({ ramSize: 1 << 20 });
    const vcpu = new InterpVcpu(memory);
    vcpu.setCpuid(without[0] as CpuidEntry[], ['bmi1']);
    vcpu.setCpuid(without[0] as CpuidEntry[]);
    memory.write(0x1000, Uint8Array.from([0xf3, 0x0f, 0xbc, 0xc1, 0xf4]));
    const state = { ...powerOnState(), rip: 0x1000n, rcx: 0n, rax: 7n };
    vcpu.setState({ ...state, cs: { ...state.cs, selector: 0, base: 0n } });
    expect(vcpu.run(100)).toBe(ExitReason.Halt);
    expect(vcpu.getState().rax).toBe(7n);
  });
});

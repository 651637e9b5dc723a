/** What a batch of single instructions makes of cases that do not come back, or that meddle with each other. */
import { describe, expect, it } from 'vitest';
import type { InsnCase } from '../../src/compare/insn/case.js';
import { differencesOf, hasStrayed } from '../../src/compare/insn/difference.js';
import { InsnEngine } from '../../src/compare/insn/engine.js';
import { explanationOf } from '../../src/compare/insn/explained.js';
import { executesForeign } from '../../src/compare/insn/foreign.js';
import { Generator } from '../../src/compare/insn/generate.js';
import { Case, HUNG, LEFT, NO_VECTOR, Result } from '../../src/compare/insn/layout.js';
import type { Level } from '../../src/compare/insn/levels.js';
import { loadRows } from '../../src/compare/insn/rows.js';

const rows = await loadRows();

/** Case `number` of a level with other code, and with its record changed by `edit`. */
function made(level: Level, number: number, code: readonly number[], edit?: (record: DataView) => void): InsnCase {
  const one = new Generator(rows, level, 1, 'NOP').make(number);
  const record = one.record.slice();
  edit?.(new DataView(record.buffer));
  return { ...one, record, code: Uint8Array.from(code) };
}

/** The vectors of a batch's results on the interpreter. */
function vectorsOf(level: Level, cases: readonly InsnCase[]): number[] {
  const engine = new InsnEngine('interp', level);
  const results = engine.run(cases);
  const view = new DataView(results.buffer, results.byteOffset);
  engine.close();
  return cases.map((_, i) => view.getUint32(i * Result.size + Result.vector, true));
}

const NOP = [0x90];

describe('a case that does not come back', () => {
  it('is a result, and the cases behind it have theirs', () => {
    // jmp $
    const cases = [made('user', 0, NOP), made('user', 1, [0xeb, 0xfe]), made('user', 2, NOP)];
    expect(vectorsOf('user', cases)).toEqual([NO_VECTOR, HUNG, NO_VECTOR]);
  });

  it('is one, too, where it has destroyed the harness', () => {
    // rep stosb of HLT over C9A0:1000, where the harness of real mode lies
    const destroyer = made('real', 1, [0xf3, 0xaa], (record) => {
      record.setUint16(Case.segments + 2, 0xc9a0, true);
      record.setUint32(Case.flags, 0x202, true);
      const set = (register: number, value: number) => record.setUint32(Case.registers + register * 8, value, true);
      set(0, 0xf4);
      set(1, 0x300);
      set(7, 0x1000);
    });
    const cases = [made('real', 0, NOP), destroyer, made('real', 2, NOP), made('real', 3, [0xcd, 0x21])];
    expect(vectorsOf('real', cases)).toEqual([NO_VECTOR, LEFT, NO_VECTOR, 0x21]);
  });
});

describe('a case that executes what is not its own', () => {
  const engine = new InsnEngine('interp', 'user');
  const plain = made('user', 1, NOP);

  it('is one whose code an earlier case has written over', () => {
    // mov byte [address of the second], f4
    const at = plain.address;
    const writer = made('user', 0, [0xc6, 0x04, 0x25, at & 0xff, (at >> 8) & 0xff, at >> 16, 0, 0xf4]);
    expect(executesForeign(engine, [writer, plain], 1)).toBe(true);
    expect(executesForeign(engine, [writer, plain], 0)).toBe(false);
    expect(executesForeign(engine, [made('user', 0, NOP), plain], 1)).toBe(false);
  });

  it('is one that jumps into the code of another, not one that jumps into filler', () => {
    const jump = (to: number) => {
      const { address } = made('user', 0, NOP);
      return made('user', 0, [0xe9, (to - address - 5) & 0xff, ((to - address - 5) >> 8) & 0xff, 0, 0]);
    };
    expect(executesForeign(engine, [jump(plain.address), plain], 0)).toBe(true);
    expect(executesForeign(engine, [jump(plain.address - 20), plain], 0)).toBe(false);
  });
});

describe('flags that an exception pushed in real mode', () => {
  /** A result of #GP with these flags on the stack at 30F0:0180, in the window and in what is around it. */
  const result = (flags: number) => {
    const bytes = new Uint8Array(Result.size);
    const view = new DataView(bytes.buffer);
    view.setUint32(Result.vector, 13, true);
    view.setUint16(Result.frameFlags, flags, true);
    view.setUint16(Result.stackSelector, 0x30f0, true);
    view.setUint32(Result.registers + 4 * 8, 0x180, true);
    view.setUint16(Result.memory + 0x17e, flags, true);
    return bytes;
  };

  it('are a field of their own, and not once more memory', () => {
    const kinds = differencesOf(result(0x246), result(0x247)).map(({ kind }) => kind);
    expect(kinds).toEqual(['pushed RFLAGS CF']);
    const other = result(0x246);
    other[Result.memory + 0x17d] = 1;
    expect(differencesOf(result(0x246), other).map(({ kind }) => kind)).toEqual(['memory after #GP']);
  });

  it('nor are they stray writes', () => {
    const outside = (at: number) => {
      const bytes = new Uint8Array(0x200);
      bytes[at] = 1;
      return bytes;
    };
    const [left, right] = [result(0x246), result(0x247)];
    expect(hasStrayed([left, outside(0x17e)], [right, outside(0x17f)], 0x3_0f00)).toBe(false);
    expect(hasStrayed([left, outside(0x17e)], [right, outside(0x17d)], 0x3_0f00)).toBe(true);
  });
});

describe('an explanation', () => {
  const branch = {
    ...made('kernel', 0, [0x66, 0xeb, 0x24]),
    row: { encoding: 'EB cb', name: 'JMP Jb', size: 'b' },
  } as InsnCase;
  const explain = (kind: string, field: string, actual: string) =>
    explanationOf({ ...branch, bits: 64 }, 'kernel', 'kvm', { kind, field, expected: '0x0', actual })?.title;

  it('of 66 before a branch covers where it goes, and no register, flag or memory', () => {
    expect(explain('exception #PF for #UD', 'exception', '#PF (error code 0x10, CR2 0x000000000000fcc6)')).toMatch(
      /^66 /,
    );
    expect(
      explain('exception #PF for #UD', 'exception', '#PF (error code 0x10, CR2 0x000000000040fcc6)'),
    ).toBeUndefined();
    expect(explain('RIP', 'RIP', '0x000000000000fcc6')).toMatch(/^66 /);
    expect(explain('register', 'RBX', '0x1')).toBeUndefined();
    expect(explain('register', 'RSP', '0x1')).toBeUndefined();
    expect(explain('RFLAGS CF', 'RFLAGS', '0x1')).toBeUndefined();
    expect(explain('memory', 'memory', '0x1')).toBeUndefined();
  });

  it('of what a branch executes at its target covers the fill that is there', () => {
    const row = { encoding: 'FF /2', name: 'CALL Ev', size: 'f64' } as const;
    const call = { ...made('kernel', 0, [0x66, 0xff, 0xd5]), row, bits: 64 } as const;
    const popped = (field: string, expected: string) =>
      explanationOf(call, 'kernel', 'kvm', { kind: 'register', field, expected, actual: '0x0' })?.title;
    expect(popped('RDX', '0x5a5a5a5a5a5a5a5a')).toMatch(/POP RDX/);
    expect(popped('RDX', '0x0000000000000001')).toBeUndefined();
    expect(popped('RBX', '0x5a5a5a5a5a5a5a5a')).toBeUndefined();
  });

  it('of SGDT in real mode covers the upper byte of the base, if the operand has 16 bits', () => {
    const row = { encoding: '0F 01 /0', name: 'SGDT Ms', size: 'none' } as const;
    const stored = (code: readonly number[], expected: string) =>
      explanationOf({ ...made('real', 0, code), row }, 'real', 'kvm', {
        ...{ kind: 'memory', field: 'memory', expected },
        actual: 'at window+0x103: 90',
      })?.title;
    expect(stored([0x0f, 0x01, 0x03], 'at window+0x103: 00')).toMatch(/^SGDT/);
    expect(stored([0x0f, 0x01, 0x03], 'at window+0x103: 01')).toBeUndefined();
    expect(stored([0x66, 0x0f, 0x01, 0x03], 'at window+0x103: 00')).toBeUndefined();
  });

  it('of an exception in real mode holds for the shutdown that it ends in where its frame has no room', () => {
    const prefetch = (sp: number) => {
      const one = made('real', 0, [0x0f, 0x0d, 0xea], (record) => record.setUint32(Case.registers + 4 * 8, sp, true));
      const row = { encoding: '0F 0D /r', name: 'PREFETCHW M', size: 'b' } as const;
      const difference = {
        kind: 'exception shutdown for none',
        field: 'exception',
        expected: 'none',
        actual: 'shutdown',
      };
      return explanationOf({ ...one, row }, 'real', 'kvm', difference)?.title;
    };
    expect(prefetch(3)).toMatch(/^0F 0D/);
    expect(prefetch(4)).toBeUndefined();
  });
});

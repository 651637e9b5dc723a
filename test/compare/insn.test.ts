/** Single instructions on KVM and on the interpreter; and the cases that once differed, on the interpreter alone. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { runCampaign } from '../../src/compare/insn/campaign.js';
import { differencesOf, type FieldDifference } from '../../src/compare/insn/difference.js';
import { BEGIN, cellsOf, END } from '../../src/compare/insn/emulator-reference.js';
import { type CaseRunner, InsnEngine } from '../../src/compare/insn/engine.js';
import { EXPLAINED, explanationOf } from '../../src/compare/insn/explained.js';
import { EMULATOR_ROWS } from '../../src/compare/insn/explained-emulator.js';
import { Generator } from '../../src/compare/insn/generate.js';
import { Case, NO_VECTOR, Result, SHUTDOWN } from '../../src/compare/insn/layout.js';
import { USER_LEVELS } from '../../src/compare/insn/levels.js';
import { decodeRegression, processorName, type Regression } from '../../src/compare/insn/regression.js';
import { loadRows } from '../../src/compare/insn/rows.js';
import { SiliconProcess, siliconMissing } from '../../src/compare/insn/silicon.js';
import { kvmMissing, kvmNote } from '../native/kvm-host.js';

const folder = 'corpora/regressions/insn';
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];

describe('cases', () => {
  it('are the same for the same seed and number, in whatever order', async () => {
    const rows = await loadRows();
    const left = new Generator(rows, 'user', 7);
    const right = new Generator(rows, 'user', 7);
    right.make(3);
    for (const number of [900, 5, 900]) expect(left.make(number)).toEqual(right.make(number));
    expect(new Generator(rows, 'user', 8).make(5)).not.toEqual(left.make(5));
  });

  it('can be restricted to a mnemonic or an encoding', async () => {
    const rows = await loadRows();
    expect(new Generator(rows, 'user', 1, 'shld').rows.map(({ encoding }) => encoding)).toEqual([
      '0F A4 /r ib',
      '0F A5 /r',
    ]);
    expect(new Generator(rows, 'user', 1, '0F A5').rows).toHaveLength(1);
    expect(new Generator(rows, 'user', 1, 'NOSUCH').rows).toHaveLength(0);
  });

  it('give what the harness must: registers, flags, memory and exceptions of the interpreter', async () => {
    const generator = new Generator(await loadRows(), 'user', 1, 'NOP');
    const engine = new InsnEngine('interp', 'user');
    const one = generator.make(0);
    const make = (code: number[]) => ({ ...one, code: Uint8Array.from(code) });
    // add rax,rax; ud2; mov [300f00h],al
    const cases = [make([0x48, 0x01, 0xc0]), make([0x0f, 0x0b]), make([0x88, 0x04, 0x25, 0x00, 0x0f, 0x30, 0x00])];
    const results = cases.map((item) => engine.run([item]).slice());
    const before = new DataView(one.record.buffer);
    const rax = before.getBigUint64(Case.registers, true);
    const view = (i: number) => new DataView((results[i] as Uint8Array).buffer);
    expect(view(0).getBigUint64(Result.registers, true)).toBe(BigInt.asUintN(64, rax * 2n));
    expect(view(0).getUint32(Result.vector, true)).toBe(NO_VECTOR);
    expect(view(1).getUint32(Result.vector, true)).toBe(6);
    expect(view(1).getBigUint64(Result.rip, true)).toBe(BigInt(one.address));
    expect(view(1).getBigUint64(Result.registers, true)).toBe(rax);
    expect(view(2).getUint8(Result.memory)).toBe(Number(rax & 0xffn));
    engine.close();
  });

  it('give the same in real mode, where exceptions go through the interrupt vectors', async () => {
    const generator = new Generator(await loadRows(), 'real', 1, 'NOP');
    const engine = new InsnEngine('interp', 'real');
    const one = generator.make(0);
    const record = one.record.slice();
    const before = new DataView(record.buffer);
    // All data segments at 30f00h, where the window is; SP 180h, BX ffffh.
    for (let i = 0; i < 5; i++) before.setUint16(Case.segments + i * 2, 0x30f0, true);
    before.setUint32(Case.registers + 3 * 8, 0xffff, true);
    before.setUint32(Case.registers + 4 * 8, 0x180, true);
    const run = (code: number[]) => {
      const result = engine.run([{ ...one, record, code: Uint8Array.from(code) }]).slice();
      return new DataView(result.buffer);
    };
    const eax = before.getUint32(Case.registers, true);
    const doubled = run([0x66, 0x01, 0xc0]);
    expect(doubled.getUint32(Result.registers, true)).toBe((eax * 2) >>> 0);
    expect(doubled.getUint32(Result.vector, true)).toBe(NO_VECTOR);
    // ud2: IP, CS and flags lie below SP
    const undefinedOpcode = run([0x0f, 0x0b]);
    expect(undefinedOpcode.getUint32(Result.vector, true)).toBe(6);
    expect(undefinedOpcode.getUint16(Result.rip, true)).toBe(one.address - 0x1_0000);
    expect(undefinedOpcode.getUint16(Result.cs, true)).toBe(0x1000);
    expect(undefinedOpcode.getUint16(Result.memory + 0x17a, true)).toBe(one.address - 0x1_0000);
    // mov [0],al; mov [bx],ax crosses the limit
    expect(run([0xa2, 0, 0]).getUint8(Result.memory)).toBe(eax & 0xff);
    expect(run([0x89, 0x07]).getUint32(Result.vector, true)).toBe(13);
    // int 21h; mov ss,ax: SS is part of the result
    expect(run([0xcd, 0x21]).getUint32(Result.vector, true)).toBe(0x21);
    expect(run([0x8e, 0xd0]).getUint16(Result.stackSelector, true)).toBe(eax & 0xffff);
    engine.close();
  });

  it('end with a note where an exception cannot be delivered', async () => {
    const engine = new InsnEngine('interp', 'real');
    const one = new Generator(await loadRows(), 'real', 1, 'NOP').make(0);
    const record = one.record.slice();
    new DataView(record.buffer).setUint32(Case.registers + 4 * 8, 1, true);
    const result = engine.run([{ ...one, record, code: Uint8Array.of(0x0f, 0x0b) }]);
    expect(new DataView(result.buffer, result.byteOffset).getUint32(Result.vector, true)).toBe(SHUTDOWN);
    engine.close();
  });
});

describe('explanations', () => {
  /** A manual by volume, a file of Linux (of kvm_pvm: pvm.c), or the measurement of a named machine. */
  const KIND =
    /^(SDM vol\. [1-3][AB]?[ ,]|AMD APM vol\. [1-5][ ,:]|Linux, arch\/x86\/|(emulate|x86|pvm)\.c, |measured on AMD EPYC \(family 25, model 17\), Linux 6\.18 with kvm_pvm: )/;

  it.each(EXPLAINED.map((row) => [row.title, row] as const))('%s: quotes a source of a known kind', (_, row) => {
    expect(row.source).toMatch(KIND);
    expect(row.source).toMatch(/"[^"]{2,}"|measured on /);
    expect(row.levels.length).toBeGreaterThan(0);
  });

  it('are measured where no public text says it, and say so in one way', () => {
    const claims = EXPLAINED.filter(({ source }) =>
      /\bthis (host|kernel|machine)\b|\b(of|on) AMD's\b|not public/.test(source),
    );
    expect(claims.map(({ title }) => title)).toEqual([]);
    expect(EXPLAINED.filter(({ source }) => source.includes('measured on ')).length).toBeGreaterThan(10);
  });
});

describe('docs/kvm-emulator.md', () => {
  const text = readFileSync('docs/kvm-emulator.md', 'utf8');
  const part = text.slice(text.indexOf(BEGIN), text.indexOf(END));
  const rows = part.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| what '));

  it('has the rows of the tables, each with where it holds and its source, and no other', () => {
    const cells = rows.map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
    const found = cells.map(([, title, where, , , source]) => [title, where, source]);
    expect(found.sort()).toEqual(EMULATOR_ROWS.map((row) => [...cellsOf(row)]).sort());
  });
});

const vendor = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
const isAmd = /AuthenticAMD/.test(vendor);

describe(folder, () => {
  it('has cases that differed once', () => expect(files.length).toBeGreaterThan(40));

  const regressions = files.map((name) => [name, readJson(name)] as const);

  it.each(regressions)('%s: the interpreter does what the processor did', (_, file) => {
    expect(replay(file, new InsnEngine('interp', file.level))).toEqual([]);
  });

  const missing = siliconMissing();
  const here = regressions.filter(([, { processor }]) => processor === processorName());
  const whyNot = missing ?? (here.length === 0 ? 'this is another processor' : undefined);
  describe.skipIf(whyNot !== undefined)(
    `on the processor${whyNot === undefined ? '' : ` [skipped: ${whyNot}]`}`,
    () => {
      it.each(here)('%s', (_, file) => expect(replay(file, new SiliconProcess(file.level))).toEqual([]));
    },
  );
});

function readJson(name: string): Regression {
  return JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Regression;
}

/** In what a runner differs from the stored result, but for what is explained. */
function replay(file: Regression, runner: CaseRunner): readonly FieldDifference[] {
  const { one, expected } = decodeRegression(file);
  try {
    const differences = differencesOf(expected, runner.run([one]));
    return differences.filter((it) => !explanationOf(one, file.level, 'process', it));
  } finally {
    runner.close();
  }
}

/** The interpreter's undefined flags are AMD's under the CPUID table of the comparison. */
const why = kvmMissing ?? (isAmd ? undefined : 'this processor is not of the vendor that is modelled');

const SEED = 1;

describe.skipIf(why !== undefined)(
  `KVM and the interpreter, seed ${SEED}${why === undefined ? kvmNote : ` [skipped: ${why}]`}`,
  () => {
    it.each([
      ['user', 4096],
      ['kernel', 1024],
      ['real', 768],
    ] as const)('%s: differ in nothing that is not explained, over %d cases', async (level, cases) => {
      const report = runCampaign(new Generator(await loadRows(), level, SEED), cases, realHost);
      expect(report.findings.map(({ key, number }) => `${key} (case ${number})`)).toEqual([]);
    });
  },
);

const noProcess = siliconMissing() ?? (isAmd ? undefined : 'this processor is not of the vendor that is modelled');

describe.skipIf(noProcess !== undefined)(
  `the processor in a process and the interpreter, seed ${SEED}${noProcess === undefined ? '' : ` [skipped: ${noProcess}]`}`,
  () => {
    it.each(USER_LEVELS)('%s: differ in nothing that is not explained, over 2048 cases', async (level) => {
      const generator = new Generator(await loadRows(), level, SEED, undefined, 'process');
      const report = runCampaign(generator, 2048, realHost, 'process');
      expect(report.findings.map(({ key, number }) => `${key} (case ${number})`)).toEqual([]);
    });

    it('finds a planted difference: a case that is not the one that the other engine runs', async () => {
      const one = new Generator(await loadRows(), 'user', SEED, 'UD2', 'process').make(0);
      const silicon = new SiliconProcess('user');
      const engine = new InsnEngine('interp', 'user');
      // inc eax; dec eax
      const left = silicon.run([{ ...one, code: Uint8Array.of(0xff, 0xc0) }]).slice();
      const right = engine.run([{ ...one, code: Uint8Array.of(0xff, 0xc8) }]);
      engine.close();
      expect(differencesOf(left, right).map(({ field }) => field)).toContain('RAX');
    });
  },
);

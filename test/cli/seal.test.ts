import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { editTrace } from '../../src/trace/edit.js';
import { vmtape, workFolder } from '../helpers/cli.js';

const folder = workFolder();
const at = (name: string) => join(folder, name);
/** `hi` to the serial console, then 5 to the exit port: 7 instructions. */
const CODE = [...[0xba, 0xf8, 0x03, 0xb0, 0x68, 0xee, 0xb0, 0x69, 0xee], ...[0xb0, 5, 0xe6, 0xf4]];
const oneLine = (stderr: string) => expect(stderr).toMatch(/^vmtape: [^\n]+\n$/);

beforeAll(async () => {
  writeFileSync(at('hello.bin'), Uint8Array.from(CODE));
  await vmtape(['record', '--engine', 'interp', '--flat', at('hello.bin'), '-o', at('a'), '--serial', 'none']);
  // As KVM records it.
  editTrace(at('a'), at('kvm'), { header: (header) => ({ ...header, engine: 'kvm', counting: false }) });
});

describe('vmtape seal', () => {
  it('writes the counts, says so, and does nothing the second time', async () => {
    const first = await vmtape(['seal', at('kvm'), '-o', at('sealed'), '--json']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(first.stdout)).toEqual({ kind: 'sealed', isNew: true, records: 3 });
    const bytes = readFileSync(at('sealed'));
    const second = await vmtape(['seal', at('sealed')]);
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(second.stdout).toContain('its 3 records have counts already');
    expect(readFileSync(at('sealed')).equals(bytes)).toBe(true);
    const counted = await vmtape(['seal', at('a')]);
    expect(counted.stdout).toContain('its 3 records have counts already');
    expect((await vmtape(['verify', at('sealed')])).code).toBe(0);
    expect((await vmtape(['inspect', at('sealed'), '--records', '1'])).stdout).toContain('#1 @4 io-write');
    expect((await vmtape(['replay', at('sealed'), '--serial', 'none'])).code).toBe(0);
  });

  it('of what is no trace, or is not whole, ends with exit code 5', async () => {
    writeFileSync(at('cut'), readFileSync(at('kvm')).subarray(0, -20));
    for (const file of [at('hello.bin'), at('cut')]) {
      const result = await vmtape(['seal', file]);
      expect(result).toMatchObject({ code: 5, stdout: '' });
      oneLine(result.stderr);
    }
  });
});

describe('vmtape replay --until', () => {
  it('an instruction stops there, and --dump-state shows the state', async () => {
    const result = await vmtape(['replay', at('a'), '--until', 'icount:2', '--dump-state', '--json']);
    const { kind, instructions, records, state } = JSON.parse(result.stdout);
    expect({ kind, instructions, records }).toEqual({ kind: 'stopped', instructions: 2, records: 0 });
    expect(state).toMatchObject({ rip: '0x7c05', rdx: '0x3f8', rax: '0x68', cs: { selector: 0, base: '0x0' } });
    const text = await vmtape(['replay', at('a'), '--until', 'icount:2', '--dump-state', '--serial', 'none']);
    expect(text.stdout).toContain('rip    0000000000007c05');
    expect(text.stderr).toContain('stopped before record 0, at instruction 2;');
  });

  it('a record or a text stops there', async () => {
    const record = await vmtape(['replay', at('a'), '--until', 'record:2', '--json']);
    expect(JSON.parse(record.stdout)).toMatchObject({ kind: 'stopped', records: 2 });
    const serial = await vmtape(['replay', at('kvm'), '--until', 'serial:h', '--json']);
    expect(JSON.parse(serial.stdout)).toMatchObject({ kind: 'stopped', records: 1, instructions: 3 });
  });

  it('the end is no mistake', async () => {
    expect((await vmtape(['replay', at('a'), '--until', 'icount:7', '--json'])).code).toBe(0);
    expect((await vmtape(['replay', at('a'), '--until', '3', '--json'])).code).toBe(0);
  });

  it.each([
    ['icount:8', 'is past the end: the recording has 7 instructions'],
    ['record:4', 'is past the end: the recording has 3 records'],
    ['serial:ho', 'is not reached: the guest never sends that text'],
    ['serial:', 'names no text'],
    ['icount:x', 'is not a whole number'],
    ['tick', 'is not a whole number'],
  ])('%s ends with exit code 2', async (place, message) => {
    const result = await vmtape(['replay', at('a'), '--until', place, '--serial', 'none']);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain(message);
    oneLine(result.stderr);
  });

  it('an instruction behind the end of a trace without counts is known when the end is reached', async () => {
    const result = await vmtape(['replay', at('kvm'), '--until', 'icount:8', '--serial', 'none']);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('is past the end: the recording has 7 instructions');
  });
});

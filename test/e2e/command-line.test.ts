/** The command line that vmtape chooses for Linux where KVM shows the guest what a replay lacks. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { examineHost } from '../../src/record/probes/host.js';
import { proposedWords } from '../../src/record/proposal.js';
import { bzImage } from '../helpers/bzimage.js';
import { vmtape, workFolder } from '../helpers/cli.js';
import { buildElf } from '../helpers/elf.js';
import { kvmMissing } from '../native/kvm-host.js';

const folder = workFolder();
const at = (name: string): string => join(folder, name);
const linux = ['--kernel', at('bzImage'), '--mem', '32M'];
/** What this host's KVM asks for. */
let words = '';
/** Why there is nothing to see here. */
let noWords = kvmMissing;
let noTsc = kvmMissing;
/** A vmlinux whose CPUID is hooked, so that words for programs are all that it lacks. */
const vmlinux = ['--kernel', at('vmlinux'), '--mem', '32M', '--assist-user', 'off'];
const initrd = ['--initrd', at('initrd')];

beforeAll(async () => {
  // mov eax,[rsi+0x228]; mov rsi,rax; mov dx,0x3f8; next: lodsb; test al,al; jz done; out dx,al; jmp next; done: mov al,0; out 0xf4,al
  const code = [0x8b, 0x86, 0x28, 2, 0, 0, 0x48, 0x89, 0xc6, 0x66, 0xba, 0xf8, 3];
  const loop = [0xac, 0x84, 0xc0, 0x74, 3, 0xee, 0xeb, 0xf8, 0xb0, 0, 0xe6, 0xf4];
  writeFileSync(at('bzImage'), bzImage(Uint8Array.from([...code, ...loop])));
  const cpuid = [0x0f, 0xa2];
  const place = { virtual: 0xffff_ffff_8100_0000n, bytes: Uint8Array.from([...code, ...loop, ...cpuid]) };
  const elf = { bits: 64, entry: 0x100_0000n, segments: [{ ...place, physical: 0x100_0000n }] } as const;
  writeFileSync(at('vmlinux'), buildElf({ ...elf, sections: [{ ...place, name: '.text', executable: true }] }));
  writeFileSync(at('initrd'), 'x');
  if (kvmMissing !== undefined) return;
  const host = await examineHost({ scope: 'ledger' });
  words = proposedWords(host.effectiveCpuid?.beyondAtCpl0 ?? []).join(' ');
  if (words === '') noWords = 'this KVM hides from a kernel what it is told to';
  if (host.rdtscExits) noTsc = 'RDTSC exits on this KVM';
}, 60_000);

test('the interpreter leaves the command line to the user', async () => {
  for (const append of [[], ['--append', 'quiet']]) {
    const result = await vmtape(['run', '--engine', 'interp', ...linux, ...append]);
    expect(result).toMatchObject({ code: 1, stdout: append[1] ?? '', stderr: '' });
  }
});

test('without --append a kernel on KVM is told the words, the user is told in a line, and the trace has them', async (context) => {
  if (noWords !== undefined) context.skip(noWords);
  const trace = at('default.vmtape');
  const result = await vmtape(['record', '--engine', 'kvm', ...linux, '-o', trace]);
  expect(result).toMatchObject({ code: 1, stdout: words });
  expect(result.stderr.trimEnd().split('\n')[0]).toBe(
    `vmtape: this KVM shows the guest features that a replay lacks: its command line is "${words}" (--no-default-append: none)`,
  );
  const { stdout } = await vmtape(['inspect', trace]);
  expect(stdout).toContain(` append="${words}"`);
  expect(await vmtape(['replay', trace])).toMatchObject({ code: 0, stdout: words });
}, 60_000);

test('a command line that is given stays, also an empty one, and the user is told what it lacks', async (context) => {
  if (noWords !== undefined) context.skip(noWords);
  for (const append of ['', 'console=ttyS0']) {
    const result = await vmtape(['run', '--engine', 'kvm', ...linux, '--append', append]);
    expect(result).toMatchObject({ code: 1, stdout: append });
    expect(result.stderr).toContain(`add "${words}" to --append\n`);
  }
  const enough = await vmtape(['run', '--engine', 'kvm', ...linux, '--append', `a ${words} b`]);
  expect(enough).toMatchObject({ code: 1, stdout: `a ${words} b`, stderr: '' });
}, 60_000);

test('--no-default-append leaves it empty, and the user is told what it lacks', async (context) => {
  if (noWords !== undefined) context.skip(noWords);
  const result = await vmtape(['run', '--engine', 'kvm', ...linux, '--no-default-append']);
  expect(result).toMatchObject({ code: 1, stdout: '' });
  expect(result.stderr).toContain(`add "${words}" to --append\n`);
}, 60_000);

describe('a kernel with programs, whose RDTSC executes unseen on KVM', () => {
  const record = (...more: string[]) =>
    vmtape(['record', '--engine', 'kvm', ...vmlinux, ...more, '-o', at('programs.vmtape')]);
  const why = 'vmtape: this KVM has no exit where programs read the time stamp: ';

  test('is told to do without its vDSO, and so is the user', async (context) => {
    if (noTsc !== undefined) context.skip(noTsc);
    const told = await record(...initrd);
    expect(told).toMatchObject({ code: 1, stdout: 'vdso=0 vdso32=0' });
    expect(told.stderr).toContain(`${why}its command line is "vdso=0 vdso32=0" (--no-default-append: none)\n`);
    expect(await vmtape(['replay', at('programs.vmtape')])).toMatchObject({ code: 0, stdout: 'vdso=0 vdso32=0' });
    const given = await record(...initrd, '--append', 'quiet vdso32=0');
    expect(given.stdout).toBe('quiet vdso32=0');
    expect(given.stderr).toContain(`${why}add "vdso=0" to --append\n`);
  }, 60_000);

  test('is not where nothing comes of it, or the user has decided', async (context) => {
    if (noTsc !== undefined) context.skip(noTsc);
    for (const options of [
      [],
      [...initrd, '--append', 'vdso=1 vdso32=1'],
      [...initrd, '--tsc', 'pass', '--no-default-append'],
    ]) {
      const { stdout, stderr } = await record(...options);
      expect(stdout).not.toContain('=0');
      expect(stderr).not.toContain('vdso');
    }
  }, 60_000);
});

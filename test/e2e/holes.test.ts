/** An instruction that no hook replaced: what is said of it, and how the next recording learns it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { vmtape, workFolder } from '../helpers/cli.js';
import { whyNoKvm } from '../helpers/kvm.js';

const folder = workFolder();
const at = (name: string): string => join(folder, name);
let noKvm: string | undefined;

/**
 * 16-bit code at 7C00h: says 'a', jumps through BX, where disassembly cannot follow, and says eight bits of RDTSC, an RDTSC in the middle of
 * another instruction (which is none) and 'b'.
 *
 *     mov dx,3f8; mov al,'a'; out dx,al; mov bx,7c10; jmp bx; times 4 nop
 *     7c10: rdtsc; mov cl,al; mov dx,3f8; mov al,cl; out dx,al; mov eax,90310f90; mov al,'b'; out dx,al; hlt
 */
const code = [
  ...[0xba, 0xf8, 0x03, 0xb0, 0x61, 0xee, 0xbb, 0x10, 0x7c, 0xff, 0xe3, 0x90, 0x90, 0x90, 0x90, 0x90],
  ...[0x0f, 0x31, 0x88, 0xc1, 0xba, 0xf8, 0x03, 0x88, 0xc8, 0xee, 0x66, 0xb8, 0x90, 0x0f, 0x31, 0x90],
  ...[0xb0, 0x62, 0xee, 0xf4],
];
const guest = ['--flat', at('late.bin'), '--load-at', '0x7c00', '--mode', 'real'];

beforeAll(async () => {
  writeFileSync(at('late.bin'), Uint8Array.from(code));
  noKvm = await whyNoKvm();
});

test('a run on the interpreter learns the site, and the next one hooks it and nothing else', async () => {
  const hooks = at('hooks.json');
  const first = await vmtape(['run', '--engine', 'interp', ...guest, '--hooks', hooks]);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(readFileSync(hooks, 'utf8'))).toEqual({
    hooks: 1,
    sites: [{ address: '0x7c10', instruction: 'RDTSC' }],
  });
  const trace = at('learnt.vmtape');
  await vmtape(['record', '--engine', 'interp', ...guest, '--hooks', hooks, '-o', trace]);
  const records = await vmtape(['inspect', trace, '--records', '0..']);
  expect(records.stdout.match(/hook RDTSC/g)).toHaveLength(1);
  expect(await vmtape(['replay', trace])).toMatchObject({ code: 0 });
});

/** 16-bit code at 7C00h: mov bx,7c05; jmp bx; then 100 times: rdtsc; out e9,al; and hlt. */
const many = [
  0xbb,
  0x05,
  0x7c,
  0xff,
  0xe3,
  ...Array.from({ length: 100 }, () => [0x0f, 0x31, 0xe6, 0xe9]).flat(),
  0xf4,
];
const manyGuest = ['--flat', at('many.bin'), '--load-at', '0x7c00', '--mode', 'real'];
const sitesOf = (path: string): string[] =>
  JSON.parse(readFileSync(path, 'utf8')).sites.map((one: { address: string }) => one.address);

test('every site of a run is learnt, however many they are', async () => {
  writeFileSync(at('many.bin'), Uint8Array.from(many));
  const hooks = at('many.json');
  const trace = at('many.vmtape');
  await vmtape(['record', '--engine', 'interp', ...manyGuest, '--hooks', hooks, '-o', trace]);
  const all = Array.from({ length: 100 }, (_, index) => `0x${(0x7c05 + 4 * index).toString(16)}`);
  expect(sitesOf(hooks)).toEqual(all);
  await vmtape(['record', '--engine', 'interp', ...manyGuest, '--hooks', hooks, '-o', trace]);
  const records = await vmtape(['inspect', trace, '--records', '0..']);
  expect(records.stdout.match(/hook RDTSC/g)).toHaveLength(100);
});

test('a replay from a checkpoint knows the sites before it', async () => {
  const trace = at('from.vmtape');
  const hooks = at('from.json');
  await vmtape(['record', '--engine', 'interp', ...manyGuest, '-o', trace]);
  await vmtape(['replay', trace, '--checkpoint-every', '50']);
  const result = await vmtape(['replay', trace, '--from', 'record:50', '--until', 'record:60', '--hooks', hooks]);
  expect(result.stderr).toContain('the 10 before it from record 50 on are equal');
  expect(sitesOf(hooks)).toHaveLength(60);
  expect(sitesOf(hooks)[0]).toBe('0x7c05');
});

test('a file that is no list of sites is refused, and left as it is', async () => {
  for (const text of ['{}', 'no JSON', '{"hooks":1,"sites":[{"address":"7c10","instruction":"RDTSC"}]}']) {
    writeFileSync(at('other'), text);
    const result = await vmtape(['run', '--engine', 'interp', ...guest, '--hooks', at('other')]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('is no list of hook sites');
    expect(readFileSync(at('other'), 'utf8')).toBe(text);
  }
});

test('recorded on KVM: the replay is not exact, which is no divergence, and names the place', {
  timeout: 60_000,
}, async (context) => {
  if (noKvm !== undefined) context.skip(noKvm);
  const trace = at('late.vmtape');
  const hooks = at('learnt-by-replay.json');
  // The two processors' counts agree in their low eight bits once in 256.
  let result = await vmtape(['replay', at('none')]);
  for (let round = 0; round < 3 && result.code !== 1; round++) {
    await vmtape(['record', '--engine', 'kvm', ...guest, '-o', trace]);
    result = await vmtape(['replay', trace, '--serial', 'none', '--hooks', hooks]);
  }
  expect(result.code).toBe(1);
  expect(result.stderr).toContain(
    'late.vmtape is not exact from record 1 on: the guest executed RDTSC once where no hook is, first at 0x7c10',
  );
  expect(result.stderr).not.toContain('diverges');
  expect(existsSync(hooks)).toBe(true);

  const again = at('again.vmtape');
  await vmtape(['record', '--engine', 'kvm', ...guest, '--hooks', hooks, '-o', again]);
  const exact = await vmtape(['replay', again, '--serial', 'none']);
  expect(exact.stderr).not.toContain('exact');
  expect(exact.code).toBe(0);
});

test('doctor --trace prints the ledger of a recording', async () => {
  const trace = at('ledger.vmtape');
  await vmtape(['record', '--engine', 'interp', ...guest, '-o', trace]);
  const text = await vmtape(['doctor', '--trace', trace]);
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toMatch(/^Recorded on the interpreter, which depends on no host by vmtape \S+, --tsc hook\n/);
  expect(text.stdout).toMatch(
    /\n {2}closed {3}RDTSC, RDTSCP: a function of the retired instructions \(by construction\)\n/,
  );
  expect(text.stdout).toMatch(/No open row was seen to be hit/);
  const json = JSON.parse((await vmtape(['doctor', '--trace', trace, '--json'])).stdout);
  expect(json).toMatchObject({ engine: 'interp', inexact: [], ended: true });
  expect(json.ledger[0]).toMatchObject({ id: 'io', status: 'closed' });
  writeFileSync(at('foreign'), 'no trace');
  expect((await vmtape(['doctor', '--trace', at('foreign')])).code).toBe(5);
  expect((await vmtape(['doctor', '--trace', at('nowhere')])).code).toBe(2);
});

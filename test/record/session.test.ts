import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { RecordSession } from '../../src/record/session.js';
import { TraceReader } from '../../src/trace/reader.js';
import { bootGuest } from '../../src/vmm/boot/boot.js';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import type { EngineName, MachineOptions } from '../../src/vmm/machine-options.js';
import { machineOf, noKvm, record, replay, Text } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-session-'));
afterAll(() => rmSync(directory, { recursive: true }));

const engines = ['interp', 'kvm'] as const;
const combinations = engines.flatMap((engine) => (['machine', 'cpu'] as const).map((mode) => [engine, mode] as const));

async function open(machine: MachineOptions, path: string): Promise<RecordSession> {
  const about = { id: new Uint8Array(16), date: 0, options: {}, tsc: 'hook', ledger: null, host: {} } as const;
  return RecordSession.open({ machine, path, ...about });
}

/** Replays on every engine there is, in both modes. */
async function replaysEverywhere(path: string): Promise<void> {
  for (const [engine, mode] of combinations) {
    if (engine === 'kvm' && noKvm !== undefined) continue;
    expect(await replay(path, engine, mode), `${engine} ${mode}`).toMatchObject({ kind: 'complete', notes: [] });
  }
}

const echo = [
  ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8], // mov dx,3fd; in al,dx; test al,1; jz
  ...[0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, 0x0a, 0x75, 0xef], // mov dx,3f8; in al,dx; out dx,al; cmp al,0a; jnz
  ...[0xfa, 0xf4], // cli; hlt
];
const forever = [0xe6, 0x80, 0xeb, 0xfc]; // out 80,al; jmp

it('a recording names what its processor executed although CPUID did not show it, and a replay executes it too', async () => {
  const path = join(directory, 'hidden');
  // xor cx,cx; mov ax,41; tzcnt ax,cx (16; as bsf: 41); out e9,al; cli; hlt
  const code = [0x31, 0xc9, 0xb8, 0x41, 0x00, 0xf3, 0x0f, 0xbc, 0xc1, 0xe6, 0xe9, 0xfa, 0xf4];
  const debugConsole = new Text();
  const more = { hiddenFeatures: ['bmi1'], debugConsole };
  const machine = machineOf('interp', Uint8Array.from(code), 'real', 0x7c00, more);
  const session = await open(machine, path);
  await session.run();
  session.close();
  const reader = new TraceReader(path);
  expect(reader.header.host).toMatchObject({ hidden: ['bmi1'] });
  reader.close();
  expect(debugConsole.text).toBe('\x10');
  expect(await replay(path, 'interp', 'machine')).toMatchObject({ kind: 'complete', notes: [] });
});

describe.each(engines)('a recording on %s', (engine) => {
  describe.skipIf(engine === 'kvm' && noKvm !== undefined)(`(${noKvm ?? 'KVM is there'})`, () => {
    const machine = (code: readonly number[], more: Partial<MachineOptions> = {}): MachineOptions =>
      machineOf(engine as EngineName, Uint8Array.from(code), 'real', 0x7c00, more);

    it('has the bytes that came from the host', async () => {
      const path = join(directory, `${engine}.input`);
      const serial = new Text();
      const session = await open(machine(echo, { serial }), path);
      session.machine.receive(new TextEncoder().encode('typed by a person, longer than the FIFO\n'));
      expect((await session.run()).end.reason).toBe('halted');
      session.close();
      expect(serial.text).toBe('typed by a person, longer than the FIFO\n');
      await replaysEverywhere(path);
    });

    it('has the ROM', async () => {
      const path = join(directory, `${engine}.rom`);
      const rom = new Uint8Array(0x1000).fill(0x90);
      rom.set([0xb0, 0x52, 0xe6, 0xe9, 0xa2, 0x00, 0x00, 0xfa, 0xf4], 0xff0); // mov al,'R'; out e9,al; mov [0],al; cli; hlt
      const guest = bootGuest({
        ramSize: 0x20_0000,
        source: { kind: 'rom', rom: { name: 'rom', bytes: rom } },
        hooks: new Set(),
      });
      const debugConsole = new Text();
      const { end } = await record({ engine, guest, cpuid: vmtape64Cpuid(), host: realHost, debugConsole }, path);
      expect(end.reason).toBe('halted');
      expect(debugConsole.text).toBe('R');
      await replaysEverywhere(path);
    });

    it('that is stopped is whole', async () => {
      const path = join(directory, `${engine}.stopped`);
      const session = await open(machine(forever), path);
      setTimeout(() => session.stop(), 100);
      const { end, records } = await session.run();
      session.close();
      expect(end.reason).toBe('interrupted');
      expect(await replay(path, 'interp', 'machine')).toMatchObject({ kind: 'complete', records });
    });

    it('that ends within REP OUTSB replays', async () => {
      const path = join(directory, `${engine}.outs`);
      const code = [0xbe, 0x00, 0x7c, 0xb9, 0x40, 0x00, 0xba, 0x80, 0x00, 0xf3, 0x6e, 0xfa, 0xf4]; // rep outsb of 64
      const { records } = await record(machine(code, { limits: { exits: 7 } }), path);
      expect(records).toBeGreaterThanOrEqual(7);
      for (const [replayer, mode] of combinations) {
        if (replayer === 'kvm' && noKvm !== undefined) continue;
        expect(await replay(path, replayer, mode)).toMatchObject({ kind: 'complete', records });
      }
    });

    it('that a strict bus ended is whole, and throws', async () => {
      const path = join(directory, `${engine}.strict`);
      const session = await open(machine([0xe6, 0x80, 0xe5, 0xc8], { strictBus: true }), path);
      await expect(session.run()).rejects.toMatchObject({ code: 'VMTAPE_UNCLAIMED' });
      session.close();
      const reader = new TraceReader(path);
      const cursor = reader.cursor();
      while (cursor.next());
      reader.close();
      expect(cursor.end).toMatchObject({ reason: 'error', records: 1 });
    });

    it('of which only the beginning was written is known as such', async () => {
      const path = join(directory, `${engine}.died`);
      const session = await open(machine(forever), path);
      session.machine.runSlice();
      session.close();
      expect(readFileSync(path).length).toBeGreaterThan(100);
      expect(await replay(path, 'interp', 'cpu')).toMatchObject({ damage: { code: 'VMTAPE_TRACE_TRUNCATED' } });
    });
  });
});

describe('a recording that cannot begin', () => {
  const machine = (): MachineOptions => machineOf('interp', Uint8Array.from(forever), 'real', 0x7c00);

  it('leaves no file', async () => {
    const path = join(directory, 'none');
    const wrong = { ...machine(), cpuid: Array.from({ length: 1000 }, () => vmtape64Cpuid()[0] as never) };
    await expect(open(wrong, path)).rejects.toMatchObject({ code: 'VMTAPE_STATE' });
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ['a folder that does not exist', join(directory, 'no/where')],
    ['a folder', directory],
    ['what is below a file', join(directory, 'file/below')],
  ])('at %s is a typed error', async (_name, path) => {
    writeFileSync(join(directory, 'file'), '');
    await expect(open(machine(), path)).rejects.toMatchObject({ code: 'VMTAPE_TRACE_FILE', exitCode: 5 });
  });
});

/** User code on the interpreter, the kernel on KVM: recorded so, and replayed on both engines. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { landmarkMachine } from '../../src/compare/landmarks/guest.js';
import { probeFxsave } from '../../src/record/probes/memory.js';
import { findFlatUserReturns } from '../../src/vmm/hooks/user-returns.js';
import type { MachineOptions } from '../../src/vmm/machine-options.js';
import { imageOf, machineOf, noKvm, record, replay, Text } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-user-'));
afterAll(() => rmSync(directory, { recursive: true }));

const LOAD_AT = 0x10_0000;
/** The offset of long-user's word that has ring 3 ask the processor. */
const ASKS_PROCESSOR = 4;

/** A guest whose user code the interpreter executes. */
function assisted(image: Uint8Array, more: Partial<MachineOptions>): MachineOptions {
  const userReturns = findFlatUserReturns(image, BigInt(LOAD_AT));
  return machineOf('kvm', image, 'long64', LOAD_AT, { userReturns, limits: { timeout: 60 }, ...more });
}

function askingImage(): Uint8Array {
  const image = Uint8Array.from(imageOf('long-user'));
  image[ASKS_PROCESSOR] = 1;
  return image;
}

const guests: [name: string, image: Uint8Array][] = [
  ['long-syscall', imageOf('long-syscall')],
  ['long-paging', imageOf('long-paging')],
  ['long-user', imageOf('long-user')],
  ['long-user, which asks the processor', askingImage()],
];

describe.skipIf(noKvm !== undefined)(`recorded on KVM (${noKvm ?? 'it is there'})`, () => {
  describe.each(guests)('%s', (name, image) => {
    const path = join(directory, name);
    const serial = new Text();

    it('comes to its end', async () => {
      const { end, assists } = await record(assisted(image, { serial }), path);
      expect(serial.text).toMatch(/\nOK\n$/);
      expect(end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
      expect(assists).toBeGreaterThan(0);
      expect(linesOf(path).filter((line) => / assist 48 (cf|0f 07) in 64-bit code/.test(line)).length).toBeGreaterThan(
        0,
      );
    }, 90_000);

    it.each(['machine', 'cpu'] as const)(
      'replays on the interpreter in %s mode, with nothing to note',
      async (mode) => {
        const replayed = new Text();
        const result = await replay(path, 'interp', mode, { serial: replayed });
        expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
        expect(replayed.text).toBe(serial.text);
      },
      60_000,
    );
  });

  it('time stamps of ring 3 are exits, by which a replay has the same', () => {
    const reads = linesOf(join(directory, 'long-user, which asks the processor')).filter((line) =>
      / msr-read .*0x10 /.test(line),
    );
    expect(reads.length).toBe(64);
  });

  it('replays on KVM what has its interrupts at exits', async () => {
    for (const name of ['long-syscall', 'long-paging']) {
      const result = await replay(join(directory, name), 'kvm', 'machine');
      expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
    }
  }, 60_000);

  describe('recorded on the interpreter, replayed on a KVM that needs help', () => {
    const lacks = { kvmLacks: { userEntry: true, paging: false }, ignoresFeatures: true };

    it('is equal', async () => {
      const path = join(directory, 'interpreted');
      const serial = new Text();
      await record(machineOf('interp', imageOf('long-user'), 'long64', LOAD_AT, { serial }), path);
      const replayed = new Text();
      const result = await replay(path, 'kvm', 'machine', { serial: replayed, ...lacks });
      expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
      expect(replayed.text).toBe(serial.text);
    }, 60_000);

    it('what differs behind a time stamp of ring 3 is said apart', async () => {
      const path = join(directory, 'interpreted time');
      await record(machineOf('interp', askingImage(), 'long64', LOAD_AT), path);
      const result = await replay(path, 'kvm', 'machine', lacks);
      const found =
        result.kind === 'divergence' ? result.divergence.hole?.what : result.kind === 'complete' && result.notes[0];
      expect(found).toMatch(/the guest executed RDTSC .* where no hook is/);
    }, 60_000);
  });

  it.each(['register', 'copy', 'nested'] as const)(
    'interrupts a loop of ring 3 that makes no exit: %s',
    async (loop) => {
      const path = join(directory, loop);
      const image = imageOf('landmarks');
      const machine = landmarkMachine(image, { loop, ring: 3, ticks: 12, seed: 7 });
      const userReturns = findFlatUserReturns(image, BigInt(LOAD_AT));
      const { end } = await record({ ...machine, userReturns, limits: { timeout: 60 } }, path);
      expect(end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
      expect(linesOf(path).filter((line) => / inject .* at landmark/.test(line)).length).toBeGreaterThan(6);
      const result = await replay(path, 'interp', 'machine');
      expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
    },
    120_000,
  );

  it('a replay does with FXSAVE what the recording KVM does', async () => {
    const fxsaveClears = probeFxsave().verdict === 'no';
    const path = join(directory, 'fxsave');
    const debugConsole = new Text();
    const machine = machineOf('kvm', fxsaveGuest, 'long64', LOAD_AT, { fxsaveClears, debugConsole });
    await record(machine, path);
    expect(debugConsole.text).toBe(fxsaveClears ? '\0' : '\xff');
    expect(await replay(path, 'interp', 'machine')).toMatchObject({ kind: 'complete', notes: [] });
  });
});

/**
 * Fills 512 bytes with ones, saves the registers there, and says what the byte behind them is.
 *
 *     mov rax,cr4; or ah,2; mov cr4,rax; mov edi,200000; mov esi,edi; mov rax,-1; mov ecx,40; rep stosq
 *     fxsave64 [rsi]; mov al,[rsi+1a0]; out e9,al; hlt
 */
const fxsaveGuest = Buffer.from(
  '0f20e080cc020f22e0bf0000200089fe48c7c0ffffffffb940000000f348ab480fae068a86a0010000e6e9f4',
  'hex',
);

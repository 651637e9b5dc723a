/** x87 errors with CR0.NE clear: FERR#, IRQ 13, port F0h and IGNNE# (SDM volume 1, 8.7.2 and D.2), from the engine to the trace. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ExitReason } from '../../src/vmm/cpu/vcpu.js';
import { Machine } from '../../src/vmm/machine.js';
import { imageOf, machineOf, record, replay, Text } from '../helpers/tape.js';
import { loadGuest } from '../interp/system/system-guest.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-fpu-error-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** CR0 with ET alone. */
const COMPATIBLE = 0x10n;
/** ZM is clear; ZE, ES and B are set. */
const FCW = 0x37b;
const FSW = 0x8084;

/** A vCPU in real mode at `code`, with a division by zero pending and the processor in MS-DOS compatibility mode. */
async function withError(code: readonly number[], state: { ferr?: boolean; ignne?: boolean } = {}) {
  const { vcpu } = await loadGuest('interp', Uint8Array.from(code), 'real', 0x7c00);
  const before = vcpu.getState();
  const fxsave = before.fxsave.slice();
  new DataView(fxsave.buffer).setUint16(0, FCW, true);
  new DataView(fxsave.buffer).setUint16(2, FSW, true);
  vcpu.setState({ ...before, cr0: COMPATIBLE, fxsave, ...state });
  return vcpu;
}

describe('the processor', () => {
  it.each([
    ['FWAIT', [0x9b]],
    ['FLD1', [0xd9, 0xe8]],
    ['FLDCW', [0xd9, 0x2e, 0, 0x60]],
    ['EMMS', [0x0f, 0x77]],
    ['PXOR MM0, MM0', [0x0f, 0xef, 0xc0]],
  ])('stands still before %s and asserts FERR#', async (_, code) => {
    const vcpu = await withError([0x90, ...code, 0xf4]);
    // It is a boundary: asked again, it still stands there.
    for (let time = 0; time < 2; time++) {
      expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
      expect(vcpu.exit.address).toBe(1);
      expect(vcpu.rip).toBe(0x7c01);
      expect(vcpu.retired).toBe(1);
      expect(vcpu.getState()).toMatchObject({ ferr: true, ignne: false, halted: false });
    }
    vcpu.close();
  });

  it.each([
    ['FNSTSW AX', [0xdf, 0xe0]],
    ['FNSTENV', [0xd9, 0x36, 0, 0x60]],
    ['FNCLEX', [0xdb, 0xe2]],
  ])('goes on with %s, which does not wait', async (_, code) => {
    const vcpu = await withError([...code, 0xf4]);
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.exit.address).toBe(0);
    expect(vcpu.getState()).toMatchObject({ ferr: false, halted: true });
    vcpu.close();
  });

  it('takes no notice of IGNNE# unless FERR# is asserted', async () => {
    const vcpu = await withError([0xd9, 0xe8, 0xf4]);
    vcpu.ignoreFerr();
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.exit.address).toBe(1);
    vcpu.ignoreFerr();
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.exit.address).toBe(0);
    expect(vcpu.retired).toBe(2);
    vcpu.close();
  });

  it.each([
    ['FNCLEX', [0xdb, 0xe2]],
    ['FNINIT', [0xdb, 0xe3]],
    ['FNSAVE', [0xdd, 0x36, 0, 0x60]],
    // It masks all exceptions.
    ['FNSTENV', [0xd9, 0x36, 0, 0x60]],
  ])('lets both pins fall with %s', async (_, code) => {
    const vcpu = await withError([...code, 0xf4], { ferr: true, ignne: true });
    expect(vcpu.run(Infinity)).toBe(ExitReason.Halt);
    expect(vcpu.getState()).toMatchObject({ ferr: false, ignne: false });
    vcpu.close();
  });
});

describe('the machine', () => {
  const machine = (more = {}) => machineOf('interp', imageOf('real-fpu-error'), 'real', 0x7c00, more);
  const path = join(directory, 'fpu-error');
  const serial = new Text();

  it('has IRQ 13 and port F0h: the guest is recorded', async () => {
    const summary = await record(machine({ serial, limits: { timeout: 20 } }), path);
    expect(summary.end).toMatchObject({ reason: 'exit-port', exitCode: 33 });
    expect(serial.text).toMatch(/five interrupts ok\n(.|\n)*OK\n$/);
  });

  it.each(['machine', 'cpu'] as const)('replays it in %s mode', async (mode) => {
    const replayed = new Text();
    const result = await replay(path, 'interp', mode, { serial: replayed });
    expect(result).toMatchObject({ kind: 'complete', notes: [], end: { exitCode: 33 } });
    expect(replayed.text).toBe(serial.text);
  });

  it('ends where no interrupt can come', async () => {
    // fninit; fldcw [7c20]; fld1; fldz; fdivp; fwait, with IF clear
    const code = [0xdb, 0xe3, 0xd9, 0x2e, 0x20, 0x7c, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b];
    const image = new Uint8Array(0x22);
    image.set(code);
    image.set([FCW & 0xff, FCW >> 8], 0x20);
    const options = machineOf('interp', image, 'real', 0x7c00);
    options.guest.cpu.cr0 = COMPATIBLE;
    const made = await Machine.open(options);
    expect(await made.run()).toMatchObject({ reason: 'halted' });
    expect(made.vcpu.rip).toBe(0x7c00 + code.length - 1);
    expect(made.board.devices.pic.level(13)).toBe(true);
    made.close();
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TraceReader } from '../../src/trace/reader.js';
import { RecordKind } from '../../src/trace/record.js';
import { machineOf, noKvm, record, replay } from '../helpers/tape.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-landing-'));
afterAll(() => rmSync(directory, { recursive: true }));

/**
 * Real mode at 7C00, a timer tick every 20 µs: four exits with interrupts off, 6,000 instructions apart; STI; then 100,000
 * instructions with interrupts on and without an exit.
 *
 *     cli; xor ax,ax; mov ds,ax; mov es,ax; mov ss,ax; mov sp,7000; mov word [80],tick; mov [82],ax
 *     8259: 11 -> 20; 20, 4, 1, fe -> 21.  8254: 34 -> 43; 18, 0 -> 40.  mov ebx,0
 *         mov cx,4
 *     1:  mov edx,3000
 *     2:  dec edx; jnz 2b; out 80,al; loop 1b
 *         sti; mov edx,1000
 *     3:  inc ebp; dec edx; jnz 3b
 *         mov edx,50000
 *     4:  dec edx; jnz 4b; cli; mov al,bl; out e9,al; hlt
 *     tick: push ax; inc bx; mov al,20; out 20,al; pop ax; iret
 */
const code = Buffer.from(
  [
    'fa31c08ed88ec08ed0bc0070c7068000697ca38200b011e620b020e621b004e621b001e621b0fee621b034e643b018e6',
    '40b000e64066bb00000000b9040066bab80b0000664a75fce680e2f2fb66bae80300006645664a75fa66ba50c3000066',
    '4a75fcfa88d8e6e9f45043b020e62058cf',
  ].join(''),
  'hex',
);
const PATIENCE = 5_000;

describe('interrupts that find no exit', () => {
  const path = join(directory, 'interp');

  beforeAll(async () => {
    const { end } = await record(machineOf('interp', code, 'real', 0x7c00, { landing: { patience: PATIENCE } }), path);
    expect(end.reason).toBe('halted');
  });

  it('are landed at the window, and at an instruction count', () => {
    const landings = new Map<number, number>();
    const reader = new TraceReader(path);
    const cursor = reader.cursor();
    while (cursor.next()) {
      const { kind, landing } = cursor.record;
      if (kind === RecordKind.Inject) landings.set(landing, (landings.get(landing) ?? 0) + 1);
    }
    reader.close();
    // The first waits for the STI; all others come in the midst of the computing.
    expect(landings.get(1)).toBe(1);
    expect(landings.get(2)).toBeGreaterThan(2);
    expect(landings.get(0)).toBeUndefined();
  });

  it.each(['machine', 'cpu'] as const)('replay on the interpreter in %s mode', async (mode) => {
    expect(await replay(path, 'interp', mode)).toMatchObject({ kind: 'complete', notes: [] });
  });

  it.skipIf(noKvm !== undefined).each(['machine', 'cpu'] as const)(
    `replay on KVM, by way of the interpreter, in %s mode (${noKvm ?? 'KVM is there'})`,
    async (mode) => {
      expect(await replay(path, 'kvm', mode)).toMatchObject({ kind: 'complete', notes: [] });
    },
    60_000,
  );
});

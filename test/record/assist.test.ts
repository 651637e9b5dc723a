import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { machineOf, noKvm, record, replay, Text } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const directory = mkdtempSync(join(tmpdir(), 'vmtape-assist-'));
afterAll(() => rmSync(directory, { recursive: true }));

/**
 * 64-bit code with what the in-kernel emulator of KVM does not know: CMPXCHG16B, POPCNT of MMIO (an exit within
 * the instruction), IRETQ. Says AB, @ (64 ones) and an exclamation mark on the debug console.
 *
 *     cli; sub rsp,64; and rsp,-16; mov [rsp],1; mov [rsp+8],2; mov eax,1; mov edx,2; mov ebx,41; mov ecx,42
 *     cmpxchg16b [rsp]; mov al,[rsp]; out e9,al; mov al,[rsp+8]; out e9,al
 *     mov rdi,d0000000; popcnt rax,[rdi]; out e9,al
 *     push ss, rsp, flags, cs, 1f; iretq; 1: mov al,21; out e9,al; hlt
 */
const code = Buffer.from(
  [
    'fa4883ec404883e4f048c704240100000048c744240802000000b801000000ba02000000bb41000000b942000000480f',
    'c70c248a0424e6e98a442408e6e948bf000000d000000000f3480fb807e6e94889e5668cd00fb7c050559c668cc80fb7',
    'c050488d05030000005048cfb021e6e9f4',
  ].join(''),
  'hex',
);

describe.each(['interp', 'kvm'] as const)('what KVM may not know, recorded on %s', (recorder) => {
  describe.skipIf(recorder === 'kvm' && noKvm !== undefined)(`(${noKvm ?? 'KVM is there'})`, () => {
    const path = join(directory, recorder);
    let count = 0;

    it('is executed', async () => {
      const debugConsole = new Text();
      const summary = await record(machineOf(recorder, code, 'long64', 0x10_0000, { debugConsole }), path);
      expect(debugConsole.text).toBe('AB@!');
      expect(summary.end.reason).toBe('halted');
      const assists = linesOf(path).filter((line) => / assist /.test(line));
      expect(assists.length).toBe(summary.assists);
      count = summary.assists;
      if (recorder === 'interp') expect(assists).toEqual([]);
    });

    it('has each in the trace, in front of its exits', ({ skip }) => {
      if (count === 0) skip('this engine needs no assist');
      const lines = linesOf(path).map((line) => line.replace(/^#\d+ /, ''));
      const at = lines.indexOf('assist f3 48 0f b8 07 in 64-bit code');
      expect(lines.slice(0, at)).toContain('assist 48 0f c7 0c 24 in 64-bit code');
      expect(lines[at + 1]).toBe('mmio-read address 0xd0000000 size 8 = 0xffffffffffffffff');
    });

    for (const engine of ['interp', 'kvm'] as const) {
      for (const mode of ['machine', 'cpu'] as const) {
        it.skipIf(engine === 'kvm' && noKvm !== undefined)(`replays on ${engine} in ${mode} mode`, async () => {
          const debugConsole = new Text();
          const result = await replay(path, engine, mode, { debugConsole });
          expect(result).toMatchObject({ kind: 'complete', notes: [] });
          expect(debugConsole.text).toBe('AB@!');
        });
      }
    }
  });
});

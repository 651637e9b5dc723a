/** How soon the interpreter gives control back, and how soon what it recorded is in the file, however slow the guest's instructions are. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RecordSession } from '../../src/record/session.js';
import { FrameFile } from '../../src/trace/frame-file.js';
import { workFolder } from '../helpers/cli.js';
import { machineOf, replay } from '../helpers/tape.js';

const folder = workFolder();

/** mov word [18h],7c20h; mov word [1ah],0: the handler of #UD. */
const handler = [0xc7, 0x06, 0x18, 0x00, 0x20, 0x7c, 0xc7, 0x06, 0x1a, 0x00, 0x00, 0x00];
/** out 80h,al: the record that waits. */
const out = [0xe6, 0x80];

/** Real-mode guests at 7C00h that make one exit and then none: the code, and the handler at 7C20h. */
const guests: Readonly<Record<string, readonly [code: readonly number[], handler: readonly number[]]>> = {
  'is fast': [[...out, 0xeb, 0xfe], []],
  'does nothing but fault': [[...handler, ...out, 0x0f, 0x0b], [0xcf]],
  'faults without retiring an instruction': [
    [...handler, ...out, 0x0f, 0x0b],
    [0x0f, 0x0b],
  ],
  'computes sines': [[...out, 0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xfe, 0xeb, 0xfc], []],
  // mov byte [7c09h],90h; nop; nop (7c09h); jmp to the mov
  'writes its own code': [[...out, 0xc6, 0x06, 0x09, 0x7c, 0x90, 0x90, 0x90, 0x90, 0xeb, 0xf6], []],
  // mov cx,ffffh; repne scasb; jmp
  'repeats string instructions': [[...out, 0xb9, 0xff, 0xff, 0xf2, 0xae, 0xeb, 0xf9], []],
};

async function open(name: string, path: string): Promise<RecordSession> {
  const [code, at20] = guests[name] as (typeof guests)[string];
  const image = new Uint8Array(0x40);
  image.set(code);
  image.set(at20, 0x20);
  const machine = machineOf('interp', image, 'real', 0x7c00);
  const about = { id: new Uint8Array(16), date: 0, options: {}, tsc: 'hook', ledger: null, host: {} } as const;
  return RecordSession.open({ machine, path, ...about });
}

/** Slices until the record is written, at most `most`, and the processor's milliseconds that they took; the recording is ended then. */
async function recordUntilWritten(name: string, path: string, most: number): Promise<{ slices: number; time: number }> {
  const session = await open(name, path);
  const before = statSync(path).size;
  let slices = 0;
  const { machine } = session;
  const start = process.cpuUsage();
  let time = 0;
  const runSlice = machine.runSlice.bind(machine);
  machine.runSlice = () => {
    if (statSync(path).size > before || slices >= most) session.stop();
    else {
      slices++;
      const { user, system } = process.cpuUsage(start);
      time = (user + system) / 1000;
    }
    return runSlice();
  };
  await session.run();
  session.close();
  return { slices, time };
}

/** The first frame of records. */
function firstRecords(path: string): Uint8Array | undefined {
  const file = new FrameFile(path);
  try {
    for (const { kind, payload } of file.frames()) if (kind === 5) return Uint8Array.from(payload);
    return undefined;
  } finally {
    file.close();
  }
}

describe.each(Object.keys(guests))('a guest that %s', (name) => {
  it('gives control back, and its record is written within a second, at the same place each time', async () => {
    const files = [join(folder, 'a'), join(folder, 'b')] as const;
    const first = await recordUntilWritten(name, files[0], 100);
    // 2^24 instructions, or as much work, in slices of 2,000,000; then the thread that compresses needs a turn or more.
    expect(first.slices).toBeGreaterThan(2);
    expect(first.slices).toBeLessThan(100);
    expect(first.time).toBeLessThan(1000);
    await recordUntilWritten(name, files[1], 100);
    // Where the recordings were stopped is the clock's.
    expect(firstRecords(files[1])).toEqual(firstRecords(files[0]));
    expect(await replay(files[0], 'interp', 'machine')).toMatchObject({ kind: 'complete' });
  });
});

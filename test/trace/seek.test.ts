/** A record that is sought by its ordinal is the one that reading from the start comes to, whatever stands before it in its frame. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { openTrace } from '../../src/trace/open.js';
import { formatRecord, RecordKind } from '../../src/trace/record.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { workFolder } from '../helpers/cli.js';
import { linesOf, smallEnd, smallHeader } from '../helpers/trace.js';

const folder = workFolder();
const SEED = 20;

it.each([true, false])('with records of every kind, counted: %s', async (counting) => {
  const path = join(folder, `counted-${counting}`);
  const random = new Prng(SEED);
  const header = { ...smallHeader, counting, engine: counting ? 'interp' : 'kvm' } as const;
  const writer = new TraceWriter(path, header, { ram: [] });
  const { records } = writer;
  const view = new DataView(new ArrayBuffer(8));
  const registers = new Uint8Array(144);
  let retired = 0;
  for (let index = 0; index < 3000; index++) {
    retired += random.below(300);
    view.setUint32(random.below(5), random.u32());
    records.vcpu = random.below(40) === 0 ? 1 : records.vcpu;
    const kind = random.below(16);
    if (kind < 6)
      records.access(
        kind & 1 ? RecordKind.IoWrite : RecordKind.IoRead,
        retired,
        0x3f8 + random.below(8),
        1 << random.below(3),
        view,
        0,
      );
    // More addresses than there are shapes for.
    else if (kind < 8)
      records.access(RecordKind.MmioWrite, retired, 0xfee0_0000 + random.below(1 << 20), 1 + random.below(8), view, 0);
    else if (kind === 8) records.msr(RecordKind.MsrRead, retired, 0x1b, random.below(2) === 0, view, 0);
    else if (kind === 9) records.plain(RecordKind.Halt, retired);
    else if (kind === 10) records.hook(retired, 3, 1, random.u32(), 2, 0, 0);
    else if (kind === 11) records.time(retired, index * 1000);
    else if (kind === 12) {
      registers[random.below(144)] = random.below(256);
      records.inject(retired, 0x20, 0, registers);
    } else if (kind === 13) writer.dma(retired, random.below(0x1000), new Uint8Array(random.below(900)).fill(index));
    else if (kind === 14) records.assist(retired, Uint8Array.of(0x0f, index & 255), 32);
    else records.digest(retired, Uint8Array.of(index & 255), Uint8Array.of(1));
    if (random.below(900) === 0) writer.flush();
  }
  writer.finish({ ...smallEnd, retired: counting ? retired : -1 });
  const lines = linesOf(path);
  expect(lines).toHaveLength(3000);
  const trace = await openTrace(path);
  for (let ordinal = 0; ordinal < lines.length; ordinal += 1 + random.below(6)) {
    const record = await trace.record(ordinal);
    expect(record && formatRecord(record), `seed ${SEED}`).toBe(lines[ordinal]);
  }
  trace.close();
  for (const ordinal of [1, 777, 1500, 2998]) expect(linesOf(path, ordinal)).toEqual(lines.slice(ordinal));
});

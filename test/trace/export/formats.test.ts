import { expect, test } from 'vitest';
import { GuestTime } from '../../../src/trace/export/guest-time.js';
import { JsonlExporter } from '../../../src/trace/export/jsonl.js';
import { PerfettoExporter } from '../../../src/trace/export/perfetto.js';
import { TraceRecord } from '../../../src/trace/record.js';

const recordOf = (fields: Partial<TraceRecord>, data: readonly number[] = []) => {
  const record = Object.assign(new TraceRecord(), fields);
  record.data.set(data);
  return record;
};
const json = (record: TraceRecord) => JSON.parse(new JsonlExporter().record(record)) as unknown;

test('jsonl: an access is as wide as it was, and what was not counted is null', () => {
  const record = recordOf({ kind: 4, address: 0xfee0_00b0, size: 4, vcpu: 1 }, [1, 2, 3, 4]);
  expect(json(record)).toEqual({
    ...{ ordinal: 0, kind: 'mmio-write', retired: null, vcpu: 1 },
    ...{ address: '0xfee000b0', size: 4, data: '0x04030201' },
  });
});

test('jsonl: an MSR has a value or was refused', () => {
  expect(json(recordOf({ kind: 5, address: 0x10, size: 8 }, [7]))).toMatchObject({ data: '0x0000000000000007' });
  const refused = json(recordOf({ kind: 6, address: 0x10, size: 8, fault: true }));
  expect(refused).toMatchObject({ msr: '0x10', fault: true });
  expect(refused).not.toHaveProperty('data');
});

test('jsonl: a hook has the words that its instruction answers', () => {
  const answer = { kind: 9, address: 3, low: 0x10, high: 0x20, aux: 0x30, ebx: 0x40 } as const;
  expect(json(recordOf({ ...answer, hookKind: 1 }))).not.toHaveProperty('ecx');
  expect(json(recordOf({ ...answer, hookKind: 5 }))).toMatchObject({
    ...{ hook: 'CPUID', site: 3, low: '0x10', high: '0x20', ecx: '0x30', ebx: '0x40' },
  });
});

test('jsonl: a landmark tells its pages from its page tables', () => {
  const landmark = {
    cpuHash: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 2),
    pages: [10, 13],
    hashes: new Uint8Array(16).fill(5),
  };
  expect(json(recordOf({ kind: 11, vector: 32, landing: 3, landmark }))).toMatchObject({
    landing: 'landmark',
    landmark: {
      cpu: '0100000000000002',
      pages: [
        { page: 5, table: false, hash: '0505050505050505' },
        { page: 6, table: true, hash: '0505050505050505' },
      ],
    },
  });
});

test('jsonl: bytes and digests are hexadecimal', () => {
  const bytes = Uint8Array.of(0x0f, 0xa2);
  expect(json(recordOf({ kind: 14, bytes }))).toMatchObject({ kind: 'assist', bytes: '0fa2' });
  expect(json(recordOf({ kind: 13, address: 0x1000, bytes }))).toMatchObject({ address: '0x1000', bytes: '0fa2' });
  expect(json(recordOf({ kind: 15, bytes, stateDigest: bytes }))).toMatchObject({ run: '0fa2', state: '0fa2' });
});

const times = (records: readonly TraceRecord[]) => {
  const nobody = { follow: () => [] };
  const exporter = new PerfettoExporter(nobody, 'test');
  const text = [exporter.begin(), ...records.map((record) => exporter.record(record)), exporter.finish()].join('');
  const { traceEvents } = JSON.parse(text) as { traceEvents: { ph: string; name: string; ts: number; dur: number }[] };
  return traceEvents.filter(({ ph }) => ph !== 'M').map(({ name, ts, dur }) => [name, ts, dur]);
};

test('perfetto: without instruction counts, the time is that of the last time record', () => {
  const halt = recordOf({ kind: 7 });
  expect(times([halt, recordOf({ kind: 10, time: 5000 }), halt, halt])).toEqual([
    ['halt', 0, undefined],
    ['halt', 5, undefined],
    ['halt', 5, undefined],
  ]);
});

test('perfetto: with instruction counts, a time record says what idling skipped', () => {
  const halt = (retired: number) => recordOf({ kind: 7, retired });
  expect(times([halt(1000), recordOf({ kind: 10, time: 9000, retired: 1000 }), halt(1500)])).toEqual([
    ['halt', 1, undefined],
    ['halt', 9.5, undefined],
  ]);
});

test('perfetto: a console line that never ends is cut into pieces of 1024 bytes', () => {
  const letter = recordOf({ kind: 2, address: 0xe9, size: 1 }, [0x61]);
  const lines = times(Array.from({ length: 1500 }, () => letter)).filter(([, , dur]) => dur !== undefined);
  expect(lines.map(([name]) => String(name).length)).toEqual([1024, 476]);
});

test('perfetto: an exit takes the time that the header says, a halt none', () => {
  const nobody = { follow: () => [] };
  const exporter = new PerfettoExporter(nobody, 'test', new GuestTime({ exitTime: 1000 }));
  const access = (retired: number) => recordOf({ kind: 1, address: 0x80, size: 1, retired });
  const records = [access(100), access(200), recordOf({ kind: 7, retired: 300 }), access(400)];
  const idle = [recordOf({ kind: 10, time: 90_000, retired: 400 }), access(500)];
  exporter.begin();
  const text = [...records, ...idle].map((record) => exporter.record(record)).join('');
  const events = JSON.parse(`[${text.replace(/^,/, '')}]`) as { ts: number }[];
  // 100; 200 and one exit; 300 and two; 400 and two; then idled to 90 µs, of which 400 are instructions.
  expect(events.map(({ ts }) => ts)).toEqual([0.1, 1.2, 2.3, 2.4, 90.1]);
});

test('perfetto: port 402h is the debug console of a machine that starts from a ROM, and of no other', () => {
  const letters = [undefined, 'i440fx' as const].map((chipset) => {
    const exporter = new PerfettoExporter({ follow: () => [] }, 'test', new GuestTime(), chipset);
    const line = [...'hi\n'].map((letter) => recordOf({ kind: 2, address: 0x402, size: 1 }, [letter.charCodeAt(0)]));
    return [exporter.begin(), ...line.map((record) => exporter.record(record)), exporter.finish()].join('');
  });
  expect(letters.map((text) => text.includes('"hi'))).toEqual([false, true]);
});

test('counts that a replay has learnt are no time, and a part begins with the time that it has in the whole', () => {
  const access = (retired: number) => recordOf({ kind: 1, address: 0x80, size: 1, retired });
  const records = [access(7_000), recordOf({ kind: 10, time: 2_000, retired: 8_000 }), access(9_000)];
  const timesOf = (time: GuestTime) => records.map((record) => [time.see(record), time.now][1]);
  expect(timesOf(new GuestTime({ isCounting: false }))).toEqual([0, 2_000, 2_000]);
  expect(timesOf(new GuestTime({ isCounting: false, now: 1_000 }))).toEqual([1_000, 2_000, 2_000]);
  expect(timesOf(new GuestTime({ now: 90_000, skipped: 86_000 }))).toEqual([93_000, 2_000, 3_000]);
});

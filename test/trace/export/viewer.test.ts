/** The timeline as a real viewer reads it: tracks, events and times are those of the trace. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { top, vmtape, workFolder } from '../../helpers/cli.js';
import { linesOf } from '../../helpers/trace.js';
import { type ViewerModel, type ViewerTrack, viewerFolder, viewTrace } from '../../helpers/trace-viewer.js';

const folder = workFolder();
const viewer = viewerFolder();
const reason = viewer.startsWith('no ') ? viewer : undefined;

describe.skipIf(reason !== undefined)(`chrome://tracing (${reason ?? 'it is there'})`, () => {
  const path = join(folder, 'ticks.vmtape');
  let model: ViewerModel;
  let lines: readonly string[];
  const track = (name: string) => model.tracks.find((one) => one.name === name) as ViewerTrack;

  beforeAll(async () => {
    const guest = ['--flat', join(top, 'corpora/guests/prot32-ticks.bin'), '--load-at', '0x100000', '--mode', 'prot32'];
    await vmtape(['record', '--engine', 'interp', ...guest, '--serial', 'none', '-o', path]);
    const json = join(folder, 'ticks.json');
    expect((await vmtape(['export', path, '--format', 'perfetto', '-o', json])).code).toBe(0);
    lines = linesOf(path);
    model = await viewTrace(viewer, json);
  }, 180_000);

  it('opens it without a warning, as one process that is named by the file', () => {
    expect(model.warnings).toEqual([]);
    expect(model.processes).toEqual(['ticks.vmtape']);
  });

  it('has an event for each exit and each interrupt', () => {
    const exits = lines.filter((line) => / (io|mmio|msr)-|halt|shutdown| hook /.test(line));
    expect(exits.length).toBeGreaterThan(1000);
    expect(track('exits').events).toHaveLength(exits.length);
    const kinds = (titles: readonly string[]) => titles.toSorted();
    const kindOf = (line: string) => / (io-read|io-write|mmio-read|mmio-write|halt)/.exec(line)?.[1] as string;
    expect(kinds(track('exits').events.map(({ title }) => title))).toEqual(kinds(exits.map(kindOf)));
    const vectors = lines.flatMap((line) => / inject (?:vector )?(0x[0-9a-f]+)/.exec(line)?.[1] ?? []);
    expect(vectors.length).toBeGreaterThan(10);
    expect(track('interrupts').events.map(({ title }) => title)).toEqual(vectors.map((one) => `vector ${one}`));
  });

  it('has a track for each device, with as many events as inspect counts', async () => {
    const { stdout } = await vmtape(['inspect', path, '--json']);
    const counted = new Map<string, number>();
    for (const { device, reads, writes } of JSON.parse(stdout).addresses)
      counted.set(device ?? 'unclaimed', (counted.get(device ?? 'unclaimed') ?? 0) + reads + writes);
    expect(counted.size).toBeGreaterThan(2);
    for (const [device, accesses] of counted) expect(track(device).events, device).toHaveLength(accesses);
    const names = ['exits', 'interrupts', 'serial console', ...counted.keys()];
    expect(model.tracks.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });

  it('has each line of the console, one behind the other', async () => {
    const { stdout } = await vmtape(['export', path, '--format', 'console']);
    const written = stdout.split('\n').filter((line) => line !== '');
    const { events: slices } = track('serial console');
    expect(slices.map(({ title }) => title)).toEqual(written.map((line) => line.trimEnd()));
    for (const [index, { start }] of slices.entries()) {
      const before = slices[index - 1];
      if (before) expect(start).toBeGreaterThanOrEqual(before.start + before.duration);
    }
  });

  it('has the times of the guest, to the nanosecond', () => {
    // Milliseconds, from the first event on.
    const first = /@(\d+)/.exec(lines[0] as string)?.[1];
    const third = /@(\d+)/.exec(lines[2] as string)?.[1];
    const { events: instants } = track('exits');
    const apart = ((instants[2]?.start ?? 0) - (instants[0]?.start ?? 0)) * 1e6;
    // Two exits of a microsecond each lie in between.
    expect(Math.round(apart)).toBe(Number(third) - Number(first) + 2000);
  });
});

/** Checkpoints in traces, and what a replay from one comes to, for tests. */
import { expect } from 'vitest';
import { realHost } from '../../src/base/host.js';
import { CheckpointFile } from '../../src/replay/checkpoint-file.js';
import { ReplaySession } from '../../src/replay/session.js';
import { TraceReader } from '../../src/trace/reader.js';
import { memoryDigest } from '../../src/vmm/memory-digest.js';
import { replay } from './tape.js';

/** Replays the trace, saving its state `count` times; the records of the checkpoints. */
export async function addCheckpoints(path: string, count: number, output?: string): Promise<number[]> {
  const total = recordsOf(path);
  const file = new CheckpointFile(path, { every: Math.max(1, Math.floor(total / (count + 1))), output });
  try {
    const result = await replay(path, 'interp', 'machine', { checkpoints: file });
    expect(result.kind).toBe('complete');
    file.finish();
  } finally {
    file.discard();
  }
  return checkpointsOf(output ?? path);
}

/** How many records a trace has. */
export function recordsOf(path: string): number {
  const reader = new TraceReader(path);
  reader.close();
  return reader.index.root.records;
}

/** The records of its checkpoints. */
export function checkpointsOf(path: string): number[] {
  const reader = new TraceReader(path);
  try {
    return reader.checkpoints().map((one) => one.record);
  } finally {
    reader.close();
  }
}

/** What a replay from a record to the end leaves. */
export async function endOf(path: string, mode: 'machine' | 'cpu', from?: number): Promise<Record<string, unknown>> {
  const session = await ReplaySession.open({ path, mode, host: realHost, ...(from !== undefined && { from }) });
  try {
    const result = await session.run();
    const registers = new Uint8Array(144);
    session.vcpu.readRegisters(registers);
    return {
      start: session.start,
      result,
      registers,
      memory: memoryDigest(session.guest),
      serial: [session.serial.count, session.serial.digest()],
      debug: [session.debugConsole.count, session.debugConsole.digest()],
    };
  } finally {
    session.close();
  }
}

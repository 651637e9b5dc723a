/** The processor of this host as oracle for MMX and SSE: builds oracle.c and runs cases through it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the memory operands lie, on both sides. */
export const OPERAND = 0x21_0800;
/** Bytes of memory that a case sets and a result has. */
export const MEMORY_BYTES = 128;
const IN = 8 + 16 + 128 + 8 + 512 + MEMORY_BYTES;
const OUT = 8 + 128 + 8 + 512 + MEMORY_BYTES;

/** What an instruction starts from. */
export interface SseCase {
  readonly code: Uint8Array;
  readonly registers: BigUint64Array;
  readonly flags: bigint;
  /** An FXSAVE64 image. */
  readonly image: Uint8Array;
  readonly memory: Uint8Array;
}

/** What it made. */
export interface SseResult {
  /** 0, or the signal that it raised: then of the rest only `mxcsr` and `memory` count. */
  readonly signal: number;
  readonly mxcsr: number;
  readonly registers: BigUint64Array;
  readonly flags: bigint;
  readonly image: Uint8Array;
  readonly memory: Uint8Array;
}

/** A built oracle, or why there is none. */
export type SseOracle = { run(cases: readonly SseCase[]): SseResult[]; close(): void } | { missing: string };

function pack(cases: readonly SseCase[]): Uint8Array {
  const bytes = new Uint8Array(cases.length * IN);
  const view = new DataView(bytes.buffer);
  cases.forEach((item, number) => {
    const at = number * IN;
    view.setUint8(at, item.code.length);
    bytes.set(item.code, at + 8);
    for (const [i, value] of item.registers.entries()) view.setBigUint64(at + 24 + i * 8, value, true);
    view.setBigUint64(at + 152, item.flags, true);
    bytes.set(item.image, at + 160);
    bytes.set(item.memory, at + 672);
  });
  return bytes;
}

function unpack(bytes: Uint8Array, count: number): SseResult[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, number) => {
    const at = number * OUT;
    return {
      signal: view.getUint32(at, true),
      mxcsr: view.getUint32(at + 4, true),
      registers: BigUint64Array.from({ length: 16 }, (_, i) => view.getBigUint64(at + 8 + i * 8, true)),
      flags: view.getBigUint64(at + 136, true),
      image: bytes.subarray(at + 144, at + 656),
      memory: bytes.subarray(at + 656, at + OUT),
    };
  });
}

/** The C source, whether this runs from src or from dist/src. */
function source(): string {
  const places = ['oracle.c', '../../../../src/compare/sse/oracle.c'];
  const paths = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  return paths.find((path) => existsSync(path)) ?? (paths[0] as string);
}

/** Compiles the oracle; `missing` says why it cannot be had here. */
export function buildSseOracle(): SseOracle {
  if (process.arch !== 'x64' || process.platform !== 'linux') return { missing: 'this is not Linux on x86-64' };
  const directory = mkdtempSync(join(tmpdir(), 'vmtape-sse-'));
  const program = join(directory, 'oracle');
  const built = spawnSync('cc', ['-O1', '-o', program, source()], { encoding: 'utf8' });
  if (built.status !== 0) {
    rmSync(directory, { recursive: true, force: true });
    return { missing: built.error ? 'there is no C compiler' : `cc failed: ${built.stderr}` };
  }
  return {
    run(cases) {
      const done = spawnSync(program, { input: pack(cases), maxBuffer: 1 << 30 });
      if (done.status !== 0 || done.stdout.length !== cases.length * OUT) {
        throw new Error(`the oracle ended with ${done.status ?? done.signal} after ${done.stdout.length / OUT} cases`);
      }
      return unpack(done.stdout, cases.length);
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

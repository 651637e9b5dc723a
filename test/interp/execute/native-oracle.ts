/** The processor itself as oracle: builds native-oracle.c and runs cases through it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where native-oracle.c puts code and the 64 bytes of memory that it sets and returns. */
export const NATIVE_OPERAND = 0x21_0800;
/** Sizes of its structures. */
const IN = 8 + 16 + 128 + 8 + 64;
const OUT = 8 + 128 + 8 + 64;

/** What an instruction starts from. */
export interface NativeCase {
  /** 64-bit or 32-bit mode; in the latter only the lower halves of the first eight registers count. */
  readonly bits: 32 | 64;
  readonly code: Uint8Array;
  readonly registers: BigUint64Array;
  readonly flags: bigint;
  readonly memory: Uint8Array;
}

/** What it made. */
export interface NativeResult {
  /** 0, or the signal that it raised: then the rest says nothing. */
  readonly signal: number;
  readonly registers: BigUint64Array;
  readonly flags: bigint;
  readonly memory: Uint8Array;
}

/** A built oracle, or why there is none. */
export type NativeOracle = { run(cases: readonly NativeCase[]): NativeResult[]; close(): void } | { missing: string };

function pack(cases: readonly NativeCase[]): Uint8Array {
  const bytes = new Uint8Array(cases.length * IN);
  const view = new DataView(bytes.buffer);
  cases.forEach((item, number) => {
    const at = number * IN;
    view.setUint8(at, item.code.length);
    view.setUint8(at + 1, item.bits === 32 ? 1 : 0);
    bytes.set(item.code, at + 8);
    for (const [i, value] of item.registers.entries()) view.setBigUint64(at + 24 + i * 8, value, true);
    view.setBigUint64(at + 152, item.flags, true);
    bytes.set(item.memory, at + 160);
  });
  return bytes;
}

function unpack(bytes: Uint8Array, count: number): NativeResult[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, number) => {
    const at = number * OUT;
    const registers = BigUint64Array.from({ length: 16 }, (_, i) => view.getBigUint64(at + 8 + i * 8, true));
    return {
      signal: view.getUint32(at, true),
      registers,
      flags: view.getBigUint64(at + 136, true),
      memory: bytes.slice(at + 144, at + 208),
    };
  });
}

/** Compiles the oracle; `missing` says why it cannot be had here. */
export function buildNativeOracle(): NativeOracle {
  if (process.arch !== 'x64' || process.platform !== 'linux') return { missing: 'this is not Linux on x86-64' };
  const directory = mkdtempSync(join(tmpdir(), 'vmtape-oracle-'));
  const program = join(directory, 'oracle');
  const source = fileURLToPath(new URL('native-oracle.c', import.meta.url));
  const built = spawnSync('cc', ['-O1', '-o', program, source], { encoding: 'utf8' });
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

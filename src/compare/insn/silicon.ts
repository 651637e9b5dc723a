/**
 * The processor itself: runs batches in a process of the host (native/silicon.c) with the comparing guest's memory at the same addresses.
 * No hypervisor is between; 32- and 16-bit user code runs there too, which KVM emulates on a host without VT-x and AMD-V.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ExitCode, VmtapeError } from '../../base/errors.js';
import type { InsnCase } from './case.js';
import type { CaseRunner } from './engine.js';
import { buildImage, type GuestImage } from './image.js';
import * as at from './layout.js';
import { Case, HUNG, Result } from './layout.js';
import type { Level } from './levels.js';
import { placeCases } from './place.js';

const PROGRAM = fileURLToPath(new URL('../../../../build/Release/vmtape_silicon', import.meta.url));
/** As src/compare/insn/silicon.ts is built to dist/src. */
const FROM_SOURCE = fileURLToPath(new URL('../../../build/Release/vmtape_silicon', import.meta.url));

const READ = 1;
const WRITE = 2;
const EXECUTE = 4;
const DEADLINE = 60_000;

/** Address, length, rights, where in the memory: the page tables of image.ts. */
const MAPPINGS: readonly (readonly [number, number, number, number])[] = [
  [at.ALIAS_PAGES, 0x2000, READ | WRITE, at.WINDOW_PAGES],
  [at.HARNESS, 0x1000, READ | WRITE | EXECUTE, at.HARNESS],
  [at.HARNESS + 0x1000, 0x20_0000 - at.HARNESS - 0x1000, READ | WRITE, at.HARNESS + 0x1000],
  [at.WINDOW_PAGES, 0x2000, READ | WRITE, at.WINDOW_PAGES],
  [at.READONLY_PAGE, 0x1000, READ, at.READONLY_PAGE],
  [at.SUPERVISOR_PAGE, 0x1000, 0, at.SUPERVISOR_PAGE],
  [at.CODE, 0x20_0000, READ | WRITE | EXECUTE, at.CODE],
  [at.CODE + 0x20_0000, at.RAM_SIZE - at.CODE - 0x20_0000, READ | WRITE, at.CODE + 0x20_0000],
];

/** The program, or undefined: it is built with the KVM addon. */
function programPath(): string | undefined {
  return [PROGRAM, FROM_SOURCE].find((path) => existsSync(path));
}

/** Why there is no {@link SiliconProcess} here; undefined: there is. */
export function siliconMissing(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'this is not Linux on x86-64';
  return programPath() === undefined ? 'vmtape_silicon is not built: it needs a C compiler' : undefined;
}

/** Runs cases in processes, one a batch. Nothing stays behind between two. */
export class SiliconProcess implements CaseRunner {
  readonly #program: string;
  readonly #ram = new Uint8Array(at.RAM_SIZE);
  readonly #image: GuestImage;
  outside = new Uint8Array(at.OUTSIDE_BYTES);

  constructor(readonly level: Level) {
    const missing = siliconMissing();
    const program = programPath();
    if (missing !== undefined || program === undefined) {
      throw new VmtapeError(
        'VMTAPE_NO_SILICON',
        `no process can stand for the processor: ${missing}`,
        ExitCode.HostCannot,
      );
    }
    this.#program = program;
    this.#image = buildImage(this.#ram, level);
  }

  run(cases: readonly InsnCase[]): Uint8Array {
    placeCases(this.#ram, cases, this.#image.back, this.level);
    const length = cases.length * Result.size;
    const done = spawnSync(this.#program, { input: this.#input(cases.length), maxBuffer: 1 << 24, timeout: DEADLINE });
    if (done.status !== 0 || done.stdout.length !== length + at.OUTSIDE_BYTES) {
      const how = done.error?.message ?? done.signal ?? `exit code ${done.status} ${done.stderr}`;
      throw new VmtapeError(
        'VMTAPE_SILICON',
        `the process that stands for the processor ended: ${how}`,
        ExitCode.HostCannot,
      );
    }
    this.outside = done.stdout.subarray(length);
    return done.stdout.subarray(0, length);
  }

  /** Each run is a new process. */
  reset(): void {}

  close(): void {}

  #input(count: number): Uint8Array {
    const { loop, back, end } = this.#image;
    const output = [
      Result.vector,
      Result.error,
      Result.rip,
      Result.cs,
      Result.frameFlags,
      Result.rsp,
      Result.ss,
      Result.cr2,
    ];
    const pieces = [
      [at.HARNESS, 0x1000],
      [at.CONTROL, 0x800],
      [at.WINDOW_PAGES, at.OUTSIDE_BYTES],
      [at.CODE, at.CODE_BYTES],
      [at.CASES, count * Case.size],
    ] as const;
    const results = [
      [at.RESULTS, count * Result.size],
      [at.WINDOW_PAGES, at.OUTSIDE_BYTES],
    ] as const;
    const head = [
      ...[loop, back, end, ...output.map((offset) => at.OUTPUT + offset), at.CASES_LEFT, HUNG],
      ...[at.TABLES, at.HARNESS, at.SUPERVISOR_PAGE, at.SUPERVISOR_PAGE + 0x1000],
      ...[at.CODE, at.SLOTS * at.SLOT_BYTES - 1, MAPPINGS.length, pieces.length, results.length],
    ];
    return Buffer.concat([
      words([...head, ...MAPPINGS.flat()]),
      ...pieces.flatMap(([address, length]) => [
        words([address, length]),
        this.#ram.subarray(address, address + length),
      ]),
      words(results.flat()),
    ]);
  }
}

/** Each a u64. */
function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values, BigInt).buffer);
}

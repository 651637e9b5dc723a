/** Our own engines, measured in this process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { realHost } from '../src/base/host.js';
import { RecordSession } from '../src/record/session.js';
import { bootGuest } from '../src/vmm/boot/boot.js';
import { vmtape64Cpuid } from '../src/vmm/cpu/cpuid.js';
import { Machine } from '../src/vmm/machine.js';
import type { EngineName, MachineOptions } from '../src/vmm/machine-options.js';
import { endLine, exitsImage, type Load, loadImage, startLine, type Width } from './guests.js';

const LOAD_AT = 0x10_0000;
const RAM_SIZE = 0x200_0000;

/** The machine of a flat guest. */
export function optionsFor(engine: EngineName, image: Uint8Array, width: Width): MachineOptions {
  const guest = bootGuest({
    ramSize: RAM_SIZE,
    source: {
      kind: 'flat',
      image: { name: 'bench', bytes: image },
      loadAt: LOAD_AT,
      mode: width === 64 ? 'long64' : 'prot32',
    },
    hooks: new Set(),
  });
  return { engine, guest, cpuid: vmtape64Cpuid(), host: realHost };
}

/** A measured load. */
export interface LoadRun {
  readonly seconds: number;
  readonly instructions: number;
  /** The line that the load ends with: its checksum. */
  readonly result: string;
}

/** Runs a load on the interpreter; time and instructions are those between its two lines. */
export async function runLoad(load: Load, width: Width, rounds: number): Promise<LoadRun> {
  let line = '';
  let start = { time: 0, retired: 0 };
  let run: LoadRun | undefined;
  let machine: Machine | undefined;
  const serial = {
    write(byte: number): void {
      if (byte !== 0x0a) {
        line += String.fromCharCode(byte);
        return;
      }
      const now = { time: performance.now(), retired: machine?.retired ?? Number.NaN };
      if (line === startLine(load)) start = now;
      if (line.startsWith(endLine(load))) {
        run = { seconds: (now.time - start.time) / 1000, instructions: now.retired - start.retired, result: line };
      }
      line = '';
    },
  };
  machine = await Machine.open({ ...optionsFor('interp', loadImage(load, width, rounds), width), serial });
  try {
    const end = await machine.run();
    if (run === undefined) throw new Error(`the guest ended early: ${end.message}`);
    return run;
  } finally {
    machine.close();
  }
}

/** A run of the guest that only exits. */
export interface ExitsRun {
  readonly seconds: number;
  readonly exits: number;
  /** Of the recording; 0 where none was made. */
  readonly records: number;
  readonly bytes: number;
}

/** Runs it without recording. */
export async function runExits(engine: EngineName, rounds: number): Promise<ExitsRun> {
  const machine = await Machine.open(optionsFor(engine, exitsImage(rounds), 32));
  try {
    const start = performance.now();
    await machine.run();
    return { seconds: (performance.now() - start) / 1000, exits: machine.exits, records: 0, bytes: 0 };
  } finally {
    machine.close();
  }
}

/** Runs it and records. */
export async function recordExits(engine: EngineName, rounds: number): Promise<ExitsRun> {
  const folder = mkdtempSync(join(tmpdir(), 'vmtape-bench-'));
  const session = await RecordSession.open({
    machine: optionsFor(engine, exitsImage(rounds), 32),
    path: join(folder, 'exits.vmtape'),
    id: new Uint8Array(16),
    date: 0,
    options: {},
    tsc: 'pass',
    ledger: null,
    host: {},
  });
  try {
    const start = performance.now();
    const { records, bytes } = await session.run();
    return { seconds: (performance.now() - start) / 1000, exits: session.machine.exits, records, bytes };
  } finally {
    session.close();
    rmSync(folder, { recursive: true });
  }
}

/**
 * The boot of a Debian kernel, from its entry to its power-off, on the interpreter: run, recorded, replayed; and the same vmlinux in QEMU's
 * TCG, plain, with `-icount shift=3`, and with its own record and replay.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { realHost } from '../src/base/host.js';
import { Ledger } from '../src/record/ledger.js';
import type { RecordedFile } from '../src/record/options.js';
import { RecordSession } from '../src/record/session.js';
import type { ReplayMode } from '../src/replay/options.js';
import { ReplaySession } from '../src/replay/session.js';
import { bootGuest } from '../src/vmm/boot/boot.js';
import { vmtape64Cpuid } from '../src/vmm/cpu/cpuid.js';
import type { ByteSink } from '../src/vmm/device.js';
import { HookKind } from '../src/vmm/hooks/table.js';
import { Machine } from '../src/vmm/machine.js';
import type { EngineName, MachineOptions } from '../src/vmm/machine-options.js';
import { printTable } from './figures.js';

export const debianFolder = fileURLToPath(new URL('../../.cache/guests/debian-amd64/', import.meta.url));
const RAM_MIB = 256;
const COMMAND_LINE = 'console=ttyS0 nokaslr';
/** What the guest's init says when its work was done. */
const DONE = 'WORK-OK';
const QEMU_LIMIT_MILLISECONDS = 300_000;

/** A boot: seconds by the clock and of processor time (NaN where another process spent it). */
interface Boot {
  readonly seconds: number;
  readonly processor: number;
  readonly detail: string;
}

/** The serial console; the boot has to say that it did its work. */
class Console {
  text = '';

  write(byte: number): void {
    this.text += String.fromCharCode(byte);
  }

  check(): void {
    if (!this.text.includes(DONE)) throw new Error(`the guest did not say ${DONE}: ${this.text.slice(-200)}`);
  }
}

/** What the guest is loaded from; read when it is needed first. */
const FILES: RecordedFile[] = [];

function fileOf(role: string, name: string): RecordedFile {
  let file = FILES.find((one) => one.name === name);
  if (!file) {
    file = { role, name, bytes: new Uint8Array(readFileSync(join(debianFolder, name))) };
    FILES.push(file);
  }
  return file;
}

/** The machine of the boot. */
export function optionsFor(serial: ByteSink, engine: EngineName = 'interp'): MachineOptions {
  const guest = bootGuest({
    ramSize: RAM_MIB << 20,
    source: {
      kind: 'kernel',
      kernel: fileOf('kernel', 'vmlinux'),
      initrd: fileOf('initrd', 'initramfs.cpio.gz'),
      commandLine: COMMAND_LINE,
    },
    hooks: new Set([HookKind.Rdtsc, HookKind.Rdtscp, HookKind.Rdrand, HookKind.Rdseed, HookKind.Cpuid]),
  });
  return { engine, guest, cpuid: vmtape64Cpuid(), serial, host: realHost };
}

/** Times what `work` does. */
async function timed(work: () => Promise<string>): Promise<Boot> {
  const processor = process.cpuUsage();
  const start = performance.now();
  const detail = await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(processor);
  return { seconds, processor: (user + system) / 1e6, detail };
}

async function runBoot(): Promise<Boot & { readonly instructions: number }> {
  const serial = new Console();
  const machine = await Machine.open(optionsFor(serial));
  try {
    const boot = await timed(async () => {
      await machine.run();
      return `${(machine.retired / 1e6).toFixed(0)} million instructions, ${machine.exits} exits`;
    });
    serial.check();
    return { ...boot, instructions: machine.retired };
  } finally {
    machine.close();
  }
}

async function recordBoot(path: string): Promise<Boot> {
  const serial = new Console();
  const session = await RecordSession.open({
    machine: optionsFor(serial),
    path,
    id: new Uint8Array(16),
    date: 0,
    options: {},
    // The trace is the run; the guest is 10 MB of its own.
    files: FILES,
    embed: false,
    tsc: 'hook',
    ledger: new Ledger({ engine: 'interp', tsc: 'hook' }).toJSON(),
    host: {},
  });
  try {
    const boot = await timed(async () => {
      const { records, instructions } = await session.run();
      const perThousand = (statSync(path).size / (instructions ?? Number.NaN)) * 1000;
      return `${records} records, ${statSync(path).size} bytes: ${perThousand.toFixed(2)} for 1,000 instructions`;
    });
    serial.check();
    return boot;
  } finally {
    session.close();
  }
}

async function replayBoot(path: string, mode: ReplayMode): Promise<Boot> {
  const serial = new Console();
  const files = (sha256: string): Uint8Array | undefined =>
    FILES.find(({ bytes }) => createHash('sha256').update(bytes).digest('hex') === sha256)?.bytes;
  const session = await ReplaySession.open({ path, engine: 'interp', mode, serial, files, host: realHost });
  try {
    const boot = await timed(async () => {
      const result = await session.run();
      if (result.kind !== 'complete') throw new Error(`the replay ended as ${result.kind}`);
      return `${result.records} records are equal`;
    });
    serial.check();
    return boot;
  } finally {
    session.close();
  }
}

/** QEMU with the same kernel, until it powers off; from its start, so with its firmware. */
export function qemuBoot(options: readonly string[]): Promise<Boot> {
  const machine = ['-m', String(RAM_MIB), '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-net', 'none'];
  const kernel = ['-kernel', join(debianFolder, 'vmlinux'), '-initrd', join(debianFolder, 'initramfs.cpio.gz')];
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(
      'qemu-system-x86_64',
      [...machine, '-no-reboot', ...kernel, '-append', COMMAND_LINE, ...options],
      { stdio: ['ignore', 'pipe', 'pipe'], timeout: QEMU_LIMIT_MILLISECONDS, killSignal: 'SIGKILL' },
    );
    let text = '';
    let complaint = '';
    child.stderr.on('data', (bytes: Buffer) => {
      complaint += bytes.toString('latin1');
    });
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const seconds = (performance.now() - start) / 1000;
      if (code === 0 && text.includes(DONE)) resolve({ seconds, processor: Number.NaN, detail: '' });
      else reject(new Error(`it ended with ${signal ?? code}: ${complaint.slice(-100) || text.slice(-100)}`));
    });
  });
}

type Row = readonly string[];

function rowOf(name: string, boot: Boot, base: Boot): Row {
  const processor = Number.isNaN(boot.processor) ? '' : boot.processor.toFixed(1);
  return [name, boot.seconds.toFixed(1), processor, `${(boot.seconds / base.seconds).toFixed(2)}×`, boot.detail];
}

/** QEMU's rows; the ratios are to its plain TCG. */
async function benchQemu(traces: string): Promise<Row[]> {
  const version = spawnSync('qemu-system-x86_64', ['--version']);
  if (version.error) return [['QEMU: not measured, qemu-system-x86_64 is not installed', '', '', '', '']];
  const rr = (mode: string): string => `shift=3,rr=${mode},rrfile=${join(traces, 'qemu.rr')}`;
  const variants: readonly (readonly [string, readonly string[]])[] = [
    ['QEMU TCG', ['-accel', 'tcg']],
    ['QEMU TCG -icount shift=3', ['-accel', 'tcg', '-icount', 'shift=3']],
    ['QEMU TCG rr=record', ['-accel', 'tcg', '-icount', rr('record')]],
    ['QEMU TCG rr=replay', ['-accel', 'tcg', '-icount', rr('replay')]],
  ];
  const rows: Row[] = [];
  let base: Boot | undefined;
  for (const [name, options] of variants) {
    try {
      const boot = await qemuBoot(options);
      base ??= boot;
      rows.push(rowOf(name, boot, base));
    } catch (error) {
      rows.push([`${name}: ${(error as Error).message.replace(/\s+/g, ' ')}`, '', '', '', '']);
    }
  }
  return rows;
}

/** Prints the table. With `quick` only the run. */
export async function benchDebian(quick: boolean): Promise<void> {
  console.log(
    '\nA Debian kernel from its entry to its power-off: seconds, seconds of processor time, ratio to the run.\n',
  );
  if (!existsSync(join(debianFolder, 'vmlinux'))) {
    console.log('  not measured: there is no .cache/guests/debian-amd64; npm run guest:debian fetches it');
    return;
  }
  const traces = mkdtempSync(join(tmpdir(), 'vmtape-bench-'));
  try {
    const run = await runBoot();
    const rows: Row[] = [['', 'seconds', 'processor', 'ratio', ''], rowOf('vmtape run', run, run)];
    if (!quick) {
      const trace = join(traces, 'debian.vmtape');
      rows.push(rowOf('vmtape record', await recordBoot(trace), run));
      rows.push(rowOf('vmtape replay --mode machine', await replayBoot(trace, 'machine'), run));
      rows.push(rowOf('vmtape replay --mode cpu', await replayBoot(trace, 'cpu'), run));
      rows.push(...(await benchQemu(traces)));
    }
    printTable(rows);
    const mips = (seconds: number): string => (run.instructions / seconds / 1e6).toFixed(0);
    console.log(`\n  vmtape run: ${mips(run.seconds)} MIPS by the clock, ${mips(run.processor)} by processor time`);
  } finally {
    rmSync(traces, { recursive: true });
  }
}

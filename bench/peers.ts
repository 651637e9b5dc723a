/** Other emulators with the very same guest code, carried by bench/peers/rom.s as their firmware. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { endLine, type Load, loadImage, startLine, type Width } from './guests.js';

const romSource = fileURLToPath(new URL('../../bench/peers/rom.s', import.meta.url));
const LIMIT_MILLISECONDS = 30_000;

/** Another emulator. */
export interface Peer {
  readonly name: string;
  /** How many times as many rounds as ours, so that a run is long enough to measure. */
  readonly factor: number;
  /** Why it cannot be measured here. */
  readonly absent: string | undefined;
  /** The command for a firmware image; the guest's serial port is its standard output. */
  command(rom: string, folder: string): readonly string[];
}

const has = (program: string, option: string): boolean => spawnSync(program, [option]).error === undefined;
const assembler = has('as', '--version') ? undefined : 'GNU as is not installed';

function qemuVersion(): string | undefined {
  const result = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' });
  return /version (\d+\.\d+)/.exec(result.stdout ?? '')?.[1];
}

function qemu(name: string, factor: number, version: string | undefined, options: readonly string[]): Peer {
  return {
    name: `QEMU ${version ?? ''} ${name}`.replace('  ', ' '),
    factor,
    absent: version === undefined ? 'qemu-system-x86_64 is not installed' : assembler,
    command: (rom) => [
      'qemu-system-x86_64',
      ...['-bios', rom, '-m', '32', '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-reboot'],
      ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4', ...options],
    ],
  };
}

/** Bochs wants its settings in a file. */
const bochs: Peer = {
  name: 'Bochs',
  factor: 1,
  absent: has('bochs', '--help') ? assembler : 'bochs is not installed',
  command(rom, folder) {
    const settings = [
      'config_interface: textconfig',
      'display_library: rfb, options="timeout=0"',
      'megs: 32',
      `romimage: file=${rom}`,
      'vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest',
      'com1: enabled=1, mode=file, dev=/dev/stdout',
      'cpu: ips=500000000',
      'sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy',
      'plugin_ctrl: biosdev=0, speaker=0, parallel=0, gameport=0',
      'log: /dev/null',
      'panic: action=fatal',
      ...['error', 'info', 'debug'].map((level) => `${level}: action=ignore`),
    ];
    const file = join(folder, 'bochsrc');
    writeFileSync(file, settings.join('\n'));
    // Real pipes on both sides: with the sockets that Node makes, it cannot open /dev/stdout, and stops in a long run.
    // The packaged Bochs is the debugger: `c` lets it go.
    return ['sh', '-c', '(echo c; sleep 60) | bochs -q -f "$0" | cat', file];
  },
};

/** All peers, the fastest first. */
export function peers(): readonly Peer[] {
  const version = qemuVersion();
  // The option became a property of the accelerator in 8.1.
  const oneInstruction =
    Number(version) >= 8.1 ? ['-accel', 'tcg,one-insn-per-tb=on'] : ['-accel', 'tcg', '-singlestep'];
  return [
    qemu('TCG -icount shift=3', 10, version, ['-accel', 'tcg', '-icount', 'shift=3']),
    qemu('TCG, one instruction a block', 1, version, oneInstruction),
    bochs,
  ];
}

/** Makes the firmware around a load; returns its path. */
function buildRom(load: Load, width: Width, rounds: number, folder: string): string {
  writeFileSync(join(folder, 'guest.bin'), loadImage(load, width, rounds));
  const run = (...command: readonly string[]): void => {
    const result = spawnSync(command[0] ?? '', command.slice(1), { cwd: folder, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`${command.join(' ')}: ${result.stderr}`);
  };
  const long = width === 64 ? ['--defsym', 'LONG=1'] : [];
  run('as', '--32', ...long, '-o', 'rom.o', romSource);
  run('ld', '-m', 'elf_i386', '-Ttext', '0xf0000', '--oformat', 'binary', '-o', 'rom.bin', 'rom.o');
  if (readFileSync(join(folder, 'rom.bin')).length !== 0x1_0000) throw new Error('the firmware is not 64 KiB');
  return join(folder, 'rom.bin');
}

/** Seconds between the guest's two lines, and the second of them. */
export async function runPeer(
  peer: Peer,
  load: Load,
  width: Width,
  rounds: number,
): Promise<{ readonly seconds: number; readonly result: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'vmtape-bench-'));
  try {
    const [program = '', ...args] = peer.command(buildRom(load, width, rounds, folder), folder);
    return await new Promise((resolve, reject) => {
      // A process group of its own: what is called bochs may be a script around the program.
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
      const kill = (): void => void (child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'));
      const limit = setTimeout(kill, LIMIT_MILLISECONDS);
      let text = '';
      let start = Number.NaN;
      let found: { seconds: number; result: string } | undefined;
      child.stdout.on('data', (bytes: Buffer) => {
        const now = performance.now();
        text += bytes.toString('latin1');
        if (Number.isNaN(start) && text.includes(startLine(load))) start = now;
        const end = new RegExp(`${endLine(load)}.*(?=\n)`).exec(text);
        if (end === null || found) return;
        found = { seconds: (now - start) / 1000, result: end[0] };
        kill();
      });
      child.on('error', reject);
      child.on('close', () => {
        clearTimeout(limit);
        if (found) resolve(found);
        else reject(new Error(`${peer.name} did not finish ${load}${width}`));
      });
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

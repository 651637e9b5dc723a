/** The machine options of `run` and `record`: declared once, read and checked here. */
import { type Command, Option } from 'commander';
import type { BootModule, BootSource, FlatMode } from '../vmm/boot/request.js';
import type { MachineLimits } from '../vmm/machine-options.js';
import { parseSerial, type SerialChoice } from './console.js';
import { type CpuChoice, parseCpu } from './cpu-model.js';
import { checkOutput, isSameFile, readInput } from './files.js';
import {
  type MemoryDump,
  parseAddress,
  parseCount,
  parseDump,
  parseMemory,
  parsePatience,
  parseSeconds,
  parseTimeScale,
  parseWord,
  usageError,
} from './values.js';

/** How time-stamp reads are closed (design, section 3). */
export type TscPolicy = 'hook' | 'hide' | 'pass';
/** --engine. */
export type EngineChoice = 'auto' | 'kvm' | 'interp';

const ASSIST_CHOICES = ['auto', 'on', 'off'] as const;
/** --assist-user. */
export type AssistChoice = (typeof ASSIST_CHOICES)[number];

/** The options as commander gives them. */
export interface MachineFlags {
  readonly engine: string;
  readonly cpu: string;
  readonly mem: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly module: readonly string[];
  /** False: `--no-default-append`. */
  readonly defaultAppend?: boolean;
  readonly flat?: string;
  readonly loadAt?: string;
  readonly mode?: string;
  readonly rom?: string;
  readonly serial: string;
  readonly tsc: string;
  readonly preemptMs: string;
  readonly timeScale: string;
  readonly assistUser: string;
  readonly untilSerial?: string;
  readonly failSerial: readonly string[];
  readonly maxInstructions?: string;
  readonly maxExits?: string;
  readonly timeout?: string;
  readonly strictBus?: boolean;
  readonly hooks?: string;
  readonly dumpState?: string;
  readonly dumpMem: readonly string[];
}

/** The options, checked, with the images read. */
export interface MachineArguments {
  readonly engine: EngineChoice;
  readonly cpu: CpuChoice;
  readonly ramSize: number;
  readonly source: BootSource;
  /** No command line was given, and vmtape may choose one. */
  readonly canAppend: boolean;
  readonly serial: SerialChoice;
  readonly tsc: TscPolicy;
  /** Guest nanoseconds; see LandingOptions.patience. */
  readonly patience: number;
  /** Undefined: as fast as this host's KVM asks for. */
  readonly timeScale: number | undefined;
  /** KVM: the interpreter executes user code; `auto`: where this host's KVM cannot. */
  readonly assistUser: AssistChoice;
  readonly limits: MachineLimits;
  readonly strictBus: boolean;
  /** The file of sites that are learnt. */
  readonly hooksFile: string | undefined;
  readonly dumpState: string | undefined;
  readonly dumpMemory: readonly MemoryDump[];
}

/** Adds the machine options to a command. */
export function addMachineOptions(command: Command): Command {
  const option = (flags: string, text: string): Option => new Option(flags, text).helpGroup('Machine:');
  const guest = (flags: string, text: string): Option =>
    new Option(flags, text).helpGroup('Guest (one of --kernel, --flat, --rom):');
  const stop = (flags: string, text: string): Option => new Option(flags, text).helpGroup('When to stop:');
  const result = (flags: string, text: string): Option => new Option(flags, text).helpGroup('Results:');
  const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];
  return command
    .addOption(guest('--kernel <file>', 'a Linux bzImage or vmlinux, a PVH kernel, or a Multiboot 1 image'))
    .addOption(guest('--initrd <file>', "the kernel's initial RAM disk (or its Multiboot module)"))
    .addOption(
      guest(
        '--module <text>',
        'a Multiboot module: its file, and behind a space its command line; may be given several times',
      )
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(guest('--append <text>', "the kernel's command line"))
    .addOption(
      guest(
        '--no-default-append',
        'without --append, leave the command line empty also where this KVM does to Linux what a replay cannot',
      ),
    )
    .addOption(guest('--flat <file>', 'raw code, copied to --load-at and started there'))
    .addOption(guest('--load-at <address>', 'where the raw code goes (default: 0x7c00 in real mode, else 0x100000)'))
    .addOption(
      guest('--mode <mode>', 'how the raw code starts: real, prot32 or long64, see docs/booting.md (default: real)'),
    )
    .addOption(guest('--rom <file>', 'firmware, at the top of the first MiB and of 4 GiB'))
    .addOption(option('--engine <engine>', 'auto, kvm or interp; auto is KVM where it works').default('auto'))
    .addOption(
      option('--cpu <model>', 'vmtape64, with +FEATURE or -FEATURE behind commas: vmtape64,+aes').default('vmtape64'),
    )
    .addOption(option('--mem <size>', 'guest memory, 1M to 3G').default('128M'))
    .addOption(option('--serial <where>', 'the serial console: stdio, none or file:PATH').default('stdio'))
    .addOption(option('--tsc <policy>', 'time-stamp reads: hook, hide or pass').default('hook'))
    .addOption(
      option('--preempt-ms <n>', 'how long an interrupt waits for an exit of a guest that computes, or off').default(
        '2',
      ),
    )
    .addOption(
      option(
        '--time-scale <n>',
        "KVM: how many times slower than the host's the time of a guest goes that computes, or auto",
      ).default('auto'),
    )
    .addOption(
      option(
        '--assist-user <when>',
        "KVM: user code runs on the interpreter: on, off, or auto, where this KVM's user code cannot enter the kernel",
      ).default('auto'),
    )
    .addOption(option('--strict-bus', 'an access that no device claims ends the run with an error'))
    .addOption(stop('--until-serial <text>', 'when the guest has sent this text to the serial console'))
    .addOption(
      stop(
        '--fail-serial <text>',
        'when the guest has sent this text: the run has failed, with exit code 1; may be given several times',
      )
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(stop('--max-instructions <n>', 'after so many instructions (interpreter only: KVM does not count)'))
    .addOption(stop('--max-exits <n>', 'after so many exits of the guest'))
    .addOption(stop('--timeout <seconds>', 'after so much real time; the exit code is then 1'))
    .addOption(
      result(
        '--hooks <file>',
        'sites to hook that earlier runs and replays learnt; those that this one learns are added',
      ),
    )
    .addOption(result('--dump-state <file>', 'writes the whole CPU state at the end as JSON'))
    .addOption(
      result('--dump-mem <address,length,file>', 'writes guest memory at the end; may be given several times')
        .argParser(collect)
        .default([], 'none'),
    );
}

/** Checks the options against each other and reads the images. Throws VMTAPE_USAGE. */
export function readMachineArguments(flags: MachineFlags): MachineArguments {
  const engine = parseWord('--engine', flags.engine, ['auto', 'kvm', 'interp'] as const);
  if (flags.maxInstructions !== undefined && engine === 'kvm') {
    throw usageError('--max-instructions cannot be used with --engine kvm, which does not count', 'use --max-exits');
  }
  const ramSize = parseMemory(flags.mem);
  const dumpMemory = flags.dumpMem.map(parseDump);
  for (const dump of dumpMemory) checkOutput('--dump-mem', dump.path);
  if (flags.hooks !== undefined) checkOutput('--hooks', flags.hooks);
  if (flags.dumpState !== undefined) checkOutput('--dump-state', flags.dumpState);
  const parsed = {
    engine: flags.maxInstructions === undefined ? engine : ('interp' as const),
    cpu: parseCpu(flags.cpu),
    ramSize,
    serial: parseSerial(flags.serial),
    tsc: parseWord('--tsc', flags.tsc, ['hook', 'hide', 'pass'] as const),
    patience: parsePatience('--preempt-ms', flags.preemptMs),
    timeScale: parseTimeScale('--time-scale', flags.timeScale),
    assistUser: parseWord('--assist-user', flags.assistUser, ASSIST_CHOICES),
    limits: readLimits(flags),
    strictBus: flags.strictBus ?? false,
    hooksFile: flags.hooks,
    dumpState: flags.dumpState,
    dumpMemory,
  };
  checkOutputsDiffer(outputsOf(parsed), inputsOf(flags));
  const canAppend = flags.append === undefined && flags.defaultAppend !== false;
  return { ...parsed, canAppend, source: readSource(flags) };
}

function readLimits(flags: MachineFlags): MachineLimits {
  const { maxInstructions, maxExits, timeout, untilSerial, failSerial } = flags;
  return {
    ...(maxInstructions !== undefined && { instructions: parseCount('--max-instructions', maxInstructions) }),
    ...(maxExits !== undefined && { exits: parseCount('--max-exits', maxExits) }),
    ...(timeout !== undefined && { timeout: parseSeconds('--timeout', timeout) }),
    ...(untilSerial !== undefined && { untilSerial: parseWatched('--until-serial', untilSerial) }),
    ...(failSerial.length > 0 && { failSerial: failSerial.map((text) => parseWatched('--fail-serial', text)) }),
  };
}

/** The bytes of a text, as the console has them. */
function parseWatched(option: string, text: string): string {
  if (text === '') throw usageError(`${option} needs a text that is not empty`);
  return Buffer.from(text, 'utf8').toString('latin1');
}

function readSource(flags: MachineFlags): BootSource {
  const { kernel, flat, rom } = flags;
  const given = Object.entries({ kernel, flat, rom }).filter(([, path]) => path !== undefined);
  if (given.length === 0) {
    throw usageError('no guest is given', 'name one with --kernel FILE, --flat FILE or --rom FILE; see --help');
  }
  if (given.length > 1) {
    throw usageError(`${given.map(([name]) => `--${name}`).join(' and ')} contradict each other: a machine boots one`);
  }
  rejectStray(flags.initrd, '--initrd', '--kernel', kernel);
  rejectStray(flags.append, '--append', '--kernel', kernel);
  rejectStray(flags.module[0], '--module', '--kernel', kernel);
  rejectStray(flags.loadAt, '--load-at', '--flat', flat);
  rejectStray(flags.mode, '--mode', '--flat', flat);
  if (rom !== undefined) return { kind: 'rom', rom: readInput('--rom', rom) };
  if (flat !== undefined) return readFlat(flags, flat);
  return {
    kind: 'kernel',
    kernel: readInput('--kernel', kernel as string),
    ...(flags.initrd !== undefined && { initrd: readInput('--initrd', flags.initrd) }),
    ...(flags.module.length > 0 && { modules: flags.module.map(readModule) }),
    commandLine: flags.append ?? '',
  };
}

/** A file, and behind the first space its words. */
function readModule(text: string): BootModule {
  const [path = '', ...words] = text.split(' ');
  return { file: readInput('--module', path), words: words.join(' ') };
}

function readFlat(flags: MachineFlags, path: string): BootSource {
  const mode: FlatMode = parseWord('--mode', flags.mode ?? 'real', ['real', 'prot32', 'long64'] as const);
  const loadAt = parseAddress('--load-at', flags.loadAt ?? (mode === 'real' ? '0x7c00' : '0x100000'));
  return { kind: 'flat', image: readInput('--flat', path), loadAt, mode };
}

function rejectStray(value: string | undefined, option: string, needed: string, other: string | undefined): void {
  if (value !== undefined && other === undefined) throw usageError(`${option} has a meaning only with ${needed}`);
}

/** A file that is written, and the option that names it. */
export type NamedPath = readonly [option: string, path: string];

function outputsOf(parsed: Pick<MachineArguments, 'serial' | 'dumpState' | 'dumpMemory' | 'hooksFile'>): NamedPath[] {
  const { serial, dumpState, dumpMemory, hooksFile } = parsed;
  return [
    ...(serial.kind === 'file' ? [['--serial', serial.path] as const] : []),
    ...(hooksFile === undefined ? [] : [['--hooks', hooksFile] as const]),
    ...(dumpState === undefined ? [] : [['--dump-state', dumpState] as const]),
    ...dumpMemory.map((dump) => ['--dump-mem', dump.path] as const),
  ];
}

function inputsOf(flags: MachineFlags): NamedPath[] {
  const { kernel, initrd, flat, rom } = flags;
  const named = Object.entries({ kernel, initrd, flat, rom }).flatMap(([name, path]) =>
    path === undefined ? [] : [[`--${name}`, path] as const],
  );
  return [...named, ...flags.module.map((text) => ['--module', text.split(' ')[0] as string] as const)];
}

/** No output is an input or another output. */
function checkOutputsDiffer(outputs: readonly NamedPath[], inputs: readonly NamedPath[]): void {
  for (const [index, [option, path]] of outputs.entries()) {
    for (const [other, otherPath] of [...inputs, ...outputs.slice(0, index)]) {
      if (isSameFile(path, otherPath)) throw usageError(`${option} and ${other} name the same file: ${path}`);
    }
  }
}

/** Checks an output of a command's own against the machine's files. */
export function checkOwnOutput(option: string, path: string, flags: MachineFlags, args: MachineArguments): void {
  checkOutput(option, path);
  checkOutputsDiffer([[option, path]], [...inputsOf(flags), ...outputsOf(args)]);
}

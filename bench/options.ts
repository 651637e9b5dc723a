/** What `npm run bench` is asked to measure. */
import { Command } from 'commander';

/** The parts of the benchmark, each alone with the option of its name. */
export const parts = ['speed', 'exits', 'classes', 'debian', 'traces'] as const;
/** A part of the benchmark. */
export type Part = (typeof parts)[number];

const explained: Record<Part, string> = {
  speed: 'guest instructions a second, beside the peers that are installed',
  exits: 'what an exit costs, and what recording it adds',
  classes: 'nanoseconds of an instruction of each class, and of decoding one',
  debian: "the boot of Debian's kernel, run, recorded and replayed, beside QEMU's TCG",
  traces: 'writing, opening, seeking and reading traces, and bytes a record',
};

/** What to measure, and how thoroughly. */
export interface BenchOptions {
  /** Once and with a tenth of the work: a first look, no figure to keep. */
  readonly quick: boolean;
  /** In the order of `parts`; all of them if none was named. */
  readonly measured: ReadonlySet<Part>;
}

/** Reads the arguments after the program's name. Throws CommanderError for help, and for a mistake after its line was printed. */
export function benchOptions(argumentsGiven: readonly string[]): BenchOptions {
  const program = new Command('npm run bench --')
    .description('Measures vmtape: all of it, or the parts that are named.')
    .option('--quick', 'once, and with a tenth of the work')
    .showSuggestionAfterError()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'bench: ').replace(/\s*\n\s*(?=.)/g, ' ')),
    })
    .allowExcessArguments(false)
    .exitOverride();
  for (const part of parts) program.option(`--${part}`, explained[part]);
  const given = program.parse(argumentsGiven, { from: 'user' }).opts<Partial<Record<Part | 'quick', true>>>();
  const named = parts.filter((part) => given[part]);
  return { quick: given.quick ?? false, measured: new Set(named.length > 0 ? named : parts) };
}

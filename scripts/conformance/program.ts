/** The commands of `npm run conformance`: a suite each, and all of them. */
import { Command } from 'commander';
import { addAll } from './all.js';
import { addDecoder } from './decoder.js';
import { addLandmarks } from './landmarks.js';
import { addSoftfloat } from './softfloat.js';
import { addSse } from './sse.js';
import { addSst } from './sst.js';

const HELP = `
"npm run conformance -- SUITE --help" explains each suite. With --json the findings are one object on standard output.

Exit codes: 0 equal; 2 a mistake in the options; 3 something differs; 6 the host has not what the suite needs.

Examples:
  $ npm run conformance -- all
  $ npm run conformance -- decoder --mode 64 --count 100000
  $ npm run conformance -- softfloat --name FADD`;

/** Builds the program; `setExit` is called with the exit code of the suite that ran. Throws CommanderError for help and mistakes. */
export function buildConformance(setExit: (code: number) => void): Command {
  const program = new Command('npm run conformance --')
    .description('Compares the interpreter with what others recorded or execute.')
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .exitOverride()
    .addHelpText('after', HELP);
  addSst(program, setExit);
  addDecoder(program, setExit);
  addSoftfloat(program, setExit);
  addSse(program, setExit);
  addLandmarks(program, setExit);
  addAll(program, setExit);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** Commander's `error: …` in the form of all our errors: one line. */
function oneLine(text: string): string {
  const sentence = text.replace(/^error: /, '').trim();
  return `conformance: ${sentence.replace(/\s*\n\s*/g, ' ').replaceAll("'", '')}\n`;
}

/**
 * Writes the tables of docs/kvm-emulator.md: `node dist/scripts/kvm-emulator.js FILE.json…`, with what `vmtape compare insn --level kernel
 * --json` and `--level real --json` printed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BEGIN, type EmulatorReport, END, emulatorReference } from '../src/compare/insn/emulator-reference.js';

const path = join(fileURLToPath(new URL('../..', import.meta.url)), 'docs/kvm-emulator.md');
const files = process.argv.slice(2);
if (files.length === 0) {
  process.stderr.write(
    'usage: node dist/scripts/kvm-emulator.js FILE.json… (of vmtape compare insn --level kernel|real --json)\n',
  );
  process.exit(2);
}
const reports = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as EmulatorReport);
const text = readFileSync(path, 'utf8');
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) {
  process.stderr.write(`${path}: the marks of the tables are missing\n`);
  process.exit(1);
}
writeFileSync(path, text.slice(0, begin) + emulatorReference(reports) + text.slice(end + END.length));

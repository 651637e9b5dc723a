/**
 * `npm run demo`: makes the clone ready, records the interrupt guest, on KVM where that works and on the interpreter where
 * it does not, and replays the recording on the interpreter. Needs half a minute and nothing but Node and npm.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setupOrExit } from './setup.mjs';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
await setupOrExit();

const GUEST = ['--flat', 'corpora/guests/prot32-ticks.bin', '--load-at', '0x100000', '--mode', 'prot32'];
/** What the guest ends with when all went well: it writes 10h to the exit port. */
const GUEST_OK = 33;
const CANNOT = 6;
const TRACE = join('.cache', 'demo.vmtape');
const indent = (text) => text.trimEnd().replace(/^/gm, '    ');

/** Runs vmtape; its output, exit code and seconds. */
function vmtape(...args) {
  const start = performance.now();
  const result = spawnSync(process.execPath, ['bin/vmtape.mjs', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { ...result, seconds: ((performance.now() - start) / 1000).toFixed(1) };
}

function fail(what, { status, stderr, stdout }) {
  console.log(`${indent(stdout)}\n${indent(stderr)}\n${what} ended with exit code ${status}`);
  process.exit(1);
}

mkdirSync('.cache', { recursive: true });
rmSync(TRACE, { force: true });

console.log(
  '\nA guest counts timer interrupts while it works. Where exactly each one lands, no two runs on KVM agree.\n',
);
let engine = 'kvm';
let recording = vmtape('record', '--engine', 'kvm', '--timeout', '60', ...GUEST, '-o', TRACE);
if (recording.status === CANNOT) {
  console.log(`  KVM cannot be used here, so the interpreter records:\n  ${recording.stderr.trim()}\n`);
  engine = 'interp';
  recording = vmtape('record', '--engine', 'interp', ...GUEST, '-o', TRACE);
}
if (recording.status !== GUEST_OK) fail('the recording', recording);
console.log(
  `  1. recorded on ${engine === 'kvm' ? 'KVM' : 'the interpreter'} in ${recording.seconds} s, ${statSync(TRACE).size} bytes; the guest printed\n`,
);
console.log(`${indent(recording.stdout)}\n`);

const replay = vmtape('replay', TRACE, '--engine', 'interp');
if (replay.status !== 0) fail('the replay', replay);
if (replay.stdout !== recording.stdout) fail('the replay, whose console differs,', replay);
console.log(
  `  2. replayed on the interpreter, without KVM, in ${replay.seconds} s: every record equal, and so is every byte it printed\n`,
);
console.log(`${indent(replay.stderr)}\n`);
const next = [
  [`npx vmtape replay ${TRACE}`, 'see it yourself'],
  [`npx vmtape inspect ${TRACE} --records 0..20`, 'what is in the recording'],
  ['npx vmtape doctor', 'what this host can do, and what it cannot'],
  ['npx vmtape record --help', 'record a guest of your own'],
];
const width = Math.max(...next.map(([command]) => command.length));
console.log('Next:');
for (const [command, what] of next) console.log(`  ${command.padEnd(width)}   ${what}`);

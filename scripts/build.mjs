/**
 * Builds what is stale: the interpreter (dist/interp/vmtape.wasm), the TypeScript (dist/) and, where there is a compiler,
 * the KVM addon (build/Release). `npm run build` builds all three whatever their age; `--clean` empties dist/ first.
 *
 * Everything is said on standard error: `npm pack --json` must keep standard output to itself.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isStale } from './stale.mjs';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => join(top, ...parts);

const say = (what) => process.stderr.write(`vmtape: ${what}\n`);

/** Runs node on a script of ours or of a dependency; throws if it fails. */
function node(script, ...args) {
  const result = spawnSync(process.execPath, [at(script), ...args], { cwd: top, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) throw new Error(`this failed: node ${[script, ...args].join(' ')}`);
}

function buildInterpreter(force) {
  const isSource = (path) => path.endsWith('.ts') || path.endsWith('.json');
  const made = at('dist/interp/vmtape.wasm');
  if (!force && !isStale(made, [at('interp'), at('scripts/build-interp.mjs'), at('scripts/tail-calls.mjs')], isSource))
    return;
  say('building the interpreter');
  node('scripts/build-interp.mjs');
}

function buildTypeScript(force) {
  const stamp = at('dist/typescript.stamp');
  const sources = ['src', 'test', 'bench', 'scripts', 'interp', 'tsconfig.json'].map((name) => at(name));
  const isSource = (path) => path.endsWith('.ts') || path.endsWith('tsconfig.json');
  if (force || isStale(stamp, sources, isSource)) {
    say('compiling the TypeScript');
    node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json');
    writeFileSync(stamp, '');
  }
  linkCommand();
}

/** So that `npx vmtape` in the clone finds the clone's own command. Windows has no use for the link. */
function linkCommand() {
  const link = at('node_modules/.bin/vmtape');
  if (process.platform === 'win32' || existsSync(link)) return;
  rmSync(link, { force: true });
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync('../../bin/vmtape.mjs', link);
}

/**
 * The addon is a plus: without a compiler or KVM everything else works, and `vmtape doctor` says what is missing. The
 * script itself knows whether there is work, and never fails.
 */
function buildAddon() {
  // npm has just run it as the script `install`.
  if (process.env.npm_lifecycle_event !== 'prepare') node('scripts/build-native.mjs');
}

/** Builds what is stale, or everything. Throws if the interpreter or the TypeScript does not build. */
export function build({ force = false, clean = false } = {}) {
  if (clean) rmSync(at('dist'), { recursive: true, force: true });
  buildInterpreter(force || clean);
  buildTypeScript(force || clean);
  buildAddon();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    build({ force: true, clean: process.argv.includes('--clean') });
  } catch (error) {
    process.stderr.write(`vmtape: ${error.message}\n`);
    process.exit(1);
  }
}

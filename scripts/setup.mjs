/**
 * Makes a clone ready, whatever state it is in: installs the dependencies where they are missing or older than the lock
 * file, builds what is stale, links `npx vmtape`. Needs nothing but Node and npm; quick when there is nothing to do.
 * `npm run demo`, `npm test`, `npm run bench` begin with it, and npm itself runs it after `npm ci` (script `prepare`).
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isStale } from './stale.mjs';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
/** The oldest Node that works: package.json, `engines`. */
const OLDEST_NODE = 20;

function installDependencies() {
  // npm writes this file at the end of every installation.
  const installed = join(top, 'node_modules/.package-lock.json');
  if (!isStale(installed, [join(top, 'package-lock.json')])) return;
  process.stderr.write('vmtape: installing the dependencies (npm ci)\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // The tools that build and test are development dependencies: wanted even where NODE_ENV=production is set.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund'];
  const result = spawnSync(npm, args, { cwd: top, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (result.error) throw new Error(`npm cannot be started: ${result.error.message}`);
  if (result.status !== 0) throw new Error('npm ci failed; what it said stands above');
}

/** Throws with one sentence if the clone cannot be made ready. */
export async function setup() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) throw new Error(`Node ${OLDEST_NODE} or later is needed, this is ${process.versions.node}`);
  // Run by npm itself, the dependencies are just being put in place.
  if (process.env.npm_lifecycle_event !== 'prepare') installDependencies();
  if (!existsSync(join(top, 'node_modules/typescript'))) return; // `npm ci --omit=dev`: nothing to build with
  const { build } = await import('./build.mjs');
  build();
}

/** {@link setup} for a script: its failure is one line, and the end. */
export async function setupOrExit() {
  try {
    await setup();
  } catch (error) {
    process.stderr.write(`vmtape: ${error.message}\n`);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await setupOrExit();

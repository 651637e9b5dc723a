/**
 * Builds the /dev/kvm addon when vmtape is installed (npm's "install" script). It never fails the installation: without
 * Linux on x86-64, a compiler or Node's headers, the addon is absent, one line says why, and vmtape works without KVM.
 * What node-gyp printed is in build/native.log.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const buildDirectory = join(root, 'build');
const logFile = join(buildDirectory, 'native.log');
const stampFile = join(buildDirectory, 'native.stamp');
const product = join(buildDirectory, 'Release', 'vmtape_kvm.node');

/** The reason why there is nothing to build here, or undefined. */
function reasonToSkip() {
  if (process.env.VMTAPE_SKIP_NATIVE) return 'VMTAPE_SKIP_NATIVE is set';
  if (process.platform !== 'linux') return `there is no KVM on ${process.platform}`;
  if (process.arch !== 'x64') return `the KVM engine is for x86-64 hosts, this one is ${process.arch}`;
  for (const tool of ['python3', 'make', process.env.CXX ?? 'g++']) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0) return `${tool} is not installed`;
  }
  if (!existsSync('/usr/include/linux/kvm.h')) return 'the header linux/kvm.h is not installed';
  return undefined;
}

/** The directory whose include/node has the headers of this very Node, or undefined: node-gyp then downloads them. */
function headerDirectory() {
  const candidates = [process.env.npm_config_nodedir, npmConfig('nodedir'), dirname(dirname(process.execPath))];
  for (const candidate of candidates) {
    if (!candidate) continue;
    const header = join(candidate, 'include', 'node', 'node_version.h');
    if (!existsSync(header)) continue;
    const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(header, 'utf8'))?.[1];
    if (major === process.versions.node.split('.')[0]) return candidate;
  }
  return undefined;
}

/** What npm is configured with, when this script was not started by npm. */
function npmConfig(key) {
  if (process.env.npm_config_user_agent) return undefined;
  const answer = spawnSync('npm', ['config', 'get', key], { encoding: 'utf8', timeout: 20_000 });
  const value = answer.status === 0 ? answer.stdout.trim() : '';
  return value === '' || value === 'undefined' ? undefined : value;
}

/** A digest of everything that the addon is made of. */
function digestOfSources() {
  const hash = createHash('sha256').update(`${process.version} ${process.arch}`);
  const names = ['binding.gyp', ...readdirSync(join(root, 'native')).map((name) => join('native', name))].sort();
  for (const name of names) hash.update(name).update(readFileSync(join(root, name)));
  return hash.digest('hex');
}

/** Undefined when the addon is there, otherwise why it is not. */
function build() {
  const skip = reasonToSkip();
  if (skip) return skip;
  const digest = digestOfSources();
  if (existsSync(product) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === digest) return undefined;
  mkdirSync(buildDirectory, { recursive: true });
  const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  const headers = headerDirectory();
  const options = headers ? [`--nodedir=${headers}`] : [];
  const result = spawnSync(process.execPath, [nodeGyp, 'rebuild', '--jobs=2', ...options], {
    cwd: root,
    encoding: 'utf8',
    timeout: 600_000,
    maxBuffer: 1 << 26,
  });
  // node-gyp rebuild empties build/.
  mkdirSync(buildDirectory, { recursive: true });
  writeFileSync(logFile, `${result.stdout ?? ''}\n${result.stderr ?? ''}\n${result.error ?? ''}\n`);
  if (result.status !== 0 || !existsSync(product)) return `node-gyp could not build it; see ${logFile}`;
  writeFileSync(stampFile, digest);
  return undefined;
}

/** As {@link build}, whatever goes wrong. */
function buildOrExplain() {
  try {
    return build();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const reason = buildOrExplain();
if (reason) {
  console.log(`vmtape: the KVM addon was not built: ${reason}. Everything but --engine kvm works.`);
  try {
    mkdirSync(buildDirectory, { recursive: true });
    writeFileSync(join(buildDirectory, 'native.reason'), reason);
  } catch {
    // A read-only installation: doctor finds the addon missing and says only that.
  }
}

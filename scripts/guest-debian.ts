/**
 * npm run guest:debian [-- --refresh] [-- NAME …]: fetches two of Debian's kernels, the cloud kernel of amd64 and the 686 kernel
 * of i386, with busybox, and makes a guest of each in .cache/guests/debian-amd64 and .cache/guests/debian-686: bzImage, vmlinux,
 * initramfs.cpio.gz. Needs apt-get and dpkg-deb, but not root, and installs nothing: apt checks the packages of the other
 * architecture against its signed lists as its own. What is there and whole is left alone; `--refresh` fetches anew.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fetchLists, inWorkFolder, runScript, say, writeWhole } from './guest-debian/fetching.js';
import { buildInitramfs, INIT_SCRIPT } from './guest-debian/initramfs.js';
import { PrivateApt, unpackPackage } from './guest-debian/packages.js';
import { extractVmlinux } from './guest-debian/vmlinux.js';

const FILES = ['bzImage', 'vmlinux', 'initramfs.cpio.gz'] as const;

/** A guest: the folder, Debian's architecture, and the package that depends on the kernel of the day. */
interface Guest {
  readonly name: string;
  readonly architecture: 'amd64' | 'i386';
  readonly metaPackage: string;
}

const GUESTS: readonly Guest[] = [
  { name: 'debian-amd64', architecture: 'amd64', metaPackage: 'linux-image-cloud-amd64' },
  { name: 'debian-686', architecture: 'i386', metaPackage: 'linux-image-686' },
];

/** Written beside the guest: where it came from, and what its files must hash to. */
interface Manifest {
  readonly packages: readonly string[];
  readonly init: string;
  readonly sha256: Readonly<Record<string, string>>;
}

const cache = resolve('.cache');

function main(): void {
  const words = process.argv.slice(2);
  const isRefresh = words.includes('--refresh');
  const names = words.filter((word) => !word.startsWith('--'));
  const unknown = names.find((name) => !GUESTS.some((guest) => guest.name === name));
  if (unknown !== undefined) throw new Error(`there is no guest ${unknown}`);
  for (const guest of GUESTS) if (names.length === 0 || names.includes(guest.name)) make(guest, isRefresh);
}

function make(guest: Guest, isRefresh: boolean): void {
  const target = join(cache, 'guests', guest.name);
  if (!isRefresh && isWhole(target)) {
    say(`${target} is there and whole (--refresh fetches it anew).`);
    return;
  }
  inWorkFolder(cache, 'guest-debian-', (work) => build(guest, work, target));
}

function build({ architecture, metaPackage }: Guest, work: string, target: string): void {
  const apt = new PrivateApt(join(cache, architecture === 'amd64' ? 'apt' : `apt-${architecture}`), architecture);
  fetchLists(apt, ` of ${architecture}`);
  const image = apt.dependencies(metaPackage).find((name) => name.startsWith('linux-image-'));
  if (image === undefined) throw new Error(`${metaPackage} depends on no linux-image package`);
  say(`Fetching ${image} and busybox-static.`);
  const packages = [apt.download(image, work), apt.download('busybox-static', work)];
  for (const file of packages) unpackPackage(file, join(work, 'root'));

  say('Extracting vmlinux and writing the initramfs.');
  const boot = join(work, 'root', 'boot');
  const kernel = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new Error(`${image} has no kernel in /boot`);
  const bzImage = readFileSync(join(boot, kernel));
  const contents: Record<(typeof FILES)[number], Uint8Array> = {
    bzImage,
    vmlinux: extractVmlinux(bzImage),
    'initramfs.cpio.gz': buildInitramfs(readFileSync(join(work, 'root', 'bin', 'busybox'))),
  };
  verify(contents);

  mkdirSync(target, { recursive: true });
  for (const name of FILES) writeWhole(join(target, name), contents[name]);
  const manifest: Manifest = {
    packages: packages.map((file) => basename(file)),
    init: sha256(Buffer.from(INIT_SCRIPT)),
    sha256: Object.fromEntries(FILES.map((name) => [name, sha256(contents[name])])),
  };
  writeWhole(join(target, 'manifest.json'), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  for (const name of FILES) say(`${join(target, name)}: ${contents[name].length} bytes`);
}

/** Reads back what was made: a vmlinux that names its version, and an initramfs with busybox and /init in it. */
function verify(contents: Readonly<Record<(typeof FILES)[number], Uint8Array>>): void {
  if (!Buffer.from(contents.vmlinux).includes('Linux version ')) throw new Error('the vmlinux names no Linux version');
  const archive = gunzipSync(contents['initramfs.cpio.gz']);
  for (const part of ['bin/busybox\0', 'init\0', INIT_SCRIPT, 'TRAILER!!!\0']) {
    if (!archive.includes(part)) throw new Error(`the initramfs lacks ${JSON.stringify(part.slice(0, 20))}`);
  }
}

function isWhole(target: string): boolean {
  const manifestPath = join(target, 'manifest.json');
  if (!existsSync(manifestPath)) return false;
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest;
  } catch {
    return false;
  }
  if (manifest.init !== sha256(Buffer.from(INIT_SCRIPT))) return false;
  return FILES.every((name) => {
    const path = join(target, name);
    return existsSync(path) && sha256(readFileSync(path)) === manifest.sha256?.[name];
  });
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

runScript('guest:debian', main);

/**
 * npm run guest:foreign [-- --refresh]: fetches boot images that others made, for amd64, from Debian's packages into
 * .cache/guests/foreign: firmware that starts at the reset vector, and kernels. Needs apt-get and dpkg-deb, but not root, and installs
 * nothing. What is there is left alone; `--refresh` fetches anew. docs/booting.md says what each image comes to.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fetchLists, inWorkFolder, runScript, say, writeWhole } from './guest-debian/fetching.js';
import { PrivateApt, unpackPackage } from './guest-debian/packages.js';

/** A file of a package, and its name here. */
interface Image {
  readonly name: string;
  readonly from: string;
}

/** The packages and what is taken of them. */
const PACKAGES: Readonly<Record<string, readonly Image[]>> = {
  seabios: [
    { name: 'seabios.rom', from: 'usr/share/seabios/bios.bin' },
    { name: 'seabios-256k.rom', from: 'usr/share/seabios/bios-256k.bin' },
  ],
  ovmf: [{ name: 'ovmf.rom', from: 'usr/share/ovmf/OVMF.fd' }],
  'u-boot-qemu': [
    { name: 'u-boot-x86.rom', from: 'usr/lib/u-boot/qemu-x86/u-boot.rom' },
    { name: 'u-boot-x86-64.rom', from: 'usr/lib/u-boot/qemu-x86_64/u-boot.rom' },
  ],
  'memtest86+': [{ name: 'memtest86+x64.bin', from: 'boot/memtest86+x64.bin' }],
};

/** The hypervisor's package has its version in its name. */
const XEN = /^xen-hypervisor-[0-9.]+-amd64$/;

const cache = resolve('.cache');
const target = join(cache, 'guests', 'foreign');

function main(): void {
  const isRefresh = process.argv.includes('--refresh');
  const names = [...Object.values(PACKAGES).flatMap((images) => images.map(({ name }) => name)), 'xen'];
  if (!isRefresh && names.every((name) => existsSync(join(target, name)))) {
    say(`${target} is there and whole (--refresh fetches it anew).`);
    return;
  }
  inWorkFolder(cache, 'guest-foreign-', fetch);
}

function fetch(work: string): void {
  const apt = new PrivateApt(join(cache, 'apt'));
  fetchLists(apt);
  mkdirSync(target, { recursive: true });
  const root = join(work, 'root');
  for (const [name, images] of Object.entries(PACKAGES)) {
    take(apt, name, work, root);
    for (const image of images) keep(image.name, readFileSync(join(root, image.from)));
  }
  const xen = apt.dependencies('xen-system-amd64').find((name) => XEN.test(name));
  if (xen === undefined) throw new Error('xen-system-amd64 depends on no xen-hypervisor package');
  take(apt, xen, work, root);
  const boot = join(root, 'boot');
  const image = readdirSync(boot).find((name) => name.startsWith('xen-') && name.endsWith('.gz'));
  if (image === undefined) throw new Error(`${xen} has no hypervisor in /boot`);
  keep('xen', gunzipSync(readFileSync(join(boot, image))));
}

function take(apt: PrivateApt, name: string, work: string, root: string): void {
  const file = apt.download(name, work);
  unpackPackage(file, root);
  say(basename(file));
}

function keep(name: string, content: Uint8Array): void {
  const path = join(target, name);
  writeWhole(path, content);
  say(`  ${path}: ${content.length} bytes`);
}

runScript('guest:foreign', main);

/** Machine code that others compiled: the kernel and the busybox of the Debian guest, where `npm run guest:debian` has fetched them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A section of code. */
export interface CodeText {
  /** `vmlinux .text` */
  readonly name: string;
  readonly code: Uint8Array;
}

const SHF_EXECINSTR = 4;
const SHT_PROGBITS = 1;

/** The executable sections of a 64-bit ELF file. */
function elfSections(file: Uint8Array, name: string): CodeText[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0, false) !== 0x7f45_4c46 || file[4] !== 2) return [];
  const table = Number(view.getBigUint64(0x28, true));
  const size = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const header = (index: number): number => table + index * size;
  const place = (at: number): [number, number] => [
    Number(view.getBigUint64(at + 0x18, true)),
    Number(view.getBigUint64(at + 0x20, true)),
  ];
  const [strings] = place(header(view.getUint16(0x3e, true)));
  const texts: CodeText[] = [];
  for (let i = 0; i < count; i++) {
    const at = header(i);
    if (view.getUint32(at + 4, true) !== SHT_PROGBITS || (view.getUint32(at + 8, true) & SHF_EXECINSTR) === 0) continue;
    const nameAt = strings + view.getUint32(at, true);
    const section = new TextDecoder().decode(file.subarray(nameAt, file.indexOf(0, nameAt)));
    const [from, length] = place(at);
    texts.push({ name: `${name} ${section}`, code: file.subarray(from, from + length) });
  }
  return texts;
}

/** Files of a cpio archive of the format "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */
function* cpioFiles(archive: Uint8Array): Generator<{ name: string; data: Uint8Array }> {
  const text = new TextDecoder('latin1');
  const field = (at: number, number: number): number =>
    Number.parseInt(text.decode(archive.subarray(at + 6 + number * 8, at + 14 + number * 8)), 16);
  const aligned = (at: number): number => (at + 3) & ~3;
  for (let at = 0; text.decode(archive.subarray(at, at + 6)) === '070701'; ) {
    const nameSize = field(at, 11);
    const name = text.decode(archive.subarray(at + 110, at + 110 + nameSize - 1));
    const dataAt = aligned(at + 110 + nameSize);
    const size = field(at, 6);
    if (name === 'TRAILER!!!') return;
    yield { name, data: archive.subarray(dataAt, dataAt + size) };
    at = aligned(dataAt + size);
  }
}

/** The texts below a folder made by `npm run guest:debian`; none if there is none. */
export function debianTexts(folder: string): CodeText[] {
  const texts: CodeText[] = [];
  const kernel = join(folder, 'vmlinux');
  if (existsSync(kernel)) texts.push(...elfSections(readFileSync(kernel), 'vmlinux'));
  const archive = join(folder, 'initramfs.cpio.gz');
  if (existsSync(archive)) {
    for (const { name, data } of cpioFiles(gunzipSync(readFileSync(archive)))) {
      if (/(^|\/)busybox$/.test(name)) texts.push(...elfSections(data, 'busybox'));
    }
  }
  return texts;
}

/** Writing a cpio archive of the "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */

/** One file of the archive. The directories of a path come before it. */
export interface CpioEntry {
  readonly path: string;
  /** Type and permissions as in st_mode: 0o100755 file, 0o040755 directory, 0o020600 character device, 0o120777 link. */
  readonly mode: number;
  readonly content?: Uint8Array;
  /** Character devices: major and minor number. */
  readonly device?: readonly [number, number];
}

/** The archive. The same entries give the same bytes: owners, times and inode numbers are fixed. */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const [index, entry] of entries.entries()) parts.push(writeEntry(entry, index + 1));
  parts.push(writeEntry({ path: 'TRAILER!!!', mode: 0 }, 0));
  const archive = Buffer.concat(parts);
  return Buffer.concat([archive, Buffer.alloc(paddingTo(archive.length, 512))]);
}

function writeEntry(entry: CpioEntry, inode: number): Buffer {
  const content = entry.content ?? new Uint8Array(0);
  const name = Buffer.from(`${entry.path}\0`);
  const [major, minor] = entry.device ?? [0, 0];
  const links = 1;
  const owner = 0;
  const time = 0;
  const archiveDevice = 0;
  const checksum = 0;
  const fields = [
    inode,
    entry.mode,
    owner,
    owner,
    links,
    time,
    content.length,
    archiveDevice,
    archiveDevice,
    major,
    minor,
    name.length,
    checksum,
  ];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  const head = Buffer.concat([header, name]);
  return Buffer.concat([
    head,
    Buffer.alloc(paddingTo(head.length, 4)),
    content,
    Buffer.alloc(paddingTo(content.length, 4)),
  ]);
}

function paddingTo(length: number, alignment: number): number {
  return (alignment - (length % alignment)) % alignment;
}

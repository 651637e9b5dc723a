/** Builds tiny ELF executables for tests. */

/** A segment to load: readable and writable, and executable if nothing else is said. */
export interface TestSegment {
  readonly virtual: bigint;
  readonly physical: bigint;
  readonly bytes: Uint8Array;
  readonly memorySize?: number;
  readonly executable?: boolean;
}

/** What the file shall hold. */
export interface TestElf {
  readonly bits: 32 | 64;
  readonly entry: bigint;
  readonly segments: readonly TestSegment[];
  /** Descriptor of a note of owner `Xen` with type 18. */
  readonly pvhEntry?: number;
  /** Sections by name: in which segment's bytes they lie is theirs to know; executable if the name ends in `text`. */
  readonly sections?: readonly { name: string; virtual: bigint; bytes: Uint8Array; executable?: boolean }[];
}

/** The file. Program headers first, then the bytes of the segments, the note, and the sections with their headers. */
export function buildElf(elf: TestElf): Uint8Array {
  const wide = elf.bits === 64;
  const parts: Uint8Array[] = [];
  let size = 0x1000;
  const append = (bytes: Uint8Array): number => {
    const at = size;
    parts.push(bytes);
    size += bytes.length;
    return at;
  };
  const placed = elf.segments.map((segment) => ({ ...segment, offset: append(segment.bytes) }));
  const note = elf.pvhEntry === undefined ? undefined : xenNote(elf.pvhEntry);
  const noteAt = note === undefined ? 0 : append(note);
  const sections = (elf.sections ?? []).map((section) => ({ ...section, offset: append(section.bytes) }));
  const names = Buffer.from(`\0${sections.map(({ name }) => `${name}\0`).join('')}.shstrtab\0`);
  const namesAt = append(names);
  const headerSize = wide ? 64 : 40;
  const headers = Buffer.alloc(headerSize * (sections.length + 2));
  const sectionsAt = append(headers);
  const file = Buffer.alloc(size);
  for (let index = 0, at = 0x1000; index < parts.length; index++) {
    const part = parts[index] as Uint8Array;
    file.set(part, at);
    at += part.length;
  }
  const address = (at: number, value: bigint): void => {
    if (wide) file.writeBigUInt64LE(BigInt.asUintN(64, value), at);
    else file.writeUInt32LE(Number(value), at);
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(wide ? 62 : 3, 18);
  file.writeUInt32LE(1, 20);
  address(24, elf.entry);
  address(wide ? 32 : 28, wide ? 64n : 52n);
  address(wide ? 40 : 32, BigInt(sectionsAt));
  file.writeUInt16LE(wide ? 56 : 32, wide ? 54 : 42);
  file.writeUInt16LE(placed.length + (note === undefined ? 0 : 1), wide ? 56 : 44);
  file.writeUInt16LE(headerSize, wide ? 58 : 46);
  file.writeUInt16LE(sections.length + 2, wide ? 60 : 48);
  file.writeUInt16LE(sections.length + 1, wide ? 62 : 50);
  let at = wide ? 64 : 52;
  const program = (
    type: number,
    flags: number,
    offset: number,
    v: bigint,
    p: bigint,
    fileSize: number,
    memory: number,
  ) => {
    file.writeUInt32LE(type, at);
    file.writeUInt32LE(flags, at + (wide ? 4 : 24));
    address(at + (wide ? 8 : 4), BigInt(offset));
    address(at + (wide ? 16 : 8), v);
    address(at + (wide ? 24 : 12), p);
    address(at + (wide ? 32 : 16), BigInt(fileSize));
    address(at + (wide ? 40 : 20), BigInt(memory));
    at += wide ? 56 : 32;
  };
  for (const { virtual, physical, bytes, memorySize, executable, offset } of placed) {
    program(1, executable === false ? 6 : 7, offset, virtual, physical, bytes.length, memorySize ?? bytes.length);
  }
  if (note !== undefined) program(4, 4, noteAt, 0n, 0n, note.length, note.length);
  let nameAt = 1;
  const section = (
    index: number,
    type: number,
    flags: number,
    v: bigint,
    offset: number,
    length: number,
    name: number,
  ) => {
    const to = sectionsAt + index * headerSize;
    file.writeUInt32LE(name, to);
    file.writeUInt32LE(type, to + 4);
    address(to + 8, BigInt(flags));
    address(to + (wide ? 16 : 12), v);
    address(to + (wide ? 24 : 16), BigInt(offset));
    address(to + (wide ? 32 : 20), BigInt(length));
  };
  for (const [index, { name, virtual, bytes, executable, offset }] of sections.entries()) {
    section(index + 1, 1, executable ? 6 : 2, virtual, offset, bytes.length, nameAt);
    nameAt += name.length + 1;
  }
  section(sections.length + 1, 3, 0, 0n, namesAt, names.length, nameAt);
  return file;
}

function xenNote(entry: number): Uint8Array {
  const note = Buffer.alloc(20);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(4, 4);
  note.writeUInt32LE(18, 8);
  note.write('Xen\0', 12, 'latin1');
  note.writeUInt32LE(entry, 16);
  return note;
}

/**
 * Reading ELF executables (System V ABI, "Object files"; ELF-64 Object File Format 1.5). The file is untrusted: every
 * offset and size is checked against it before it is used.
 */
import { notAKernel } from './errors.js';

/** One PT_LOAD segment whose bytes lie within the file. */
export interface ElfSegment {
  readonly virtual: bigint;
  readonly physical: bigint;
  /** The bytes in the file; `memorySize` may be greater (the rest is zero). */
  readonly bytes: Uint8Array;
  readonly memorySize: number;
}

/** One section with bytes in the file. */
export interface ElfSection {
  readonly name: string;
  readonly virtual: bigint;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** One note of a PT_NOTE segment. */
export interface ElfNote {
  readonly owner: string;
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** What the loaders need of an executable for x86. */
export interface ElfImage {
  readonly bits: 32 | 64;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
  readonly sections: readonly ElfSection[];
  /** Addresses of the function symbols, ascending; empty when the file is stripped. */
  readonly functions: readonly bigint[];
}

const EM_386 = 3;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1;
const PT_NOTE = 4;
const SHF_ALLOC = 0b010;
const SHF_EXECUTE = 0b100;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const STT_FUNC = 2;
/** More headers than any linker writes for a kernel. */
const MAX_HEADERS = 4096;

/** Whether the bytes begin as an ELF file does. */
export function isElf(file: Uint8Array): boolean {
  return file.length >= 4 && file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;
}

/** Parses an executable. `name` is for error messages. Throws VMTAPE_NOT_A_KERNEL. */
export function parseElf(file: Uint8Array, name: string): ElfImage {
  return new ElfReader(file, name).read();
}

interface SectionHeader {
  readonly nameOffset: number;
  readonly type: number;
  readonly flags: number;
  readonly virtual: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

class ElfReader {
  readonly #view: DataView;
  readonly #wide: boolean;

  constructor(
    readonly file: Uint8Array,
    readonly name: string,
  ) {
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    if (!isElf(file) || file.length < 52) throw this.#bad('is not an ELF file');
    if ((file[4] !== 1 && file[4] !== 2) || file[5] !== 1)
      throw this.#bad('is not a little-endian ELF32 or ELF64 file');
    this.#wide = file[4] === 2;
    if (this.#wide && file.length < 64) throw this.#bad('is cut off within its ELF header');
  }

  read(): ElfImage {
    const type = this.#u16(16);
    if (type !== ET_EXEC && type !== ET_DYN) throw this.#bad('is an ELF file but not an executable');
    const machine = this.#u16(18);
    if (machine !== (this.#wide ? EM_X86_64 : EM_386)) throw this.#bad('is an ELF file for another processor than x86');
    const segments: ElfSegment[] = [];
    const notes: ElfNote[] = [];
    this.#programHeaders(segments, notes);
    if (segments.length === 0) throw this.#bad('has no segment to load');
    const headers = this.#sectionHeaders();
    return {
      bits: this.#wide ? 64 : 32,
      entry: this.#address(24),
      segments,
      notes,
      sections: this.#sections(headers),
      functions: this.#functions(headers),
    };
  }

  #programHeaders(segments: ElfSegment[], notes: ElfNote[]): void {
    const offset = this.#offset(this.#wide ? 32 : 28);
    const entrySize = this.#u16(this.#wide ? 54 : 42);
    const count = this.#u16(this.#wide ? 56 : 44);
    const needed = this.#wide ? 56 : 32;
    if (count > MAX_HEADERS || (count > 0 && entrySize < needed)) throw this.#bad('has impossible program headers');
    this.#need(offset, count * entrySize, 'program headers');
    for (let index = 0; index < count; index++) {
      const at = offset + index * entrySize;
      const type = this.#u32(at);
      if (type !== PT_LOAD && type !== PT_NOTE) continue;
      const where = this.#offset(at + (this.#wide ? 8 : 4));
      const size = this.#offset(at + (this.#wide ? 32 : 16));
      if (type === PT_NOTE) {
        if (where + size <= this.file.length) readNotes(this.file.subarray(where, where + size), notes);
        continue;
      }
      const memorySize = this.#offset(at + (this.#wide ? 40 : 20));
      if (memorySize === 0) continue;
      if (size > memorySize) throw this.#bad(`has a segment ${index} whose file size exceeds its memory size`);
      this.#need(where, size, `segment ${index}`);
      segments.push({
        virtual: this.#address(at + (this.#wide ? 16 : 8)),
        physical: this.#address(at + (this.#wide ? 24 : 12)),
        bytes: this.file.subarray(where, where + size),
        memorySize,
      });
    }
  }

  /** Sections only help to find instructions: a file without readable ones is still a kernel. */
  #sectionHeaders(): SectionHeader[] {
    const offset = this.#number(this.#wide ? 40 : 32);
    const entrySize = this.#u16(this.#wide ? 58 : 46);
    const count = this.#u16(this.#wide ? 60 : 48);
    if (offset === 0 || count === 0 || count > MAX_HEADERS || entrySize < (this.#wide ? 64 : 40)) return [];
    if (offset + count * entrySize > this.file.length) return [];
    const headers: SectionHeader[] = [];
    for (let index = 0; index < count; index++) {
      const at = offset + index * entrySize;
      headers.push({
        nameOffset: this.#u32(at),
        type: this.#u32(at + 4),
        flags: this.#u32(at + 8),
        virtual: this.#address(at + (this.#wide ? 16 : 12)),
        offset: this.#number(at + (this.#wide ? 24 : 16)),
        size: this.#number(at + (this.#wide ? 32 : 20)),
        link: this.#u32(at + (this.#wide ? 40 : 24)),
      });
    }
    return headers;
  }

  #sections(headers: readonly SectionHeader[]): ElfSection[] {
    const names = headers[this.#u16(this.#wide ? 62 : 50)];
    const sections: ElfSection[] = [];
    for (const header of headers) {
      const bytes = this.#sectionBytes(header);
      if (bytes === undefined || (header.flags & SHF_ALLOC) === 0) continue;
      sections.push({
        name: names === undefined ? '' : this.#text(names.offset + header.nameOffset),
        virtual: header.virtual,
        bytes,
        executable: (header.flags & SHF_EXECUTE) !== 0,
      });
    }
    return sections;
  }

  #functions(headers: readonly SectionHeader[]): bigint[] {
    const found: bigint[] = [];
    const entrySize = this.#wide ? 24 : 16;
    for (const header of headers) {
      const bytes = header.type === SHT_SYMTAB ? this.#sectionBytes(header) : undefined;
      if (bytes === undefined) continue;
      for (let at = header.offset; at + entrySize <= header.offset + header.size; at += entrySize) {
        const info = this.#view.getUint8(at + (this.#wide ? 4 : 12));
        if ((info & 0xf) !== STT_FUNC) continue;
        found.push(this.#address(at + (this.#wide ? 8 : 4)));
      }
    }
    return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  #sectionBytes(header: SectionHeader): Uint8Array | undefined {
    if (header.type === SHT_NOBITS || header.size === 0) return undefined;
    if (header.offset + header.size > this.file.length) return undefined;
    return this.file.subarray(header.offset, header.offset + header.size);
  }

  #text(at: number): string {
    let end = at;
    while (end < this.file.length && this.file[end] !== 0 && end - at < 256) end++;
    return String.fromCharCode(...this.file.subarray(at, end));
  }

  #need(offset: number, size: number, what: string): void {
    if (offset + size > this.file.length) throw this.#bad(`is truncated: its ${what} lies beyond the end of the file`);
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #address(at: number): bigint {
    return this.#wide ? this.#view.getBigUint64(at, true) : BigInt(this.#view.getUint32(at, true));
  }

  #number(at: number): number {
    return Number(this.#address(at));
  }

  /** A file offset or a size: no more than any file or memory can hold. */
  #offset(at: number): number {
    const value = this.#number(at);
    if (value > 0xffff_ffff) throw this.#bad('has an offset or a size beyond 4 GiB');
    return value;
  }

  #bad(what: string): Error {
    return notAKernel(this.name, what);
  }
}

/** Note entries: three u32 (name size, descriptor size, type), the name and the descriptor, each padded to 4 bytes. */
function readNotes(bytes: Uint8Array, notes: ElfNote[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameSize = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    const start = at + 12 + Math.ceil(nameSize / 4) * 4;
    if (start + size > bytes.length) return;
    const owner = String.fromCharCode(...bytes.subarray(at + 12, at + 12 + Math.min(nameSize, 64))).replace(
      /\0.*$/s,
      '',
    );
    notes.push({ owner, type, bytes: bytes.subarray(start, start + size) });
    at = start + Math.ceil(size / 4) * 4;
  }
}

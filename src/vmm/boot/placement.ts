/** Putting the parts of a guest into memory: every range is checked against the memory and the ranges already taken. */
import type { GuestMemory } from '../memory.js';
import type { ElfImage, ElfSegment } from './elf.js';
import { badBoot, doesNotFit, formatSize } from './errors.js';
import { COMMAND_LINE_ADDRESS, HIGH_MEMORY } from './layout.js';
import type { BootFile } from './request.js';

const PAGE = 0x1000;

/** Writes `bytes` and zeroes what is left of `size`; `what` is for the error. */
export function place(memory: GuestMemory, address: number, bytes: Uint8Array, size: number, what: string): void {
  if (address + size > memory.ramSize) {
    throw doesNotFit(`${what} (${formatSize(size)} at 0x${address.toString(16)})`, memory.ramSize);
  }
  memory.write(address, bytes);
  memory.placed.push({ gpa: address, bytes });
  if (size > bytes.length) memory.fill(address + bytes.length, size - bytes.length, 0);
}

/** Places the segments of an executable at their physical addresses; returns the first address behind them. */
export function placeSegments(memory: GuestMemory, image: ElfImage, name: string): number {
  let end = 0;
  for (const segment of image.segments) {
    const address = physicalOf(segment, name);
    if (address < HIGH_MEMORY) {
      throw badBoot(
        `${name} wants to be loaded at 0x${address.toString(16)}, below 1 MiB, where the PC has its tables`,
      );
    }
    place(memory, address, segment.bytes, segment.memorySize, name);
    end = Math.max(end, address + segment.memorySize);
  }
  return end;
}

function physicalOf(segment: ElfSegment, name: string): number {
  if (segment.physical > 0xffff_ffffn) {
    throw badBoot(`${name} wants to be loaded at 0x${segment.physical.toString(16)}, beyond 4 GiB`);
  }
  return Number(segment.physical);
}

/** The physical address of an entry point that may be given as a virtual one. Undefined: in no segment. */
export function physicalEntry(image: ElfImage, entry: bigint): number | undefined {
  for (const base of ['physical', 'virtual'] as const) {
    for (const segment of image.segments) {
      const offset = entry - segment[base];
      if (offset >= 0n && offset < BigInt(segment.memorySize)) return Number(segment.physical + offset);
    }
  }
  return undefined;
}

/** A placed initial RAM disk or module. */
export interface PlacedFile {
  readonly address: number;
  readonly size: number;
}

/** Puts a file as high as it goes: below `limit` and the end of RAM, above `kernelEnd`. */
export function placeHigh(memory: GuestMemory, file: BootFile, kernelEnd: number, limit: number): PlacedFile {
  const size = file.bytes.length;
  const highest = Math.min(memory.ramSize, limit);
  const address = Math.floor((highest - size) / PAGE) * PAGE;
  if (address < kernelEnd) {
    const subject = `the kernel (up to 0x${kernelEnd.toString(16)}) with ${file.name} (${formatSize(size)})`;
    throw doesNotFit(subject, memory.ramSize);
  }
  memory.write(address, file.bytes);
  memory.placed.push({ gpa: address, bytes: file.bytes });
  return { address, size };
}

/** Writes the command line, ended by a zero byte. `maximum` is without it. */
export function placeCommandLine(memory: GuestMemory, text: string, maximum: number): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.includes(0)) throw badBoot('the kernel command line holds a zero byte');
  if (bytes.length > maximum) {
    throw badBoot(`the kernel command line has ${bytes.length} bytes, and this kernel takes ${maximum}`);
  }
  place(memory, COMMAND_LINE_ADDRESS, bytes, bytes.length + 1, 'the command line');
}

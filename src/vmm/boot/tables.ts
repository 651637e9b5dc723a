/** The tables that a processor needs besides the image: a GDT, and page tables of an identity map. */
import type { GuestMemory } from '../memory.js';
import {
  GDT_ADDRESS,
  PAGE_DIRECTORIES,
  PAGE_DIRECTORIES_ADDRESS,
  PAGE_DIRECTORY_POINTERS_ADDRESS,
  PML4_ADDRESS,
} from './layout.js';

/** Selectors of the GDT; Linux's boot protocol asks for 0x10 and 0x18 (__BOOT_CS, __BOOT_DS). */
export const CODE_SELECTOR = 0x10;
export const DATA_SELECTOR = 0x18;
export const TSS_SELECTOR = 0x20;

/** Bytes of the GDT, an empty TSS behind the descriptors. */
export const GDT_SIZE = 0x30;

const FLAT_DATA = 0x00cf_9300_0000_ffffn;
const FLAT_CODE_32 = 0x00cf_9b00_0000_ffffn;
const FLAT_CODE_64 = 0x00af_9b00_0000_ffffn;

const PRESENT = 0b1;
const WRITABLE = 0b10;
/** In a page directory's entry: it maps a page of 2 MiB. */
const LARGE = 0b1000_0000;
const LARGE_SIZE = 0x20_0000;
const ENTRIES = 512;

/** Writes the GDT: null, null, flat code of 32 or 64 bits, flat data (Intel SDM volume 3, section 3.4.5). */
export function writeGdt(memory: GuestMemory, bits: 32 | 64): void {
  const descriptors = [0n, 0n, bits === 64 ? FLAT_CODE_64 : FLAT_CODE_32, FLAT_DATA, 0n, 0n];
  for (const [index, descriptor] of descriptors.entries()) memory.writeU64(GDT_ADDRESS + index * 8, descriptor);
}

/** Maps the first 4 GiB to themselves by pages of 2 MiB, writable, supervisor (Intel SDM volume 3, section 4.5). */
export function writeIdentityMap(memory: GuestMemory): void {
  const entry = (address: number, flags: number): bigint => BigInt(address + flags);
  memory.fill(PML4_ADDRESS, 0x1000, 0);
  memory.fill(PAGE_DIRECTORY_POINTERS_ADDRESS, 0x1000, 0);
  memory.writeU64(PML4_ADDRESS, entry(PAGE_DIRECTORY_POINTERS_ADDRESS, PRESENT + WRITABLE));
  for (let directory = 0; directory < PAGE_DIRECTORIES; directory++) {
    const table = PAGE_DIRECTORIES_ADDRESS + directory * 0x1000;
    memory.writeU64(PAGE_DIRECTORY_POINTERS_ADDRESS + directory * 8, entry(table, PRESENT + WRITABLE));
    for (let index = 0; index < ENTRIES; index++) {
      const page = (directory * ENTRIES + index) * LARGE_SIZE;
      memory.writeU64(table + index * 8, entry(page, PRESENT + WRITABLE + LARGE));
    }
  }
}

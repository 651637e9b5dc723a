/**
 * Where the loaders put what they write besides the images: below 640 KiB, and the tables of firmware below 1 MiB.
 *
 *     0x00800  GDT                                prot32, long64, Linux, Multiboot, PVH
 *     0x01000  PML4, 0x02000 page directory pointers, 0x03000 to 0x06fff four page directories     long64, Linux
 *     0x07000  boot_params (Linux), multiboot information, or hvm_start_info (PVH)
 *     0x20000  command line
 *     0x9fc00  end of the stack, and of the conventional memory that E820 shows
 *     0xf0000  ACPI tables, in the BIOS's place that E820 shows as reserved           Linux, Multiboot, PVH
 */

/** The GDT of all modes but real mode. */
export const GDT_ADDRESS = 0x800;
/** CR3 of long mode. */
export const PML4_ADDRESS = 0x1000;
export const PAGE_DIRECTORY_POINTERS_ADDRESS = 0x2000;
export const PAGE_DIRECTORIES_ADDRESS = 0x3000;
/** One page directory for each of the first four GiB. */
export const PAGE_DIRECTORIES = 4;
/** The first byte behind the tables. */
export const TABLES_END = PAGE_DIRECTORIES_ADDRESS + PAGE_DIRECTORIES * 0x1000;
/** What the boot protocol tells the guest. */
export const BOOT_INFO_ADDRESS = 0x7000;
export const COMMAND_LINE_ADDRESS = 0x2_0000;
/** The stack grows down from here. */
export const STACK_END = 0x9_fc00;
/** The stack of a flat image that covers the usual one. */
export const OTHER_STACK_END = 0x7c00;
/** The RSDP, and behind it the tables: where a search from 0xe0000 to 0xfffff finds them. */
export const ACPI_ADDRESS = 0xf_0000;
/** Bytes from there to the end of the first MiB. */
export const ACPI_SIZE = 0x1_0000;
/** Memory below is the loaders' and the PC's: kernels are loaded above. */
export const HIGH_MEMORY = 0x10_0000;

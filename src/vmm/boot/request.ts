/** What can be booted, and how it is asked for. The files are read by the caller: nothing here does I/O. */
import type { LearntSite } from '../hooks/learnt.js';
import type { HookKind } from '../hooks/table.js';

/** A file that the caller has read. */
export interface BootFile {
  /** For error messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The processor mode in which a flat image starts. */
export type FlatMode = 'real' | 'prot32' | 'long64';

/** Raw code: copied to `loadAt`, which is also its first instruction. */
export interface FlatRequest {
  readonly kind: 'flat';
  readonly image: BootFile;
  readonly loadAt: number;
  readonly mode: FlatMode;
}

/** A Multiboot module. */
export interface BootModule {
  readonly file: BootFile;
  /** Its command line, behind the name of the file; may be empty. */
  readonly words: string;
}

/** A kernel: a Linux bzImage, an ELF vmlinux, a PVH kernel or a Multiboot 1 image. */
export interface KernelRequest {
  readonly kind: 'kernel';
  readonly kernel: BootFile;
  readonly initrd?: BootFile;
  /** Multiboot modules, behind the initrd. */
  readonly modules?: readonly BootModule[];
  readonly commandLine: string;
}

/** Firmware: mapped to the top of the first MiB and of 4 GiB; the processor starts as after reset. */
export interface RomRequest {
  readonly kind: 'rom';
  readonly rom: BootFile;
}

/** What a machine boots. */
export type BootSource = FlatRequest | KernelRequest | RomRequest;

/** A whole request. */
export interface BootRequest {
  /** Bytes of RAM. */
  readonly ramSize: number;
  readonly source: BootSource;
  /** The machine has APICs: ACPI and IA32_APIC_BASE say so. Default true; the CPUID table says it too. */
  readonly apic?: boolean;
  /** The kinds of instructions to hook; empty for none. */
  readonly hooks: ReadonlySet<HookKind>;
  /** Where an earlier run met such instructions without a hook. */
  readonly learnt?: readonly LearntSite[];
}

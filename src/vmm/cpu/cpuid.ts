/**
 * The CPUID table of the model `vmtape64`: what the interpreter executes, and nothing more. KVM gets the same table;
 * whether it obeys is proven by a probe (src/record/probes/cpuid.ts).
 *
 * Vendor and family are those of QEMU's qemu64 (AMD family 15), so that a kernel takes the generic paths: no microcode,
 * no page-table isolation. There is no XSAVE, AVX, RDRAND, RDSEED, performance counter or kvmclock, and the local APIC has neither
 * x2APIC nor TSC-deadline.
 */
import { assert } from '../../base/assert.js';
import { CPUID_FEATURES, type CpuidRegister } from './cpuid-features.js';
import type { CpuidEntry } from './vcpu.js';

/** The features of the model, by their names in cpuid-features.ts. */
export const MODEL_FEATURES: readonly string[] = [
  ...['fpu', 'vme', 'de', 'pse', 'tsc', 'msr', 'pae', 'mce', 'cx8', 'apic', 'sep', 'mtrr', 'pge', 'mca', 'cmov', 'pat'],
  ...['pse36', 'clflush'],
  // 64-bit Linux does not start without fxsr, sse and sse2; with the rest of this line it is x86-64-v2.
  ...['mmx', 'fxsr', 'sse', 'sse2', 'sse3', 'ssse3', 'sse4_1', 'sse4_2', 'cx16', 'popcnt'],
  ...['pcid', 'movbe', 'hypervisor'],
  ...['fsgsbase', 'smep', 'erms', 'invpcid', 'smap', 'clflushopt', 'clwb', 'umip'],
  ...['lahf_lm', 'syscall', 'nx', 'pdpe1gb', 'rdtscp', 'lm'],
];

/** What the interpreter has too and the model shows only if asked; without it the instructions raise #UD. */
export const MODEL_OPTIONS: readonly string[] = [
  ...[
    'aes',
    'pclmulqdq',
    'sha_ni',
    'bmi1',
    'bmi2',
    'adx',
    'fsrm',
    'abm',
    '3dnowprefetch',
    'rdpid',
    'serialize',
    'misalignsse',
  ],
];

/** All that the interpreter of this version has. */
export const INTERPRETED_FEATURES: readonly string[] = [...MODEL_FEATURES, ...MODEL_OPTIONS];

/** What cannot be taken from the model: the boot protocols and the loaders use it. */
export const MODEL_NEEDED: readonly string[] = ['fpu', 'msr', 'pae', 'lm', 'hypervisor'];

const VENDOR = 'AuthenticAMD';
const BRAND = 'vmtape64 virtual processor';
const HYPERVISOR = 'vmtapevmtape';
/** Family 15, model 6Bh, stepping 1. */
const SIGNATURE = 0x0006_0fb1;
/** CLFLUSH works on 8 × 8 bytes; one logical processor; APIC id 0. */
const CLFLUSH_SIZE = 0x0001_0800;
/** 46 bits of physical, 48 of linear addresses. */
const ADDRESS_SIZES = 0x302e;
/** The TSC runs at one rate in all states: EDX bit 8 of leaf 80000007H. */
const INVARIANT_TSC = 1 << 8;
/** L1 data and instruction caches: 64 KiB, 2 ways, 64-byte lines; L2: 512 KiB, 16 ways. As qemu64. */
const L1_CACHE = 0x4002_0140;
const L2_CACHE = 0x0200_8140;

/** The feature bits of one output register. */
function wordOf(shown: ReadonlySet<string>, leaf: number, index: number, register: CpuidRegister): number {
  let word = 0;
  for (const feature of CPUID_FEATURES) {
    if (feature.leaf !== leaf || feature.index !== index || feature.register !== register) continue;
    if (shown.has(feature.name)) word |= 1 << feature.bit;
  }
  return word >>> 0;
}

/** Four bytes of a text as a little-endian word, padded with zeros. */
function word(text: string, at: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = value * 256 + (at + i < text.length ? text.charCodeAt(at + i) : 0);
  return value;
}

function row(leaf: number, eax: number, ebx: number, ecx: number, edx: number): CpuidEntry {
  return { function: leaf, index: 0, indexed: false, eax, ebx, ecx, edx };
}

/** The table with another vendor in leaf 0, twelve letters: whose way the interpreter follows where processors differ. */
export function withVendor(table: readonly CpuidEntry[], vendor: string): CpuidEntry[] {
  const words = { ebx: word(vendor, 0), edx: word(vendor, 4), ecx: word(vendor, 8) };
  return table.map((one) => (one.function === 0 ? { ...one, ...words } : one));
}

function brandRow(part: number): CpuidEntry {
  const at = part * 16;
  return row(0x8000_0002 + part, word(BRAND, at), word(BRAND, at + 4), word(BRAND, at + 8), word(BRAND, at + 12));
}

/** A new copy of the table; `options` are of {@link MODEL_OPTIONS}, `without` of {@link MODEL_FEATURES}. */
export function vmtape64Cpuid(options: readonly string[] = [], without: readonly string[] = []): CpuidEntry[] {
  for (const option of options) assert(MODEL_OPTIONS.includes(option), 'an option of the model is one of its list');
  for (const name of without) assert(!MODEL_NEEDED.includes(name), 'no machine goes without what the loaders need');
  const shown = new Set([...MODEL_FEATURES, ...options].filter((name) => !without.includes(name)));
  const features = (leaf: number, index: number, register: CpuidRegister): number =>
    wordOf(shown, leaf, index, register);
  const extended = 0x8000_0001;
  return [
    row(0, 7, word(VENDOR, 0), word(VENDOR, 8), word(VENDOR, 4)),
    row(1, SIGNATURE, CLFLUSH_SIZE, features(1, 0, 'ecx'), features(1, 0, 'edx')),
    { ...row(7, 0, features(7, 0, 'ebx'), features(7, 0, 'ecx'), features(7, 0, 'edx')), indexed: true },
    row(0x4000_0000, 0x4000_0000, word(HYPERVISOR, 0), word(HYPERVISOR, 4), word(HYPERVISOR, 8)),
    row(0x8000_0000, 0x8000_0008, word(VENDOR, 0), word(VENDOR, 8), word(VENDOR, 4)),
    // AMD repeats EDX of leaf 1 here: bits 0 to 9, 12 to 17, 23 and 24.
    row(
      extended,
      SIGNATURE,
      0,
      features(extended, 0, 'ecx'),
      (features(extended, 0, 'edx') | (features(1, 0, 'edx') & 0x0183_f3ff)) >>> 0,
    ),
    brandRow(0),
    brandRow(1),
    brandRow(2),
    row(0x8000_0005, 0, 0, L1_CACHE, L1_CACHE),
    row(0x8000_0006, 0, 0, L2_CACHE, 0),
    row(0x8000_0007, 0, 0, 0, INVARIANT_TSC),
    row(0x8000_0008, ADDRESS_SIZES, 0, 0, 0),
  ];
}

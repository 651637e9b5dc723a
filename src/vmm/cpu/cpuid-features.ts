/** Names of the feature bits of CPUID (Intel SDM volume 2A, "CPUID"; AMD APM volume 3, appendix E), as Linux writes them. */
import type { CpuidEntry } from './vcpu.js';

/** An output register of CPUID. */
export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

/** One feature bit. */
export interface CpuidFeature {
  readonly name: string;
  readonly leaf: number;
  readonly index: number;
  readonly register: CpuidRegister;
  readonly bit: number;
}

/** A register's bits from bit 0 up; `-` is a bit without a name. */
function bits(leaf: number, index: number, register: CpuidRegister, names: string): CpuidFeature[] {
  return names
    .trim()
    .split(/\s+/)
    .map((name, bit) => ({ name, leaf, index, register, bit }))
    .filter(({ name }) => name !== '-');
}

/** Every feature bit with a name. */
export const CPUID_FEATURES: readonly CpuidFeature[] = [
  ...bits(
    1,
    0,
    'edx',
    'fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe',
  ),
  ...bits(
    1,
    0,
    'ecx',
    'sse3 pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline aes xsave osxsave avx f16c rdrand hypervisor',
  ),
  ...bits(
    7,
    0,
    'ebx',
    'fsgsbase tsc_adjust sgx bmi1 hle avx2 fdp_excptn_only smep bmi2 erms invpcid rtm cqm zero_fcs_fds mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl',
  ),
  ...bits(
    7,
    0,
    'ecx',
    'prefetchwt1 avx512vbmi umip pku ospke waitpkg avx512_vbmi2 shstk gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid kl bus_lock_detect cldemote - movdiri movdir64b enqcmd sgx_lc pks',
  ),
  ...bits(
    7,
    0,
    'edx',
    '- - avx512_4vnniw avx512_4fmaps fsrm uintr - - avx512_vp2intersect srbds_ctrl md_clear rtm_always_abort - tsx_force_abort serialize hybrid_cpu tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 spec_ctrl stibp flush_l1d arch_capabilities core_capabilities ssbd',
  ),
  ...bits(7, 1, 'eax', 'sha512 sm3 sm4 rao_int avx_vnni avx512_bf16 lass cmpccxadd - - fzrm fsrs fsrc'),
  ...bits(0xd, 1, 'eax', 'xsaveopt xsavec xgetbv1 xsaves xfd'),
  ...bits(
    0x8000_0001,
    0,
    'ecx',
    'lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx',
  ),
  ...bits(
    0x8000_0001,
    0,
    'edx',
    '- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow',
  ),
  ...bits(0x8000_0008, 0, 'ebx', 'clzero irperf xsaveerptr - rdpru - - - - wbnoinvd - - ibpb - ibrs stibp'),
];

/** The row of a table for a leaf, or undefined. */
export function findCpuid(table: readonly CpuidEntry[], leaf: number, index: number): CpuidEntry | undefined {
  return table.find((row) => row.function === leaf && (!row.indexed || row.index === index));
}

/** The table announces a local APIC: the machine then has one. */
export function hasApic(table: readonly CpuidEntry[]): boolean {
  return (((findCpuid(table, 1, 0)?.edx ?? 0) >>> 9) & 1) === 1;
}

/** The names of the features that a table shows, in the order of the leaves. */
export function featureNames(table: readonly CpuidEntry[]): string[] {
  return CPUID_FEATURES.filter(({ leaf, index, register, bit }) => {
    const row = findCpuid(table, leaf, index);
    return row !== undefined && (row[register] >>> bit) % 2 === 1;
  }).map(({ name }) => name);
}

/** The names of the features that `shown` has and `model` has not. */
export function featuresBeyond(shown: readonly CpuidEntry[], model: readonly CpuidEntry[]): string[] {
  const known = new Set(featureNames(model));
  return featureNames(shown).filter((name) => !known.has(name));
}

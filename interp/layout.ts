/**
 * The map of the interpreter's WebAssembly.Memory. Compiled into the interpreter and imported by the host, so that both
 * sides read one declaration. Every number is a byte offset into the memory unless it says otherwise.
 *
 * Below RAM_BASE lies everything of the interpreter; at RAM_BASE guest-physical address 0 begins.
 */

/** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15: sixteen u64, in the order of their encoding. */
export const CPU_GPR = 0x1000;
/** A u64 that is always zero: the "register" of an address without base or index. */
export const CPU_ZERO = 0x1080;
/** u64: RIP of the first instruction of the current block; the base of RIP-relative addresses. */
export const CPU_RIP_BASE = 0x1088;
/** u64 RIP. Exact whenever the interpreter is not running. */
export const CPU_RIP = 0x1090;
/** u64 RFLAGS. Exact whenever the interpreter is not running; while it runs the status flags may be lazy. */
export const CPU_RFLAGS = 0x1098;
/** 16 bytes for the lazy flags. */
export const CPU_LAZY_FLAGS = 0x10a0;
/** A u64 that is always 2^31: an "index register", see interp/decode.ts. */
export const CPU_TWO_GIB = 0x10b0;
/** u64 each. */
export const CPU_CR0 = 0x10c0;
export const CPU_CR2 = 0x10c8;
export const CPU_CR3 = 0x10d0;
export const CPU_CR4 = 0x10d8;
export const CPU_CR8 = 0x10e0;
export const CPU_EFER = 0x10e8;
export const CPU_XCR0 = 0x10f0;
/** DR0, DR1, DR2, DR3, DR6, DR7: u64 each. */
export const CPU_DR = 0x10f8;
/**
 * ES, CS, SS, DS, FS, GS, LDTR, TR: SEGMENT_SIZE bytes each (the index is the encoding of the segment register; 6 and 7
 * are LDTR and TR).
 */
export const CPU_SEGMENTS = 0x1130;
export const SEGMENT_SIZE = 32;
/** Within a segment: u64 base, u32 limit (in bytes, granularity applied), u32 attributes, u16 selector. */
export const SEGMENT_BASE = 0;
export const SEGMENT_LIMIT = 8;
/** Type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15 (as bits 8 to 23 of a descriptor's second dword), unusable 16. */
export const SEGMENT_ATTRIBUTES = 12;
export const SEGMENT_SELECTOR = 16;
/** u64 base, u32 limit. */
export const CPU_GDTR = 0x1230;
export const CPU_IDTR = 0x1240;
/** MSRs that are pure CPU state: u64 each. */
export const CPU_MSR_APIC_BASE = 0x1250;
export const CPU_MSR_SYSENTER_CS = 0x1258;
export const CPU_MSR_SYSENTER_ESP = 0x1260;
export const CPU_MSR_SYSENTER_EIP = 0x1268;
export const CPU_MSR_STAR = 0x1270;
export const CPU_MSR_LSTAR = 0x1278;
export const CPU_MSR_CSTAR = 0x1280;
export const CPU_MSR_SFMASK = 0x1288;
export const CPU_MSR_KERNEL_GS_BASE = 0x1290;
export const CPU_MSR_TSC_AUX = 0x1298;
export const CPU_MSR_PAT = 0x12a0;
export const CPU_MSR_MISC_ENABLE = 0x12a8;
/** i64: the guest's TSC is the retired-instruction count plus this. */
export const CPU_TSC_OFFSET = 0x12b0;
/** The four PDPTE registers of PAE paging, u64 each: loaded with CR3, not with each walk. */
export const CPU_PDPTE = 0x12c0;
/** u32: 0; 1 after MOV SS or POP SS, which holds debug traps back too; 2 after STI. */
export const CPU_INTERRUPT_SHADOW = 0x1300;
/** u32 each, 0 or 1. */
export const CPU_NMI_MASKED = 0x1304;
export const CPU_HALTED = 0x1308;
/** An NMI waits for the next instruction boundary. */
export const CPU_NMI_PENDING = 0x130c;
/** u32: 0, or 0x100 | vector of an external interrupt that the host injected and that the next entry delivers. */
export const CPU_INJECTED_INTERRUPT = 0x1310;
/**
 * u32 each, 0 or 1: FERR#, which the processor asserts where an x87 instruction waits with an unmasked exception and CR0.NE clear, and
 * IGNNE#, which the board asserts (SDM vol. 1, 8.7.2 and D.2). Both fall when the exception is cleared.
 */
export const CPU_FERR = 0x1314;
export const CPU_IGNNE = 0x1318;
/** u32: the bits of DR6 for which a debug trap is due at the next instruction boundary. */
export const CPU_PENDING_DEBUG = 0x13c0;
/** u64: IA32_DEBUGCTL. */
export const CPU_MSR_DEBUGCTL = 0x13c8;
/** The FXSAVE64 image (512 bytes): FCW, FSW, FTW (abridged), FOP, FIP, FDP, MXCSR, ST0 to ST7, XMM0 to XMM15. */
export const CPU_FXSAVE = 0x1400;

/** u64: instructions retired since the vCPU was made. Never reset by the interpreter. */
export const RUN_RETIRED = 0x1600;
/** u64: the run stops with EXIT_LIMIT when RUN_RETIRED reaches this. */
export const RUN_LIMIT = 0x1608;
/** u32: not 0: leave at the next block boundary with EXIT_KICKED. */
export const RUN_KICK = 0x1610;
/** u32: 1: leave with EXIT_WINDOW at the first instruction boundary that can take an interrupt. */
export const RUN_WINDOW_REQUEST = 0x1614;
/** u32: 1: leave with EXIT_DEBUG after each instruction. */
export const RUN_SINGLE_STEP = 0x1618;
/**
 * Instructions that were executed although the ledger would rather see them hooked: u32 count since the vCPU was made,
 * then at +8 the u64 RIP of the first one.
 */
export const RUN_UNHOOKED_TSC = 0x1620;
export const RUN_UNHOOKED_CPUID = 0x1630;
/** u32: how many places of such instructions are known, UNHOOKED_SITES_MAX at most. */
export const RUN_UNHOOKED_COUNT = 0x1640;
/** u32: 1: leave with EXIT_LEFT_USER at the first boundary at which CPL is not 3. */
export const RUN_STAY_USER = 0x1644;
/**
 * u32, ASSISTED_… bits: what is executed by an interpreter while it is recorded, as here: RDTSC there reads IA32_TSC by an exit, as RDMSR does,
 * and CPUID there is none that a hook should have had.
 */
export const RUN_ASSISTED = 0x1648;
/** CPL 3. */
export const ASSISTED_USER = 1;
/** All code under paging outside long mode. */
export const ASSISTED_PAGING = 2;
/** All code, from the first instruction on. */
export const ASSISTED_ALL = 4;
/** u32: 1: FXSAVE below CPL 3 clears what lies behind the XMM registers in its operand, as the emulator of some KVMs does; a processor leaves it. */
export const RUN_FXSAVE_CLEARS = 0x164c;
/** As HookKind of src/vmm/hooks/table.ts. */
export const UNHOOKED_RDTSC = 1;
export const UNHOOKED_RDTSCP = 2;
export const UNHOOKED_CPUID = 5;

/** The exit record: u32 reason, u32 size (bytes of one element), u32 is-write, u32 count, u64 address, 8 bytes of data. */
export const EXIT_RECORD = 0x1700;
export const EXIT_REASON = 0x1700;
export const EXIT_SIZE = 0x1704;
export const EXIT_IS_WRITE = 0x1708;
export const EXIT_COUNT = 0x170c;
/** Port number, guest-physical address or MSR index. EXIT_HALT: a HALT_…. */
export const EXIT_ADDRESS = 0x1710;
export const EXIT_DATA = 0x1718;
/** EXIT_ERROR: u32 code (ENGINE_ERROR_…), u32 number of instruction bytes, 16 instruction bytes. */
export const EXIT_ERROR_CODE = 0x1720;
export const EXIT_ERROR_LENGTH = 0x1724;
export const EXIT_ERROR_BYTES = 0x1728;
/** u32: set by the host before a run that only finishes the pending I/O instruction (it ends with EXIT_COMPLETED). */
export const RUN_COMPLETE_ONLY = 0x1740;
/** u32, set by the host with the answer to an MSR exit: 1 makes the instruction raise #GP(0). */
export const EXIT_MSR_FAULT = 0x1744;
/** The interpreter's own: u32 the op under way and u32 the first of its block (control.ts), u64 where chains stop (chain.ts). */
export const RUN_CURRENT_OP = 0x1750;
export const RUN_FIRST_OP = 0x1754;
export const RUN_STOP_AT = 0x1758;
/** u64: work beyond that of the instructions retired, in units of interp/work.ts; and where it ends the run with EXIT_KICKED. */
export const RUN_WORK = 0x1760;
export const RUN_WORK_END = 0x1768;

/** Reads answered by the host within the instruction under way; see interp/io.ts. */
export const PENDING_IO = 0x1800;

/** u32 count, then 32 bytes an entry: function, index, flags (1: the index matters), EAX, EBX, ECX, EDX, 0. */
export const CPUID_TABLE = 0x2000;
export const CPUID_MAX_ENTRIES = 126;

/** Where a landmark is looked for (interp/seek.ts): 18 u64, the registers of Vcpu.readRegisters. */
export const SEEK_REGISTERS = 0x3000;
/** u64: the hash of the rest of the CPU's state (CPU_HASHED). */
export const SEEK_CPU_HASH = 0x3090;
/** u32: number of places in memory that must have a hash, SEEK_PLACES_MAX at most; 16 bytes each: u32 offset, u32 unused, u64 hash. */
export const SEEK_PLACE_COUNT = 0x3098;
export const SEEK_PLACES = 0x3100;
export const SEEK_PLACES_MAX = 8;
/** Bytes of a place. */
export const SEEK_PLACE_LENGTH = 0x1000;
/** u64: boundaries at that RIP where something else differed. */
export const SEEK_PASSED = 0x30a0;
/** u64: those of them at which all registers were equal. */
export const SEEK_AMBIGUOUS = 0x30b0;
/** u32: how many registers of the nearest of them were those that are looked for, in the order of seek.ts; then its 18 registers. */
export const SEEK_NEAREST_COUNT = 0x30a8;
export const SEEK_NEAREST = 0x3200;
/**
 * What of the CPU's state besides general registers, RIP and RFLAGS a landmark has a hash of, CPU_HASHED_SIZE bytes: CR0, CR3,
 * CR4, EFER, in long mode the bases of FS and GS and IA32_KERNEL_GS_BASE (else zeros), u64 each; the selectors of CS and SS, u16 each
 * (those of data segments are not here: KVM's emulator leaves them as they were at a return to ring 3); four zeros; then the first 416 bytes of the FXSAVE64 image of the model without FOP, FIP and FDP; zeros.
 */
export const CPU_HASHED = 0x3400;
export const CPU_HASHED_FXSAVE = 0x3440;
export const CPU_HASHED_SIZE = 0x200;

/** Scratch of the host, up to 0xffff. */
export const SCRATCH = 0x4000;

/** AssemblyScript's static data begin here (asc --memoryBase) and must end below STATIC_END. */
export const STATIC_BASE = 0x1_0000;
export const STATIC_END = 0x20_0000;
/** The TLBs of reads and writes, at TLB_BASE and TLB_SPACING behind it, and of fetches (tlb.ts); an entry has TLB_ENTRY bytes. */
export const TLB_BASE = 0x20_0000;
export const TLB_SPACING = 0x1_0000;
export const TLB_ENTRY = 16;
export const TLB_ENTRIES = 0x400;
export const FETCH_BASE = 0x22_0000;
export const FETCH_ENTRIES = 0x4000;
export const TLB_END = 0x30_0000;
/** The places of unhooked instructions, UNHOOKED_SLOTS of 16 bytes: u64 RIP, u32 UNHOOKED_…, u32 which of them it was (1: the first); 0: a free slot. */
export const UNHOOKED_SITES = 0x30_0000;
export const UNHOOKED_SLOTS = 0x4000;
export const UNHOOKED_SITES_MAX = 10_000;
/** One u32 per guest-physical page of the first 4 GiB: 0 (nothing there: MMIO), or memory offset of the page | PAGE_… flags. */
export const PAGE_MAP = 0x40_0000;
export const PAGE_PRESENT = 1;
/** The page can be written (ROM cannot: a write to it is an MMIO exit). */
export const PAGE_WRITABLE = 2;
/** One byte per RAM page of the first 4 GiB: 1 once the page was written since the host cleared it. */
export const PAGE_DIRTY = 0x80_0000;
/** Further tables of the interpreter's own (code marks and the like). */
export const TABLES_BASE = 0x90_0000;
/** One byte per RAM page of the first 4 GiB: 1 once a page walk read it since the host cleared it. */
export const PAGE_WALKED = 0xb0_0000;
export const TABLES_END = 0xb0_0000;
/** ROM images, at most ROM_MAX bytes. */
export const ROM_BASE = 0xc0_0000;
export const ROM_MAX = 0x40_0000;
/** Decoded blocks. */
export const BLOCKS_BASE = 0x100_0000;
export const BLOCKS_END = 0x400_0000;
/** Guest-physical address 0. */
export const RAM_BASE = 0x400_0000;
/** The most RAM a machine can have, in bytes: PCI and firmware hold the last GiB below 4 GiB. */
export const RAM_MAX = 0xc000_0000;

/** Exit reasons, the values of EXIT_REASON; `ExitReason` of src/vmm/cpu/vcpu.ts is made of these. */
export const EXIT_IO = 1;
export const EXIT_MMIO = 2;
export const EXIT_MSR_READ = 3;
export const EXIT_MSR_WRITE = 4;
export const EXIT_HALT = 5;
/** What the processor waits for an interrupt for: HLT, or FERR# is asserted and the instruction at RIP waits. */
export const HALT_HLT = 0;
export const HALT_FERR = 1;
export const EXIT_SHUTDOWN = 6;
export const EXIT_WINDOW = 7;
export const EXIT_DEBUG = 8;
export const EXIT_KICKED = 9;
export const EXIT_LIMIT = 10;
export const EXIT_ENGINE_ERROR = 11;
/** The pending I/O instruction was finished, as asked by RUN_COMPLETE_ONLY. */
export const EXIT_COMPLETED = 12;
/** The place that is looked for was reached (SEEK_REGISTERS). */
export const EXIT_ARRIVED = 13;
/** The kernel was entered: CPL is not 3 (RUN_STAY_USER). */
export const EXIT_LEFT_USER = 14;

/** The engine met an instruction that it does not implement. */
export const ENGINE_ERROR_UNIMPLEMENTED = 1;
/** Code is fetched from where there is no memory. */
export const ENGINE_ERROR_FETCH = 2;
/** KVM_EXIT_INTERNAL_ERROR with an emulation failure. */
export const ENGINE_ERROR_EMULATION = 3;
/** KVM_EXIT_FAIL_ENTRY or an exit that is not known. */
export const ENGINE_ERROR_ENTRY = 4;

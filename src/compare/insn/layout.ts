/**
 * The guest that compares instructions: one memory image for both engines. Linear addresses below 16 MiB are physical ones, but for
 * the window's alias in the first 64 KiB, which 16-bit addresses reach.
 *
 *     0x005000 alias of the window's two pages      0x100000 absent: 2^20 is an address that operands favour
 *     0x101000 page tables, GDT, IDT, TSS, handlers' stack, handlers
 *     0x110000 harness   0x120000 control, the case in hand, its result
 *     0x300000 window: two pages; then a page that is absent, one that is read-only, one for the supervisor, one absent
 *     0x400000 code slots   0x800000 case records   0xa00000 result records
 */

/** Cases of a batch; case number n is in slot n mod SLOTS. */
export const SLOTS = 512;
/** Bytes of RAM. */
export const RAM_SIZE = 0xc0_0000;

/** What the guest's tables and handlers lie in, up to {@link HARNESS}: the supervisor's. */
export const TABLES = 0x10_1000;
export const PDPT = TABLES;
export const DIRECTORY = 0x10_2000;
export const LOW_TABLE = 0x10_3000;
export const SECOND_TABLE = 0x10_4000;
export const GDT = 0x10_5000;
export const IDT = 0x10_6000;
export const TSS = 0x10_7000;
/** One descriptor: {@link Selector.userCode16}. */
export const LDT = 0x10_7800;
/** The handlers' stack begins here and grows down (IST 1). */
export const HANDLER_STACK = 0x10_9000;
export const HANDLERS = 0x10_a000;
export const PML4 = 0x10_b000;

export const HARNESS = 0x11_0000;
/** Host to guest: next case record, next result record, cases left; each u64. Then the harness's stack. */
export const CONTROL = 0x12_0000;
export const NEXT_CASE = CONTROL;
export const NEXT_RESULT = CONTROL + 8;
export const CASES_LEFT = CONTROL + 16;
/** The harness's own stack begins here and grows down. */
export const HARNESS_STACK = CONTROL + 0x800;
/** The case in hand: a copy of its record but for the memory. */
export const INPUT = 0x12_1000;
/** Its result: the same. */
export const OUTPUT = 0x12_2000;

/** Two pages; the 512 bytes around their border are set and returned for each case. */
export const WINDOW_PAGES = 0x30_0000;
export const WINDOW = WINDOW_PAGES + 0xf00;
export const WINDOW_BYTES = 0x200;
/** Where 16-bit addresses see it. */
export const ALIAS_PAGES = 0x5000;
export const ALIAS_OFFSET = WINDOW_PAGES - ALIAS_PAGES;
export const ABSENT_PAGE = WINDOW_PAGES + 0x2000;
export const READONLY_PAGE = WINDOW_PAGES + 0x3000;
export const SUPERVISOR_PAGE = WINDOW_PAGES + 0x4000;
/** The window's pages and those behind them. */
export const OUTSIDE_BYTES = 0x5000;

/** Code slots; between the instructions lies filler. */
export const CODE = 0x40_0000;
export const SLOT_BYTES = 128;
/** Where in its slot an instruction begins that does not cross a page. */
export const SLOT_START = 48;
/** All slots, and what an instruction in the last may reach behind it. */
export const CODE_BYTES = SLOTS * SLOT_BYTES + 64;
/** What fills the slots: INT3. */
export const FILLER = 0xcc;
/** At CPL 0, where KVM's emulator has no INT3: a far JMP to EAEA:EAEAEAEA, which is #GP(EAE8), and in 64-bit code #UD. */
export const KERNEL_FILLER = 0xea;

export const CASES = 0x80_0000;
export const RESULTS = 0xa0_0000;

/** A case record: FXSAVE64 image, RAX to R15, RFLAGS, the far pointer to the instruction, in real mode DS, ES, FS, GS, SS; then the memory. */
export const Case = {
  fxsave: 0,
  registers: 512,
  flags: 640,
  entry: 648,
  /** u16 each. */
  segments: 656,
  memory: 704,
  size: 704 + WINDOW_BYTES,
} as const;

/** A result record. The frame is what the exception pushed; `vector` NO_VECTOR: none. */
export const Result = {
  fxsave: 0,
  registers: 512,
  flags: 640,
  vector: 648,
  error: 656,
  rip: 664,
  cs: 672,
  frameFlags: 680,
  rsp: 688,
  ss: 696,
  cr2: 704,
  /** DS, ES, FS, GS; u16 each. */
  selectors: 712,
  fsBase: 720,
  gsBase: 728,
  /** SS, in real mode. */
  stackSelector: 736,
  memory: 768,
  size: 768 + WINDOW_BYTES,
} as const;

/** Instead of a vector: no exception. */
export const NO_VECTOR = 0xff;
/** The engine cannot execute the instruction (KVM_EXIT_INTERNAL_ERROR, or not written yet). Written by the host. */
export const NOT_EXECUTED = 0x100;
/** The instruction made the guest leave (a port, HLT, an MSR). Written by the host. */
export const LEFT = 0x101;
/** The guest did not come back, and was kicked. Written by the host. */
export const HUNG = 0x102;

/** The guest shut down: an exception could not be delivered. Written by the host. */
export const SHUTDOWN = 0x103;

/** The port of the end of a batch. */
export const DONE_PORT = 0x50;

/** Linux's selectors: where user code runs natively under the host's own descriptors, they are the ones that it sees. */
export const Selector = {
  kernelCode32: 0x08,
  kernelCode: 0x10,
  kernelData: 0x18,
  userCode32: 0x23,
  userData: 0x2b,
  userCode: 0x33,
  task: 0x40,
  ldt: 0x50,
  /** Where Linux keeps the number of the processor: read-only data that expands down. */
  processor: 0x7b,
  /** Of the LDT, as Linux lets a process have one; its base is {@link CODE}, its limit the slots. */
  userCode16: 0x07,
} as const;

/** Numbers of the kernel's interface, from linux/kvm.h and asm/kvm.h (Documentation/virt/kvm/api.rst explains them). */

/** KVM_CHECK_EXTENSION and KVM_ENABLE_CAP. */
export const Capability = {
  SetTssAddress: 4,
  ExtendedCpuid: 7,
  NrMemslots: 10,
  MpState: 14,
  UserNmi: 22,
  SetGuestDebug: 23,
  VcpuEvents: 41,
  DebugRegs: 50,
  Xsave: 55,
  Xcrs: 56,
  SyncRegs: 74,
  ReadonlyMemory: 81,
  ImmediateExit: 136,
  SplitIrqchip: 121,
  ExceptionPayload: 164,
  ManualDirtyLogProtect: 168,
  UserSpaceMsr: 188,
  MsrFilter: 189,
  EnforcePvFeatureCpuid: 190,
  Sregs2: 200,
  ExitOnEmulationFailure: 204,
  Xsave2: 208,
  DisableQuirks2: 213,
} as const;

/** kvm_run.exit_reason. */
export const KvmExit = {
  Unknown: 0,
  Io: 2,
  Hypercall: 3,
  Debug: 4,
  Halt: 5,
  Mmio: 6,
  WindowOpen: 7,
  Shutdown: 8,
  FailEntry: 9,
  Interrupted: 10,
  SetTpr: 11,
  InternalError: 17,
  SystemEvent: 24,
  MsrRead: 29,
  MsrWrite: 30,
} as const;

/** Byte offsets into the kvm_run page (struct kvm_run). */
export const RunPage = {
  requestInterruptWindow: 0,
  immediateExit: 1,
  exitReason: 8,
  readyForInterruptInjection: 12,
  ifFlag: 13,
  cr8: 16,
  apicBase: 24,
  io: { direction: 32, size: 33, port: 34, count: 36, dataOffset: 40 },
  debug: { exception: 32, pc: 40, dr6: 48, dr7: 56 },
  mmio: { address: 32, data: 40, length: 48, isWrite: 52 },
  msr: { error: 32, reason: 40, index: 44, data: 48 },
  internal: { suberror: 32, dataCount: 36, flags: 40, instructionSize: 48, instructionBytes: 49 },
  failEntry: { reason: 32 },
  systemEvent: { type: 32 },
  validRegs: 288,
  dirtyRegs: 296,
  /** struct kvm_regs. */
  regs: 304,
  /** struct kvm_vcpu_events, behind kvm_regs and kvm_sregs. */
  events: 760,
} as const;

/** KVM_SYNC_X86_REGS: the general registers are in the page. */
export const SYNC_REGS = 1;
/** KVM_SYNC_X86_EVENTS. */
export const SYNC_EVENTS = 4;

/** u64s of struct kvm_regs in the order of the instruction encoding: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15, RIP, RFLAGS. */
export const KVM_REGS_ORDER = [0, 2, 3, 1, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17] as const;
/** sizeof(struct kvm_regs). */
export const KVM_REGS_SIZE = 144;

/** KVM_SET_USER_MEMORY_REGION flags. */
export const MEMORY_LOG_DIRTY_PAGES = 1;
export const MEMORY_READONLY = 2;

/** The breakpoints of a processor: DR0 to DR3. */
export const BREAKPOINTS_MAX = 4;

/** KVM_SET_GUEST_DEBUG control. */
export const DEBUG_ENABLE = 1;
export const DEBUG_SINGLE_STEP = 2;
export const DEBUG_HARDWARE_BREAKPOINTS = 0x2_0000;

/** KVM_X86_SET_MSR_FILTER. */
export const MSR_FILTER_DEFAULT_DENY = 1;
export const MSR_FILTER_READ = 1;
export const MSR_FILTER_WRITE = 2;
/** KVM_CAP_X86_USER_SPACE_MSR. */
export const MSR_EXIT_INVALID = 1;
export const MSR_EXIT_UNKNOWN = 2;
export const MSR_EXIT_FILTER = 4;

/** KVM_INTERNAL_ERROR_EMULATION, a suberror, and its flag: the instruction's bytes are there. */
export const INTERNAL_ERROR_EMULATION = 1;
export const INTERNAL_ERROR_HAS_BYTES = 1;

/** KVM_SET_CPUID2 entry flag: the row is for its index (ECX) only. */
export const CPUID_FLAG_INDEX = 1;

/** RFLAGS.IF. */
export const RFLAGS_IF = 0x200n;

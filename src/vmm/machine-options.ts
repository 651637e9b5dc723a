/** What a machine is made of, and how its run ended. */
import type { HostPort } from '../base/host.js';
import type { CpuState } from './cpu/state.js';
import type { CpuidEntry, Vcpu } from './cpu/vcpu.js';
import type { ByteSink } from './device.js';
import type { HookTable } from './hooks/table.js';
import type { MachineTaps } from './machine-taps.js';
import type { GuestMemory } from './memory.js';

/** The two engines. */
export type EngineName = 'kvm' | 'interp';

/** A guest that a boot loader has put into memory. */
export interface LoadedGuest {
  /** RAM and ROM with the images in them. */
  readonly memory: GuestMemory;
  /** The state of the CPU before its first instruction. */
  readonly cpu: CpuState;
  /** The instructions that were replaced by a hook; empty when none were. */
  readonly hooks: HookTable;
}

/** Where the run stops by itself. A limit that is absent does not limit. */
export interface MachineLimits {
  /** Retired instructions. Only on the interpreter, which counts. */
  readonly instructions?: number;
  /** Exits that the guest made (elements of the canonical exit stream). */
  readonly exits?: number;
  /** Seconds of host time. */
  readonly timeout?: number;
  /** The run ends when the guest has sent this text (bytes of Latin-1) to the serial console. */
  readonly untilSerial?: string;
  /** The run ends, and has failed, when the guest has sent one of these texts. */
  readonly failSerial?: readonly string[];
}

/** How the machine lands interrupts (design, section 4). */
export interface LandingOptions {
  /**
   * Guest nanoseconds that an interrupt waits for an exit which can take it, before other ways are used. Default 2 ms;
   * Infinity: it waits. A function is asked anew for each interrupt.
   */
  readonly patience?: number | (() => number);
  /**
   * KVM: a guest that makes no exit gets a waypoint when it has written so many pages, which is looked at at kicks, but not before so many guest
   * nanoseconds since the last look. By default 16,384 and 20 ms, if it has more memory than a landmark can tell of.
   */
  readonly waypoints?: { readonly pages: number; readonly distance: number };
  /** The engine's interrupt window opens at the first boundary that can take an interrupt: proven by a probe. */
  readonly windowExact?: boolean;
}

/** Everything that a machine is made of. */
export interface MachineOptions {
  readonly engine: EngineName;
  readonly guest: LoadedGuest;
  /** The CPUID table of the guest. */
  readonly cpuid: readonly CpuidEntry[];
  /** On KVM: what its processor executes although the table does not show it (cpu/hidden.ts). */
  readonly hiddenFeatures?: readonly string[];
  /**
   * The interpreter executes user code wherever the machine runs: where the kernel's returns to user mode stand, at most four linear
   * addresses (hooks/user-returns.ts). Undefined: the engine does.
   */
  readonly userReturns?: readonly bigint[] | undefined;
  /** The interpreter executes all code under paging outside long mode wherever the machine runs, as some KVMs refuse such paging. */
  readonly assistsPaging?: boolean | undefined;
  /** The interpreter executes the guest from its first instruction wherever the machine runs: a 32-bit kernel, on such a KVM. */
  readonly assistsAll?: boolean | undefined;
  /** The engine's FXSAVE below CPL 3 clears what lies behind the XMM registers in its operand: the emulator of some KVMs. */
  readonly fxsaveClears?: boolean | undefined;
  /** Bytes of the serial console, COM1. */
  readonly serial?: ByteSink;
  /** Bytes written to the debug console, port 0xE9. */
  readonly debugConsole?: ByteSink;
  /** Time and sleep of the host. */
  readonly host: HostPort;
  /** KVM: a guest that computes sees a nanosecond in so many of the host's (guest-time.ts). Default 1. */
  readonly timeScale?: number;
  /** The interpreter: guest nanoseconds that an exit takes which is an access, or a hooked instruction. Default {@link EXIT_TIME}. */
  readonly exitTime?: number;
  /** An access that no device claims is an error, VMTAPE_UNCLAIMED. */
  readonly strictBus?: boolean;
  /** Seeds the answers of hooked RDRAND and RDSEED, a u32. Default 1. */
  readonly seed?: number;
  /** Seconds since 1970 that the RTC shows at the start. Default {@link DEFAULT_RTC_TIME}. */
  readonly rtcTime?: number;
  /** Something may still come from the host (a console): a halted guest without deadlines waits for it. */
  readonly inputOpen?: boolean;
  readonly limits?: MachineLimits;
  readonly landing?: LandingOptions;
  readonly taps?: MachineTaps;
  /** Opened in place of the engine's own vCPU: for tests of an engine. */
  readonly vcpu?: Vcpu;
}

/** 2026-01-01T00:00:00Z: every recording starts at the same wall-clock time. */
export const DEFAULT_RTC_TIME = 1_767_225_600;
/** Guest nanoseconds; see {@link LandingOptions.patience}. */
export const DEFAULT_PATIENCE = 2_000_000;

/** Why a run ended. */
export type EndReason =
  /** A write to the exit port 0xF4. */
  | 'exit-port'
  /** CF9, the i8042 or port 92h. */
  | 'reset'
  /** ACPI or the like switched the machine off. */
  | 'power-off'
  /** Triple fault. */
  | 'shutdown'
  /** HLT that nothing can end. */
  | 'halted'
  /** A limit on instructions or exits. */
  | 'limit'
  | 'serial-text'
  | 'timeout'
  /** The user's Ctrl-C. */
  | 'interrupted'
  /** The engine met what it cannot execute. */
  | 'engine-error'
  /** The machine refused something, such as an unclaimed access on a strict bus. */
  | 'error';

/** How a run ended. */
export interface MachineEnd {
  readonly reason: EndReason;
  /** The exit code of `run` and `record` (design, section 8). */
  readonly exitCode: number;
  /** One sentence. */
  readonly message: string;
  /**
   * Where the run stands: `exit` behind the last guest-made exit, `count` at an exact number of instructions, `anywhere`
   * at a place which no other run finds again.
   */
  readonly position: 'exit' | 'count' | 'anywhere';
}

/**
 * The local APIC in xAPIC mode: Intel SDM volume 3A, chapter 10 (11 since 2023), "Advanced Programmable Interrupt Controller".
 * Offsets are those of table 10-1.
 */

/** Where the registers are after power-on (section 10.4.5), and how much they take. */
export const APIC_ADDRESS = 0xfee0_0000;
export const APIC_SIZE = 0x1000;
/** IA32_APIC_BASE (figure 10-5): the APIC is globally enabled. */
export const BASE_ENABLE = 1 << 11;

/** ID: bits 24 to 31. Read-only here; the only processor is number 0. */
export const ID = 0x20;
/** Version 14h, six LVT entries (the highest is 5), EOI broadcasts cannot be suppressed. Figure 10-7. */
export const VERSION = 0x30;
export const VERSION_VALUE = 0x0005_0014;
/** TPR: task priority, class and subclass. */
export const TASK_PRIORITY = 0x80;
/** APR and RRD: "not supported in the Pentium 4 and Intel Xeon processors". They read as 0. */
export const ARBITRATION_PRIORITY = 0x90;
export const PROCESSOR_PRIORITY = 0xa0;
/** EOI: any write. */
export const END_OF_INTERRUPT = 0xb0;
export const REMOTE_READ = 0xc0;
/** LDR: the logical id in bits 24 to 31. DFR: the model in bits 28 to 31, all others ones. */
export const LOGICAL_DESTINATION = 0xd0;
export const LOGICAL_MASK = 0xff00_0000;
export const DESTINATION_FORMAT = 0xe0;
export const FORMAT_ONES = 0x0fff_ffff;
/** SVR: spurious vector, software enable (8), focus checking off (9). */
export const SPURIOUS = 0xf0;
export const SPURIOUS_MASK = 0x3ff;
export const SOFTWARE_ENABLE = 1 << 8;
/** ISR, TMR, IRR: eight registers of 32 vectors each. */
export const IN_SERVICE = 0x100;
export const TRIGGER_MODE = 0x180;
export const REQUESTS = 0x200;
export const VECTORS_END = 0x280;
/** ESR. */
export const ERROR_STATUS = 0x280;
/** ICR: what is sent, and to whom (bits 24 to 31). */
export const COMMAND_LOW = 0x300;
export const COMMAND_HIGH = 0x310;
/** Vector, delivery mode, logical destination, level, trigger mode, shorthand; delivery status (12) is always idle. */
export const COMMAND_MASK = 0x000c_cfff;
/** The LVT: timer, thermal sensor, performance counters, LINT0, LINT1, error. */
export const LVT_TIMER = 0x320;
export const LVT_END = 0x380;
export const TIMER_INITIAL = 0x380;
export const TIMER_CURRENT = 0x390;
export const TIMER_DIVIDE = 0x3e0;
export const DIVIDE_MASK = 0b1011;

/** The entries of the LVT, in the order of their registers. */
export const Lvt = { Timer: 0, Thermal: 1, Performance: 2, Lint0: 3, Lint1: 4, Error: 5 } as const;
/** The writable bits of each (figure 10-8): vector, delivery mode (8 to 10), polarity (13), trigger (15), mask (16), periodic (17). */
export const LVT_MASKS: readonly number[] = [0x3_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff];
export const LVT_MASKED = 1 << 16;
export const LVT_PERIODIC = 1 << 17;

/** Delivery modes: bits 8 to 10 of the ICR, of LVT entries and of the I/O APIC's table. */
export const Delivery = { Fixed: 0, Lowest: 1, Smi: 2, Nmi: 4, Init: 5, StartUp: 6, ExtInt: 7 } as const;
/** ICR: level assert (14), trigger mode level (15), shorthand (18, 19), logical destination (11). */
export const COMMAND_ASSERT = 1 << 14;
export const COMMAND_LEVEL = 1 << 15;
export const COMMAND_LOGICAL = 1 << 11;
/** Destination shorthands. */
export const Shorthand = { None: 0, Self: 1, AllIncludingSelf: 2, AllExcludingSelf: 3 } as const;
/** The destination of all. */
export const BROADCAST = 0xff;

/** ESR (figure 10-9): send illegal vector, receive illegal vector, illegal register address. */
export const ERROR_SEND_VECTOR = 1 << 5;
export const ERROR_RECEIVE_VECTOR = 1 << 6;
export const ERROR_REGISTER = 1 << 7;
export const ERROR_MASK = 0xe0;
/** Vectors 0 to 15 are illegal (section 10.5.2). */
export const FIRST_VECTOR = 16;

/** The input clock of the timer is 1 GHz; the divider (figure 10-10): bits 0, 1 and 3 give 2, 4, 8, 16, 32, 64, 128, 1. */
export function divisorOf(divide: number): number {
  const code = (divide & 3) | ((divide >> 1) & 4);
  return code === 7 ? 1 : 2 << code;
}

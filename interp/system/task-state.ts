/** The task-state segments of 16 and 32 bits: saving a task and loading one (SDM vol. 3A, 7.2.1, 7.3 and 7.6). */
import { setRip } from '../control';
import { raiseGP } from '../fault';
import { setFlagsWhole } from '../flags';
import { CPU_CR3, CPU_GPR } from '../layout';
import { flushTlb, loadPdptes, readSystem, writeSystem } from '../memory';
import { CR0_PG, CR4_PAE, cr0, cr4, segmentSelector, setReg } from '../registers';
import { wrapLinear } from './descriptor';

/** Offsets in the 32-bit TSS: CR3, EIP; EFLAGS and the registers follow, then the selectors, LDT, T with the I/O map's base. */
const CR3_32: u64 = 28;
const EIP_32: u64 = 32;
const EFLAGS_32: u64 = 36;
const REGISTERS_32: u64 = 40;
const SELECTORS_32: u64 = 72;
const LDT_32: u64 = 96;
const TRAP_32: u64 = 100;
/** Offsets in the 16-bit TSS. */
const IP_16: u64 = 14;
const FLAGS_16: u64 = 16;
const REGISTERS_16: u64 = 18;
const SELECTORS_16: u64 = 34;
const LDT_16: u64 = 42;
/** Bits of EFLAGS that exist. */
const FLAGS_DEFINED: u32 = 0x3f7fd7;

/** The least limit of a TSS. */
export function leastLimit(wide: bool): u32 {
  return wide ? 103 : 43;
}

/** Writes EIP, EFLAGS, the general registers and the selectors into the TSS at `base`; the callers have probed it. */
export function saveTask(base: u64, wide: bool, rip: u64, flags: u64): void {
  if (wide) {
    writeSystem<u32>(wrapLinear(base + EIP_32), <u32>rip);
    writeSystem<u32>(wrapLinear(base + EFLAGS_32), <u32>flags);
    for (let i: u32 = 0; i < 8; i++) {
      writeSystem<u32>(wrapLinear(base + REGISTERS_32 + i * 4), load<u32>(CPU_GPR + <usize>i * 8));
    }
    for (let i: u32 = 0; i < 6; i++) writeSystem<u16>(wrapLinear(base + SELECTORS_32 + i * 4), segmentSelector(i));
    return;
  }
  writeSystem<u16>(wrapLinear(base + IP_16), <u16>rip);
  writeSystem<u16>(wrapLinear(base + FLAGS_16), <u16>flags);
  for (let i: u32 = 0; i < 8; i++) {
    writeSystem<u16>(wrapLinear(base + REGISTERS_16 + i * 2), load<u16>(CPU_GPR + <usize>i * 8));
  }
  for (let i: u32 = 0; i < 4; i++) writeSystem<u16>(wrapLinear(base + SELECTORS_16 + i * 2), segmentSelector(i));
}

/** The bytes of a TSS that {@link saveTask} writes: the first one, and how many. */
export function savedOffset(wide: bool): u32 {
  return wide ? <u32>EIP_32 : <u32>IP_16;
}

/** See {@link savedOffset}. */
export function savedSize(wide: bool): u32 {
  return wide ? 62 : 28;
}

/** What {@link readTask} read: six selectors (FS and GS null in a 16-bit TSS), LDT, EIP, EFLAGS, CR3, T, registers. */
export let taskLdt: u32 = 0;
export let taskRip: u64 = 0;
export let taskFlags: u64 = 0;
export let taskTrap: bool = false;
let taskCr3: u32 = 0;
/** Six u32 of selectors, then eight u32 of registers. */
const SCRATCH: usize = memory.data(14 * 4);

/** The selector of segment `index` in the task that was read. */
export function taskSelector(index: u32): u32 {
  return load<u32>(SCRATCH + <usize>index * 4);
}

/** Reads the TSS at `base`. A 16-bit one has no upper halves: they become ones, as on the processors that had 16-bit tasks. */
export function readTask(base: u64, wide: bool): void {
  for (let i: u32 = 0; i < 8; i++) {
    const value = wide
      ? readSystem<u32>(wrapLinear(base + REGISTERS_32 + i * 4))
      : <u32>readSystem<u16>(wrapLinear(base + REGISTERS_16 + i * 2)) | 0xffff0000;
    store<u32>(SCRATCH + 24 + <usize>i * 4, value);
  }
  for (let i: u32 = 0; i < 6; i++) {
    let selector: u32 = 0;
    if (wide) selector = readSystem<u16>(wrapLinear(base + SELECTORS_32 + i * 4));
    else if (i < 4) selector = readSystem<u16>(wrapLinear(base + SELECTORS_16 + i * 2));
    store<u32>(SCRATCH + <usize>i * 4, selector);
  }
  if (wide) {
    taskCr3 = readSystem<u32>(wrapLinear(base + CR3_32));
    taskRip = readSystem<u32>(wrapLinear(base + EIP_32));
    taskFlags = (readSystem<u32>(wrapLinear(base + EFLAGS_32)) & FLAGS_DEFINED) | 2;
    taskLdt = readSystem<u16>(wrapLinear(base + LDT_32));
    taskTrap = (readSystem<u16>(wrapLinear(base + TRAP_32)) & 1) != 0;
  } else {
    taskRip = readSystem<u16>(wrapLinear(base + IP_16));
    taskFlags = (<u64>readSystem<u16>(wrapLinear(base + FLAGS_16)) & FLAGS_DEFINED) | 2;
    taskLdt = readSystem<u16>(wrapLinear(base + LDT_16));
    taskTrap = false;
  }
}

/** Loads the general registers, EIP and EFLAGS (with `nested` bits added) that were read. */
export function loadTaskRegisters(nested: u64): void {
  for (let i: u32 = 0; i < 8; i++) setReg<u32>(<usize>i * 8, load<u32>(SCRATCH + 24 + <usize>i * 4));
  setRip(taskRip);
  setFlagsWhole(taskFlags | nested);
}

/** Loads CR3, if paging is on; under PAE paging bad page-directory pointers are #GP(0) of the new task. */
export function loadTaskDirectory(): void {
  if ((cr0() & CR0_PG) == 0) return;
  if ((cr4() & CR4_PAE) != 0 && !loadPdptes(taskCr3)) raiseGP(0);
  store<u64>(CPU_CR3, taskCr3);
  flushTlb();
}

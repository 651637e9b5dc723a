/** Comparing what the guest and the devices do with a record of the trace. */
import { hex } from '../base/hex.js';
import { describeRecord, hasLandmark, RecordKind, recordNames, TraceRecord } from '../trace/record.js';
import type { RunDigest } from '../trace/run-digest.js';
import { HeldExit } from '../vmm/cpu/held-exit.js';
import { ExitReason, type ExitRecord, type Vcpu } from '../vmm/cpu/vcpu.js';
import type { HookPerformer } from '../vmm/hooks/perform.js';
import type { Board } from '../vmm/machine-board.js';
import { Landing } from '../vmm/machine-taps.js';
import { DivergenceFound, differingRegisters, sameRegisters } from './report.js';

/** One element of an exit under comparison. */
export interface ExitAccess {
  exit: ExitRecord;
  /** Where its data lies. */
  offset: number;
  /** An MSR access was refused. */
  fault: boolean;
  /** A read has its answer. */
  answered: boolean;
}

const held = new HeldExit();

/** The kind of record that an exit makes. */
export function exitRecordKind(exit: ExitRecord): RecordKind {
  switch (exit.reason) {
    case ExitReason.Io:
      return exit.isWrite ? RecordKind.IoWrite : RecordKind.IoRead;
    case ExitReason.Mmio:
      return exit.isWrite ? RecordKind.MmioWrite : RecordKind.MmioRead;
    case ExitReason.MsrRead:
      return RecordKind.MsrRead;
    case ExitReason.MsrWrite:
      return RecordKind.MsrWrite;
    case ExitReason.Halt:
      return RecordKind.Halt;
    default:
      return RecordKind.Shutdown;
  }
}

/** The steps of comparing an I/O, MMIO or MSR access. */
export const compareAccess = {
  /** Keeps the exit, of one element, while the vCPU finishes its instruction. */
  hold(access: ExitAccess): void {
    access.exit = held.hold(access.exit);
    access.offset = held.dataOffset;
  },

  /** In words and hex. */
  describe({ exit, offset, fault, answered }: ExitAccess): string {
    const record = new TraceRecord();
    record.kind = exitRecordKind(exit);
    record.address = exit.address;
    record.size = exit.size;
    record.fault = fault;
    for (let index = 0; index < exit.size; index++) record.data[index] = exit.bytes.getUint8(offset + index);
    const text = describeRecord(record);
    return exit.isWrite || answered ? text : text.replace(/ = .*$/, '');
  },

  /** What the guest asked for, and what it wrote, is as recorded. */
  question(record: TraceRecord, access: ExitAccess): void {
    const { exit, offset } = access;
    const kind = exitRecordKind(exit);
    if (record.kind !== kind) throw differs(record, access, 'the guest does something else');
    if (record.address !== exit.address) throw differs(record, access, 'the guest accesses another address');
    if (record.size !== exit.size) throw differs(record, access, 'the guest accesses with another width');
    if (exit.isWrite && !sameData(record, exit, offset))
      throw differs(record, access, 'the guest writes another value');
  },

  /** What the device answered is as recorded. */
  answer(record: TraceRecord, access: ExitAccess): void {
    if (record.fault !== access.fault) throw differs(record, access, 'the machine refuses, or does not, the MSR');
    if (access.exit.isWrite || access.fault) return;
    if (!sameData(record, access.exit, access.offset))
      throw differs(record, access, 'the device answers another value');
  },

  /** Gives the recorded answer to the guest. */
  give(record: TraceRecord, access: ExitAccess): void {
    access.fault = record.fault;
    if (access.exit.isWrite) return;
    const { bytes, size } = access.exit;
    for (let index = 0; index < size; index++) bytes.setUint8(access.offset + index, record.data[index] as number);
  },
};

/** An access, its answer given, enters the digest of the run. */
export function digestAccess(digest: RunDigest, { exit, offset, fault }: ExitAccess): void {
  const { reason, address, size, bytes } = exit;
  const kind = exitRecordKind(exit);
  if (reason === ExitReason.Io || reason === ExitReason.Mmio) digest.access(kind, address, size, bytes, offset);
  else digest.msr(kind, address, fault, bytes, offset);
}

/** A halt or a shutdown is what was recorded. */
export function checkPlain(record: TraceRecord, kind: RecordKind, what: string): void {
  if (record.kind !== kind) throw new DivergenceFound('the guest does something else', describeRecord(record), what);
}

/** The vCPU stands where an interrupt was delivered, and can take it. `registers` is scratch; `counting`: the instructions are compared too. */
export function checkInject(record: TraceRecord, vcpu: Vcpu, registers: Uint8Array, counting: boolean): void {
  const what = describeRecord(record);
  vcpu.readRegisters(registers);
  if (!sameRegisters(registers, record.registers, hasLandmark(record.landing))) {
    throw new DivergenceFound(
      'the registers differ where the interrupt is delivered',
      `${what} with ${differingRegisters(record.registers, registers)}`,
      differingRegisters(registers, record.registers),
    );
  }
  if (counting && vcpu.retired !== record.retired) {
    const actual = `instruction ${vcpu.retired}`;
    throw new DivergenceFound('the instruction count differs', `${what} at instruction ${record.retired}`, actual);
  }
  if (!isReadyFor(record, vcpu))
    throw new DivergenceFound('the guest cannot take the interrupt', what, 'interrupts are off');
}

/** The vCPU can take what `record`, an injection, delivers: nothing, at a waypoint. */
function isReadyFor({ landing }: TraceRecord, vcpu: Vcpu): boolean {
  if (landing === Landing.Waypoint) return true;
  return landing === Landing.Nmi ? vcpu.canInjectNmi : vcpu.canInject;
}

/** Delivers the interrupt of `record`, if it has one; with devices, if they ask for it. */
export function deliver(record: TraceRecord, vcpu: Vcpu, board: Board | undefined): void {
  if (record.landing === Landing.Waypoint) return;
  if (board) checkAsked(record, board);
  if (record.landing === Landing.Nmi) vcpu.injectNmi();
  else vcpu.injectInterrupt(record.vector);
}

/** The devices ask for the interrupt that was delivered, and know of it then. */
function checkAsked(record: TraceRecord, board: Board): void {
  const what = describeRecord(record);
  if (record.landing === Landing.Nmi) {
    if (!board.nmi) throw new DivergenceFound('no device asks for an NMI', what, 'no NMI');
    board.takeNmi();
    return;
  }
  if (!board.intr) throw new DivergenceFound('no device asks for an interrupt', what, 'no interrupt');
  const vector = board.acknowledge();
  if (vector === record.vector) return;
  throw new DivergenceFound('the interrupt has another vector', what, `vector 0x${vector.toString(16)}`);
}

/** A hooked instruction and its answer are as recorded. */
export function checkHook(record: TraceRecord, site: number, hooks: HookPerformer): void {
  const { kind } = hooks.table.site(site);
  const { low, high, aux, ebx } = hooks;
  const same =
    record.kind === RecordKind.Hook &&
    record.address === site &&
    record.hookKind === kind &&
    record.low === low &&
    record.high === high &&
    record.aux === aux &&
    record.ebx === ebx;
  if (same) return;
  const actual = `${recordNames[RecordKind.Hook]} at site ${site} = ${hex(high)}:${hex(low, 8)} ecx ${hex(aux)} ebx ${hex(ebx)}`;
  throw new DivergenceFound('a hooked instruction differs', describeRecord(record), actual);
}

function sameData(record: TraceRecord, exit: ExitRecord, offset: number): boolean {
  for (let index = 0; index < exit.size; index++) {
    if (record.data[index] !== exit.bytes.getUint8(offset + index)) return false;
  }
  return true;
}

function differs(record: TraceRecord, access: ExitAccess, what: string): DivergenceFound {
  return new DivergenceFound(what, describeRecord(record), compareAccess.describe(access));
}

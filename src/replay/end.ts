/** The end of a replay: console bytes, registers and memory against those of the recording. */
import type { TraceEnd } from '../trace/header.js';
import { REGISTERS_SIZE, type Vcpu } from '../vmm/cpu/vcpu.js';
import type { ConsoleSink } from '../vmm/machine-console.js';
import type { LoadedGuest, MachineEnd } from '../vmm/machine-options.js';
import { isWithinString } from '../vmm/machine-walk.js';
import { memoryDigest } from '../vmm/memory-digest.js';
import { DivergenceFound, differingRegisters, sameRegisters } from './report.js';

/** What is compared. */
interface Replayed {
  readonly serial: ConsoleSink;
  readonly debugConsole: ConsoleSink;
  readonly vcpu: Vcpu;
  readonly guest: LoadedGuest;
  readonly reader: { readonly header: { readonly engine: string } };
}

/** Throws the first difference; what could not be compared is added to `notes`. */
export function finalDifference(replayed: Replayed, end: TraceEnd, isWhole: boolean, notes: string[]): void {
  compareConsole('serial console', replayed.serial, end.consoleBytes, end.consoleDigest);
  compareConsole('debug console', replayed.debugConsole, end.debugBytes, end.debugDigest);
  for (const row of end.inexact) notes.push(`not exact: the recording used ${row}`);
  const { vcpu, reader } = replayed;
  const isReached =
    (isWhole && end.position === 'exit' && !isWithinString(vcpu, replayed.guest.memory)) ||
    (end.position === 'count' && vcpu.engine === 'interp' && vcpu.retired === end.retired);
  if (!isReached) {
    notes.push('the final state was not compared: the recording ended at a place that this replay cannot find');
    return;
  }
  compareRegisters(vcpu, end);
  if (vcpu.engine !== 'interp' || reader.header.engine !== 'interp') return;
  const digest = memoryDigest(replayed.guest);
  if (digest !== end.memoryDigest) {
    throw new DivergenceFound('memory differs at the end', `SHA-256 ${end.memoryDigest}`, `SHA-256 ${digest}`);
  }
}

function compareConsole(name: string, sink: ConsoleSink, bytes: number, digest: string): void {
  // A trace that was repaired does not know.
  if (bytes < 0 || (sink.count === bytes && sink.digest() === digest)) return;
  const expected = `${bytes} bytes, SHA-256 ${digest}`;
  throw new DivergenceFound(
    `the bytes on the ${name} differ`,
    expected,
    `${sink.count} bytes, SHA-256 ${sink.digest()}`,
  );
}

function compareRegisters(vcpu: Vcpu, end: TraceEnd): void {
  const registers = new Uint8Array(REGISTERS_SIZE);
  vcpu.readRegisters(registers);
  if (end.registers.length !== REGISTERS_SIZE || sameRegisters(registers, end.registers)) return;
  throw new DivergenceFound(
    'the registers differ at the end',
    differingRegisters(end.registers, registers),
    differingRegisters(registers, end.registers),
  );
}

/** The end of a recording that has none. */
export const unknownEnd: MachineEnd = {
  reason: 'error',
  exitCode: 1,
  message: 'The recording did not end.',
  position: 'anywhere',
};

/** The end of the recording, as the machine gave it. */
export function endOf(end: {
  reason: string;
  exitCode: number;
  message: string;
  position: MachineEnd['position'];
}): MachineEnd {
  const { reason, exitCode, message, position } = end;
  return { reason: reason as MachineEnd['reason'], exitCode, message, position };
}

/** The end of a replay: console bytes, registers and memory against those of the recording. */
import type { TraceEnd } from '../trace/header.js';
import { ExitReason, REGISTERS_SIZE, type Vcpu } from '../vmm/cpu/vcpu.js';
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

/** The end, where the last record is behind. */
export class Ending {
  /** The state was another where the count of the end was reached. */
  #difference: DivergenceFound | undefined;

  /** True: all is equal; false: it goes on in the next slice. Throws the first difference; what could not be compared is added to `notes`. */
  compare(replayed: Replayed, end: TraceEnd, isWhole: boolean, notes: string[]): boolean {
    this.#difference ??= finalDifference(replayed, end, isWhole, notes);
    if (!this.#difference) return true;
    const { vcpu } = replayed;
    if (end.reason !== 'engine-error' || end.position !== 'count') throw this.#difference;
    // What the engine could not do may be the delivery of a fault behind others, which retire no instruction.
    const reason = vcpu.run(end.retired + 1);
    if (reason === ExitReason.Kicked) return false;
    const isThere = reason === ExitReason.EngineError && vcpu.retired === end.retired;
    const difference = isThere ? stateDifference(replayed, end) : this.#difference;
    if (difference) throw difference;
    return true;
  }
}

function finalDifference(
  replayed: Replayed,
  end: TraceEnd,
  isWhole: boolean,
  notes: string[],
): DivergenceFound | undefined {
  compareConsole('serial console', replayed.serial, end.consoleBytes, end.consoleDigest);
  compareConsole('debug console', replayed.debugConsole, end.debugBytes, end.debugDigest);
  for (const row of end.inexact) notes.push(`not exact: the recording used ${row}`);
  const { vcpu } = replayed;
  const isReached =
    (isWhole && end.position === 'exit' && !isWithinString(vcpu, replayed.guest.memory)) ||
    (end.position === 'count' && vcpu.engine === 'interp' && vcpu.retired === end.retired);
  if (!isReached) {
    notes.push('the final state was not compared: the recording ended at a place that this replay cannot find');
    return undefined;
  }
  return stateDifference(replayed, end);
}

function stateDifference({ vcpu, guest, reader }: Replayed, end: TraceEnd): DivergenceFound | undefined {
  const registers = registerDifference(vcpu, end);
  if (registers || vcpu.engine !== 'interp' || reader.header.engine !== 'interp') return registers;
  const digest = memoryDigest(guest);
  if (digest === end.memoryDigest) return undefined;
  return new DivergenceFound('memory differs at the end', `SHA-256 ${end.memoryDigest}`, `SHA-256 ${digest}`);
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

function registerDifference(vcpu: Vcpu, end: TraceEnd): DivergenceFound | undefined {
  const registers = new Uint8Array(REGISTERS_SIZE);
  vcpu.readRegisters(registers);
  if (end.registers.length !== REGISTERS_SIZE || sameRegisters(registers, end.registers)) return undefined;
  return new DivergenceFound(
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

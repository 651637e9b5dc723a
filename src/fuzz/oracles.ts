/**
 * The oracles: what must hold for every device and every sequence of operations. Each throws a {@link Finding}.
 *
 *     answers   no access of any width at any offset throws; answers are u32; the state stays within its table; after time
 *               passed, the next deadline lies ahead (or the machine would turn on the spot)
 *     reset     after a reset the device is a fresh one
 *     cut       saving, encoding, decoding and loading into another device at any point changes nothing that can be seen
 *     hostile   a damaged or invented state is refused with VMTAPE_STATE, and changes nothing then, or it is in range and
 *               the device goes on with it
 */
import { VmtapeError } from '../base/errors.js';
import { checkState } from '../vmm/state/check.js';
import { decodeState, encodeState } from '../vmm/state/codec.js';
import { compareStates, printDifference } from '../vmm/state/compare.js';
import { type Mutation, mutate } from './arbitraries.js';
import { type Operation, perform, printEvents, printOperation } from './operations.js';
import type { Bench, Rig, RigEvent } from './rig.js';
import type { FuzzTarget } from './targets.js';

/** What an oracle found. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** More events than this from one operation is work without bound: a wide access is four bytes. */
const EVENTS_MAX = 64;
/** Where the guest time of a rig begins: not 0, so that confusion of "never" and "at once" shows. */
const START = 3_000_000_123;

function fail(message: string): never {
  throw new Finding(message);
}

/** Performs, and holds what `answers` says. */
function checkedPerform(rig: Rig, operation: Operation): RigEvent[] {
  let events: RigEvent[];
  try {
    events = perform(rig, operation);
    checkState(rig.device.stateTable, rig.device.saveState());
  } catch (error) {
    if (error instanceof Finding) throw error;
    fail(`${printOperation(operation)}: threw ${String(error)}`);
  }
  if (events.length > EVENTS_MAX) fail(`${printOperation(operation)}: ${events.length} events come of it`);
  for (const { what, value } of events) {
    if (what === 'deadline') continue;
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      fail(`${printOperation(operation)}: ${what} is ${value}, not a u32`);
    }
  }
  const deadline = rig.device.nextDeadline();
  const timePassed = operation.kind === 'pass' || operation.kind === 'deadline';
  if (Number.isNaN(deadline) || (timePassed && deadline <= rig.bench.clock.last)) {
    fail(`${printOperation(operation)}: the deadline ${deadline} is not ahead of ${rig.bench.clock.last}`);
  }
  return events;
}

/** The oracle `answers`. */
export function answers(target: FuzzTarget, operations: readonly Operation[]): void {
  const rig = target.create(START);
  for (const operation of operations) checkedPerform(rig, operation);
  const bytes = new DataView(new ArrayBuffer(16));
  for (let size = 1; size <= 8; size++) {
    rig.device.readMmio(0xfee0_0000, size, bytes, 1);
    rig.device.writeMmio(0xfee0_0000, size, bytes, 1);
  }
}

/** The oracle `reset`: `after` is done to both to see that they are alike. */
export function reset(target: FuzzTarget, before: readonly Operation[], after: readonly Operation[]): void {
  const used = target.create(START);
  for (const operation of before) perform(used, operation);
  used.device.reset();
  used.bench.take();
  const fresh = target.create(used.bench.clock.now());
  Object.assign(fresh.bench.processor, used.bench.processor);
  sameState(used, fresh, 'after the reset');
  for (const [line, level] of used.bench.levels) {
    if (level !== fresh.bench.levels.get(line)) fail(`after the reset: the level of IRQ ${line} is ${level}`);
  }
  goOn(fresh, used, after, 'after the reset');
}

interface Snapshot {
  /** As the device gave it: must not change when the device goes on. */
  readonly state: Record<string, unknown>;
  readonly encoded: Uint8Array;
  readonly now: number;
  readonly processor: Bench['processor'];
  readonly levels: readonly (readonly [number, boolean])[];
}

function save(rig: Rig): Snapshot {
  const { device, bench } = rig;
  const state = device.saveState();
  const encoded = encodeState(device.stateTable, state);
  silent(rig, 'saving');
  return { state, encoded, now: bench.clock.now(), processor: { ...bench.processor }, levels: [...bench.levels] };
}

/** Loads a snapshot and returns the state that was decoded: the device must not keep it. */
function load(rig: Rig, snapshot: Snapshot): Record<string, unknown> {
  const { device, bench } = rig;
  bench.clock.loadState({ now: snapshot.now });
  Object.assign(bench.processor, snapshot.processor);
  // The interrupt controller restores the levels that it was driven with.
  for (const [line, level] of snapshot.levels) bench.levels.set(line, level);
  bench.take();
  const state = decodeState(device.stateTable, snapshot.encoded);
  device.loadState(state);
  silent(rig, 'loading');
  return state;
}

/** A state that was saved or loaded is still what it was. */
function unshared(target: FuzzTarget, state: Record<string, unknown>, encoded: Uint8Array, where: string): void {
  const { stateTable } = target.create(START).device;
  if (!equalBytes(encodeState(stateTable, state), encoded)) fail(`${where} shares memory with the device`);
}

function silent(rig: Rig, what: string): void {
  const events = rig.bench.take();
  if (events.length > 0) fail(`${what} is not silent: ${printEvents(events)}`);
}

/** The oracle `cut`, for every cut of the sequence. */
export function cut(target: FuzzTarget, operations: readonly Operation[]): void {
  const whole = target.create(START);
  const seen: RigEvent[][] = [];
  const snapshots = [save(whole)];
  for (const operation of operations) {
    seen.push(perform(whole, operation));
    snapshots.push(save(whole));
  }
  for (const [at, snapshot] of snapshots.entries()) {
    const rig = target.create(0);
    // Every other device was used before: loading must replace everything.
    if (at % 2 === 1) for (const operation of operations.slice(at)) perform(rig, operation);
    let loaded: Record<string, unknown>;
    try {
      loaded = load(rig, snapshot);
    } catch (error) {
      if (error instanceof Finding) throw error;
      fail(`cut after operation ${at}: loading threw ${String(error)}`);
    }
    for (let index = at; index < operations.length; index++) {
      const operation = operations[index] as Operation;
      sameEvents(
        seen[index] as RigEvent[],
        perform(rig, operation),
        `cut after operation ${at}: ${index + 1}. ${printOperation(operation)}`,
      );
    }
    sameState(whole, rig, `cut after operation ${at}, at the end`);
    unshared(target, snapshot.state, snapshot.encoded, 'the saved state');
    unshared(target, loaded, snapshot.encoded, 'the loaded state');
  }
}

/** What the oracle `hostile` loads: mutations of the encoded state, or another state of the table. */
export type HostileState = { readonly mutations: readonly Mutation[] } | { readonly state: Record<string, unknown> };

/** The oracle `hostile`: the hostile state is loaded between `before` and `after`. */
export function hostile(
  target: FuzzTarget,
  before: readonly Operation[],
  hostileState: HostileState,
  after: readonly Operation[],
): void {
  const rig = target.create(START);
  for (const operation of before) perform(rig, operation);
  const { device } = rig;
  const table = device.stateTable;
  const old = encodeState(table, device.saveState());
  let encoded: Uint8Array;
  if ('state' in hostileState) encoded = encodeState(table, hostileState.state);
  else encoded = mutate(old, hostileState.mutations);
  try {
    const state = decodeState(table, encoded);
    if (!equalBytes(encodeState(table, state), encoded)) fail('two encodings decode to the same state');
    device.loadState(state);
  } catch (error) {
    if (!(error instanceof VmtapeError && error.code === 'VMTAPE_STATE')) throw error;
    if (!equalBytes(encodeState(table, device.saveState()), old)) fail('a refused state changed the device');
    silent(rig, 'refusing a state');
    return;
  }
  silent(rig, 'loading');
  if (!equalBytes(encodeState(table, device.saveState()), encoded)) fail('what was loaded is not what is saved');
  for (const operation of after) checkedPerform(rig, operation);
}

function goOn(expected: Rig, actual: Rig, operations: readonly Operation[], where: string): void {
  for (const [index, operation] of operations.entries()) {
    const left = perform(expected, operation);
    sameEvents(left, perform(actual, operation), `${where}: ${index + 1}. ${printOperation(operation)}`);
  }
  sameState(expected, actual, `${where}, at the end`);
}

function sameEvents(expected: RigEvent[], actual: RigEvent[], where: string): void {
  const same =
    expected.length === actual.length &&
    expected.every(({ what, value }, index) => what === actual[index]?.what && Object.is(value, actual[index]?.value));
  if (!same) fail(`${where}: expected ${printEvents(expected)}, actual ${printEvents(actual)}`);
}

function sameState(expected: Rig, actual: Rig, where: string): void {
  const differences = compareStates(expected.device.stateTable, expected.device.saveState(), actual.device.saveState());
  if (differences.length > 0) fail(`${where}: ${differences.map(printDifference).join('; ')}`);
}

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

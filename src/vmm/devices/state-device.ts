/**
 * What every device with a state table has in common: all that changes in it is the one object {@link StateDevice.state}, whose
 * shape is the device's table. So saving and loading are copies, and a field that is not in the table does not exist.
 */
import { copyState } from '../state/compare.js';
import { initialState, type StateOf, type StateTable } from '../state/fields.js';

/** A device's state, its saving and its loading. */
export abstract class StateDevice<T extends StateTable> {
  protected state: StateOf<T>;

  constructor(
    readonly name: string,
    readonly stateTable: T,
  ) {
    this.state = initialState(stateTable);
  }

  /** The state after power-on, if the initial values of the table do not say it all. */
  protected powerOn(): StateOf<T> {
    return initialState(this.stateTable);
  }
  /** Sets the device's lines as its state says. */
  protected driveLines(): void {}
  /** Throws VMTAPE_STATE if fields, each in range, contradict each other. */
  protected checkConsistency(_state: StateOf<T>): void {}
  /** The state was replaced by a saved one: makes again what is derived from it. Drives no line. */
  protected afterLoad(): void {}

  reset(): void {
    this.state = this.powerOn();
    this.afterLoad();
    this.driveLines();
  }

  saveState(): StateOf<T> {
    return copyState(this.stateTable, this.state);
  }

  loadState(state: Record<string, unknown>): void {
    const copy = copyState(this.stateTable, state);
    this.checkConsistency(copy);
    this.state = copy;
    this.afterLoad();
  }

  /** Nothing happens by itself. */
  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }
  /** Nothing is ever due. */
  advance(_now: number): void {}
}

/**
 * The debug console, port E9h, as Bochs and QEMU have it (QEMU: `-device isa-debugcon`): bytes written go to the host; a
 * read gives E9h, by which a guest knows that it is there.
 */
import type { ByteSink } from '../../device.js';
import { type Register, register } from '../../register.js';
import { stateTable } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';

const PORT = 0xe9;

/** It has no state. */
export const debugConsoleState = stateTable('debug-console', 1, {});

const DATA = register('data');

/** See the head of the file. */
export class DebugConsole extends ByteDevice<typeof debugConsoleState> {
  constructor(readonly out: ByteSink) {
    super('debug-console', [{ base: PORT, length: 1 }], debugConsoleState);
  }

  registerAt(): Register {
    return DATA;
  }

  protected readByte(): number {
    return PORT;
  }

  protected writeByte(_port: number, value: number): void {
    this.out.write(value);
  }
}

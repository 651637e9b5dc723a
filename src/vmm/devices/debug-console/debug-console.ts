/**
 * The debug console, port E9h, as Bochs and QEMU have it (QEMU: `-device isa-debugcon`): bytes written go to the host; a
 * read gives E9h, by which a guest knows that it is there.
 */
import type { ByteSink } from '../../device.js';
import { type Register, register } from '../../register.js';
import { stateTable } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';

const PORT = 0xe9;
const FIRMWARE_PORT = 0x402;

/** It has no state. */
export const debugConsoleState = stateTable('debug-console', 1, {});

const DATA = register('data');

/** See the head of the file. */
export class DebugConsole extends ByteDevice<typeof debugConsoleState> {
  /** `isFirmware`: port 402h too, where the firmware of QEMU's PC writes its messages. */
  constructor(
    readonly out: ByteSink,
    isFirmware = false,
  ) {
    const ports = isFirmware ? [PORT, FIRMWARE_PORT] : [PORT];
    super(
      'debug-console',
      ports.map((base) => ({ base, length: 1 })),
      debugConsoleState,
    );
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

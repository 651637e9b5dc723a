/** An exit that is kept while the vCPU goes on: its own record is of the last exit only. */
import type { ExitReason, ExitRecord } from './vcpu.js';

const DATA_SIZE = 8;

/** A copy of an exit of one element, to be used again and again. */
export class HeldExit implements ExitRecord {
  reason: ExitReason = 0 as ExitReason;
  address = 0;
  size = 0;
  isWrite = false;
  readonly count = 1;
  readonly bytes = new DataView(new ArrayBuffer(DATA_SIZE));
  readonly dataOffset = 0;
  readonly errorCode = 0;
  readonly errorBytes = new Uint8Array(0);

  /** Copies `exit`, whose element has up to 8 bytes. */
  hold(exit: ExitRecord): this {
    this.reason = exit.reason;
    this.address = exit.address;
    this.size = exit.size;
    this.isWrite = exit.isWrite;
    for (let index = 0; index < exit.size; index++) {
      this.bytes.setUint8(index, exit.bytes.getUint8(exit.dataOffset + index));
    }
    return this;
  }
}

/** What is done to a device on the bench: accesses, time, inputs; and what is seen of it. */
import { hex } from '../base/hex.js';
import type { Rig, RigEvent } from './rig.js';

/** One thing done to a device. */
export type Operation =
  | { readonly kind: 'read'; readonly port: number; readonly size: number }
  | { readonly kind: 'write'; readonly port: number; readonly size: number; readonly value: number }
  /** The same in memory; `size` is 1 to 8, and `value` the low dword, repeated in the high one. */
  | { readonly kind: 'load'; readonly address: number; readonly size: number }
  | { readonly kind: 'store'; readonly address: number; readonly size: number; readonly value: number }
  /** Guest time goes on by so many nanoseconds. */
  | { readonly kind: 'pass'; readonly ns: number }
  /** Guest time goes on to the device's next deadline, if that is within a day. */
  | { readonly kind: 'deadline' }
  | { readonly kind: 'input'; readonly input: number; readonly value: number };

const bytes = new DataView(new ArrayBuffer(8));
const low = (size: number): number => bytes.getUint32(0, true) % 256 ** Math.min(size, 4);
const high = (size: number): number => bytes.getUint32(4, true) % 256 ** (size - 4);

const DAY = 86_400_000_000_000;

/** Does `operation` and returns everything that can be seen of it: answers, edges, bytes, the next deadline. */
export function perform(rig: Rig, operation: Operation): RigEvent[] {
  const { device, bench } = rig;
  switch (operation.kind) {
    case 'read':
      bench.note('read', device.readPort(operation.port, operation.size));
      break;
    case 'write':
      device.writePort(operation.port, operation.size, operation.value);
      break;
    case 'load':
      device.readMmio(operation.address, operation.size, bytes, 0);
      bench.note('load', low(operation.size));
      if (operation.size > 4) bench.note('load high', high(operation.size));
      break;
    case 'store':
      bytes.setUint32(0, operation.value, true);
      bytes.setUint32(4, operation.value, true);
      device.writeMmio(operation.address, operation.size, bytes, 0);
      break;
    case 'pass':
      passTo(rig, bench.clock.now() + operation.ns);
      break;
    case 'deadline': {
      const next = device.nextDeadline();
      if (next <= bench.clock.now() + DAY) passTo(rig, Math.max(next, bench.clock.now()));
      break;
    }
    case 'input':
      rig.inputs[operation.input]?.(operation.value);
      break;
  }
  rig.observe?.();
  bench.note('deadline', device.nextDeadline());
  return bench.take();
}

function passTo(rig: Rig, now: number): void {
  rig.bench.clock.set(now);
  rig.device.advance(now);
}

/** An operation as a line of a report. */
export function printOperation(operation: Operation): string {
  switch (operation.kind) {
    case 'read':
      return `read ${operation.size} at ${hex(operation.port)}`;
    case 'write':
      return `write ${operation.size} at ${hex(operation.port)}: ${hex(operation.value)}`;
    case 'load':
      return `load ${operation.size} at ${hex(operation.address)}`;
    case 'store':
      return `store ${operation.size} at ${hex(operation.address)}: ${hex(operation.value)}`;
    case 'pass':
      return `${operation.ns} ns pass`;
    case 'deadline':
      return 'time passes to the next deadline';
    case 'input':
      return `input ${operation.input}: ${hex(operation.value)}`;
  }
}

/** Events as a line of a report. */
export function printEvents(events: readonly RigEvent[]): string {
  return events.map(({ what, value }) => `${what}=${Number.isFinite(value) ? hex(value) : 'never'}`).join(' ');
}

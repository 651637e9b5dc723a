/** What is done to a device on the bench: accesses, time, inputs; and what is seen of it. */
import { hex } from '../base/hex.js';
import type { Rig, RigEvent } from './rig.js';

/** One thing done to a device. */
export type Operation =
  | { readonly kind: 'read'; readonly port: number; readonly size: number }
  | { readonly kind: 'write'; readonly port: number; readonly size: number; readonly value: number }
  /** Guest time goes on by so many nanoseconds. */
  | { readonly kind: 'pass'; readonly ns: number }
  /** Guest time goes on to the device's next deadline, if that is within a day. */
  | { readonly kind: 'deadline' }
  | { readonly kind: 'input'; readonly input: number; readonly value: number };

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

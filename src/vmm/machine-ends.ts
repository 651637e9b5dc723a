/** The ends of a run, in words. */

import {
  ENGINE_ERROR_EMULATION,
  ENGINE_ERROR_ENTRY,
  ENGINE_ERROR_FETCH,
  ENGINE_ERROR_UNIMPLEMENTED,
} from '../../interp/layout.js';
import { hex, hexBytes } from '../base/hex.js';
import { ExitReason, type Vcpu } from './cpu/vcpu.js';
import type { EndReason, MachineEnd, MachineLimits } from './machine-options.js';
import { codeBits } from './machine-walk.js';

const sentences: Readonly<Partial<Record<EndReason, readonly [exitCode: number, message: string]>>> = {
  reset: [0, 'The guest reset the machine.'],
  'power-off': [0, 'The guest switched the machine off.'],
  shutdown: [1, 'The guest died of a triple fault.'],
  halted: [0, 'The guest halted, and nothing can wake it.'],
  limit: [0, 'The limit was reached.'],
  'serial-text': [0, 'The text came over the serial console.'],
  timeout: [1, 'The time was up.'],
  interrupted: [0, 'The run was interrupted.'],
};

/** An end without details. */
export function plainEnd(reason: EndReason, position: MachineEnd['position']): MachineEnd {
  const [exitCode, message] = sentences[reason] ?? [1, `The run ended: ${reason}.`];
  return { reason, exitCode, message, position };
}

/** What {@link textEnd} knows the serial console's texts by. */
export function watchedTexts({ untilSerial, failSerial = [] }: MachineLimits): readonly string[] {
  return [...(untilSerial === undefined ? [] : [untilSerial]), ...failSerial];
}

/** A text that the limits name came over the serial console. */
export function textEnd(text: string, { failSerial = [] }: MachineLimits): MachineEnd {
  const end = plainEnd('serial-text', 'exit');
  if (!failSerial.includes(text)) return end;
  const said = Buffer.from(text, 'latin1').toString('utf8');
  return { ...end, exitCode: 1, message: `The guest has failed: it sent ${JSON.stringify(said)}.` };
}

/** The place of an end between two slices. Behind a kick, faults may have been delivered since the last instruction was retired. */
export function placeBetweenSlices(vcpu: Vcpu): MachineEnd['position'] {
  return vcpu.engine === 'interp' && vcpu.exit.reason !== ExitReason.Kicked ? 'count' : 'anywhere';
}

/** A write to the exit port, which made `code` of it: a shell sees its low 8 bits. */
export function exitPortEnd(code: number): MachineEnd {
  const message = `The guest ended the run with exit code ${code & 0xff}.`;
  return { reason: 'exit-port', exitCode: code & 0xff, message, position: 'exit' };
}

/** The engine met what it cannot execute: named with its bytes, RIP and mode. */
export function engineErrorEnd(vcpu: Vcpu): MachineEnd {
  const { errorCode, errorBytes } = vcpu.exit;
  const state = vcpu.getState();
  const what =
    {
      [ENGINE_ERROR_UNIMPLEMENTED]: 'does not implement the instruction',
      [ENGINE_ERROR_FETCH]: 'was led to fetch code where there is no memory',
      [ENGINE_ERROR_EMULATION]: 'cannot emulate the instruction',
      [ENGINE_ERROR_ENTRY]: 'refused to run the guest',
    }[errorCode] ?? `failed with the code ${errorCode}`;
  const engine = vcpu.engine === 'kvm' ? 'KVM' : 'The interpreter';
  const bytes = errorBytes.length > 0 ? ` [${hexBytes(errorBytes, ' ')}]` : '';
  const place = `cs:rip ${hex(state.cs.selector)}:${hex(state.rip)}, ${codeBits(state)}-bit code`;
  return {
    reason: 'engine-error',
    exitCode: 1,
    message: `${engine} ${what}${bytes} at ${place}.`,
    position: vcpu.engine === 'interp' ? 'count' : 'anywhere',
  };
}

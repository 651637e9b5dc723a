/**
 * With what those begin who follow the records of a trace: nothing, or, in a part of another trace (vmtape slice), the state of the
 * checkpoint before its record 0.
 */
import { VmtapeError } from '../base/errors.js';
import { replayState } from '../replay/checkpoint.js';
import { damagedTrace } from '../trace/errors.js';
import { GuestTime } from '../trace/export/guest-time.js';
import type { TraceHeader } from '../trace/header.js';
import type { FoundCheckpoint, TraceReader } from '../trace/reader.js';
import { LINE_CONTROL, MODEM_CONTROL, type SerialDecoder } from '../trace/serial-decoder.js';
import { uartState } from '../vmm/devices/uart/state.js';
import { exitTimeOfTrace } from '../vmm/guest-time.js';
import { decodeState } from '../vmm/state/codec.js';

/** See the head of the file. */
export interface TraceStart {
  /** Instructions retired before the first record, where they were counted. */
  readonly retired: number;
  /** Guest nanoseconds before the first record. */
  readonly time: number;
  /** Guest time less instructions. */
  readonly skipped: number;
  /** Encoded states by name, those of the devices among them. */
  readonly parts: Readonly<Record<string, Uint8Array>>;
}

/** A machine that was just made. */
export const atReset: TraceStart = { retired: 0, time: 0, skipped: 0, parts: {} };

/** The part of another trace that this one is; undefined: it is none. */
export interface SlicedFrom {
  readonly first: number;
  readonly last: number;
  /** The id of the other trace. */
  readonly of: string;
}

/** How a trace begins. Throws VMTAPE_TRACE_DAMAGED for a checkpoint that cannot be restored. */
export function traceStart(reader: TraceReader): TraceStart {
  const found = reader.checkpointBefore(0);
  if (!found) return atReset;
  const { retired, parts } = found.checkpoint;
  const { skipped, time } = replayOf(found);
  return { retired, time: reader.header.counting ? retired + skipped : time, skipped, parts };
}

function replayOf({ checkpoint, place }: FoundCheckpoint) {
  try {
    return decodeState(replayState, checkpoint.parts[replayState.name] ?? new Uint8Array(0));
  } catch (error) {
    if (!(error instanceof VmtapeError)) throw error;
    throw damagedTrace(place, `is a checkpoint that cannot be restored: ${error.message}`);
  }
}

/** Time along the records of a trace. */
export function guestTimeOf({ counting, host }: TraceHeader, { time, skipped }: TraceStart): GuestTime {
  const exitTime = counting ? exitTimeOfTrace(host) : 0;
  return new GuestTime({ isCounting: counting, exitTime, now: time, skipped });
}

/** The serial port of a trace is, before the first record, as it was there. A state that it would not restore is left out. */
export function resumeSerial(decoder: SerialDecoder, { parts }: TraceStart): void {
  const part = Object.hasOwn(parts, uartState.name) ? parts[uartState.name] : undefined;
  if (!part) return;
  try {
    const { lcr, mcr } = decodeState(uartState, part);
    decoder.writeByte(LINE_CONTROL, lcr);
    decoder.writeByte(MODEM_CONTROL, mcr);
  } catch (error) {
    if (!(error instanceof VmtapeError)) throw error;
  }
}

/** What a slice says of itself: for people, and believed in nothing. */
export function slicedFrom({ options }: TraceHeader): SlicedFrom | undefined {
  const match = /^(\d{1,15})\.\.(\d{1,15}) of ([0-9a-f]{32})$/.exec(String(options['slice'] ?? ''));
  return match ? { first: Number(match[1]), last: Number(match[2]), of: match[3] as string } : undefined;
}

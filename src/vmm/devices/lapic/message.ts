/** Messages on the APIC bus, and for whom they are (Intel SDM volume 3A, sections 10.6.1 and 10.6.2). */
import { BROADCAST } from './registers.js';
import type { LapicState } from './state.js';

/** A message: an interrupt of an I/O APIC (82093AA data sheet, section 3.2.4). */
export interface ApicMessage {
  readonly vector: number;
  /** A value of Delivery (registers.ts). */
  readonly delivery: number;
  readonly isLogical: boolean;
  readonly destination: number;
  readonly isLevel: boolean;
}

/** Whether a destination names this local APIC, whose id is 0. */
export function isDestination({ logicalId, model }: LapicState, destination: number, isLogical: boolean): boolean {
  if (destination === BROADCAST) return true;
  if (!isLogical) return destination === 0;
  if (model === 15) return (destination & logicalId) !== 0;
  const isCluster = destination >> 4 === logicalId >> 4 || destination >> 4 === 15;
  return model === 0 && isCluster && (destination & logicalId & 15) !== 0;
}

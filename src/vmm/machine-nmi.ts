/**
 * Non-maskable interrupts: one waits at the local APIC until the vCPU stands behind an exit and handles none. There it is delivered. So one
 * that comes while another is handled does not come at the IRET, but at the first exit behind it: where KVM opens its NMI window is a host's own
 * (a software-nested one was seen to open it late), an exit is the same place everywhere.
 */
import type { Vcpu } from './cpu/vcpu.js';
import type { Board } from './machine-board.js';
import { Landing, type MachineTaps } from './machine-taps.js';

/** The vector of an NMI (SDM volume 3A, table 6-1). */
export const NMI_VECTOR = 2;

/** Lands the NMI that waits, if the vCPU can take it here. False: it goes on waiting. `registers` is scratch. */
export function landNmi(board: Board, vcpu: Vcpu, taps: MachineTaps, registers: Uint8Array): boolean {
  if (!vcpu.canInjectNmi) return false;
  board.takeNmi();
  vcpu.readRegisters(registers);
  taps.inject(NMI_VECTOR, Landing.Nmi, registers, undefined);
  vcpu.injectNmi();
  return true;
}

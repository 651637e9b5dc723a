/** KVM_SET_GUEST_DEBUG (Documentation/virt/kvm/api.rst): single steps and breakpoints of the host's, which the guest does not see. */
import { assert } from '../../base/assert.js';
import { checkResult, type NativeVcpu } from './addon.js';
import { BREAKPOINTS_MAX, DEBUG_ENABLE, DEBUG_HARDWARE_BREAKPOINTS, DEBUG_SINGLE_STEP } from './kvm-constants.js';

/** Bits of DR6 that say why: breakpoints by number, BD, BS, BT. */
export const DR6_CAUSES = 0xe00f;
/** struct kvm_guest_debug: u32 control, u32, then DR0 to DR7, u64 each. */
const SIZE = 72;
const REGISTERS = 8;
const DR7 = REGISTERS + 7 * 8;
/** The bit of DR7 that is always set, and G0; the other global enable bits follow two apart. */
const DR7_FIXED = 0x400n;
const DR7_GLOBAL = 0x2n;

/** What one vCPU is debugged with. */
export class KvmDebug {
  readonly #native: NativeVcpu;
  #isStepping = false;
  #breakpoints: readonly bigint[] = [];

  constructor(native: NativeVcpu) {
    this.#native = native;
  }

  /** KVM stops after each instruction. */
  get isStepping(): boolean {
    return this.#isStepping;
  }

  set isStepping(on: boolean) {
    this.#isStepping = on;
    this.#write();
  }

  /** Where KVM stops before the instruction: linear addresses, {@link BREAKPOINTS_MAX} at most. While it steps, it does not. */
  get breakpoints(): readonly bigint[] {
    return this.#breakpoints;
  }

  set breakpoints(addresses: readonly bigint[]) {
    assert(addresses.length <= BREAKPOINTS_MAX, 'a processor has four breakpoints');
    this.#breakpoints = addresses;
    this.#write();
  }

  #write(): void {
    const debug = new Uint8Array(SIZE);
    const view = new DataView(debug.buffer);
    let control = 0;
    if (this.#isStepping) {
      control = DEBUG_ENABLE | DEBUG_SINGLE_STEP;
    } else if (this.#breakpoints.length > 0) {
      control = DEBUG_ENABLE | DEBUG_HARDWARE_BREAKPOINTS;
      let enabled = DR7_FIXED;
      for (const [index, address] of this.#breakpoints.entries()) {
        view.setBigUint64(REGISTERS + index * 8, address, true);
        enabled |= DR7_GLOBAL << BigInt(index * 2);
      }
      view.setBigUint64(DR7, enabled, true);
    }
    view.setUint32(0, control, true);
    checkResult(this.#native.transfer('KVM_SET_GUEST_DEBUG', debug), 'KVM_SET_GUEST_DEBUG');
  }
}

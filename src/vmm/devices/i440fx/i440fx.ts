/**
 * The host bridge of a machine that starts from a ROM: Intel 82441FX (290549-001), section 3.2. It decides what is between A0000h and
 * FFFFFh: the bus, where the ROM is, or RAM (`shadow-ram.ts`). Firmware copies itself to RAM there and makes that read-only.
 *
 * Decisions:
 * - A window that reads from the bus and writes to RAM (PAM 10b) is the bus to the processor; what it writes there comes here.
 * - There is no system management mode: SMRAM can be opened and locked, and that is all.
 * - Of the other registers those of the header are there, read-only; the rest reads as zeros.
 * - The subsystem IDs are those of QEMU's PC, by which firmware looks for fw_cfg.
 */
import type { AddressRange, Device } from '../../device.js';
import type { WindowView } from '../../shadow-ram.js';
import { stateError } from '../../state/check.js';
import type { PciFunction } from '../pci-host/function.js';
import { HOST_BRIDGE } from '../pci-host/registers.js';
import { StateDevice } from '../state-device.js';
import * as bits from './registers.js';
import { i440fxState } from './state.js';

const WINDOWS_AT = 0xc_0000;
const WINDOW_SHIFT = 14;
/** F0000h begins the thirteenth window, which is as long as four. */
const LAST_WINDOW = 12;

/** The RAM behind the windows. */
export interface WindowRam {
  /** The processor may see the bus there. */
  writeRam(gpa: number, bytes: Uint8Array): void;
}

/** See the head of the file. */
export class I440fx extends StateDevice<typeof i440fxState> implements Device, PciFunction {
  readonly ports: readonly AddressRange[] = [];
  readonly mmio: readonly AddressRange[] = [MMIO];
  readonly #ram: WindowRam;

  constructor(ram: WindowRam) {
    super('i440fx', i440fxState);
    this.#ram = ram;
  }

  /** What the windows show, in the order of WINDOWS. */
  get views(): WindowView[] {
    const smram: WindowView = (this.state.smram & bits.SMRAM_OPEN) !== 0 ? 'ram' : 'bus';
    return [smram, ...Array.from({ length: LAST_WINDOW + 1 }, (_, index) => viewOf(this.#attributes(index)))];
  }

  readRegister(offset: number): number {
    if (offset === bits.SUBSYSTEM) return bits.SUBSYSTEM_QEMU;
    let value = HOST_BRIDGE[offset] ?? 0;
    for (let lane = 0; lane < 4; lane++) value |= this.#byte(offset + lane) << (8 * lane);
    return value >>> 0;
  }

  writeRegister(offset: number, value: number, bytes: number): void {
    for (let lane = 0; lane < 4; lane++) {
      if ((bytes >> lane) & 1) this.#write(offset + lane, (value >>> (8 * lane)) & 0xff);
    }
  }

  /** Its registers are configuration space. */
  readPort(): number {
    return 0xffff_ffff;
  }
  /** There are no ports: ignored. */
  writePort(): void {}

  /** The bus has nothing there but the ROM, which is memory: ones. */
  readMmio(_address: number, size: number, bytes: DataView, offset: number): void {
    for (let index = 0; index < size; index++) bytes.setUint8(offset + index, 0xff);
  }

  writeMmio(address: number, size: number, bytes: DataView, offset: number): void {
    for (let index = 0; index < size; index++) {
      const window = Math.min((address + index - WINDOWS_AT) >> WINDOW_SHIFT, LAST_WINDOW);
      if (this.#attributes(window) !== bits.WRITE_ENABLE) continue;
      this.#ram.writeRam(address + index, Uint8Array.of(bytes.getUint8(offset + index)));
    }
  }

  protected override checkConsistency({ pam, smram }: { pam: Uint8Array; smram: number }): void {
    for (const [index, value] of pam.entries()) {
      if ((value & ~(bits.PAM_MASKS[index] as number)) !== 0)
        throw stateError('i440fx.pam', 'has bits that are reserved');
    }
    const isOpen = (smram & bits.SMRAM_OPEN) !== 0;
    const isLocked = (smram & bits.SMRAM_LOCKED) !== 0;
    if ((isOpen && isLocked) || (smram & 0b111) !== bits.SMRAM_BASE) {
      throw stateError('i440fx.smram', 'is no value of the register');
    }
  }

  /** Of a window from C0000h on, by its number: READ_ENABLE and WRITE_ENABLE. */
  #attributes(window: number): number {
    if (window === LAST_WINDOW) return ((this.state.pam[0] as number) >> 4) & 0b11;
    return ((this.state.pam[1 + (window >> 1)] as number) >> ((window & 1) * 4)) & 0b11;
  }

  #byte(offset: number): number {
    if (offset === bits.SMRAM) return this.state.smram;
    return this.state.pam[offset - bits.PAM] ?? 0;
  }

  #write(offset: number, value: number): void {
    const { state } = this;
    const mask = bits.PAM_MASKS[offset - bits.PAM];
    if (mask !== undefined) state.pam[offset - bits.PAM] = value & mask;
    if (offset !== bits.SMRAM || (state.smram & bits.SMRAM_LOCKED) !== 0) return;
    const wanted = value & bits.SMRAM_MASK;
    state.smram = ((wanted & bits.SMRAM_LOCKED) !== 0 ? wanted & ~bits.SMRAM_OPEN : wanted) | bits.SMRAM_BASE;
  }
}

const MMIO: AddressRange = { base: WINDOWS_AT, length: 0x4_0000 };

function viewOf(attributes: number): WindowView {
  if ((attributes & bits.READ_ENABLE) === 0) return 'bus';
  return (attributes & bits.WRITE_ENABLE) !== 0 ? 'ram' : 'ram-readonly';
}

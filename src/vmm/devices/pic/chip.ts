/**
 * One Intel 8259A (data sheet 231468-003).
 *
 * One decision differs from the data sheet: an edge that came is kept until it is acknowledged, even if the input falls
 * before. The data sheet lets the request go, and gives the default input 7. Late delivery is normal for a virtual
 * machine, so a square wave of the timer would lose ticks; KVM's and QEMU's controllers decide alike.
 */
import * as bits from './registers.js';
import type { ChipState } from './state.js';

/** Requests: latched edges, and the levels of level-triggered inputs. */
export function irr(chip: ChipState): number {
  const level = chip.levelMode ? 0xff : chip.elcr;
  return (chip.edges & ~level) | (chip.lines & level);
}

/** The distance of `input` from the highest priority: 0 is first. */
function rank(chip: ChipState, input: number): number {
  return (input - chip.lowest - 1) & 7;
}

/** The input of highest priority in `set`, or -1 for none. */
function first(chip: ChipState, set: number): number {
  for (let step = 1; step <= 8; step++) {
    const input = (chip.lowest + step) & 7;
    if (set & (1 << input)) return input;
  }
  return -1;
}

/** The input that would be acknowledged now, or -1: INT is low. `slaves`: the inputs at which another chip stands. */
export function pendingInput(chip: ChipState, slaves: number): number {
  const input = first(chip, irr(chip) & ~chip.imr);
  if (input < 0) return -1;
  let inService = chip.isr;
  // "Special Mask Mode … enables interrupts from all other levels": masked levels in service do not inhibit.
  if (chip.specialMask) inService &= ~chip.imr;
  // Special fully nested: a slave in service does not lock out its own further requests.
  if (chip.nested && slaves & (1 << input)) inService &= ~(1 << input);
  const serving = first(chip, inService);
  return serving < 0 || rank(chip, input) < rank(chip, serving) ? input : -1;
}

/** The level of an input changes. */
export function setLine(chip: ChipState, input: number, level: boolean): void {
  const bit = 1 << input;
  if (level) {
    if (!(chip.lines & bit)) chip.edges |= bit;
    chip.lines |= bit;
  } else {
    chip.lines &= ~bit;
  }
}

/** The INTA sequence: `input` (of {@link pendingInput}, not negative) goes into service. */
export function startService(chip: ChipState, input: number): void {
  const bit = 1 << input;
  chip.edges &= ~bit;
  if (!chip.autoEoi) chip.isr |= bit;
  else if (chip.rotateOnAutoEoi) chip.lowest = input;
}

/** A write with A0 = 0: ICW1, OCW2 or OCW3. */
export function writeCommand(chip: ChipState, value: number): void {
  if (value & bits.ICW1) initialise(chip, value);
  else if (value & bits.OCW3) writeOcw3(chip, value);
  else writeOcw2(chip, value);
}

/** A write with A0 = 1: ICW2 to ICW4 while they are expected, else the mask (OCW1). */
export function writeData(chip: ChipState, value: number): void {
  switch (chip.expects) {
    case 'none':
      chip.imr = value;
      return;
    case 'icw2':
      chip.vectorPage = value >> 3;
      chip.expects = chip.single ? afterIcw3(chip) : 'icw3';
      return;
    case 'icw3':
      chip.icw3 = value;
      chip.expects = afterIcw3(chip);
      return;
    case 'icw4':
      chip.autoEoi = (value & bits.ICW4_AUTO_EOI) !== 0;
      chip.nested = (value & bits.ICW4_NESTED) !== 0;
      chip.expects = 'none';
  }
}

/** A poll: as INTA, but answered to a read (OCW3, "Poll Command"). */
export function poll(chip: ChipState, slaves: number): number {
  chip.poll = false;
  const input = pendingInput(chip, slaves);
  if (input < 0) return 0;
  startService(chip, input);
  return 0x80 | input;
}

function afterIcw3(chip: ChipState): ChipState['expects'] {
  return chip.wantsIcw4 ? 'icw4' : 'none';
}

/** Data sheet, "Initialization Command Words 1 and 2", a to f. */
function initialise(chip: ChipState, value: number): void {
  chip.edges = 0;
  chip.isr = 0;
  chip.imr = 0;
  chip.lowest = 7;
  chip.specialMask = false;
  chip.poll = false;
  chip.readIsr = false;
  chip.rotateOnAutoEoi = false;
  chip.autoEoi = false;
  chip.nested = false;
  chip.levelMode = (value & bits.ICW1_LEVEL) !== 0;
  chip.single = (value & bits.ICW1_SINGLE) !== 0;
  chip.wantsIcw4 = (value & bits.ICW1_ICW4) !== 0;
  chip.expects = 'icw2';
}

function writeOcw3(chip: ChipState, value: number): void {
  if (value & bits.OCW3_SET_SPECIAL) chip.specialMask = (value & bits.OCW3_SPECIAL) !== 0;
  if (value & bits.OCW3_POLL) chip.poll = true;
  if (value & bits.OCW3_SET_READ) chip.readIsr = (value & bits.OCW3_READ_ISR) !== 0;
}

function writeOcw2(chip: ChipState, value: number): void {
  const rotate = (value & bits.OCW2_ROTATE) !== 0;
  const specific = (value & bits.OCW2_SPECIFIC) !== 0;
  const input = value & 7;
  if (!(value & bits.OCW2_EOI)) {
    if (specific && rotate) chip.lowest = input;
    else if (!specific) chip.rotateOnAutoEoi = rotate;
    return;
  }
  // "An IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI … in the Special Mask Mode."
  const ended = specific ? input : first(chip, chip.specialMask ? chip.isr & ~chip.imr : chip.isr);
  if (ended < 0) return;
  chip.isr &= ~(1 << ended);
  if (rotate) chip.lowest = ended;
}

/**
 * Shapes: what a record has in common with others of its frame, such as (read, one byte, port 3FDh). A frame lists each
 * of its shapes once; a record names its shape by number.
 */
import { SHAPES_MAX } from './format.js';

/** The address of a record stands with its data: the shape has none. */
export const FORM_FAR = 0x10;
/** Hook: the answer stands as it is, not as a difference. */
export const FORM_RAW = 0x20;
/** Of `form`: the size of an access, 1 for a refused MSR access, the HookKind, the Landing, the length of an Assist, the way of a DMA. */
export const FORM_WAY = 0xf;

const SLOTS = SHAPES_MAX * 4;

/** The shapes of a frame under construction. Looking up allocates nothing. */
export class ShapeTable {
  /** Of the shapes, by number. */
  readonly kinds = new Uint8Array(SHAPES_MAX * 2);
  readonly forms = new Uint8Array(SHAPES_MAX * 2);
  readonly addresses = new Float64Array(SHAPES_MAX * 2);
  count = 0;
  readonly #slots = new Int16Array(SLOTS).fill(-1);
  readonly #slotOf = new Uint16Array(SHAPES_MAX * 2);

  /** The number of the shape; a new one if need be, if there is room; otherwise -1. */
  find(kind: number, form: number, address: number): number {
    const slots = this.#slots;
    // The low 32 bits of the address, and what tells it from its neighbours.
    let slot = (Math.imul((address | 0) ^ (kind << 24) ^ (form << 18), 0x9e37_79b1) >>> 18) & (SLOTS - 1);
    for (;;) {
      const shape = slots[slot] as number;
      if (shape < 0) return this.#add(slot, kind, form, address);
      if (this.kinds[shape] === kind && this.forms[shape] === form && this.addresses[shape] === address) return shape;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  clear(): void {
    for (let shape = 0; shape < this.count; shape++) this.#slots[this.#slotOf[shape] as number] = -1;
    this.count = 0;
  }

  #add(slot: number, kind: number, form: number, address: number): number {
    // Shapes without an address are few: there is always room for them.
    if (this.count >= SHAPES_MAX && (address !== 0 || this.count >= SHAPES_MAX * 2)) return -1;
    const shape = this.count++;
    this.kinds[shape] = kind;
    this.forms[shape] = form;
    this.addresses[shape] = address;
    this.#slots[slot] = shape;
    this.#slotOf[shape] = slot;
    return shape;
  }
}

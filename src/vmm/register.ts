/** The names of a device's registers and of their bits, for people who read what a guest did. */

/** One bit or several of a register. */
export interface BitField {
  readonly name: string;
  /** The lowest bit. */
  readonly at: number;
  readonly width: number;
}

/** A register, with the names of its manual. */
export interface Register {
  readonly name: string;
  /** What it is part of, where that is not the device: one chip of a pair. */
  readonly unit?: string | undefined;
  /** 1, 2 or 4. */
  readonly bytes: number;
  readonly fields: readonly BitField[];
}

/**
 * Declares a register. `bits` names its fields from bit 0 up, parted by spaces; `NAME:3` has three bits, `-` and `-:5` are
 * none that mean anything.
 */
export function register(name: string, bits = '', bytes = 1, unit?: string): Register {
  const fields: BitField[] = [];
  let at = 0;
  for (const word of bits.split(' ').filter((one) => one !== '')) {
    const [field = '', digits = '1'] = word.split(':');
    const width = Number(digits);
    if (field !== '-') fields.push({ name: field, at, width });
    at += width;
  }
  return { name, unit, bytes, fields };
}

/** The fields that are not 0 in a value of a register: `THRE`, or `WLS=3` where a field has several bits. */
export function bitNames({ fields }: Register, value: number): string[] {
  return fields.flatMap(({ name, at, width }) => {
    const part = Math.floor(value / 2 ** at) % 2 ** width;
    if (part === 0) return [];
    return width === 1 ? [name] : [`${name}=${part > 9 ? `0x${part.toString(16)}` : part}`];
  });
}

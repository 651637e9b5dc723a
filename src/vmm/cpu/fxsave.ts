/**
 * The FXSAVE64 image (SDM volume 1, section 10.5.1) in the one form that both engines and the traces use: what is no
 * state of the processor is zero (reserved bytes, the bytes for software), and MXCSR_MASK is that of the interpreter's model.
 */

/** Bytes of the image. */
export const FXSAVE_SIZE = 512;
/** The MXCSR bits that the model has: all of SSE and SSE2, with denormals-are-zero. */
export const MXCSR_MASK = 0xffff;

/** One register of the image. */
interface FxsaveField {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

function fieldTable(): FxsaveField[] {
  const table: FxsaveField[] = [
    { name: 'FCW', offset: 0, length: 2 },
    { name: 'FSW', offset: 2, length: 2 },
    { name: 'FTW (abridged)', offset: 4, length: 1 },
    { name: 'FOP', offset: 6, length: 2 },
    { name: 'FIP', offset: 8, length: 8 },
    { name: 'FDP', offset: 16, length: 8 },
    { name: 'MXCSR', offset: 24, length: 4 },
    { name: 'MXCSR_MASK', offset: 28, length: 4 },
  ];
  for (let i = 0; i < 8; i++) table.push({ name: `ST${i}`, offset: 32 + i * 16, length: 10 });
  for (let i = 0; i < 16; i++) table.push({ name: `XMM${i}`, offset: 160 + i * 16, length: 16 });
  return table;
}

const FIELDS = fieldTable();

/** After power-on, as FNINIT and MXCSR's reset value leave it (SDM volume 3A, table 10-1). */
export function resetFxsave(): Uint8Array {
  const image = new Uint8Array(FXSAVE_SIZE);
  const view = new DataView(image.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint32(24, 0x1f80, true);
  view.setUint32(28, MXCSR_MASK, true);
  return image;
}

/** A copy of `image` in canonical form. */
export function canonicalFxsave(image: Uint8Array): Uint8Array {
  const canonical = new Uint8Array(FXSAVE_SIZE);
  for (const { offset, length } of FIELDS) canonical.set(image.subarray(offset, offset + length), offset);
  new DataView(canonical.buffer).setUint32(28, MXCSR_MASK, true);
  return canonical;
}

/** The registers in which two images differ, as bytes. */
export function diffFxsave(
  expected: Uint8Array,
  actual: Uint8Array,
): { name: string; expected: Uint8Array; actual: Uint8Array }[] {
  const found = [];
  for (const { name, offset, length } of FIELDS) {
    const left = expected.slice(offset, offset + length);
    const right = actual.slice(offset, offset + length);
    if (left.some((value, index) => value !== right[index])) found.push({ name, expected: left, actual: right });
  }
  return found;
}

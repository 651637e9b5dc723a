/** ACPI tables in general (ACPI specification 6.5, section 5.2.6). */

/** The 8 bits that make the sum of all bytes 0. */
export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** ASCII at an offset. */
export function putText(bytes: Uint8Array, at: number, text: string): void {
  bytes.set(new TextEncoder().encode(text), at);
}

/** A table: the header of section 5.2.6, then what `fill` writes, at offsets from the beginning of the table. */
export function acpiTable(
  signature: string,
  revision: number,
  size: number,
  fill: (view: DataView, bytes: Uint8Array) => void,
): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, signature);
  view.setUint32(4, size, true);
  view.setUint8(8, revision);
  putText(bytes, 10, 'VMTAPE');
  putText(bytes, 16, 'VMTAPEPC');
  view.setUint32(24, 1, true);
  putText(bytes, 28, 'VMTP');
  view.setUint32(32, 1, true);
  fill(view, bytes);
  view.setUint8(9, checksum(bytes));
  return bytes;
}

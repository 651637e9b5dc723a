/** Numbers and bytes as hexadecimal text. */

/** `0x` and at least `digits` digits. */
export function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** Two digits a byte, parted by `separator`. */
export function hexBytes(bytes: Uint8Array, separator = ''): string {
  if (separator === '') return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(separator);
}

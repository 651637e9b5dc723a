/** Builds tiny Linux bzImages for tests. */

/** A bzImage of the 64-bit boot protocol with `code` at its 64-bit entry, 0x1000200; `change` may change its header. */
export function bzImage(code: Uint8Array, change: (header: Buffer) => void = () => {}): Buffer {
  const image = Buffer.alloc(1024 + 0x400);
  image.writeUInt8(1, 0x1f1);
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.writeUInt16LE(0x66eb, 0x200);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x20f, 0x206);
  image.writeUInt32LE(0x7fff_ffff, 0x22c);
  image.writeUInt8(1, 0x234);
  image.writeUInt16LE(1, 0x236);
  image.writeUInt32LE(2047, 0x238);
  image.writeBigUInt64LE(0x100_0000n, 0x258);
  image.writeUInt32LE(0x8000, 0x260);
  change(image);
  image.set(code, 1024 + 0x200);
  return image;
}

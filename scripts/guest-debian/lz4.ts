/**
 * Decoding the LZ4 "legacy" frame, in which Linux keeps its kernel (lz4_Frame_format.md, "Legacy frame"; the block format
 * is lz4_Block_format.md): the magic 0x184C2102, then blocks of a u32 compressed size and at most 8 MiB when decoded.
 */

/** The first four bytes of a legacy frame, as a little-endian number. */
export const LZ4_LEGACY_MAGIC = 0x184c2102;
const BLOCK_SIZE = 8 * 1024 * 1024;
const MINIMUM_MATCH = 4;

/** Decodes a whole legacy frame; what follows its last block is ignored. Throws an Error that says what is wrong. */
export function decodeLz4Legacy(input: Uint8Array): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length < 4 || view.getUint32(0, true) !== LZ4_LEGACY_MAGIC) throw new Error('not an LZ4 legacy frame');
  const blocks: Uint8Array[] = [];
  let at = 4;
  while (at + 4 <= input.length) {
    const size = view.getUint32(at, true);
    if (size === LZ4_LEGACY_MAGIC) {
      at += 4;
      continue;
    }
    // The kernel's build appends the decoded size as a last word: it does not fit as a block.
    if (size === 0 || at + 4 + size > input.length) break;
    blocks.push(decodeBlock(input.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return Buffer.concat(blocks);
}

function decodeBlock(input: Uint8Array): Uint8Array {
  const output = new Uint8Array(BLOCK_SIZE);
  let from = 0;
  let to = 0;
  const byte = (): number => {
    const value = input[from++];
    if (value === undefined) throw new Error('an LZ4 block ends early');
    return value;
  };
  const length = (nibble: number): number => {
    let total = nibble;
    if (nibble === 15) {
      let more: number;
      do {
        more = byte();
        total += more;
      } while (more === 255);
    }
    return total;
  };
  while (from < input.length) {
    const token = byte();
    const literals = length(token >> 4);
    if (from + literals > input.length || to + literals > BLOCK_SIZE) throw new Error('an LZ4 literal is too long');
    output.set(input.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === input.length) break;
    const distance = byte() | (byte() << 8);
    const match = length(token & 15) + MINIMUM_MATCH;
    if (distance === 0 || distance > to || to + match > BLOCK_SIZE) throw new Error('an LZ4 match is out of range');
    if (distance >= match) {
      output.copyWithin(to, to - distance, to - distance + match);
    } else {
      for (let index = 0; index < match; index++) output[to + index] = output[to + index - distance] as number;
    }
    to += match;
  }
  return output.subarray(0, to);
}

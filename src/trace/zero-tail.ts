/**
 * What a file system leaves that crashed, or lost power, before it had written what a file was made longer for: zeros up to its end, from
 * the beginning of a frame or from within one.
 */
import { FRAME_HEAD_SIZE, FRAME_STORED, PAYLOAD_MAX } from './format.js';
import type { FrameFile } from './frame-file.js';

const PIECE = 0x1_0000;

/** Is the frame at `byte`, which is not whole, the last of which anything was written, and are there zeros behind it, or instead of it? */
export function hasZeroTail(file: FrameFile, byte: number): boolean {
  const end = writtenEnd(file, byte);
  if (file.size - end < FRAME_HEAD_SIZE) return false;
  if (end <= byte + FRAME_HEAD_SIZE) return true;
  const stored = storedOf(file, byte);
  return stored <= PAYLOAD_MAX && end <= byte + FRAME_HEAD_SIZE + stored;
}

/** Behind the last byte that is not zero, but not before `from`. */
function writtenEnd(file: FrameFile, from: number): number {
  for (let end = file.size; end > from; end -= PIECE) {
    const start = Math.max(from, end - PIECE);
    const piece = file.bytes(start, end - start);
    const last = piece.findLastIndex((value) => value !== 0);
    if (last >= 0) return start + last + 1;
  }
  return from;
}

function storedOf(file: FrameFile, byte: number): number {
  const head = file.bytes(byte, FRAME_HEAD_SIZE);
  return new DataView(head.buffer, head.byteOffset, head.length).getUint32(FRAME_STORED, true);
}

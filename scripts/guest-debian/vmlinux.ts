/** Taking the ELF vmlinux out of a bzImage (Linux, Documentation/x86/boot.rst: payload_offset and payload_length). */
import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { decodeLz4Legacy, LZ4_LEGACY_MAGIC } from './lz4.js';

const SETUP_SECTORS = 0x1f1;
const HEADER_MAGIC = 0x202;
const PROTOCOL_VERSION = 0x206;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const MAGIC_HDRS = 0x53726448;
const MAXIMUM_SIZE = 1024 * 1024 * 1024;

/** The vmlinux within, without what the kernel's build appended to it. Throws an Error that says what is wrong. */
export function extractVmlinux(bzImage: Uint8Array): Uint8Array {
  return trimElf(decompress(payloadOf(bzImage)));
}

function payloadOf(bzImage: Uint8Array): Uint8Array {
  const view = new DataView(bzImage.buffer, bzImage.byteOffset, bzImage.byteLength);
  if (bzImage.length < 0x264 || view.getUint32(HEADER_MAGIC, true) !== MAGIC_HDRS) throw new Error('not a bzImage');
  if (view.getUint16(PROTOCOL_VERSION, true) < 0x0208) throw new Error('a bzImage older than boot protocol 2.08');
  const setupSectors = view.getUint8(SETUP_SECTORS) || 4;
  const start = (setupSectors + 1) * 512 + view.getUint32(PAYLOAD_OFFSET, true);
  const end = start + view.getUint32(PAYLOAD_LENGTH, true);
  if (end > bzImage.length || end <= start) throw new Error('a bzImage whose payload lies outside the file');
  return bzImage.subarray(start, end);
}

function decompress(payload: Uint8Array): Uint8Array {
  const magic = new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true);
  if (magic === LZ4_LEGACY_MAGIC) return decodeLz4Legacy(payload);
  if ((magic & 0xffff) === 0x8b1f) return gunzipSync(payload);
  if (magic === 0x587a37fd) return runFilter('xz', payload);
  if (magic === 0xfd2fb528) return runFilter('zstd', payload);
  if (magic === 0x464c457f) return payload;
  throw new Error(`a bzImage whose payload begins with the unknown bytes ${magic.toString(16)}`);
}

/** The kernel's build appends the decoded size, at which these tools grumble, after having written everything. */
function runFilter(tool: string, input: Uint8Array): Uint8Array {
  const options = { input: input.subarray(0, input.length - 4), maxBuffer: MAXIMUM_SIZE };
  try {
    return execFileSync(tool, ['-dc'], options);
  } catch (error) {
    throw new Error(`${tool} could not unpack the kernel: ${(error as Error).message}`);
  }
}

/** An ELF file ends with its section headers; the build appends relocations behind them. */
function trimElf(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0, true) !== 0x464c457f) throw new Error('the payload is not an ELF file');
  const is64 = view.getUint8(4) === 2;
  // e_shoff, e_shentsize and e_shnum.
  const start = is64 ? Number(view.getBigUint64(40, true)) : view.getUint32(32, true);
  const size = view.getUint16(is64 ? 58 : 46, true) * view.getUint16(is64 ? 60 : 48, true);
  if (start + size > file.length) throw new Error('the vmlinux is cut off');
  return file.subarray(0, start + size);
}

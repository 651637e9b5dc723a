/** Numbers of the trace file, version 0 (docs/trace-format.md draws them). All numbers in a file are little-endian. */

/** Bytes 0 to 7: not text, and damaged by whatever changes line ends. */
export const MAGIC = Uint8Array.of(0x89, 0x56, 0x4d, 0x54, 0x41, 0x50, 0x45, 0x0a);
/** The version that this vmtape writes and reads. */
export const TRACE_VERSION = 0;

/** The prelude: magic, u32 version, u32 0, 16 bytes of id, u64 date, u32 0, u32 CRC-32 of the bytes before. */
export const PRELUDE_SIZE = 48;
export const PRELUDE_VERSION = 8;
export const PRELUDE_ID = 16;
export const PRELUDE_DATE = 32;
export const PRELUDE_CRC = 44;
/** Bytes of a recording's id. */
export const ID_SIZE = 16;

/** The head of a frame: u8 kind, u8 flags, u16 0, u32 stored bytes, u32 raw bytes, u32 number, u32 CRC-32. */
export const FRAME_HEAD_SIZE = 20;
export const FRAME_KIND = 0;
export const FRAME_FLAGS = 1;
export const FRAME_ZERO = 2;
export const FRAME_STORED = 4;
export const FRAME_RAW = 8;
export const FRAME_NUMBER = 12;
/** Of the head's first 16 bytes and the stored payload. */
export const FRAME_CRC = 16;
/** The payload is compressed (RFC 1951). */
export const FLAG_DEFLATED = 1;
/** The most bytes of a payload, stored or raw. */
export const PAYLOAD_MAX = 0x100_0000;

/** What a frame holds. They come in this order: one header, a ROM or none, pages, one page map, records, one end. */
export const FrameKind = { Header: 1, Rom: 2, Pages: 3, PageMap: 4, Records: 5, End: 6 } as const;
/** A value of {@link FrameKind}. */
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** Pages of a Pages frame, all but the last. */
export const PAGES_PER_FRAME = 256;
export const PAGE_SIZE = 0x1000;
/** A Records frame is closed at this many records, or bytes. */
export const RECORDS_PER_FRAME = 0x4000;
export const RECORD_BYTES_PER_FRAME = 0x4_0000;
/** The most records that a reader takes from a frame. */
export const RECORDS_MAX = 0x10_0000;

/** Numbers of the trace file, version 1 (docs/trace-format.md draws them). All numbers in a file are little-endian. */

/** Bytes 0 to 7: not text, and damaged by whatever changes line ends. */
export const MAGIC = Uint8Array.of(0x89, 0x56, 0x4d, 0x54, 0x41, 0x50, 0x45, 0x0a);
/** The version that this vmtape writes and reads. */
export const TRACE_VERSION = 1;
/** What was added to the version since: a reader of an older revision skips it. 1: digests. */
export const TRACE_REVISION = 1;

/** The prelude: magic, u16 version, u16 revision, u32 0, 16 bytes of id, u64 date, u32 0, u32 CRC-32 of the bytes before. */
export const PRELUDE_SIZE = 48;
export const PRELUDE_VERSION = 8;
export const PRELUDE_REVISION = 10;
export const PRELUDE_ID = 16;
export const PRELUDE_DATE = 32;
export const PRELUDE_CRC = 44;
/** Bytes of a recording's id. */
export const ID_SIZE = 16;

/** The head of a frame: u8 kind, u8 codec, u16 0, u32 stored, u32 raw, u32 number, u32 count, u32 CRC-32. */
export const FRAME_HEAD_SIZE = 24;
export const FRAME_KIND = 0;
export const FRAME_CODEC = 1;
export const FRAME_ZERO = 2;
/** Bytes of the payload in the file, and when it is decompressed. */
export const FRAME_STORED = 4;
export const FRAME_RAW = 8;
export const FRAME_NUMBER = 12;
/** Records: how many. Blobs: how many. PageMap and Placements: the number of the memory. Otherwise 0. */
export const FRAME_COUNT = 16;
/** Of the head's first 20 bytes and the stored payload. */
export const FRAME_CRC = 20;
/** The most bytes of a payload, stored or raw. */
export const PAYLOAD_MAX = 0x10_0000;

/** How a payload is stored: as it is, or compressed as RFC 7932 (Brotli). */
export const Codec = { Plain: 0, Brotli: 1 } as const;

/** What a frame holds. A reader skips kinds that it does not know. */
export const FrameKind = {
  Header: 1,
  /** Which pages of memory have which contents, at the start or at a checkpoint. */
  PageMap: 2,
  /** Parts of memory that are parts of guest images which are not in the file. */
  Placements: 3,
  /** Contents, each once. */
  Blobs: 4,
  Records: 5,
  /** How the recording ended. */
  End: 6,
  Checkpoint: 7,
  /** A list of the frames before it. */
  Index: 8,
  /** Totals and the list of the lists. */
  Root: 9,
  /** Where the root is: the last frame of a file that was closed cleanly. */
  Trailer: 10,
  /** The rolling digests of the records, with their places. */
  Marks: 11,
  /** Instruction counts of records, learnt behind the recording. */
  Counts: 12,
} as const;
/** A value of {@link FrameKind}. */
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** The payload of the trailer: u64 byte of the root, u32 its number, u32 0, and these eight bytes. */
export const TRAILER_MAGIC = Uint8Array.of(0x65, 0x6e, 0x64, 0x54, 0x41, 0x50, 0x45, 0x0a);
export const TRAILER_PAYLOAD_SIZE = 24;
export const TRAILER_SIZE = FRAME_HEAD_SIZE + TRAILER_PAYLOAD_SIZE;

export const PAGE_SIZE = 0x1000;
/** Bytes of a SHA-256, the address of a blob. */
export const BLOB_HASH_SIZE = 32;
/** A frame of blobs is closed at this many bytes. */
export const BLOB_BYTES_PER_FRAME = 0xf_0000;
/** A frame of runs of pages, or of patches, is closed at this many bytes. */
export const MAP_BYTES_PER_FRAME = 0x8_0000;
/** A frame of records is closed at this many records, or bytes. */
export const RECORDS_PER_FRAME = 0x1_0000;
export const RECORD_BYTES_PER_FRAME = 0x8_0000;
/** After this many different accesses the address of a further one stands with its data. */
export const SHAPES_MAX = 0x1000;
/** The most bytes of a DMA record; a longer write is several. */
export const DMA_MAX = 0x1_0000;
/** A frame of records is closed when those of its DMA records that have no bytes in it stand for so many; the last may go beyond. */
export const DMA_BYTES_PER_FRAME = 0x100_0000;
/** The most pages of a landmark: 384 MiB. With nine bytes each they fit into one frame, if they are alone in it. */
export const LANDMARK_PAGES_MAX = 0x1_8000;
/** A landmark with more pages stands in a frame that begins with it. Readers of revision 1 and before refuse it. */
export const LANDMARK_PAGES_SMALL = 0x4000;
/** An index lists this many frames. */
export const FRAMES_PER_INDEX = 1024;

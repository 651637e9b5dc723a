/**
 * The guest that compares instructions in real mode. All lies below 1 MiB, but for what the segment FFFF reaches.
 *
 *     0x00000 interrupt vectors
 *     0x10000 code: one segment of slots     0x20000 arena: data segments begin here so that they end below 0x50000
 *     0x50000 case records   0x78000 result records
 *     0xc9a00 handlers, harness, control, the case in hand, its result: where no usual selector leads
 *     0x100000 to 0x10ffef: the high memory area
 */
import { Case, Result } from './layout.js';

/** Cases of a batch; case number n is in slot n mod SLOTS. */
export const SLOTS = 128;
/** Bytes of RAM. */
export const RAM_SIZE = 0x20_0000;

/** The harness's segment, and offsets in it. */
export const HARNESS_SEGMENT = 0xc9a0;
export const HANDLERS = 0x0000;
export const HARNESS = 0x1000;
/** Host to guest: next case record and next result record, as segments; cases left. Each u16 in 8 bytes. */
export const NEXT_CASE = 0x2000;
export const NEXT_RESULT = 0x2008;
export const CASES_LEFT = 0x2010;
/** As in layout.ts. */
export const INPUT = 0x2400;
export const OUTPUT = 0x2800;
/** The harness's own stack begins here and grows down. */
export const HARNESS_STACK = 0x3f00;

/** The segment of the instructions; the last slot ends at its limit. */
export const CODE_SEGMENT = 0x1000;
/** A slot; 128 of them fill a quarter of the segment, and one lies at its end. */
export const SLOT_BYTES = 128;

/** What data segments reach, and the window in it. */
export const ARENA = 0x2_0000;
export const ARENA_BYTES = 0x3_0000;
export const WINDOW = 0x3_0f00;
/** Where the high memory area begins, less the 16 bytes that are still below 1 MiB. */
export const HIGH = 0xf_fff0;
export const HIGH_BYTES = 0x1_0000;

/** Segments of the records: a multiple of 16 bytes each. */
export const CASES = 0x5_0000;
export const RESULTS = 0x7_8000;
export const CASE_PARAGRAPHS = Case.size / 16;
export const RESULT_PARAGRAPHS = Result.size / 16;

/** Between all that lie INT3. */
export const FILLER = 0xcc;

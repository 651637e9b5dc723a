/**
 * The decoded instruction ("op"): 32 bytes that the decoder writes once (interp/decode.ts) and handlers read. A handler gets
 * the address of the record; these accessors are the only ones who know its shape.
 *
 * ```
 *  0 u32 handler (index in the function table)    12 u16 start: offset of the instruction in its block
 *  4 u8  reg: byte offset in CPU_GPR              14 u8  address size | operand size << 4
 *  5 u8  rm: byte offset in CPU_GPR               15 u8  reg index | rm index << 4
 *  6 u8  base: byte offset in CPU_GPR             16 i64 immediate
 *  7 u8  index: byte offset in CPU_GPR            24 i32 displacement
 *  8 u8  scale (shift count)                      28 u16 second immediate; with VEX: vvvv, byte offset in CPU_GPR
 *  9 u8  segment                                  30 u8  ModRM byte, 0 without one
 * 10 u8  length                                   31 u8  ADDRESSING_… or 0 (memory.ts)
 * 11 u8  prefixes, OP_FUSED
 * ```
 */

/** Bytes of a record. */
export const OP_BYTES = 32;

/** Prefix bits of {@link opFlags}. */
export const OP_LOCK: u32 = 1;
/** F3. */
export const OP_REP: u32 = 2;
/** F2. */
export const OP_REPNE: u32 = 4;
/** 66, whatever it does. */
export const OP_DATA16: u32 = 8;
/** A REX prefix is there. */
export const OP_REX: u32 = 16;
/** REX.W. */
export const OP_REX_W: u32 = 32;

/** No prefix: the handler executes the next instruction too; its own is at 28 (fuse.ts). */
export const OP_FUSED: u32 = 64;

/** Byte offset in CPU_GPR of the register that ModRM.reg (or +r) names. */
// @ts-ignore: decorator
@inline
export function opReg(op: usize): usize {
  return <usize>load<u8>(op, 4);
}

/** Byte offset in CPU_GPR of the register that ModRM.rm names (mod = 3). */
// @ts-ignore: decorator
@inline
export function opRm(op: usize): usize {
  return <usize>load<u8>(op, 5);
}

/** ModRM.reg with REX.R, or the register of a +r row: for segment, control, debug, x87 and vector registers. */
// @ts-ignore: decorator
@inline
export function opRegIndex(op: usize): u32 {
  return load<u8>(op, 15) & 15;
}

/** ModRM.rm with REX.B (mod = 3). */
// @ts-ignore: decorator
@inline
export function opRmIndex(op: usize): u32 {
  return load<u8>(op, 15) >> 4;
}

/** The immediate, extended as the row's encoding says; a branch displacement is relative to CPU_RIP_BASE. */
// @ts-ignore: decorator
@inline
export function opImm(op: usize): i64 {
  return load<i64>(op, 16);
}

/** The second immediate: ENTER's nesting level, a far pointer's selector. */
// @ts-ignore: decorator
@inline
export function opImm2(op: usize): u16 {
  return load<u16>(op, 28);
}

/** Byte offset in CPU_GPR of the register that VEX.vvvv names. */
// @ts-ignore: decorator
@inline
export function opVvvv(op: usize): usize {
  return <usize>load<u16>(op, 28);
}

/** The segment of the memory operand (or of moffs, or of a string source), overrides applied. */
// @ts-ignore: decorator
@inline
export function opSegment(op: usize): u32 {
  return load<u8>(op, 9);
}

/** OP_LOCK and the other prefix bits, OP_FUSED. */
// @ts-ignore: decorator
@inline
export function opFlags(op: usize): u32 {
  return load<u8>(op, 11);
}

/** 2, 4 or 8. */
// @ts-ignore: decorator
@inline
export function opAddressSize(op: usize): u32 {
  return load<u8>(op, 14) & 15;
}

/** 2, 4 or 8: the row's width applied (d64, f64 …). For rows of width `b` and `none`: what the prefixes say. */
// @ts-ignore: decorator
@inline
export function opOperandSize(op: usize): u32 {
  return load<u8>(op, 14) >> 4;
}

/** Bytes of the instruction. */
// @ts-ignore: decorator
@inline
export function opLength(op: usize): u32 {
  return load<u8>(op, 10);
}

/** The ModRM byte; 0 if the instruction has none. */
// @ts-ignore: decorator
@inline
export function opModrm(op: usize): u32 {
  return load<u8>(op, 30);
}

/** Offset of the instruction from the first of its block. */
// @ts-ignore: decorator
@inline
export function opStart(op: usize): u32 {
  return load<u16>(op, 12);
}

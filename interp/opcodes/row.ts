/**
 * A row of the opcode table (docs/decisions/0002-interpreter-core.md). The table is host data: scripts/generate-opcodes
 * makes the decoder's tables of it, and the tests, the instruction fuzzer and docs/opcodes.md read it too.
 */

/**
 * Which widths a row has, and so what `T` is in its handler calls (SDM vol. 2, appendix A.2):
 * - `b` bytes: `T` = u8.
 * - `v` u16, u32 or u64 by the operand size.
 * - `v64` as `v`, but in 64-bit mode always u64 (no prefix changes it).
 * - `d64` as `v`, but in 64-bit mode u64, or u16 with 66 (PUSH, POP and the like).
 * - `f64` as `v` outside 64-bit mode, in 64-bit mode always u64, 66 ignored (near branches).
 * - `z` u16 or u32, u32 also for a 64-bit operand size.
 * - `y` u32 or u64 (66 ignored).
 * - `none` no `T`.
 */
export type OperandWidth = 'b' | 'v' | 'v64' | 'd64' | 'f64' | 'z' | 'y' | 'none';

/** One encoding and what executes it. */
export interface OpcodeRow {
  /**
   * As the manual writes it, mandatory prefix first: `00 /r`, `81 /0 iz`, `0F BA /5 ib`, `B8+r iv`, `F3 0F B8 /r`,
   * `D9 E8` or `0F 01 F8` (a fixed ModRM byte), `0F 01 /7`, `C8 iw ib`, `REX.W 0F C7 /1`, `VEX.LZ.F2.0F38 F5 /r` (encoding.ts reads it).
   *
   * After the opcode: `/r` a ModRM byte, `/0` to `/7` ModRM with that reg field; `+r` (glued to the last byte) a register
   * in its low three bits; immediates `ib` (sign-extended), `ub` (zero-extended), `iw` (zero-extended), `id` (sign-extended),
   * `iz` (16 or 32 bits, sign-extended), `iv` (16, 32 or 64 bits); branch displacements `cb`, `cw`, `cz` (16 or 32 bits;
   * 32 in 64-bit mode), all sign-extended; `ptr` a far pointer (offset into imm, selector into imm2); `moffs` an
   * absolute address of the address size (into imm). A second immediate goes to imm2 (ENTER: `C8 iw ib`).
   */
  encoding: string;
  /** `ADD Eb,Gb`, with the operand codes of SDM vol. 2, appendix A. */
  name: string;
  /** See {@link OperandWidth}. */
  size: OperandWidth;
  /** The CPUID feature that has the instruction, a name of src/vmm/cpu/cpuid-features.ts; a guest that is not shown it gets #UD. */
  feature?: string;
  /** Without the feature the bytes are another row's instruction: TZCNT is BSF, LZCNT is BSR (SDM vol. 2). */
  legacy?: true;
  /** Where the encoding exists; absent: everywhere. */
  modes?: 'no64' | 'only64';
  /**
   * The manual's NP (SDM vol. 2, 3.1.1.1): with one of these prefixes it is not this instruction; `repeat` F2 and F3, `any` 66 too.
   * Only for rows without a mandatory prefix.
   */
  refuses?: 'repeat' | 'any';
  /** LOCK is allowed with a memory destination; else it is #UD. */
  lock?: true;
  /** The handler call for ModRM.mod = 3, or for rows without ModRM: `aluRegReg<T>(op, ADD)`. With ModRM and absent: #UD. */
  reg?: string;
  /** The handler call for a memory operand; absent: #UD. */
  mem?: string;
  /** The block ends here: changes RIP, mode, paging or IF, or the run loop must look. */
  ends?: true;
  /** The handlers go on to the next op or block themselves (interp/chain.ts), or leave by returning. */
  goesOn?: true;
  /** Status flags that the manual leaves undefined: CF PF AF ZF SF OF. */
  undefinedFlags?: readonly string[];
}

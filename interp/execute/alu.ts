/**
 * Integer addition, subtraction, logic and comparison (SDM vol. 1, 7.3.1.2 and 7.3.3; vol. 2 of each mnemonic): ADD, OR, ADC, SBB, AND, SUB,
 * XOR, CMP, TEST, INC, DEC, NEG, NOT.
 *
 * Every memory form does what can fault or leave (the read, the write) before it sets a flag, so that it can be executed
 * again from its start.
 */
import {
  getCF, setFlagsAdd, setFlagsDec, setFlagsInc, setFlagsLogic, setFlagsSub,
} from '../flags';
import { readOperand, rmwBegin, rmwRead, rmwWrite } from '../memory';
import { opImm, opReg, opRm } from '../op';
import { REG_RAX, getReg, setReg } from '../registers';

/** The operation of an `alu…` call: bits 5:3 of the opcode, or ModRM.reg of group 1. */
export const ALU_ADD: i32 = 0;
export const ALU_OR: i32 = 1;
export const ALU_ADC: i32 = 2;
export const ALU_SBB: i32 = 3;
export const ALU_AND: i32 = 4;
export const ALU_SUB: i32 = 5;
export const ALU_XOR: i32 = 6;
export const ALU_CMP: i32 = 7;

/** The carry that enters: CF for ADC and SBB. */
// @ts-ignore: decorator
@inline
function carryFor(kind: i32): u32 {
  return kind == ALU_ADC || kind == ALU_SBB ? getCF() : 0;
}

// @ts-ignore: decorator
@inline
function combine<T>(kind: i32, a: T, b: T, carry: u32): T {
  if (kind == ALU_ADD) return <T>(a + b);
  if (kind == ALU_OR) return <T>(a | b);
  if (kind == ALU_ADC) return <T>(a + b + <T>carry);
  if (kind == ALU_SBB) return <T>(a - b - <T>carry);
  if (kind == ALU_AND) return <T>(a & b);
  if (kind == ALU_XOR) return <T>(a ^ b);
  return <T>(a - b);
}

// @ts-ignore: decorator
@inline
function combineFlags<T>(kind: i32, a: T, b: T, carry: u32, result: T): void {
  if (kind == ALU_ADD || kind == ALU_ADC) setFlagsAdd<T>(a, b, carry, result);
  else if (kind == ALU_OR || kind == ALU_AND || kind == ALU_XOR) setFlagsLogic<T>(result);
  else setFlagsSub<T>(a, b, carry, result);
}

/** `destination` op= b. */
// @ts-ignore: decorator
@inline
export function toRegister<T>(kind: i32, destination: usize, b: T): void {
  const a = getReg<T>(destination);
  const carry = carryFor(kind);
  const result = combine<T>(kind, a, b, carry);
  if (kind != ALU_CMP) setReg<T>(destination, result);
  combineFlags<T>(kind, a, b, carry, result);
}

// @ts-ignore: decorator
@inline
function toMemory<T>(op: usize, kind: i32, b: T): void {
  const carry = carryFor(kind);
  if (kind == ALU_CMP) {
    const a = readOperand<T>(op);
    setFlagsSub<T>(a, b, 0, <T>(a - b));
    return;
  }
  const at = rmwBegin<T>(op);
  const a = rmwRead<T>(at);
  const result = combine<T>(kind, a, b, carry);
  rmwWrite<T>(at, result);
  combineFlags<T>(kind, a, b, carry, result);
}

/** `00 /r`, mod = 3: E op= G. */
// @ts-ignore: decorator
@inline
export function aluRmReg<T>(op: usize, kind: i32): void {
  toRegister<T>(kind, opRm(op), getReg<T>(opReg(op)));
}

/** `00 /r`, memory. */
// @ts-ignore: decorator
@inline
export function aluMemReg<T>(op: usize, kind: i32): void {
  toMemory<T>(op, kind, getReg<T>(opReg(op)));
}

/** `02 /r`, mod = 3: G op= E. */
// @ts-ignore: decorator
@inline
export function aluRegRm<T>(op: usize, kind: i32): void {
  toRegister<T>(kind, opReg(op), getReg<T>(opRm(op)));
}

/** `02 /r`, memory. */
// @ts-ignore: decorator
@inline
export function aluRegMem<T>(op: usize, kind: i32): void {
  toRegister<T>(kind, opReg(op), readOperand<T>(op));
}

/** `80 /n ib`, mod = 3. */
// @ts-ignore: decorator
@inline
export function aluRmImm<T>(op: usize, kind: i32): void {
  toRegister<T>(kind, opRm(op), <T>opImm(op));
}

/** `80 /n ib`, memory. */
// @ts-ignore: decorator
@inline
export function aluMemImm<T>(op: usize, kind: i32): void {
  toMemory<T>(op, kind, <T>opImm(op));
}

/** `04 ib`, `05 iz`: the accumulator. */
// @ts-ignore: decorator
@inline
export function aluAccImm<T>(op: usize, kind: i32): void {
  toRegister<T>(kind, REG_RAX, <T>opImm(op));
}

/** `84 /r`, mod = 3. */
// @ts-ignore: decorator
@inline
export function testRmReg<T>(op: usize): void {
  setFlagsLogic<T>(<T>(getReg<T>(opRm(op)) & getReg<T>(opReg(op))));
}

/** `84 /r`, memory. */
// @ts-ignore: decorator
@inline
export function testMemReg<T>(op: usize): void {
  setFlagsLogic<T>(<T>(readOperand<T>(op) & getReg<T>(opReg(op))));
}

/** `F6 /0 ib`, mod = 3. */
// @ts-ignore: decorator
@inline
export function testRmImm<T>(op: usize): void {
  setFlagsLogic<T>(<T>(getReg<T>(opRm(op)) & <T>opImm(op)));
}

/** `F6 /0 ib`, memory. */
// @ts-ignore: decorator
@inline
export function testMemImm<T>(op: usize): void {
  setFlagsLogic<T>(<T>(readOperand<T>(op) & <T>opImm(op)));
}

/** `A8 ib`, `A9 iz`. */
// @ts-ignore: decorator
@inline
export function testAccImm<T>(op: usize): void {
  setFlagsLogic<T>(<T>(getReg<T>(REG_RAX) & <T>opImm(op)));
}

/** `FE /0`, mod = 3. */
// @ts-ignore: decorator
@inline
export function incRm<T>(op: usize): void {
  const result = <T>(getReg<T>(opRm(op)) + 1);
  setReg<T>(opRm(op), result);
  setFlagsInc<T>(result);
}

/** `FE /0`, memory. */
// @ts-ignore: decorator
@inline
export function incMem<T>(op: usize): void {
  const at = rmwBegin<T>(op);
  const result = <T>(rmwRead<T>(at) + 1);
  rmwWrite<T>(at, result);
  setFlagsInc<T>(result);
}

/** `40+r`. */
// @ts-ignore: decorator
@inline
export function incReg<T>(op: usize): void {
  const result = <T>(getReg<T>(opReg(op)) + 1);
  setReg<T>(opReg(op), result);
  setFlagsInc<T>(result);
}

/** `FE /1`, mod = 3. */
// @ts-ignore: decorator
@inline
export function decRm<T>(op: usize): void {
  const result = <T>(getReg<T>(opRm(op)) - 1);
  setReg<T>(opRm(op), result);
  setFlagsDec<T>(result);
}

/** `FE /1`, memory. */
// @ts-ignore: decorator
@inline
export function decMem<T>(op: usize): void {
  const at = rmwBegin<T>(op);
  const result = <T>(rmwRead<T>(at) - 1);
  rmwWrite<T>(at, result);
  setFlagsDec<T>(result);
}

/** `48+r`. */
// @ts-ignore: decorator
@inline
export function decReg<T>(op: usize): void {
  const result = <T>(getReg<T>(opReg(op)) - 1);
  setReg<T>(opReg(op), result);
  setFlagsDec<T>(result);
}

/** `F6 /2`, mod = 3. No flags. */
// @ts-ignore: decorator
@inline
export function notRm<T>(op: usize): void {
  setReg<T>(opRm(op), <T>~getReg<T>(opRm(op)));
}

/** `F6 /2`, memory. */
// @ts-ignore: decorator
@inline
export function notMem<T>(op: usize): void {
  const at = rmwBegin<T>(op);
  rmwWrite<T>(at, <T>~rmwRead<T>(at));
}

/** `F6 /3`, mod = 3: the flags are those of 0 - operand. */
// @ts-ignore: decorator
@inline
export function negRm<T>(op: usize): void {
  const value = getReg<T>(opRm(op));
  const result = <T>(<T>0 - value);
  setReg<T>(opRm(op), result);
  setFlagsSub<T>(<T>0, value, 0, result);
}

/** `F6 /3`, memory. */
// @ts-ignore: decorator
@inline
export function negMem<T>(op: usize): void {
  const at = rmwBegin<T>(op);
  const value = rmwRead<T>(at);
  const result = <T>(<T>0 - value);
  rmwWrite<T>(at, result);
  setFlagsSub<T>(<T>0, value, 0, result);
}

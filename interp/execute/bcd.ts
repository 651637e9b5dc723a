/**
 * Decimal adjustment (SDM vol. 2, DAA, DAS, AAA, AAS, AAM, AAD). The manual leaves OF undefined everywhere, SF, ZF and PF
 * after AAA and AAS, CF and AF after AAM and AAD: they follow AL and are cleared, as Intel's processors do.
 */
import { raiseDE } from '../fault';
import { getAF, getCF, setFlagsResult } from '../flags';
import { opImm } from '../op';
import { REG_AH, REG_RAX, getReg, setReg } from '../registers';

/** `27`. */
export function decimalAdd(op: usize): void {
  const old = <u32>getReg<u8>(REG_RAX);
  const low = (old & 15) > 9 || getAF() != 0;
  const high = old > 0x99 || getCF() != 0;
  const result = <u8>(old + (low ? 6 : 0) + (high ? 0x60 : 0));
  setReg<u8>(REG_RAX, result);
  setFlagsResult<u8>(result, <u32>high, 0, <u32>low);
}

/** `2F`. The borrow of the first step is a carry too. */
export function decimalSubtract(op: usize): void {
  const old = <u32>getReg<u8>(REG_RAX);
  const low = (old & 15) > 9 || getAF() != 0;
  const high = old > 0x99 || getCF() != 0;
  const result = <u8>(old - (low ? 6 : 0) - (high ? 0x60 : 0));
  const borrow = high || (low && old < 6);
  setReg<u8>(REG_RAX, result);
  setFlagsResult<u8>(result, <u32>borrow, 0, <u32>low);
}

/** `37`: the carry out of AL goes into AH (it is AX that 106h is added to). */
export function asciiAdd(op: usize): void {
  const adjust = (getReg<u8>(REG_RAX) & 15) > 9 || getAF() != 0;
  const sum = <u16>(getReg<u16>(REG_RAX) + (adjust ? 0x106 : 0));
  setReg<u16>(REG_RAX, sum & 0xff0f);
  setFlagsResult<u8>(<u8>(sum & 15), <u32>adjust, 0, <u32>adjust);
}

/** `3F`. */
export function asciiSubtract(op: usize): void {
  const adjust = (getReg<u8>(REG_RAX) & 15) > 9 || getAF() != 0;
  const difference = <u16>(getReg<u16>(REG_RAX) - (adjust ? 0x106 : 0));
  setReg<u16>(REG_RAX, difference & 0xff0f);
  setFlagsResult<u8>(<u8>(difference & 15), <u32>adjust, 0, <u32>adjust);
}

/** `D4 ib`. */
export function asciiMultiply(op: usize): void {
  const base = <u8>opImm(op);
  if (base == 0) raiseDE();
  const value = getReg<u8>(REG_RAX);
  const result = <u8>(value % base);
  setReg<u8>(REG_AH, <u8>(value / base));
  setReg<u8>(REG_RAX, result);
  setFlagsResult<u8>(result, 0, 0, 0);
}

/** `D5 ib`. */
export function asciiDivide(op: usize): void {
  const result = <u8>(getReg<u8>(REG_RAX) + <u8>(getReg<u8>(REG_AH) * <u8>opImm(op)));
  setReg<u16>(REG_RAX, <u16>result);
  setFlagsResult<u8>(result, 0, 0, 0);
}

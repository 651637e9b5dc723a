/**
 * Decimal adjustment (SDM vol. 2, DAA, DAS, AAA, AAS, AAM, AAD). What the manual leaves undefined is what the additions inside
 * leave: OF of DAA and DAS as AL's sign changed; all flags of AAA and AAS as of AL ± 6 (Intel) or AX ± 106h (AMD); of AAD as of
 * AL + AH * base; AAM clears OF, AF, CF. So it was recorded from an 80286 (but for OF of AAD) and measured on AMD's Zen 5.
 */
import { raiseDE } from '../fault';
import { getAF, getCF, setFlagsAdd, setFlagsResult } from '../flags';
import { opImm } from '../op';
import { REG_AH, REG_RAX, getReg, setReg } from '../registers';
import { isAmd } from './vendor';

/** `27`. */
export function decimalAdd(op: usize): void {
  const old = <u32>getReg<u8>(REG_RAX);
  const low = (old & 15) > 9 || getAF() != 0;
  const high = old > 0x99 || getCF() != 0;
  const result = <u8>(old + (low ? 6 : 0) + (high ? 0x60 : 0));
  setReg<u8>(REG_RAX, result);
  setFlagsResult<u8>(result, <u32>high, <u32>(~old & <u32>result) >> 7, <u32>low);
}

/** `2F`. The borrow of the first step is a carry too. */
export function decimalSubtract(op: usize): void {
  const old = <u32>getReg<u8>(REG_RAX);
  const low = (old & 15) > 9 || getAF() != 0;
  const high = old > 0x99 || getCF() != 0;
  const result = <u8>(old - (low ? 6 : 0) - (high ? 0x60 : 0));
  const borrow = high || (low && old < 6);
  setReg<u8>(REG_RAX, result);
  setFlagsResult<u8>(result, <u32>borrow, (old & ~<u32>result) >> 7, <u32>low);
}

/** `37`: the carry out of AL goes into AH (it is AX that 106h is added to). */
export function asciiAdd(op: usize): void {
  const adjust = (getReg<u8>(REG_RAX) & 15) > 9 || getAF() != 0;
  const old = <u32>getReg<u16>(REG_RAX);
  const sum = <u16>(old + (adjust ? 0x106 : 0));
  setReg<u16>(REG_RAX, sum & 0xff0f);
  if (isAmd) setFlagsResult<u16>(sum, <u32>adjust, (~old & <u32>sum) >> 15, <u32>adjust);
  else setFlagsResult<u8>(<u8>sum, <u32>adjust, ((~old & <u32>sum) >> 7) & 1, <u32>adjust);
}

/** `3F`. */
export function asciiSubtract(op: usize): void {
  const adjust = (getReg<u8>(REG_RAX) & 15) > 9 || getAF() != 0;
  const old = <u32>getReg<u16>(REG_RAX);
  const difference = <u16>(old - (adjust ? 0x106 : 0));
  setReg<u16>(REG_RAX, difference & 0xff0f);
  if (isAmd) setFlagsResult<u16>(difference, <u32>adjust, (old & ~<u32>difference) >> 15, <u32>adjust);
  else setFlagsResult<u8>(<u8>difference, <u32>adjust, ((old & ~<u32>difference) >> 7) & 1, <u32>adjust);
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
  const low = getReg<u8>(REG_RAX);
  const product = <u8>(getReg<u8>(REG_AH) * <u8>opImm(op));
  const result = <u8>(low + product);
  setReg<u16>(REG_RAX, <u16>result);
  setFlagsAdd<u8>(low, product, 0, result);
}

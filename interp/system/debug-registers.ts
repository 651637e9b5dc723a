/** MOV to and from debug registers (SDM vol. 2; vol. 3B, 17.2). */
import { DR6_BD, DR7_GD, refreshDebug, reportDebug } from '../debug';
import { VECTOR_DB, raiseGP, raiseUD, raiseVector } from '../fault';
import { CPU_DR } from '../layout';
import { mode64 } from '../mode';
import { opRegIndex, opRm } from '../op';
import { CR4_DE, cr4, getReg, setReg } from '../registers';
import { requireCpl0 } from './privilege';

const DR6: usize = CPU_DR + 32;
const DR7: usize = CPU_DR + 40;
/** B0 to B3, BD, BS, BT; the others read as one, but bit 12 and the upper half: there is no RTM and no bus-lock detection. */
const DR6_DEFINED: u64 = 0xe00f;
const DR6_ONES: u64 = 0xffff0ff0;
/** L0 to GE, GD, R/W and LEN; bit 10 reads as one. */
const DR7_DEFINED: u64 = 0xffff23ff;
const DR7_ONES: u64 = 0x400;

/** Address of the register; 4 and 5 are other names of 6 and 7 unless CR4.DE is set. */
function registerAt(op: usize): usize {
  let index = opRegIndex(op);
  if (index > 7) raiseUD();
  if (index == 4 || index == 5) {
    if ((cr4() & CR4_DE) != 0) raiseUD();
    index += 2;
  }
  requireCpl0();
  // General detect: #DB, a fault, with BD.
  if ((load<u64>(DR7) & DR7_GD) != 0) {
    reportDebug(DR6_BD);
    raiseVector(VECTOR_DB, false, 0);
  }
  return index < 4 ? CPU_DR + <usize>index * 8 : CPU_DR + <usize>(index - 2) * 8;
}

/** `0F 21 /r` */
export function moveFromDebug(op: usize): void {
  const value = load<u64>(registerAt(op));
  if (mode64()) setReg<u64>(opRm(op), value);
  else setReg<u32>(opRm(op), <u32>value);
}

/** `0F 23 /r` */
export function moveToDebug(op: usize): void {
  const at = registerAt(op);
  let value = mode64() ? getReg<u64>(opRm(op)) : <u64>getReg<u32>(opRm(op));
  if (at >= DR6) {
    if (value >> 32 != 0) raiseGP(0);
    value = at == DR6 ? (value & DR6_DEFINED) | DR6_ONES : (value & DR7_DEFINED) | DR7_ONES;
  }
  store<u64>(at, value);
  refreshDebug();
}

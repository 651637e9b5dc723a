/** MOV to and from debug registers (SDM vol. 2; vol. 3B, 17.2). Breakpoints themselves are not implemented. */
import { raiseGP, raiseUD, raiseVector, unimplemented, VECTOR_DB } from '../fault';
import { CPU_DR } from '../layout';
import { mode64 } from '../mode';
import { opRegIndex, opRm } from '../op';
import { cr4, getReg, setReg } from '../registers';
import { requireCpl0 } from './privilege';

const CR4_DE: u64 = 1 << 3;
const DR6: usize = CPU_DR + 32;
const DR7: usize = CPU_DR + 40;
const DR7_GD: u64 = 1 << 13;
const DR6_BD: u64 = 1 << 13;

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
    store<u64>(DR6, load<u64>(DR6) | DR6_BD);
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
    if (at == DR6) value = (value & 0xe00f) | 0xffff0ff0;
    else {
      value = (value & 0xffff2bff) | 0x400;
      if ((value & 0xff) != 0) unimplemented();
    }
  }
  store<u64>(at, value);
}

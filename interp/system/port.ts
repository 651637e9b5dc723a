/** IN, OUT and the permission to do them (SDM vol. 1, 18.5; vol. 2). */
import { goOn } from '../chain';
import { notePort } from '../debug';
import { raiseGP } from '../fault';
import { ioRead, ioWrite, isAnswered, requestPort } from '../io';
import { readSystem } from '../memory';
import { cpl, protectedMode, virtual8086 } from '../mode';
import { opImm } from '../op';
import { REG_RAX, REG_RDX, SEG_TR, getReg, segmentAttributes, segmentBase, segmentLimit, setReg } from '../registers';
import { attributesType, wrapLinear } from './descriptor';
import { ioPrivilege } from './privilege';

/** Offset of the I/O map's base in a 32- or 64-bit TSS, and the least limit of one. */
const IO_MAP_BASE: u32 = 102;
const TSS_LIMIT: u32 = 103;

/** #GP(0) unless the guest may access `size` ports from `port` on: CPL <= IOPL, or all bits in the TSS's map are clear. */
export function checkPortAccess(port: u32, size: u32): void {
  if (protectedMode()) {
    if (cpl() <= ioPrivilege()) return;
  } else if (!virtual8086()) return;
  const limit = segmentLimit(SEG_TR);
  const wide = (attributesType(segmentAttributes(SEG_TR)) & 8) != 0;
  if (!wide || limit < TSS_LIMIT) raiseGP(0);
  const base = segmentBase(SEG_TR);
  const at = <u32>readSystem<u16>(wrapLinear(base + IO_MAP_BASE)) + (port >> 3);
  // Two bytes are read, whether the ports cross a byte of the map or not.
  if (at + 1 > limit) raiseGP(0);
  const bits = <u32>readSystem<u16>(wrapLinear(base + at)) >> (port & 7);
  if ((bits & ((1 << size) - 1)) != 0) raiseGP(0);
}

/** Both return to leave, which costs a tenth of throwing: guests do little else as often. */
function input<T>(op: usize, port: u32): void {
  checkPortAccess(port, sizeof<T>());
  if (isAnswered()) {
    setReg<T>(REG_RAX, <T>ioRead(port, sizeof<T>()));
    notePort(port, sizeof<T>());
    goOn(op);
  } else requestPort(port, sizeof<T>(), 0, 0);
}

function output<T>(op: usize, port: u32): void {
  checkPortAccess(port, sizeof<T>());
  const value = <u32>getReg<T>(REG_RAX);
  if (isAnswered()) {
    ioWrite(port, sizeof<T>(), value);
    notePort(port, sizeof<T>());
    goOn(op);
  } else requestPort(port, sizeof<T>(), 1, value);
}

/** `E4`, `E5` */
export function inputImmediate<T>(op: usize): void {
  input<T>(op, <u32>opImm(op) & 0xff);
}

/** `EC`, `ED` */
export function inputDx<T>(op: usize): void {
  input<T>(op, getReg<u16>(REG_RDX));
}

/** `E6`, `E7` */
export function outputImmediate<T>(op: usize): void {
  output<T>(op, <u32>opImm(op) & 0xff);
}

/** `EE`, `EF` */
export function outputDx<T>(op: usize): void {
  output<T>(op, getReg<u16>(REG_RDX));
}

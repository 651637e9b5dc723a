/** Segment registers, far transfers, descriptor tables and what looks at selectors (interp/system). */
import type { OpcodeRow } from './row.js';

const pops: [string, string][] = [
  ['07', 'ES'],
  ['17', 'SS'],
  ['1F', 'DS'],
];

const farPointers: [string, string][] = [
  ['0F B2', 'SS'],
  ['0F B4', 'FS'],
  ['0F B5', 'GS'],
];

/** See the file's head. */
export const rows: OpcodeRow[] = [
  {
    encoding: '8C /r',
    name: 'MOV Ev,Sw',
    size: 'v',
    reg: 'moveFromSegmentReg<T>(op)',
    mem: 'moveFromSegmentMem(op)',
  },
  {
    encoding: '8E /r',
    name: 'MOV Sw,Ew',
    size: 'none',
    ends: true,
    reg: 'moveToSegmentReg(op)',
    mem: 'moveToSegmentMem(op)',
  },
  ...pops.map(
    ([encoding, segment]): OpcodeRow => ({
      encoding,
      name: `POP ${segment}`,
      size: 'd64',
      modes: 'no64',
      ends: true,
      reg: `popSegment<T>(op, SEG_${segment})`,
    }),
  ),
  { encoding: '0F A1', name: 'POP FS', size: 'd64', ends: true, reg: 'popSegment<T>(op, SEG_FS)' },
  { encoding: '0F A9', name: 'POP GS', size: 'd64', ends: true, reg: 'popSegment<T>(op, SEG_GS)' },
  {
    encoding: 'C4 /r',
    name: 'LES Gv,Mp',
    size: 'v',
    modes: 'no64',
    ends: true,
    mem: 'loadFarPointer<T>(op, SEG_ES)',
  },
  {
    encoding: 'C5 /r',
    name: 'LDS Gv,Mp',
    size: 'v',
    modes: 'no64',
    ends: true,
    mem: 'loadFarPointer<T>(op, SEG_DS)',
  },
  ...farPointers.map(
    ([encoding, segment]): OpcodeRow => ({
      encoding: `${encoding} /r`,
      name: `L${segment} Gv,Mp`,
      size: 'v',
      ends: true,
      mem: `loadFarPointer<T>(op, SEG_${segment})`,
    }),
  ),
  { encoding: 'EA ptr', name: 'JMP Ap', size: 'z', modes: 'no64', ends: true, reg: 'jumpFarImmediate(op)' },
  { encoding: '9A ptr', name: 'CALL Ap', size: 'z', modes: 'no64', ends: true, reg: 'callFarImmediate(op)' },
  { encoding: 'FF /5', name: 'JMP Mp', size: 'v', ends: true, mem: 'jumpFarMemory(op)' },
  { encoding: 'FF /3', name: 'CALL Mp', size: 'v', ends: true, mem: 'callFarMemory(op)' },
  { encoding: 'CB', name: 'RETF', size: 'v', ends: true, reg: 'returnFar(op)' },
  { encoding: 'CA iw', name: 'RETF Iw', size: 'v', ends: true, reg: 'returnFarRelease(op)' },
  { encoding: 'CF', name: 'IRET', size: 'v', ends: true, reg: 'interruptReturn(op)' },
  { encoding: '0F 01 /0', name: 'SGDT Ms', size: 'none', mem: 'storeGdt(op)' },
  { encoding: '0F 01 /1', name: 'SIDT Ms', size: 'none', mem: 'storeIdt(op)' },
  { encoding: '0F 01 /2', name: 'LGDT Ms', size: 'none', mem: 'loadGdt(op)' },
  { encoding: '0F 01 /3', name: 'LIDT Ms', size: 'none', mem: 'loadIdt(op)' },
  {
    encoding: '0F 00 /0',
    name: 'SLDT Ev',
    size: 'v',
    reg: 'storeSystemSegmentReg<T>(op, SEG_LDTR)',
    mem: 'storeSystemSegmentMem(op, SEG_LDTR)',
  },
  {
    encoding: '0F 00 /1',
    name: 'STR Ev',
    size: 'v',
    reg: 'storeSystemSegmentReg<T>(op, SEG_TR)',
    mem: 'storeSystemSegmentMem(op, SEG_TR)',
  },
  { encoding: '0F 00 /2', name: 'LLDT Ew', size: 'none', reg: 'loadLdtReg(op)', mem: 'loadLdtMem(op)' },
  { encoding: '0F 00 /3', name: 'LTR Ew', size: 'none', reg: 'loadTaskReg(op)', mem: 'loadTaskMem(op)' },
  { encoding: '0F 00 /4', name: 'VERR Ew', size: 'none', reg: 'verifyReg(op, false)', mem: 'verifyMem(op, false)' },
  { encoding: '0F 00 /5', name: 'VERW Ew', size: 'none', reg: 'verifyReg(op, true)', mem: 'verifyMem(op, true)' },
  {
    encoding: '0F 02 /r',
    name: 'LAR Gv,Ew',
    size: 'v',
    reg: 'accessRightsReg<T>(op)',
    mem: 'accessRightsMem<T>(op)',
  },
  {
    encoding: '0F 03 /r',
    name: 'LSL Gv,Ew',
    size: 'v',
    reg: 'segmentLimitReg<T>(op)',
    mem: 'segmentLimitMem<T>(op)',
  },
  {
    encoding: '63 /r',
    name: 'ARPL Ew,Gw',
    size: 'none',
    modes: 'no64',
    reg: 'adjustRplReg(op)',
    mem: 'adjustRplMem(op)',
  },
];

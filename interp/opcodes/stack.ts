/** PUSH, POP, PUSHA, POPA, ENTER, LEAVE (SDM vol. 2). POP of segment registers is with the segments. */
import type { OpcodeRow } from './row.js';

const legacySegments: [string, string, string][] = [
  ['06', 'ES', 'SEG_ES'],
  ['0E', 'CS', 'SEG_CS'],
  ['16', 'SS', 'SEG_SS'],
  ['1E', 'DS', 'SEG_DS'],
];

/** See the file's head. */
export const rows: OpcodeRow[] = [
  { encoding: '50+r', name: 'PUSH Zv', size: 'd64', reg: 'pushReg<T>(op)' },
  { encoding: '58+r', name: 'POP Zv', size: 'd64', reg: 'popReg<T>(op)' },
  { encoding: 'FF /6', name: 'PUSH Ev', size: 'd64', reg: 'pushRm<T>(op)', mem: 'pushMem<T>(op)' },
  { encoding: '8F /0', name: 'POP Ev', size: 'd64', reg: 'popRm<T>(op)', mem: 'popMem<T>(op)' },
  { encoding: '68 iz', name: 'PUSH Iz', size: 'd64', reg: 'pushImm<T>(op)' },
  { encoding: '6A ib', name: 'PUSH Ib', size: 'd64', reg: 'pushImm<T>(op)' },
  ...legacySegments.map(
    ([encoding, name, segment]): OpcodeRow => ({
      encoding,
      name: `PUSH ${name}`,
      size: 'd64',
      modes: 'no64',
      reg: `pushSegment<T>(op, ${segment})`,
    }),
  ),
  { encoding: '0F A0', name: 'PUSH FS', size: 'd64', reg: 'pushSegment<T>(op, SEG_FS)' },
  { encoding: '0F A8', name: 'PUSH GS', size: 'd64', reg: 'pushSegment<T>(op, SEG_GS)' },
  { encoding: '60', name: 'PUSHA', size: 'v', modes: 'no64', reg: 'pushAll<T>(op)' },
  { encoding: '61', name: 'POPA', size: 'v', modes: 'no64', reg: 'popAll<T>(op)' },
  { encoding: 'C8 iw ib', name: 'ENTER Iw,Ib', size: 'd64', reg: 'enterFrame<T>(op)' },
  { encoding: 'C9', name: 'LEAVE', size: 'd64', reg: 'leaveFrame<T>(op)' },
];

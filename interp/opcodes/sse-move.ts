/** Moves of XMM registers, SSE to SSE4.1 (SDM vol. 2): whole, partial, duplicated, inserted, extracted, non-temporal. */
import type { OpcodeRow } from './row.js';
import { CONTROL, lowHalf, sse, unary, vector } from './sse-forms.js';

/** Load and store of 16 bytes. `loose`: they need not be aligned. */
function whole(name: string, prefix: string, load: string, store: string, loose: boolean): OpcodeRow[] {
  return [
    sse(
      `${prefix}0F ${load} /r`,
      `${name} Vx,Wx`,
      'setXmm(op, rmXmm(op))',
      `setXmm(op, ${loose ? 'memLoose' : 'memAligned'}(op))`,
    ),
    sse(
      `${prefix}0F ${store} /r`,
      `${name} Wx,Vx`,
      'setRmXmm(op, getXmm(op))',
      `${loose ? 'setMemLoose' : 'setMemXmm'}(op, getXmm(op))`,
    ),
  ];
}

/** MOVSS, MOVSD: from memory the rest becomes zero, between registers it stays. */
function scalar(name: string, prefix: string, type: string): OpcodeRow[] {
  return [
    sse(
      `${prefix} 0F 10 /r`,
      `${name} Vx,Wx`,
      `setLow<${type}>(op, lowRm<${type}>(op))`,
      `setXmm(op, memVector<${type}>(op))`,
    ),
    sse(
      `${prefix} 0F 11 /r`,
      `${name} Wx,Vx`,
      `setLowRm<${type}>(op, lowReg<${type}>(op))`,
      `setMemLow<${type}>(op, lowReg<${type}>(op))`,
    ),
  ];
}

/** Inserting of, and extracting to, general registers or memory. */
function insert(encoding: string, name: string, type: string, size: OpcodeRow['size'] = 'none'): OpcodeRow {
  const general = type === 'T' ? 'rmGeneral<T>(op)' : `<${type}>rmGeneral<u32>(op)`;
  return sse(
    encoding,
    name,
    `setXmm(op, inserted<${type}>(getXmm(op), ${general}, <u32>opImm(op)))`,
    `setXmm(op, inserted<${type}>(getXmm(op), memLow<${type}>(op), <u32>opImm(op)))`,
    size,
  );
}

function extract(opcode: string, name: string, type: string, size: OpcodeRow['size'] = 'none'): OpcodeRow {
  const value = `extracted<${type}>(getXmm(op), <u32>opImm(op))`;
  return sse(
    `66 0F 3A ${opcode} /r ub`,
    name,
    type === 'T' ? `setRmGeneral<T>(op, ${value})` : `setRmGeneral<u32>(op, <u32>${value})`,
    `setMemLow<${type}>(op, ${value})`,
    size,
  );
}

const highFromMemory = 'setHigh(op, memLow<u64>(op))';
const lowFromMemory = 'setLow<u64>(op, memLow<u64>(op))';
const highToMemory = 'setMemLow<u64>(op, highReg(op))';
const lowToMemory = 'setMemLow<u64>(op, lowReg<u64>(op))';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...whole('MOVUPS', '', '10', '11', true),
  ...whole('MOVUPD', '66 ', '10', '11', true),
  ...whole('MOVAPS', '', '28', '29', false),
  ...whole('MOVAPD', '66 ', '28', '29', false),
  ...whole('MOVDQA', '66 ', '6F', '7F', false),
  ...whole('MOVDQU', 'F3 ', '6F', '7F', true),
  ...scalar('MOVSS', 'F3', 'u32'),
  ...scalar('MOVSD', 'F2', 'u64'),
  sse('F2 0F F0 /r', 'LDDQU Vx,Mx', undefined, 'setXmm(op, memLoose(op))'),
  sse('66 0F 38 2A /r', 'MOVNTDQA Vx,Mx', undefined, 'setXmm(op, memAligned(op))'),
  sse('0F 2B /r', 'MOVNTPS Mx,Vx', undefined, 'setMemXmm(op, getXmm(op))'),
  sse('66 0F 2B /r', 'MOVNTPD Mx,Vx', undefined, 'setMemXmm(op, getXmm(op))'),
  sse('66 0F E7 /r', 'MOVNTDQ Mx,Vx', undefined, 'setMemXmm(op, getXmm(op))'),
  // MOVNTI is of SSE2, but a store of a general register: none of the checks of SSE.
  { encoding: '0F C3 /r', name: 'MOVNTI My,Gy', size: 'y', feature: 'sse2', mem: 'movMemReg<T>(op)' },
  sse('0F 12 /r', 'MOVLPS Vq,Mq', 'setLow<u64>(op, highRm(op))', lowFromMemory),
  sse('66 0F 12 /r', 'MOVLPD Vq,Mq', undefined, lowFromMemory),
  sse('0F 13 /r', 'MOVLPS Mq,Vq', undefined, lowToMemory),
  sse('66 0F 13 /r', 'MOVLPD Mq,Vq', undefined, lowToMemory),
  sse('0F 16 /r', 'MOVHPS Vdq,Mq', 'setHigh(op, lowRm<u64>(op))', highFromMemory),
  sse('66 0F 16 /r', 'MOVHPD Vdq,Mq', undefined, highFromMemory),
  sse('0F 17 /r', 'MOVHPS Mq,Vq', undefined, highToMemory),
  sse('66 0F 17 /r', 'MOVHPD Mq,Vq', undefined, highToMemory),
  unary('F3 0F 12 /r', 'MOVSLDUP', 'evenTwice'),
  unary('F3 0F 16 /r', 'MOVSHDUP', 'oddTwice'),
  sse('F2 0F 12 /r', 'MOVDDUP Vq,Wq', 'setXmm(op, lowTwice(rmXmm(op)))', 'setXmm(op, lowTwice(memVector<u64>(op)))'),
  lowHalf(vector('0F 14 /r', 'UNPCKLPS', 'punpckldq')),
  lowHalf(vector('66 0F 14 /r', 'UNPCKLPD', 'punpcklqdq')),
  vector('0F 15 /r', 'UNPCKHPS', 'punpckhdq'),
  vector('66 0F 15 /r', 'UNPCKHPD', 'punpckhqdq'),
  vector('0F C6 /r ub', 'SHUFPS', 'shufps', CONTROL),
  vector('66 0F C6 /r ub', 'SHUFPD', 'shufpd', CONTROL),
  vector('66 0F 3A 0C /r ub', 'BLENDPS', 'blendps', CONTROL),
  vector('66 0F 3A 0D /r ub', 'BLENDPD', 'blendpd', CONTROL),
  vector('66 0F 38 14 /r', 'BLENDVPS', 'blendvps', ', xmm0()'),
  vector('66 0F 38 15 /r', 'BLENDVPD', 'blendvpd', ', xmm0()'),
  sse('66 0F 6E /r', 'MOVD Vy,Ey', 'setWide(op, <u64>rmGeneral<T>(op))', 'setWide(op, <u64>memLow<T>(op))', 'y'),
  sse('66 0F 7E /r', 'MOVD Ey,Vy', 'setRmGeneral<T>(op, lowReg<T>(op))', 'setMemLow<T>(op, lowReg<T>(op))', 'y'),
  sse('F3 0F 7E /r', 'MOVQ Vq,Wq', 'setWide(op, lowRm<u64>(op))', 'setWide(op, memLow<u64>(op))'),
  sse('66 0F D6 /r', 'MOVQ Wq,Vq', 'setWideRm(op, lowReg<u64>(op))', lowToMemory),
  sse('0F 50 /r', 'MOVMSKPS Gy,Ups', 'setGeneral<u32>(op, moveMaskSingles(rmXmm(op)))', undefined),
  sse('66 0F 50 /r', 'MOVMSKPD Gy,Upd', 'setGeneral<u32>(op, moveMaskDoubles(rmXmm(op)))', undefined),
  sse('66 0F D7 /r', 'PMOVMSKB Gd,Ux', 'setGeneral<u32>(op, moveMaskBytes(rmXmm(op)))', undefined),
  sse('66 0F F7 /r', 'MASKMOVDQU Vdq,Udq', 'maskmovdqu(op, getXmm(op), rmXmm(op))', undefined),
  sse(
    '66 0F C5 /r ub',
    'PEXTRW Gd,Udq,Ib',
    'setGeneral<u32>(op, <u32>extracted<u16>(rmXmm(op), <u32>opImm(op)))',
    undefined,
  ),
  insert('66 0F C4 /r ub', 'PINSRW Vdq,Ry/Mw,Ib', 'u16'),
  insert('66 0F 3A 20 /r ub', 'PINSRB Vdq,Ry/Mb,Ib', 'u8'),
  insert('66 0F 3A 22 /r ub', 'PINSRD Vdq,Ey,Ib', 'T', 'y'),
  extract('14', 'PEXTRB Ry/Mb,Vdq,Ib', 'u8'),
  extract('15', 'PEXTRW Ry/Mw,Vdq,Ib', 'u16'),
  extract('16', 'PEXTRD Ey,Vdq,Ib', 'T', 'y'),
  extract('17', 'EXTRACTPS Ed,Vdq,Ib', 'u32'),
  sse(
    '66 0F 3A 21 /r ub',
    'INSERTPS Vdq,Udq/Md,Ib',
    'setXmm(op, insertps(getXmm(op), extracted<u32>(rmXmm(op), <u32>opImm(op) >> 6), <u32>opImm(op)))',
    'setXmm(op, insertps(getXmm(op), memLow<u32>(op), <u32>opImm(op)))',
  ),
];

/** MMX, with what SSE, SSE2 and SSSE3 added to it (SDM vol. 1, chapter 9; vol. 2). EMMS is in system.ts. */
import type { OpcodeRow } from './row.js';
import { both, CONTROL, mmx, mmxVector } from './sse-forms.js';
import { BOTH } from './sse-integer.js';

/** Lanes that meet across the operands: both go into one vector, and `call` gets that twice. */
function horizontal(opcode: string, name: string, call: string): OpcodeRow {
  return mmx(
    `0F ${opcode} /r`,
    `${name} Pq,Qq`,
    `const both = joined(getMm(op), rmMm(op)); setMm(op, ${call}(both, both))`,
    `const both = joined(getMm(op), memMm(op)); setMm(op, ${call}(both, both))`,
  );
}

function shift(name: string, opcode: string, group: string, digit: number, call: string): OpcodeRow[] {
  return [
    mmx(
      `0F ${opcode} /r`,
      `${name} Pq,Qq`,
      `setMm(op, ${call}(getMm(op), countOf(rmMm(op))))`,
      `setMm(op, ${call}(getMm(op), countOf(memMm(op))))`,
    ),
    mmx(`0F ${group} /${digit} ub`, `${name} Nq,Ib`, `setRmMm(op, ${call}(rmMm(op), <u64>opImm(op)))`, undefined),
  ];
}

/** PUNPCKL with 4 bytes of memory, PUNPCKH with 8. */
function unpack(low: string, high: string, suffix: string): OpcodeRow[] {
  const call = `punpckl${suffix.toLowerCase()}`;
  return [
    mmx(
      `0F ${low} /r`,
      `PUNPCKL${suffix} Pq,Qd`,
      `setMm(op, ${call}(getMm(op), rmMm(op)))`,
      `setMm(op, ${call}(getMm(op), memVector<u32>(op)))`,
    ),
    mmx(
      `0F ${high} /r`,
      `PUNPCKH${suffix} Pq,Qq`,
      `setMm(op, upper(${call}(getMm(op), rmMm(op))))`,
      `setMm(op, upper(${call}(getMm(op), memMm(op))))`,
    ),
  ];
}

function toMmx(encoding: string, name: string, call: string): OpcodeRow {
  return both(
    `${encoding} /r`,
    `${name} Pq,Wps`,
    `setMm64(op, ${call.replace('SOURCE', 'enteringMmx(lowRm<u64>(op))')})`,
    `setMm64(op, ${call.replace('SOURCE', 'enteringMmx(memLow<u64>(op))')})`,
  );
}

function doublesToMmx(encoding: string, name: string, truncate: boolean): OpcodeRow {
  return both(
    `${encoding} /r`,
    `${name} Pq,Wpd`,
    `setMm64(op, doublesToIntegers(enteringMmxWide(rmXmm(op)), ${truncate}))`,
    `setMm64(op, doublesToIntegers(enteringMmxWide(memXmm(op)), ${truncate}))`,
  );
}

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...BOTH.map(([opcode, name]) => mmxVector(`0F ${opcode} /r`, name, name.toLowerCase())),
  horizontal('63', 'PACKSSWB', 'packsswb'),
  horizontal('67', 'PACKUSWB', 'packuswb'),
  horizontal('6B', 'PACKSSDW', 'packssdw'),
  horizontal('38 01', 'PHADDW', 'phaddw'),
  horizontal('38 02', 'PHADDD', 'phaddd'),
  horizontal('38 03', 'PHADDSW', 'phaddsw'),
  horizontal('38 05', 'PHSUBW', 'phsubw'),
  horizontal('38 06', 'PHSUBD', 'phsubd'),
  horizontal('38 07', 'PHSUBSW', 'phsubsw'),
  mmxVector('0F 38 00 /r', 'PSHUFB', 'pshufbMmx'),
  mmxVector('0F 3A 0F /r ub', 'PALIGNR', 'palignrMmx', CONTROL),
  ...unpack('60', '68', 'BW'),
  ...unpack('61', '69', 'WD'),
  ...unpack('62', '6A', 'DQ'),
  ...shift('PSRLW', 'D1', '71', 2, 'psrlw'),
  ...shift('PSRLD', 'D2', '72', 2, 'psrld'),
  ...shift('PSRLQ', 'D3', '73', 2, 'psrlq'),
  ...shift('PSRAW', 'E1', '71', 4, 'psraw'),
  ...shift('PSRAD', 'E2', '72', 4, 'psrad'),
  ...shift('PSLLW', 'F1', '71', 6, 'psllw'),
  ...shift('PSLLD', 'F2', '72', 6, 'pslld'),
  ...shift('PSLLQ', 'F3', '73', 6, 'psllq'),
  mmx('0F 6E /r', 'MOVD Pq,Ey', 'setMm64(op, <u64>rmGeneral<T>(op))', 'setMm64(op, <u64>memLow<T>(op))', 'y'),
  mmx('0F 7E /r', 'MOVD Ey,Pq', 'setRmGeneralMm<T>(op, getMm64(op))', 'setMemMm<T>(op, getMm64(op))', 'y'),
  mmx('0F 6F /r', 'MOVQ Pq,Qq', 'setMm64(op, rmMm64(op))', 'setMm64(op, memLow<u64>(op))'),
  mmx('0F 7F /r', 'MOVQ Qq,Pq', 'setRmMm(op, getMm(op))', 'setMemMm<u64>(op, getMm64(op))'),
  mmx('0F E7 /r', 'MOVNTQ Mq,Pq', undefined, 'setMemMm<u64>(op, getMm64(op))'),
  mmx(
    '0F 70 /r ub',
    'PSHUFW Pq,Qq,Ib',
    'setMm(op, pshuflw(rmMm(op), <u32>opImm(op)))',
    'setMm(op, pshuflw(memMm(op), <u32>opImm(op)))',
  ),
  mmx(
    '0F C4 /r ub',
    'PINSRW Pq,Ry/Mw,Ib',
    'setMm(op, insertedMmx(getMm(op), <u16>rmGeneral<u32>(op), <u32>opImm(op)))',
    'setMm(op, insertedMmx(getMm(op), memLow<u16>(op), <u32>opImm(op)))',
  ),
  mmx(
    '0F C5 /r ub',
    'PEXTRW Gd,Nq,Ib',
    'setGeneralMm(op, <u32>extracted<u16>(rmMm(op), <u32>opImm(op) & 3))',
    undefined,
  ),
  mmx('0F D7 /r', 'PMOVMSKB Gd,Nq', 'setGeneralMm(op, moveMaskBytesMmx(rmMm(op)))', undefined),
  mmx('0F F7 /r', 'MASKMOVQ Pq,Nq', 'maskmovq(op, getMm(op), rmMm(op))', undefined),
  both('F3 0F D6 /r', 'MOVQ2DQ Vdq,Nq', 'setWide(op, rmMm64(op)); enterMmx()', undefined),
  both('F2 0F D6 /r', 'MOVDQ2Q Pq,Udq', 'setMm64(op, lowRm<u64>(op))', undefined),
  toMmx('0F 2C', 'CVTTPS2PI', 'twoSinglesToIntegers(SOURCE, true)'),
  toMmx('0F 2D', 'CVTPS2PI', 'twoSinglesToIntegers(SOURCE, false)'),
  doublesToMmx('66 0F 2C', 'CVTTPD2PI', true),
  doublesToMmx('66 0F 2D', 'CVTPD2PI', false),
  // With a memory operand no MMX register takes part, and the x87 is left alone (Intel's manual says so of CVTPI2PD only; AMD's
  // processors do it in both).
  {
    ...both('0F 2A /r', 'CVTPI2PS Vps,Qpi', 'setLow<u64>(op, twoToSingles(enteringMmxWide(rmMm(op))))', undefined),
    mem: 'checkSse(); setLow<u64>(op, twoToSingles(memMm(op)))',
  },
  {
    ...both('66 0F 2A /r', 'CVTPI2PD Vpd,Qpi', 'setXmm(op, twoToDoubles(rmMm(op))); enterMmx()', undefined),
    mem: 'checkSse(); setXmm(op, twoToDoubles(memMm(op)))',
  },
];

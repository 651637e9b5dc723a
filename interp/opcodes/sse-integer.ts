/** Integer instructions on XMM registers, SSE2 to SSE4.2 (SDM vol. 2). */
import type { OpcodeRow } from './row.js';
import { CONTROL, lowHalf, sse, unary, vector } from './sse-forms.js';

/** Opcode and name of those that MMX has too. */
export const BOTH: readonly (readonly [opcode: string, name: string])[] = [
  ['64', 'PCMPGTB'],
  ['65', 'PCMPGTW'],
  ['66', 'PCMPGTD'],
  ['74', 'PCMPEQB'],
  ['75', 'PCMPEQW'],
  ['76', 'PCMPEQD'],
  ['D4', 'PADDQ'],
  ['D5', 'PMULLW'],
  ['D8', 'PSUBUSB'],
  ['D9', 'PSUBUSW'],
  ['DA', 'PMINUB'],
  ['DB', 'PAND'],
  ['DC', 'PADDUSB'],
  ['DD', 'PADDUSW'],
  ['DE', 'PMAXUB'],
  ['DF', 'PANDN'],
  ['E0', 'PAVGB'],
  ['E3', 'PAVGW'],
  ['E4', 'PMULHUW'],
  ['E5', 'PMULHW'],
  ['E8', 'PSUBSB'],
  ['E9', 'PSUBSW'],
  ['EA', 'PMINSW'],
  ['EB', 'POR'],
  ['EC', 'PADDSB'],
  ['ED', 'PADDSW'],
  ['EE', 'PMAXSW'],
  ['EF', 'PXOR'],
  ['F4', 'PMULUDQ'],
  ['F5', 'PMADDWD'],
  ['F6', 'PSADBW'],
  ['F8', 'PSUBB'],
  ['F9', 'PSUBW'],
  ['FA', 'PSUBD'],
  ['FB', 'PSUBQ'],
  ['FC', 'PADDB'],
  ['FD', 'PADDW'],
  ['FE', 'PADDD'],
  ['38 04', 'PMADDUBSW'],
  ['38 08', 'PSIGNB'],
  ['38 09', 'PSIGNW'],
  ['38 0A', 'PSIGND'],
  ['38 0B', 'PMULHRSW'],
  ['38 1C', 'PABSB'],
  ['38 1D', 'PABSW'],
  ['38 1E', 'PABSD'],
];

/** Those of XMM registers alone. */
const ALONE: readonly (readonly [opcode: string, name: string])[] = [
  ['60', 'PUNPCKLBW'],
  ['61', 'PUNPCKLWD'],
  ['62', 'PUNPCKLDQ'],
  ['63', 'PACKSSWB'],
  ['67', 'PACKUSWB'],
  ['68', 'PUNPCKHBW'],
  ['69', 'PUNPCKHWD'],
  ['6A', 'PUNPCKHDQ'],
  ['6B', 'PACKSSDW'],
  ['6C', 'PUNPCKLQDQ'],
  ['6D', 'PUNPCKHQDQ'],
  ['38 00', 'PSHUFB'],
  ['38 01', 'PHADDW'],
  ['38 02', 'PHADDD'],
  ['38 03', 'PHADDSW'],
  ['38 05', 'PHSUBW'],
  ['38 06', 'PHSUBD'],
  ['38 07', 'PHSUBSW'],
  ['38 28', 'PMULDQ'],
  ['38 29', 'PCMPEQQ'],
  ['38 2B', 'PACKUSDW'],
  ['38 37', 'PCMPGTQ'],
  ['38 38', 'PMINSB'],
  ['38 39', 'PMINSD'],
  ['38 3A', 'PMINUW'],
  ['38 3B', 'PMINUD'],
  ['38 3C', 'PMAXSB'],
  ['38 3D', 'PMAXSD'],
  ['38 3E', 'PMAXUW'],
  ['38 3F', 'PMAXUD'],
  ['38 40', 'PMULLD'],
  ['38 41', 'PHMINPOSUW'],
];

function shift(name: string, opcode: string, group: string, digit: number, call: string): OpcodeRow[] {
  return [
    sse(
      `66 0F ${opcode} /r`,
      `${name} Vx,Wx`,
      `setXmm(op, ${call}(getXmm(op), countOf(rmXmm(op))))`,
      `setXmm(op, ${call}(getXmm(op), countOf(memLowHalf(op))))`,
    ),
    sse(`66 0F ${group} /${digit} ub`, `${name} Ux,Ib`, `setRmXmm(op, ${call}(rmXmm(op), <u64>opImm(op)))`, undefined),
  ];
}

function byteShift(name: string, digit: number, call: string): OpcodeRow {
  return sse(`66 0F 73 /${digit} ub`, `${name} Ux,Ib`, `setRmXmm(op, ${call}(rmXmm(op), <u32>opImm(op)))`, undefined);
}

/** PMOVSX and PMOVZX: `type` is what is read of memory. */
function extend(opcode: string, name: string, type: string): OpcodeRow {
  const call = name.toLowerCase();
  return sse(
    `66 0F 38 ${opcode} /r`,
    `${name} Vx,Wx`,
    `setXmm(op, ${call}(rmXmm(op)))`,
    `setXmm(op, ${call}(memVector<${type}>(op)))`,
  );
}

function compareStrings(opcode: string, name: string): OpcodeRow {
  const lengths = name.startsWith('PCMPE');
  const call = name.toLowerCase() + (lengths ? '<T>' : '');
  return sse(
    `66 0F 3A ${opcode} /r ub`,
    `${name} Vdq,Wdq,Ib`,
    `${call}(op, getXmm(op), rmXmm(op))`,
    `${call}(op, getXmm(op), memLoose(op))`,
    lengths ? 'y' : 'none',
  );
}

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...BOTH.map(([opcode, name]) => vector(`66 0F ${opcode} /r`, name, name.toLowerCase())),
  ...ALONE.map(([opcode, name]) => {
    const row = vector(`66 0F ${opcode} /r`, name, name.toLowerCase());
    return name.startsWith('PUNPCKL') ? lowHalf(row) : row;
  }),
  ...shift('PSRLW', 'D1', '71', 2, 'psrlw'),
  ...shift('PSRLD', 'D2', '72', 2, 'psrld'),
  ...shift('PSRLQ', 'D3', '73', 2, 'psrlq'),
  ...shift('PSRAW', 'E1', '71', 4, 'psraw'),
  ...shift('PSRAD', 'E2', '72', 4, 'psrad'),
  ...shift('PSLLW', 'F1', '71', 6, 'psllw'),
  ...shift('PSLLD', 'F2', '72', 6, 'pslld'),
  ...shift('PSLLQ', 'F3', '73', 6, 'psllq'),
  byteShift('PSRLDQ', 3, 'byteShiftRight'),
  byteShift('PSLLDQ', 7, 'byteShiftLeft'),
  unary('66 0F 70 /r ub', 'PSHUFD', 'pshufd', CONTROL),
  unary('F3 0F 70 /r ub', 'PSHUFHW', 'pshufhw', CONTROL),
  unary('F2 0F 70 /r ub', 'PSHUFLW', 'pshuflw', CONTROL),
  vector('66 0F 3A 0F /r ub', 'PALIGNR', 'palignr', CONTROL),
  vector('66 0F 3A 0E /r ub', 'PBLENDW', 'pblendw', CONTROL),
  vector('66 0F 3A 42 /r ub', 'MPSADBW', 'mpsadbw', CONTROL),
  vector('66 0F 38 10 /r', 'PBLENDVB', 'pblendvb', ', xmm0()'),
  extend('20', 'PMOVSXBW', 'u64'),
  extend('21', 'PMOVSXBD', 'u32'),
  extend('22', 'PMOVSXBQ', 'u16'),
  extend('23', 'PMOVSXWD', 'u64'),
  extend('24', 'PMOVSXWQ', 'u32'),
  extend('25', 'PMOVSXDQ', 'u64'),
  extend('30', 'PMOVZXBW', 'u64'),
  extend('31', 'PMOVZXBD', 'u32'),
  extend('32', 'PMOVZXBQ', 'u16'),
  extend('33', 'PMOVZXWD', 'u64'),
  extend('34', 'PMOVZXWQ', 'u32'),
  extend('35', 'PMOVZXDQ', 'u64'),
  sse('66 0F 38 17 /r', 'PTEST Vx,Wx', 'ptest(getXmm(op), rmXmm(op))', 'ptest(getXmm(op), memXmm(op))'),
  compareStrings('60', 'PCMPESTRM'),
  compareStrings('61', 'PCMPESTRI'),
  compareStrings('62', 'PCMPISTRM'),
  compareStrings('63', 'PCMPISTRI'),
];

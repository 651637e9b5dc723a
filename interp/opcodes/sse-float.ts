/** Floating-point instructions on XMM registers, SSE to SSE4.1 (SDM vol. 1, chapters 10 and 11; vol. 2). */
import type { OpcodeRow } from './row.js';
import { CONTROL, sse, unary, vector } from './sse-forms.js';

/** The four forms of an operation: PS, PD, SS, SD. */
function arithmetic(opcode: string, name: string, kind: string): OpcodeRow[] {
  return [
    ...(['u32', 'u64'] as const).flatMap((type) => [packed(opcode, name, kind, type), low(opcode, name, kind, type)]),
  ];
}

function packed(opcode: string, name: string, kind: string, type: 'u32' | 'u64'): OpcodeRow {
  const [prefix, suffix] = type === 'u32' ? ['', 'PS'] : ['66 ', 'PD'];
  return sse(
    `${prefix}0F ${opcode} /r`,
    `${name}${suffix} Vx,Wx`,
    `setXmm(op, packedFloat<${type}>(${kind}, getXmm(op), rmXmm(op)))`,
    `setXmm(op, packedFloat<${type}>(${kind}, getXmm(op), memXmm(op)))`,
  );
}

function low(opcode: string, name: string, kind: string, type: 'u32' | 'u64'): OpcodeRow {
  const [prefix, suffix] = type === 'u32' ? ['F3', 'SS'] : ['F2', 'SD'];
  const call = (source: string): string =>
    `setLow<${type}>(op, scalarFloat<${type}>(${kind}, lowReg<${type}>(op), ${source}<${type}>(op)))`;
  return sse(`${prefix} 0F ${opcode} /r`, `${name}${suffix} Vx,Wx`, call('lowRm'), call('memLow'));
}

/** HADDPS and its kin: 66 is of doubles, F2 of singles. */
function horizontal(opcode: string, name: string, kind: string, call: string): OpcodeRow[] {
  return [['66', 'PD', 'u64'] as const, ['F2', 'PS', 'u32'] as const].map(([prefix, suffix, type]) =>
    sse(
      `${prefix} 0F ${opcode} /r`,
      `${name}${suffix} Vx,Wx`,
      `setXmm(op, ${call}<${type}>(${kind}, getXmm(op), rmXmm(op)))`,
      `setXmm(op, ${call}<${type}>(${kind}, getXmm(op), memXmm(op)))`,
    ),
  );
}

/** `V.low = f(W.low)` of one type to another, `more` behind the operand. */
function convertLow(encoding: string, name: string, call: string, from: string, to: string, more = ''): OpcodeRow {
  return sse(
    encoding,
    name,
    `setLow<${to}>(op, ${call}(lowRm<${from}>(op)${more}))`,
    `setLow<${to}>(op, ${call}(memLow<${from}>(op)${more}))`,
  );
}

function fromInteger(prefix: string, name: string, type: string): OpcodeRow {
  const call = `integerToScalar<T, ${type}>`;
  return sse(
    `${prefix} 0F 2A /r`,
    `${name} Vx,Ey`,
    `setLow<${type}>(op, ${call}(rmGeneral<T>(op)))`,
    `setLow<${type}>(op, ${call}(memLow<T>(op)))`,
    'y',
  );
}

function toInteger(prefix: string, opcode: string, name: string, type: string, truncate: boolean): OpcodeRow {
  const call = (source: string): string =>
    `setGeneral<T>(op, scalarToInteger<${type}, T>(${source}<${type}>(op), ${truncate}))`;
  return sse(`${prefix} 0F ${opcode} /r`, `${name} Gy,Wx`, call('lowRm'), call('memLow'), 'y');
}

/** Two doublewords of two doubles, zeros above. */
function toTwoIntegers(encoding: string, name: string, truncate: boolean): OpcodeRow {
  return sse(
    encoding,
    name,
    `setWide(op, doublesToIntegers(rmXmm(op), ${truncate}))`,
    `setWide(op, doublesToIntegers(memXmm(op), ${truncate}))`,
  );
}

/** The low half of the source. */
function fromTwo(encoding: string, name: string, call: string): OpcodeRow {
  return sse(encoding, name, `setXmm(op, ${call}(rmXmm(op)))`, `setXmm(op, ${call}(memVector<u64>(op)))`);
}

function toFlags(prefix: string, opcode: string, name: string, type: string, signalling: boolean): OpcodeRow {
  const call = (source: string): string =>
    `compareToFlags<${type}>(lowReg<${type}>(op), ${source}<${type}>(op), ${signalling})`;
  return sse(`${prefix}0F ${opcode} /r`, `${name} Vx,Wx`, call('lowRm'), call('memLow'));
}

function compareScalar(prefix: string, name: string, type: string): OpcodeRow {
  const call = (source: string): string =>
    `setLow<${type}>(op, compareLow<${type}>(lowReg<${type}>(op), ${source}<${type}>(op)${CONTROL}))`;
  return sse(`${prefix} 0F C2 /r ub`, `${name} Vx,Wx,Ib`, call('lowRm'), call('memLow'));
}

function logic(opcode: string, name: string, call: string): OpcodeRow[] {
  return [vector(`0F ${opcode} /r`, `${name}PS`, call), vector(`66 0F ${opcode} /r`, `${name}PD`, call)];
}

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...arithmetic('51', 'SQRT', 'FLOAT_SQRT'),
  ...arithmetic('58', 'ADD', 'FLOAT_ADD'),
  ...arithmetic('59', 'MUL', 'FLOAT_MUL'),
  ...arithmetic('5C', 'SUB', 'FLOAT_SUB'),
  ...arithmetic('5D', 'MIN', 'FLOAT_MIN'),
  ...arithmetic('5E', 'DIV', 'FLOAT_DIV'),
  ...arithmetic('5F', 'MAX', 'FLOAT_MAX'),
  ...logic('54', 'AND', 'pand'),
  ...logic('55', 'ANDN', 'pandn'),
  ...logic('56', 'OR', 'por'),
  ...logic('57', 'XOR', 'pxor'),
  ...horizontal('7C', 'HADD', 'FLOAT_ADD', 'horizontalFloat'),
  ...horizontal('7D', 'HSUB', 'FLOAT_SUB', 'horizontalFloat'),
  ...horizontal('D0', 'ADDSUB', 'FLOAT_ADDSUB', 'packedFloat'),
  vector('0F C2 /r ub', 'CMPPS', 'compareLanes<u32>', CONTROL),
  vector('66 0F C2 /r ub', 'CMPPD', 'compareLanes<u64>', CONTROL),
  compareScalar('F3', 'CMPSS', 'u32'),
  compareScalar('F2', 'CMPSD', 'u64'),
  toFlags('', '2E', 'UCOMISS', 'u32', false),
  toFlags('66 ', '2E', 'UCOMISD', 'u64', false),
  toFlags('', '2F', 'COMISS', 'u32', true),
  toFlags('66 ', '2F', 'COMISD', 'u64', true),
  unary('0F 52 /r', 'RSQRTPS', 'approximateLanes', ', true'),
  unary('0F 53 /r', 'RCPPS', 'approximateLanes', ', false'),
  convertLow('F3 0F 52 /r', 'RSQRTSS Vss,Wss', 'approximateLow', 'u32', 'u32', ', true'),
  convertLow('F3 0F 53 /r', 'RCPSS Vss,Wss', 'approximateLow', 'u32', 'u32', ', false'),
  unary('66 0F 3A 08 /r ub', 'ROUNDPS', 'roundLanes<u32>', CONTROL),
  unary('66 0F 3A 09 /r ub', 'ROUNDPD', 'roundLanes<u64>', CONTROL),
  convertLow('66 0F 3A 0A /r ub', 'ROUNDSS Vss,Wss,Ib', 'roundLow<u32>', 'u32', 'u32', CONTROL),
  convertLow('66 0F 3A 0B /r ub', 'ROUNDSD Vsd,Wsd,Ib', 'roundLow<u64>', 'u64', 'u64', CONTROL),
  vector('66 0F 3A 40 /r ub', 'DPPS', 'dotProduct<u32>', CONTROL),
  vector('66 0F 3A 41 /r ub', 'DPPD', 'dotProduct<u64>', CONTROL),
  fromTwo('0F 5A /r', 'CVTPS2PD Vpd,Wps', 'singlesToDoubles'),
  unary('66 0F 5A /r', 'CVTPD2PS', 'doublesToSingles'),
  convertLow('F3 0F 5A /r', 'CVTSS2SD Vsd,Wss', 'floatToFloat<u32, u64>', 'u32', 'u64'),
  convertLow('F2 0F 5A /r', 'CVTSD2SS Vss,Wsd', 'floatToFloat<u64, u32>', 'u64', 'u32'),
  unary('0F 5B /r', 'CVTDQ2PS', 'integersToSingles'),
  unary('66 0F 5B /r', 'CVTPS2DQ', 'singlesToIntegers', ', false'),
  unary('F3 0F 5B /r', 'CVTTPS2DQ', 'singlesToIntegers', ', true'),
  toTwoIntegers('66 0F E6 /r', 'CVTTPD2DQ Vx,Wpd', true),
  toTwoIntegers('F2 0F E6 /r', 'CVTPD2DQ Vx,Wpd', false),
  fromTwo('F3 0F E6 /r', 'CVTDQ2PD Vx,Wpd', 'twoToDoubles'),
  fromInteger('F3', 'CVTSI2SS', 'u32'),
  fromInteger('F2', 'CVTSI2SD', 'u64'),
  toInteger('F3', '2C', 'CVTTSS2SI', 'u32', true),
  toInteger('F2', '2C', 'CVTTSD2SI', 'u64', true),
  toInteger('F3', '2D', 'CVTSS2SI', 'u32', false),
  toInteger('F2', '2D', 'CVTSD2SI', 'u64', false),
];

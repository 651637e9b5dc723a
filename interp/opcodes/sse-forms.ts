/** The shapes that rows of MMX and SSE come in. Operand codes: SDM vol. 2, appendix A.2 (V, W, U: XMM; P, Q, N: MMX). */
import type { OpcodeRow } from './row.js';
import { mmxFeature, sseFeature } from './sse-features.js';

const SSE = 'checkSse()';
const MMX = 'checkMmx()';

/** A row: `reg` and `mem` are statements behind the checks of SSE. */
export function sse(
  encoding: string,
  name: string,
  reg: string | undefined,
  mem: string | undefined,
  size: OpcodeRow['size'] = 'none',
): OpcodeRow {
  return {
    encoding,
    name,
    size,
    feature: sseFeature(encoding),
    ...(reg === undefined ? {} : { reg: `${SSE}; ${reg}` }),
    ...(mem === undefined ? {} : { mem: `${SSE}; ${mem}` }),
  };
}

/** The same behind those of MMX. */
export function mmx(
  encoding: string,
  name: string,
  reg: string | undefined,
  mem: string | undefined,
  size: OpcodeRow['size'] = 'none',
): OpcodeRow {
  return {
    encoding,
    name,
    size,
    feature: mmxFeature(encoding),
    ...(reg === undefined ? {} : { reg: `${MMX}; ${reg}` }),
    ...(mem === undefined ? {} : { mem: `${MMX}; ${mem}` }),
  };
}

/** Behind both: instructions between MMX and XMM registers. */
export function both(encoding: string, name: string, reg: string | undefined, mem: string | undefined): OpcodeRow {
  return {
    encoding,
    name,
    size: 'none',
    feature: sseFeature(encoding),
    ...(reg === undefined ? {} : { reg: `${SSE}; ${MMX}; ${reg}` }),
    ...(mem === undefined ? {} : { mem: `${SSE}; ${MMX}; ${mem}` }),
  };
}

/** `V = f(V, W)`, the memory operand aligned. `more`: further arguments. */
export function vector(encoding: string, name: string, call: string, more = ''): OpcodeRow {
  return sse(
    encoding,
    `${name} Vx,Wx${more === '' ? '' : ',Ib'}`,
    `setXmm(op, ${call}(getXmm(op), rmXmm(op)${more}))`,
    `setXmm(op, ${call}(getXmm(op), memXmm(op)${more}))`,
  );
}

/** A row of which only the low 8 bytes of the memory operand count. */
export function lowHalf(row: OpcodeRow): OpcodeRow {
  return { ...row, mem: (row.mem ?? '').replace('memXmm', 'memLowHalf') };
}

/** `V = f(W)`. */
export function unary(encoding: string, name: string, call: string, more = ''): OpcodeRow {
  return sse(
    encoding,
    `${name} Vx,Wx`,
    `setXmm(op, ${call}(rmXmm(op)${more}))`,
    `setXmm(op, ${call}(memXmm(op)${more}))`,
  );
}

/** `P = f(P, Q)`. */
export function mmxVector(encoding: string, name: string, call: string, more = ''): OpcodeRow {
  return mmx(
    encoding,
    `${name} Pq,Qq`,
    `setMm(op, ${call}(getMm(op), rmMm(op)${more}))`,
    `setMm(op, ${call}(getMm(op), memMm(op)${more}))`,
  );
}

/** Immediates as arguments. */
export const CONTROL = ', <u32>opImm(op)';

/** Which CPUID feature an encoding of MMX or SSE to SSE4.2 belongs to (SDM vol. 1, 5.4 to 5.12: the lists of instructions). */

/** 10 to 17, 28 to 2F, 50 to 5F without the conversions to and from doublewords and doubles, CMPPS, SHUFPS. */
const SSE_FLOAT = /^(1[0-7]|2[89A-F]|5[0-9C-F]|C2|C6)$/;
/** PSHUFW, PINSRW, PEXTRW, PMOVMSKB, PMINUB, PMAXUB, PAVGB, PAVGW, PMULHUW, MOVNTQ, PMINSW, PMAXSW, PSADBW, MASKMOVQ. */
const SSE_OF_MMX = /^(70|C4|C5|D7|DA|DE|E0|E3|E4|E7|EA|EE|F6|F7)$/;
/** PADDQ, PMULUDQ, PSUBQ. */
const SSE2_OF_MMX = /^(D4|F4|FB)$/;
/** HADDPD, HSUBPD, ADDSUBPD, LDDQU, MOVDDUP, MOVSLDUP, MOVSHDUP and their kin. */
const SSE3 = /^((66|F2) 0F (7C|7D|D0)|F2 0F F0|F[23] 0F 12|F3 0F 16)$/;
/** In map 0F 38: PSHUFB to PMULHRSW, PABSB, PABSW, PABSD. */
const SSSE3 = /^(0[0-9AB]|1[CDE])$/;

/** Prefix, map and opcode of `66 0F 38 F6 /r`. */
const ENCODING = /^(66 |F2 |F3 |)0F (38 |3A |)([0-9A-F]{2})/;

/** The feature of a row that has an XMM register. */
export function sseFeature(encoding: string): string {
  const [bytes = '', prefix = '', map = '', opcode = ''] = ENCODING.exec(encoding) ?? [];
  if (map === '38 ') return SSSE3.test(opcode) ? 'ssse3' : opcode === '37' ? 'sse4_2' : 'sse4_1';
  if (map === '3A ') return opcode === '0F' ? 'ssse3' : opcode.startsWith('6') ? 'sse4_2' : 'sse4_1';
  if (SSE3.test(bytes)) return 'sse3';
  return (prefix === '' || prefix === 'F3 ') && SSE_FLOAT.test(opcode) ? 'sse' : 'sse2';
}

/** The feature of a row that has MMX registers only. */
export function mmxFeature(encoding: string): string {
  const [, , map = '', opcode = ''] = ENCODING.exec(encoding) ?? [];
  if (map !== '') return 'ssse3';
  return SSE_OF_MMX.test(opcode) ? 'sse' : SSE2_OF_MMX.test(opcode) ? 'sse2' : 'mmx';
}

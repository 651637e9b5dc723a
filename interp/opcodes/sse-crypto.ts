/** AES-NI, PCLMULQDQ and the SHA extensions (SDM vol. 2): options of the model, #UD unless CPUID shows them. */
import type { OpcodeRow } from './row.js';
import { CONTROL, unary, vector } from './sse-forms.js';

/** CPUID's leaf, register (0 to 3: EAX to EDX) and bit come first. */
function option(gate: string, row: OpcodeRow): OpcodeRow {
  return { ...row, reg: `checkFeature(${gate}); ${row.reg}`, mem: `checkFeature(${gate}); ${row.mem}` };
}

/** AMD's processors let the memory operands of SHA lie anywhere; Intel's want them aligned. */
function unaligned(row: OpcodeRow): OpcodeRow {
  return option(SHA, { ...row, mem: (row.mem ?? '').replace('memXmm', 'memLoose') });
}

const AES = '1, 2, 25';
const PCLMULQDQ = '1, 2, 1';
const SHA = '7, 1, 29';

/** See the file's head. */
export const rows: OpcodeRow[] = [
  option(AES, unary('66 0F 38 DB /r', 'AESIMC', 'aesimc')),
  option(AES, vector('66 0F 38 DC /r', 'AESENC', 'aesenc')),
  option(AES, vector('66 0F 38 DD /r', 'AESENCLAST', 'aesenclast')),
  option(AES, vector('66 0F 38 DE /r', 'AESDEC', 'aesdec')),
  option(AES, vector('66 0F 38 DF /r', 'AESDECLAST', 'aesdeclast')),
  option(AES, unary('66 0F 3A DF /r ub', 'AESKEYGENASSIST', 'aeskeygenassist', CONTROL)),
  option(PCLMULQDQ, vector('66 0F 3A 44 /r ub', 'PCLMULQDQ', 'pclmulqdq', CONTROL)),
  unaligned(vector('0F 3A CC /r ub', 'SHA1RNDS4', 'sha1rnds4', CONTROL)),
  unaligned(vector('0F 38 C8 /r', 'SHA1NEXTE', 'sha1nexte')),
  unaligned(vector('0F 38 C9 /r', 'SHA1MSG1', 'sha1msg1')),
  unaligned(vector('0F 38 CA /r', 'SHA1MSG2', 'sha1msg2')),
  unaligned(vector('0F 38 CB /r', 'SHA256RNDS2', 'sha256rnds2', ', xmm0()')),
  unaligned(vector('0F 38 CC /r', 'SHA256MSG1', 'sha256msg1')),
  unaligned(vector('0F 38 CD /r', 'SHA256MSG2', 'sha256msg2')),
];

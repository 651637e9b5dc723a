/** AES-NI, PCLMULQDQ and the SHA extensions (SDM vol. 2): options of the model, #UD unless CPUID shows them. */
import type { OpcodeRow } from './row.js';
import { CONTROL, unary, vector } from './sse-forms.js';

/** AMD's processors let the memory operands of SHA lie anywhere; Intel's want them aligned. */
function unaligned(row: OpcodeRow): OpcodeRow {
  return { ...row, feature: 'sha_ni', mem: (row.mem ?? '').replace('memXmm', 'memLoose') };
}

function aes(row: OpcodeRow): OpcodeRow {
  return { ...row, feature: 'aes' };
}

/** See the file's head. */
export const rows: OpcodeRow[] = [
  aes(unary('66 0F 38 DB /r', 'AESIMC', 'aesimc')),
  aes(vector('66 0F 38 DC /r', 'AESENC', 'aesenc')),
  aes(vector('66 0F 38 DD /r', 'AESENCLAST', 'aesenclast')),
  aes(vector('66 0F 38 DE /r', 'AESDEC', 'aesdec')),
  aes(vector('66 0F 38 DF /r', 'AESDECLAST', 'aesdeclast')),
  aes(unary('66 0F 3A DF /r ub', 'AESKEYGENASSIST', 'aeskeygenassist', CONTROL)),
  { ...vector('66 0F 3A 44 /r ub', 'PCLMULQDQ', 'pclmulqdq', CONTROL), feature: 'pclmulqdq' },
  unaligned(vector('0F 3A CC /r ub', 'SHA1RNDS4', 'sha1rnds4', CONTROL)),
  unaligned(vector('0F 38 C8 /r', 'SHA1NEXTE', 'sha1nexte')),
  unaligned(vector('0F 38 C9 /r', 'SHA1MSG1', 'sha1msg1')),
  unaligned(vector('0F 38 CA /r', 'SHA1MSG2', 'sha1msg2')),
  unaligned(vector('0F 38 CB /r', 'SHA256RNDS2', 'sha256rnds2', ', xmm0()')),
  unaligned(vector('0F 38 CC /r', 'SHA256MSG1', 'sha256msg1')),
  unaligned(vector('0F 38 CD /r', 'SHA256MSG2', 'sha256msg2')),
];

/**
 * What KVM's emulator (arch/x86/kvm/emulate.c) has no entry for, by mnemonic: found by executing every row at CPL 0 on a host without VT-x and
 * AMD-V (docs/kvm-emulator.md), where each ends in KVM_EXIT_INTERNAL_ERROR, suberror 1.
 */
const INTEGER =
  'AAA AAS ADCX ADOX ANDN ARPL BEXTR BLSI BLSMSK BLSR BOUND BZHI CLWB CRC32 DAA ENTER INT INT1 INT3 INTO INVPCID LAR LSL MOVBE MULX NOP PDEP PEXT POPCNT RDFSBASE ' +
  'RDGSBASE RORX SARX SHLX SHRX UD0 UD1 VERR VERW';

/** MOVQ2DQ, MOVDQ2Q, CVTxxx2xx, SHA1MSG1, PCLMULQDQ and so on; but a few moves are there. */
const VECTOR =
  /^(F[A-Z0-9]+|P[A-Z0-9]*|(ADD|ADDSUB|AND|ANDN|BLEND|BLENDV|CMP|COM|DIV|DP|HADD|HSUB|MAX|MIN|MUL|OR|RCP|ROUND|RSQRT|SHUF|SQRT|SUB|UCOM|UNPCK[HL]|XOR)I?[PS][SD]|(AES|SHA|CVT)[A-Z0-9]+|EXTRACTPS|INSERTPS|LDDQU|MASKMOV[A-Z]+|MPSADBW|[LS][TD]?MXCSR|LDMXCSR|STMXCSR|MOV(D|DDUP|DQ2Q|HPD|HPS|LPD|LPS|HLPS|LHPS|MSKP[SD]|NTDQA|NTI|NTQ|Q|Q2DQ|SD|SHDUP|SLDUP|SS|UPD|UPS|APD|APS|DQU|DQA))$/;

/** Those that look like the others but are known: moves, FNINIT, FNSTCW, FNSTSW, PUSH and POP, PAUSE, PREFETCH. */
const KNOWN =
  /^(FNINIT|FNSTCW|FNSTSW|FWAIT|FXSAVE|FXRSTOR|PUSH|PUSHA|PUSHF|POP|POPA|POPF|PAUSE|PREFETCH[A-Z]*|MOVQ|MOVNTI|MOV[AU]P[SD]|MOVDQ[AU])$/;

const integer = new Set(INTEGER.split(' '));

/** MOVQ between XMM registers and memory: only the MMX forms are known. */
const VECTOR_MOVQ = /^MOVQ (Vq,Wq|Wq,Vq)$/;

/** Has the emulator no entry for the instruction? `name` is the opcode table's. */
export function isUnknownToEmulator(name: string): boolean {
  const mnemonic = name.split(' ')[0] ?? '';
  if (VECTOR_MOVQ.test(name)) return true;
  return integer.has(mnemonic) || (VECTOR.test(mnemonic) && !KNOWN.test(mnemonic));
}

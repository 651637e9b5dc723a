/** What single instructions do in a guest: they execute, exit, raise an exception, or KVM cannot go on. */
import { KvmSystem } from '../../vmm/cpu/addon.js';
import { decodeCpuid } from '../../vmm/cpu/kvm-vm.js';
import { type CpuidEntry, ExitReason } from '../../vmm/cpu/vcpu.js';
import { PROBE_DATA, ProbeGuest, type ProbeMode } from './guest.js';
import { reasonName } from './result.js';

/** What became of an instruction. */
export type InstructionOutcome = 'executes' | 'exit' | 'exception' | 'not-emulated' | 'nothing';

/** One instruction in one mode. */
export interface InstructionResult {
  readonly name: string;
  readonly mode: ProbeMode;
  readonly outcome: InstructionOutcome;
  /** The exception's vector or the kernel's words. */
  readonly detail: string;
}

/** An instruction; RSI points to 4 KiB of zeros, RCX, RAX, RDX are 0. */
interface InstructionCase {
  readonly name: string;
  readonly bytes: readonly number[];
}

const CASES: readonly InstructionCase[] = [
  { name: 'CPUID', bytes: [0x0f, 0xa2] },
  { name: 'RDTSC', bytes: [0x0f, 0x31] },
  { name: 'RDTSCP', bytes: [0x0f, 0x01, 0xf9] },
  { name: 'RDPMC', bytes: [0x0f, 0x33] },
  { name: 'RDRAND EAX', bytes: [0x0f, 0xc7, 0xf0] },
  { name: 'RDSEED EAX', bytes: [0x0f, 0xc7, 0xf8] },
  { name: 'RDPID RAX', bytes: [0xf3, 0x0f, 0xc7, 0xf8] },
  { name: 'XGETBV', bytes: [0x0f, 0x01, 0xd0] },
  { name: 'MOVAPS XMM0,XMM1', bytes: [0x0f, 0x28, 0xc1] },
  { name: 'MOVDQU XMM0,[RSI]', bytes: [0xf3, 0x0f, 0x6f, 0x06] },
  { name: 'PXOR XMM0,XMM1', bytes: [0x66, 0x0f, 0xef, 0xc1] },
  { name: 'FNINIT', bytes: [0xdb, 0xe3] },
  { name: 'FLD1', bytes: [0xd9, 0xe8] },
  { name: 'FNSTCW [RSI]', bytes: [0xd9, 0x3e] },
  { name: 'FXSAVE [RSI]', bytes: [0x0f, 0xae, 0x06] },
  { name: 'FXSAVE64 [RSI]', bytes: [0x48, 0x0f, 0xae, 0x06] },
  { name: 'LDMXCSR [RSI]', bytes: [0x0f, 0xae, 0x16] },
  { name: 'STMXCSR [RSI]', bytes: [0x0f, 0xae, 0x1e] },
  { name: 'XSAVE64 [RSI]', bytes: [0x48, 0x0f, 0xae, 0x26] },
  { name: 'XRSTOR64 [RSI]', bytes: [0x48, 0x0f, 0xae, 0x2e] },
  { name: 'INT3', bytes: [0xcc] },
  { name: 'INT 80H', bytes: [0xcd, 0x80] },
  { name: 'UD2', bytes: [0x0f, 0x0b] },
  { name: 'CMPXCHG8B [RSI]', bytes: [0x0f, 0xc7, 0x0e] },
  { name: 'CMPXCHG16B [RSI]', bytes: [0x48, 0x0f, 0xc7, 0x0e] },
  { name: 'LOCK XADD [RSI],EAX', bytes: [0xf0, 0x0f, 0xc1, 0x06] },
  { name: 'CLAC', bytes: [0x0f, 0x01, 0xca] },
  { name: 'STAC', bytes: [0x0f, 0x01, 0xcb] },
  { name: 'SWAPGS', bytes: [0x0f, 0x01, 0xf8] },
  { name: 'RDFSBASE RAX', bytes: [0xf3, 0x48, 0x0f, 0xae, 0xc0] },
  { name: 'WRFSBASE RAX', bytes: [0xf3, 0x48, 0x0f, 0xae, 0xd0] },
  { name: 'INVLPG [RSI]', bytes: [0x0f, 0x01, 0x3e] },
  { name: 'INVPCID RAX,[RSI]', bytes: [0x66, 0x0f, 0x38, 0x82, 0x06] },
  { name: 'WBINVD', bytes: [0x0f, 0x09] },
  { name: 'CLTS', bytes: [0x0f, 0x06] },
  { name: 'MOV RAX,CR0', bytes: [0x0f, 0x20, 0xc0] },
  { name: 'MOV RAX,DR7', bytes: [0x0f, 0x21, 0xf8] },
  { name: 'LFENCE', bytes: [0x0f, 0xae, 0xe8] },
  { name: 'MFENCE', bytes: [0x0f, 0xae, 0xf0] },
  { name: 'CLFLUSH [RSI]', bytes: [0x0f, 0xae, 0x3e] },
  { name: 'PREFETCHT0 [RSI]', bytes: [0x0f, 0x18, 0x0e] },
  { name: 'MOVNTI [RSI],EAX', bytes: [0x0f, 0xc3, 0x06] },
  { name: 'PAUSE', bytes: [0xf3, 0x90] },
  { name: 'ENDBR64', bytes: [0xf3, 0x0f, 0x1e, 0xfa] },
  { name: 'POPCNT EAX,ECX', bytes: [0xf3, 0x0f, 0xb8, 0xc1] },
  { name: 'LZCNT EAX,ECX', bytes: [0xf3, 0x0f, 0xbd, 0xc1] },
  { name: 'TZCNT EAX,ECX', bytes: [0xf3, 0x0f, 0xbc, 0xc1] },
  { name: 'BSF EAX,ECX', bytes: [0x0f, 0xbc, 0xc1] },
  { name: 'ANDN EAX,EAX,ECX', bytes: [0xc4, 0xe2, 0x78, 0xf2, 0xc1] },
  { name: 'SHLX EAX,ECX,EAX', bytes: [0xc4, 0xe2, 0x79, 0xf7, 0xc1] },
  { name: 'MOVBE EAX,[RSI]', bytes: [0x0f, 0x38, 0xf0, 0x06] },
  { name: 'CRC32 EAX,AL', bytes: [0xf2, 0x0f, 0x38, 0xf0, 0xc0] },
  { name: 'VMCALL', bytes: [0x0f, 0x01, 0xc1] },
];

/** The exceptions that the probe guest reports: #DB, #BP, #UD, #NM, #GP, #PF, #MF, #XM and INT 80H. */
const VECTORS = [1, 3, 6, 7, 13, 14, 16, 19, 0x80];
const DONE = 0x50;
const FAULT = 0x51;
/** OSFXSR, OSXMMEXCPT, PAE and FSGSBASE, OSXSAVE. */
const CR4_ALL = 0x5_0620n;

/** Those that the ledger asks about. */
export const LEDGER_INSTRUCTIONS: readonly string[] = ['RDTSC', 'RDRAND EAX'];

/** Each instruction, or those of `names`, at CPL 0 and 3. The guest has every CPU feature that the host supports. */
export function probeInstructions(names?: readonly string[]): InstructionResult[] {
  const system = new KvmSystem();
  const cpuid = decodeCpuid(system.cpuid('supported'));
  system.close();
  const results: InstructionResult[] = [];
  for (const mode of ['cpl0', 'cpl3'] as const) {
    const cases = CASES.filter(({ name }) => names === undefined || names.includes(name));
    for (const one of cases) results.push({ name: one.name, mode, ...runOne(mode, one, cpuid) });
  }
  return results;
}

/** Those that KVM cannot execute at CPL 0: a guest kernel that uses them stops there (or the interpreter assists). */
export function notEmulated(results: readonly InstructionResult[]): string[] {
  return results.filter(({ outcome }) => outcome === 'not-emulated').map(({ name, mode }) => `${name} (${mode})`);
}

function runOne(
  mode: 'cpl0' | 'cpl3',
  { bytes }: InstructionCase,
  cpuid: readonly CpuidEntry[],
): { outcome: InstructionOutcome; detail: string } {
  const guest = new ProbeGuest(mode);
  try {
    for (const vector of VECTORS) guest.setHandler(vector, [0xb0, vector, 0xe6, FAULT, 0xeb, 0xfe]);
    guest.vcpu.setCpuid(cpuid);
    guest.load([...bytes, 0xe6, DONE, 0xeb, 0xfe]);
    const state = guest.vcpu.getState();
    state.rsi = BigInt(PROBE_DATA);
    guest.vcpu.setState(state);
    try {
      guest.vcpu.setState({ ...state, cr4: CR4_ALL });
    } catch {
      // The host lacks FSGSBASE or XSAVE: those instructions then raise #UD, as they should.
    }
    const reason = guest.run();
    const { exit } = guest.vcpu;
    if (reason === ExitReason.Io && exit.address === DONE) return { outcome: 'executes', detail: '' };
    if (reason === ExitReason.Io && exit.address === FAULT) {
      return { outcome: 'exception', detail: `vector ${exit.bytes.getUint8(exit.dataOffset)}` };
    }
    if (reason === ExitReason.EngineError) return { outcome: 'not-emulated', detail: exit.errorDetail };
    if (reason === ExitReason.Kicked) return { outcome: 'nothing', detail: 'the guest hangs' };
    return { outcome: 'exit', detail: reasonName(reason) };
  } catch (error) {
    return { outcome: 'nothing', detail: error instanceof Error ? error.message : String(error) };
  } finally {
    guest.close();
  }
}

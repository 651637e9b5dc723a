/**
 * Does the guest reach the host's KVM by a hypercall? CPUID shows it none, and KVM holds most back then (KVM_CAP_ENFORCE_PV_FEATURE_CPUID), but
 * KVM_HC_CLOCK_PAIRING, the host's clock, it serves to any guest at CPL 0 (Linux, arch/x86/kvm/x86.c, kvm_emulate_hypercall()).
 */
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { PROBE_DATA, ProbeGuest } from './guest.js';
import { type ProbeResult, probe } from './result.js';

const CLOCK_PAIRING = 9;
const UNDEFINED_OPCODE = 6;
const INSTRUCTIONS = { VMCALL: 0xc1, VMMCALL: 0xd9 } as const;

/** `yes`: both instructions raise #UD, as on the interpreter. */
export function probeHypercalls(): ProbeResult {
  return probe('hypercall', 'hypercalls raise #UD', () => {
    const seen = Object.entries(INSTRUCTIONS).map(([name, byte]) => [name, tryOne(byte)] as const);
    const evidence = seen.map(([name, outcome]) => `${name} ${outcome}`).join(', ');
    return { verdict: seen.every(([, outcome]) => outcome === RAISES) ? 'yes' : 'no', evidence };
  });
}

const RAISES = 'raises #UD';

function tryOne(byte: number): string {
  const guest = new ProbeGuest('cpl0');
  try {
    guest.setHandler(UNDEFINED_OPCODE, [0xe6, 0x4d, 0xeb, 0xfe]);
    // mov ebx,PROBE_DATA; xor ecx,ecx; mov eax,9; VMCALL or VMMCALL; out 22h,eax; jmp $
    const address = [PROBE_DATA & 0xff, (PROBE_DATA >> 8) & 0xff, PROBE_DATA >> 16, 0];
    const call = [0xb8, CLOCK_PAIRING, 0, 0, 0, 0x0f, 0x01, byte];
    guest.load([0xbb, ...address, 0x31, 0xc9, ...call, 0xe7, 0x22, 0xeb, 0xfe]);
    const reason = guest.run();
    const { exit } = guest.vcpu;
    if (reason !== ExitReason.Io) return 'ends otherwise';
    if (exit.address === 0x4d) return RAISES;
    const answer = exit.bytes.getInt32(exit.dataOffset, true);
    const wrote = guest.memory.subarray(PROBE_DATA, PROBE_DATA + 64).some((value) => value !== 0);
    return wrote ? "gives the host's clock" : `answers ${answer}`;
  } finally {
    guest.close();
  }
}

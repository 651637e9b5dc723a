/** Does the filter send every MSR to the machine but those that are pure CPU state? */
import { KvmSystem } from '../../vmm/cpu/addon.js';
import { vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import { STATE_MSRS } from '../../vmm/cpu/state.js';
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { ProbeGuest } from './guest.js';
import { type ProbeResult, probe } from './result.js';

/** EFER, FS_BASE, GS_BASE: reached without an exit, besides STATE_MSRS. */
const IN_REGISTERS = [0xc000_0080, 0xc000_0100, 0xc000_0101];
/** x2APIC registers: never filtered by KVM, and #GP where there is no local APIC. */
const isX2apic = (index: number) => index >= 0x800 && index < 0x900;

/** Reads each MSR that KVM knows, and some that it does not. */
export function probeMsrFilter(): ProbeResult {
  return probe('msr.filter', 'every MSR that is no CPU state is an exit', () => {
    const system = new KvmSystem();
    const known = [...system.msrIndices('all')];
    system.close();
    const pure = new Set<number>([...STATE_MSRS.map(([index]) => index), ...IN_REGISTERS]);
    const indices = [...new Set([...known, 0x10, 0x8b, 0xce, 0x1a2, 0x606, 0x4b56_4d01, 0xc001_0015, ...pure])];
    const guest = new ProbeGuest('cpl0');
    const missed: string[] = [];
    try {
      // IA32_TSC_AUX is there only where CPUID has RDTSCP.
      guest.vcpu.setCpuid(vmtape64Cpuid());
      // in eax,20h; mov ecx,eax; rdmsr; out 22h,al; jmp to the start
      guest.setHandler(13, [0xe6, 0x4d, 0xeb, 0xfe]);
      const code = [0xe5, 0x20, 0x89, 0xc1, 0x0f, 0x32, 0xe6, 0x22, 0xeb, 0xf6];
      guest.load(code);
      for (const index of indices.filter((one) => !isX2apic(one))) {
        const saw = readOne(guest, index);
        if (saw === 'fault') guest.load(code);
        if (saw !== (pure.has(index) ? 'value' : 'exit')) missed.push(`0x${index.toString(16)} (${saw})`);
      }
    } finally {
      guest.close();
    }
    if (missed.length === 0) return { verdict: 'yes', evidence: `${indices.length} MSRs read, each as it should be` };
    return { verdict: 'no', evidence: `otherwise than expected: ${missed.join(', ')}` };
  });
}

function readOne(guest: ProbeGuest, index: number): 'exit' | 'value' | 'fault' | 'nothing' {
  const { vcpu } = guest;
  if (guest.run() !== ExitReason.Io) return 'nothing';
  vcpu.exit.bytes.setUint32(vcpu.exit.dataOffset, index, true);
  const reason = guest.run();
  if (reason === ExitReason.MsrRead && vcpu.exit.address === index) {
    guest.run();
    return 'exit';
  }
  if (reason !== ExitReason.Io) return 'nothing';
  return vcpu.exit.address === 0x4d ? 'fault' : 'value';
}

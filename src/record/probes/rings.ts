/** Does user code reach the kernel: by SYSCALL, and by an interrupt gate? */
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { PROBE_HANDLERS, ProbeGuest } from './guest.js';
import { type ProbeResult, probe, reasonName } from './result.js';

/** mov eax,cs; out 50h,al: its low two bits are the privilege level. */
const REPORT_CS = [0x8c, 0xc8, 0xe6, 0x50];
/** mov al,6; out 51h,al */
const REPORT_UD = [0xb0, 0x06, 0xe6, 0x51];
const GATE = 0x80;
/** The place of a handler that no gate leads to: SYSCALL's entry. */
const ENTRY = 0x81;

function reach(code: readonly number[]): { verdict: 'yes' | 'no'; evidence: string } {
  const guest = new ProbeGuest('cpl3');
  try {
    guest.setHandler(GATE, REPORT_CS);
    guest.setHandler(ENTRY, REPORT_CS);
    guest.setHandler(6, REPORT_UD);
    guest.load(code);
    const state = guest.vcpu.getState();
    state.star = 0x0013_0008_0000_0000n;
    state.lstar = BigInt(PROBE_HANDLERS + ENTRY * 64);
    guest.vcpu.setState(state);
    const reason = guest.run();
    const { exit } = guest.vcpu;
    if (reason !== ExitReason.Io) return { verdict: 'no', evidence: reasonName(reason) };
    if (exit.address === 0x51) return { verdict: 'no', evidence: 'it raised #UD' };
    const level = exit.bytes.getUint8(exit.dataOffset) & 3;
    return { verdict: level === 0 ? 'yes' : 'no', evidence: `the handler runs at CPL ${level}` };
  } finally {
    guest.close();
  }
}

/** SYSCALL from 64-bit user code. */
export function probeSyscall(): ProbeResult {
  return probe('ring3.syscall', 'SYSCALL enters the kernel at CPL 0', () => reach([0x0f, 0x05]));
}

/** INT 80H from 64-bit user code. */
export function probeSoftwareInterrupt(): ProbeResult {
  return probe('ring3.int', 'INT 80H enters the kernel at CPL 0', () => reach([0xcd, GATE]));
}

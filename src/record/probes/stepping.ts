/** Does single step stop after exactly one instruction? */
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { PROBE_CODE, ProbeGuest, type ProbeMode } from './guest.js';
import { type ProbeResult, probe, reasonName } from './result.js';

/** nop; inc bx (INC EBX in long mode); mov al,7; push ax; pop cx; nop; jmp +0; nop */
const CODE = [0x90, 0xff, 0xc3, 0xb0, 0x07, 0x50, 0x59, 0x90, 0xeb, 0x00, 0x90, 0x90];
const LENGTHS = [1, 2, 2, 1, 1, 1, 2, 1];

/** In one mode. */
export function probeSingleStep(mode: ProbeMode): ProbeResult {
  return probe(`step.${mode}`, `single step stops after each instruction (${mode})`, () => {
    const guest = new ProbeGuest(mode);
    try {
      guest.load(CODE);
      if (mode !== 'real') guest.setHandler(1, [0xe6, 0x41]);
      guest.vcpu.setSingleStep(true);
      let expected = mode === 'real' ? 0 : PROBE_CODE;
      for (const [i, length] of LENGTHS.entries()) {
        expected += length;
        const reason = guest.run();
        if (reason === ExitReason.Debug && guest.vcpu.rip === expected) continue;
        const inHandler = reason === ExitReason.Io && guest.vcpu.exit.address === 0x41;
        const evidence = inHandler
          ? `step ${i + 1}: the #DB went to the guest's own handler`
          : `step ${i + 1}: ${reasonName(reason)} at +${guest.vcpu.rip - PROBE_CODE}, expected +${expected - PROBE_CODE}`;
        return { verdict: 'no', evidence };
      }
      return { verdict: 'yes', evidence: `${LENGTHS.length} steps, each exactly one instruction` };
    } finally {
      guest.close();
    }
  });
}

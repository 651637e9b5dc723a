/** Does KVM have paging outside long mode: that of a 32-bit kernel? */
import { powerOnState } from '../../vmm/cpu/state.js';
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { PROBE_CODE, ProbeGuest } from './guest.js';
import { type ProbeResult, probe, reasonName } from './result.js';

const DIRECTORY = 0x1000;
/** Present, writable, a page of 4 MiB. */
const LARGE_PAGE = 0x83;
/** mov eax,cr0; bts eax,31; mov cr0,eax; out 50h,al; hlt */
const CODE = [0x0f, 0x20, 0xc0, 0x0f, 0xba, 0xe8, 0x1f, 0x0f, 0x22, 0xc0, 0xe6, 0x50, 0xf4];
/** PE, ET, NE, WP. */
const CR0 = 0x1_0031n;
const CR4_PSE = 0x10n;

/** MOV to CR0 that turns on 32-bit paging. */
export function probePaging(): ProbeResult {
  return probe('paging.32', 'a 32-bit kernel can turn paging on', () => {
    const guest = new ProbeGuest('real');
    try {
      guest.view.setUint32(DIRECTORY, LARGE_PAGE, true);
      guest.load(CODE);
      const state = powerOnState();
      const flat = { selector: 0x10, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 };
      for (const name of ['es', 'ss', 'ds', 'fs', 'gs'] as const) state[name] = { ...flat };
      state.cs = { ...flat, selector: 0x08, attributes: 0xc09b };
      state.cr0 = CR0;
      state.cr3 = BigInt(DIRECTORY);
      state.cr4 = CR4_PSE;
      state.rip = BigInt(PROBE_CODE);
      guest.vcpu.setState(state);
      const reason = guest.run();
      if (reason === ExitReason.Io) return { verdict: 'yes', evidence: 'code runs behind it' };
      const end = reason === ExitReason.Shutdown ? 'it faults, where a processor does not' : reasonName(reason);
      return { verdict: 'no', evidence: `MOV to CR0 with EFER.LME clear: ${end}` };
    } finally {
      guest.close();
    }
  });
}

/** Does an interrupt window that was asked for open at the first instruction boundary that can take an interrupt? */
import { ExitReason } from '../../vmm/cpu/vcpu.js';
import { PROBE_CODE, ProbeGuest, type ProbeMode } from './guest.js';
import { type ProbeResult, probe, reasonName, type Verdict } from './result.js';

/** A way for a guest to become able to take an interrupt. */
interface WindowCase {
  readonly name: string;
  readonly modes: readonly ProbeMode[];
  readonly code: readonly number[];
  readonly interruptsOn: boolean;
  /** Bytes from the start of the code to the first boundary that can take an interrupt. */
  readonly boundary: number;
}

/** 200 NOPs, an exit at port 50h: a window that has not opened by then is late. */
const REST = [...new Array<number>(200).fill(0x90), 0xe6, 0x50, 0xeb, 0xfe];

const CASES: readonly WindowCase[] = [
  { name: 'IF set from the start', modes: ['real', 'cpl0', 'cpl3'], code: REST, interruptsOn: true, boundary: 0 },
  { name: 'STI, NOP', modes: ['real', 'cpl0', 'cpl3'], code: [0x90, 0xfb, ...REST], interruptsOn: false, boundary: 3 },
  {
    name: 'STI, NOP, HLT',
    modes: ['real', 'cpl0'],
    code: [0xfb, 0x90, 0xf4, ...REST],
    interruptsOn: false,
    boundary: 2,
  },
  {
    // pushf; pop ax; or ah,2; push ax; popf
    name: 'POPF',
    modes: ['real', 'cpl0', 'cpl3'],
    code: [0x9c, 0x58, 0x80, 0xcc, 0x02, 0x50, 0x9d, ...REST],
    interruptsOn: false,
    boundary: 7,
  },
  {
    // mov ax,ss; mov ss,ax: the shadow covers the NOP
    name: 'MOV SS, NOP',
    modes: ['real'],
    code: [0x8c, 0xd0, 0xfb, 0x8e, 0xd0, ...REST],
    interruptsOn: false,
    boundary: 6,
  },
];

function runCase(mode: ProbeMode, { name, code, interruptsOn, boundary }: WindowCase): string | undefined {
  const guest = new ProbeGuest(mode);
  try {
    guest.load(code, interruptsOn ? 0x200n : 0n);
    const start = mode === 'real' ? 0 : PROBE_CODE;
    guest.vcpu.requestWindow(true);
    const reason = guest.run();
    const at = guest.vcpu.rip - start;
    if (reason === ExitReason.Window && at === boundary) return undefined;
    return reason === ExitReason.Window
      ? `${name}: opened at +${at}, the first boundary is +${boundary}`
      : `${name}: ${reasonName(reason)} at +${at} before the window opened`;
  } finally {
    guest.close();
  }
}

/** STI; HLT: the first boundary is behind HLT, so that the halt is the exit. */
function runHalt(mode: ProbeMode): string | undefined {
  const guest = new ProbeGuest(mode);
  try {
    guest.load([0xfb, 0xf4, ...REST]);
    guest.vcpu.requestWindow(true);
    const reason = guest.run();
    return reason === ExitReason.Halt && guest.vcpu.canInject ? undefined : `STI, HLT: ${reasonName(reason)}`;
  } finally {
    guest.close();
  }
}

/** In one mode. */
export function probeWindow(mode: ProbeMode): ProbeResult {
  return probe(`window.${mode}`, `an interrupt window opens at the first boundary (${mode})`, () => {
    const cases = CASES.filter(({ modes }) => modes.includes(mode));
    const problems = cases.map((one) => runCase(mode, one));
    const opened = problems.some((problem) => problem === undefined);
    if (mode !== 'cpl3') problems.push(runHalt(mode));
    const late = problems.filter((problem) => problem !== undefined);
    if (late.length === 0) return { verdict: 'yes', evidence: `exact in ${problems.length} situations` };
    const verdict: Verdict = opened ? 'partly' : 'no';
    return { verdict, evidence: late.join('; ') };
  });
}

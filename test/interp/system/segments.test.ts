/**
 * The guest guests/segments.s: every kind of descriptor against every way to use a selector, held against the rules of the manual as they are
 * written down here (SDM vol. 2, MOV, JMP, CALL, RET, VERR, LAR, LSL; vol. 3A, 3.4.5, 5.5 to 5.8).
 */
import { afterEach, expect, test } from 'vitest';
import { ExitReason } from '../../../src/vmm/cpu/vcpu.js';
import { kvmMissing, kvmNote } from '../../native/kvm-host.js';
import { type GuestRun, guestImage, runGuest } from './system-guest.js';

/** A descriptor that a selector names, and who uses it. */
interface Use {
  /** Bit 4: S. */
  readonly type: number;
  readonly present: boolean;
  readonly dpl: number;
  readonly rpl: number;
  readonly cpl: number;
}

const isSegment = ({ type }: Use) => type >= 16;
const isCode = ({ type }: Use) => type >= 24;
const isConforming = (use: Use) => isCode(use) && (use.type & 4) !== 0;
const isReadable = (use: Use) => isSegment(use) && (!isCode(use) || (use.type & 2) !== 0);
const isWritable = (use: Use) => isSegment(use) && !isCode(use) && (use.type & 2) !== 0;
const reaches = ({ dpl, rpl, cpl }: Use) => dpl >= cpl && dpl >= rpl;

function dataSegment(use: Use): string {
  if (!isReadable(use) || (!isConforming(use) && !reaches(use))) return 'G';
  return use.present ? '.' : 'N';
}

function stackSegment(use: Use): string {
  if (use.rpl !== use.cpl || !isWritable(use) || use.dpl !== use.cpl) return 'G';
  return use.present ? '.' : 'S';
}

/** JMP and CALL; a call gate or task gate here holds a null selector. */
function transfer(use: Use): string {
  if ((use.type & ~8) === 1) return '-';
  if (isCode(use)) {
    const allowed = isConforming(use) ? use.dpl <= use.cpl : use.rpl <= use.cpl && use.dpl === use.cpl;
    if (!allowed) return 'G';
    return use.present ? '.' : 'N';
  }
  if (![4, 5, 12].includes(use.type) || !reaches(use)) return 'G';
  return use.present ? 'g' : 'N';
}

function farReturn(use: Use): string {
  if (!isCode(use) || use.rpl < use.cpl) return 'G';
  if (isConforming(use) ? use.dpl > use.rpl : use.dpl !== use.rpl) return 'G';
  if (!use.present) return 'N';
  return use.rpl === use.cpl ? '.' : 'g';
}

const visible = (use: Use) => isConforming(use) || reaches(use);
const zeroFlag = (set: boolean) => (set ? '1' : '0');

/** By the name in the guest, in its order. */
const RULES: Readonly<Record<string, (use: Use) => string>> = {
  ds: dataSegment,
  ss: stackSegment,
  jmp: transfer,
  call: transfer,
  ret: farReturn,
  verr: (use) => zeroFlag(visible(use) && isReadable(use)),
  verw: (use) => zeroFlag(visible(use) && isWritable(use)),
  lar: (use) => zeroFlag(visible(use) && (isSegment(use) || [1, 2, 3, 4, 5, 9, 11, 12].includes(use.type))),
  lsl: (use) => zeroFlag(visible(use) && (isSegment(use) || [1, 2, 3, 9, 11].includes(use.type))),
};

function expectedLines(): string[] {
  const lines: string[] = [];
  for (const cpl of [0, 3]) {
    for (const [name, rule] of Object.entries(RULES)) {
      for (let type = 0; type < 32; type++) {
        const letters = [true, false].flatMap((present) =>
          Array.from({ length: 16 }, (_, i) => rule({ type, present, dpl: i >> 2, rpl: i & 3, cpl })),
        );
        lines.push(`${name.padEnd(4)}${cpl} ${type.toString(16)} ${letters.join('')}`);
      }
    }
  }
  return lines;
}

let run: GuestRun | undefined;
afterEach(() => {
  run?.vcpu.close();
  run = undefined;
});

test('on the interpreter, 18,432 uses are as the manual says', async () => {
  run = await runGuest('interp', guestImage('segments'), 'prot32');
  expect(run.reason).toBe(ExitReason.Halt);
  expect(run.lines).toEqual(expectedLines());
});

/** At CPL 0 everything, at CPL 3 DS and SS: what follows, kvm_pvm looks up in the tables of its host (docs/kvm-emulator.md). */
const LINES_ON_KVM = (9 + 2) * 32;

test.skipIf(kvmMissing !== undefined)(`on KVM${kvmNote}`, { timeout: 60_000 }, async () => {
  run = await runGuest('assisted', guestImage('segments'), 'prot32', undefined, LINES_ON_KVM);
  expect(run.lines).toEqual(expectedLines().slice(0, LINES_ON_KVM));
});

/**
 * Where the manuals leave a flag undefined, processors still set it to something, and PUSHF makes it memory: a guest recorded on
 * silicon replays only if the same comes out. Intel's and AMD's processors differ, so the guest's CPUID table says whose way
 * is followed: "AuthenticAMD" in leaf 0 means AMD's, anything else Intel's.
 *
 * AMD (measured on Zen 5, test/interp/execute/native.test.ts): shifts set AF; multiplications leave SF, ZF, AF, PF; divisions
 * leave CF and OF, set AF and clear SF, ZF, PF; BSF and BSR clear CF, OF, SF, AF, and PF follows the index; LZCNT and TZCNT leave
 * OF and clear SF, AF, PF; a REP instruction with a count of 0 leaves all registers as they are.
 *
 * Intel: shifts clear AF; multiplications set SF, ZF, PF by the lower half and clear AF; divisions leave all; BSF, BSR, LZCNT,
 * TZCNT as AMD as far as is known here; REP MOVS and REP STOS with an address size of 32 bits and a count of 0 clear the upper halves
 * of RCX and of the pointers (Linux, arch/x86/kvm/emulate.c, string_registers_quirk, describes the same).
 */
import { CPUID_MAX_ENTRIES, CPUID_TABLE } from '../layout';

/** "Auth", EBX of leaf 0 of AMD's processors. */
const AUTH: u32 = 0x68747541;

/** AMD's way. */
export let isAmd: bool = false;
/** AF after a shift. */
export let shiftAuxiliary: u32 = 0;

/** The CPUID table may have changed. */
export function refreshVendor(): void {
  isAmd = false;
  const count = load<u32>(CPUID_TABLE);
  for (let i: u32 = 0; i < count && i < <u32>CPUID_MAX_ENTRIES; i++) {
    const entry = CPUID_TABLE + 4 + <usize>i * 32;
    if (load<u32>(entry) == 0) {
      isAmd = load<u32>(entry, 16) == AUTH;
      break;
    }
  }
  shiftAuxiliary = isAmd ? 1 : 0;
}

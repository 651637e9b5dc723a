/** Dirty log, readonly memory, registers in the kvm_run page. */
import { vmtape64Cpuid } from '../../vmm/cpu/cpuid.js';
import { ExitReason, REGISTERS_SIZE } from '../../vmm/cpu/vcpu.js';
import { PROBE_DATA, ProbeGuest, type ProbeMode } from './guest.js';
import { type ProbeResult, probe } from './result.js';

/** mov byte [PROBE_DATA],1; out 50h,al */
const STORE_LONG = [0xc6, 0x04, 0x25, 0, 0, 2, 0, 1, 0xe6, 0x50];
/** The same with DS = PROBE_DATA >> 4. */
const STORE_REAL = [0xc6, 0x06, 0, 0, 1, 0xe6, 0x50];

/** mov rax,cr4; or ah,2 (OSFXSR); mov cr4,rax; fxsave64 [PROBE_DATA]; out 50h,al */
const FXSAVE = [
  0x0f, 0x20, 0xe0, 0x80, 0xcc, 2, 0x0f, 0x22, 0xe0, 0x48, 0x0f, 0xae, 0x04, 0x25, 0, 0, 2, 0, 0xe6, 0x50,
];
const FXSAVE_SIZE = 512;
/** Behind XMM15. */
const FXSAVE_END = 416;

/** In one mode. */
export function probeDirtyLog(mode: ProbeMode): ProbeResult {
  return probe(`dirty-log.${mode}`, `pages that the guest writes are logged (${mode})`, () => {
    const guest = new ProbeGuest(mode, { logDirty: true });
    try {
      guest.load(mode === 'real' ? STORE_REAL : STORE_LONG);
      guest.vcpu.takeDirtyPages();
      if (guest.runToOut(0x50) === undefined) return { verdict: 'no', evidence: 'the guest did not run' };
      const pages = [...guest.vcpu.takeDirtyPages()];
      const again = guest.vcpu.takeDirtyPages().length;
      const found = pages.includes(PROBE_DATA / 4096) && again === 0;
      return {
        verdict: found ? 'yes' : 'no',
        evidence: `after a write to page 20h the log has: ${pages.map(hex).join(' ')}`,
      };
    } finally {
      guest.close();
    }
  });
}

/** Does FXSAVE64 at CPL 0 leave bytes 416 to 511 of its operand alone, as processors do? */
export function probeFxsave(): ProbeResult {
  return probe('fxsave', 'FXSAVE writes no more than the registers (cpl0)', () => {
    const guest = new ProbeGuest('cpl0');
    try {
      guest.vcpu.setCpuid(vmtape64Cpuid());
      const operand = guest.memory.subarray(PROBE_DATA, PROBE_DATA + FXSAVE_SIZE).fill(0xff);
      guest.load(FXSAVE);
      if (guest.runToOut(0x50) === undefined) return { verdict: 'no', evidence: 'the guest did not run' };
      const isLeft = operand.subarray(FXSAVE_END).every((byte) => byte === 0xff);
      return { verdict: isLeft ? 'yes' : 'no', evidence: isLeft ? 'the rest is as it was' : 'it clears the rest' };
    } finally {
      guest.close();
    }
  });
}

/** KVM_CAP_SYNC_REGS agrees with KVM_GET_REGS, and takes what is set. */
export function probeSyncRegs(mode: ProbeMode): ProbeResult {
  return probe(`sync-regs.${mode}`, `registers travel in the kvm_run page (${mode})`, () => {
    const guest = new ProbeGuest(mode);
    try {
      // mov al,5ah; out 50h,al; out 51h,al
      guest.load([0xb0, 0x5a, 0xe6, 0x50, 0xe6, 0x51]);
      if (guest.runToOut(0x50) !== 0x5a) return { verdict: 'no', evidence: 'the guest did not run' };
      const { vcpu } = guest;
      const registers = new Uint8Array(REGISTERS_SIZE);
      vcpu.readRegisters(registers);
      const kernel = new Uint8Array(144);
      vcpu.machine.vcpu.transfer('KVM_GET_REGS', kernel);
      const agree = registers[0] === 0x5a && kernel[0] === 0x5a && registers[128] === kernel[128];
      vcpu.setRegister(0, 0x77, 0);
      const taken = guest.runToOut(0x51);
      const works = agree && taken === 0x77;
      return {
        verdict: works ? 'yes' : 'no',
        evidence: works ? 'read and set' : `read ${agree}, set ${taken === 0x77}`,
      };
    } finally {
      guest.close();
    }
  });
}

/** A write to a readonly slot is an MMIO exit. */
export function probeReadonly(): ProbeResult {
  return probe('readonly', 'a write to ROM is an exit', () => {
    const guest = new ProbeGuest('cpl0');
    try {
      // mov byte [1f0000h],1; out 50h,al
      guest.load([0xc6, 0x04, 0x25, 0, 0, 0x1f, 0, 1, 0xe6, 0x50]);
      const { vm } = guest.vcpu.machine;
      vm.deleteMemory(0);
      vm.setMemory(0, 0, guest.memory.subarray(0, 0x1f_0000));
      vm.setMemory(1, 0x1f_0000, guest.memory.subarray(0x1f_0000, 0x20_0000), { readonly: true });
      const reason = guest.run();
      const exit = reason === ExitReason.Mmio && guest.vcpu.exit.isWrite && guest.vcpu.exit.address === 0x1f_0000;
      return { verdict: exit ? 'yes' : 'no', evidence: exit ? 'an MMIO exit' : 'no MMIO exit' };
    } finally {
      guest.close();
    }
  });
}

const hex = (page: number) => page.toString(16);

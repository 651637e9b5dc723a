/** KvmVcpu against the contract of vcpu.ts, on tiny guests in real mode and in long mode at CPL 0 and 3. */
import { afterEach, describe, expect, test } from 'vitest';
import { PROBE_CODE, PROBE_DATA, PROBE_MODES, ProbeGuest, type ProbeMode } from '../../../src/record/probes/guest.js';
import { vmtape64Cpuid } from '../../../src/vmm/cpu/cpuid.js';
import type { KvmVcpuOptions } from '../../../src/vmm/cpu/kvm.js';
import { diffState } from '../../../src/vmm/cpu/state.js';
import { ExitReason, REGISTERS_SIZE } from '../../../src/vmm/cpu/vcpu.js';
import { kvmMissing, kvmNote } from '../../native/kvm-host.js';

const NO_LIMIT = Number.POSITIVE_INFINITY;
let guest: ProbeGuest | undefined;

function start(mode: ProbeMode, code: readonly number[], options?: KvmVcpuOptions, flags = 0n): ProbeGuest {
  guest = new ProbeGuest(mode, options);
  guest.load(code, flags);
  return guest;
}

function base(mode: ProbeMode): number {
  return mode === 'real' ? 0 : PROBE_CODE;
}

afterEach(() => {
  guest?.close();
  guest = undefined;
});

describe.skipIf(kvmMissing !== undefined)(`KvmVcpu${kvmNote}`, () => {
  test.each(PROBE_MODES)('%s: OUT, IN, and RIP behind them after complete()', (mode) => {
    // mov al,41h; out 10h,al; in al,20h; out 11h,al
    const { vcpu } = start(mode, [0xb0, 0x41, 0xe6, 0x10, 0xe4, 0x20, 0xe6, 0x11]);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Io);
    expect(vcpu.exit).toMatchObject({ address: 0x10, size: 1, isWrite: true, count: 1 });
    expect(vcpu.exit.bytes.getUint8(vcpu.exit.dataOffset)).toBe(0x41);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.rip).toBe(base(mode) + 4);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Io);
    expect(vcpu.exit).toMatchObject({ address: 0x20, isWrite: false });
    vcpu.exit.bytes.setUint8(vcpu.exit.dataOffset, 0x77);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Io);
    expect(vcpu.exit.bytes.getUint8(vcpu.exit.dataOffset)).toBe(0x77);
  });

  test.each(PROBE_MODES)('%s: the answer of IN is in the register after complete()', (mode) => {
    const { vcpu } = start(mode, [0xe5, 0x20]);
    vcpu.run(NO_LIMIT);
    vcpu.exit.bytes.setUint32(vcpu.exit.dataOffset, 0x1234, true);
    vcpu.complete();
    const registers = new Uint8Array(REGISTERS_SIZE);
    vcpu.readRegisters(registers);
    expect(new DataView(registers.buffer).getUint16(0, true)).toBe(0x1234);
  });

  test('long mode: MMIO write and read of 8 bytes', () => {
    // mov ebx,10000000h; mov rax,[rbx]; mov [rbx+8],rax
    const code = [0xbb, 0, 0, 0, 0x10, 0x48, 0x8b, 0x03, 0x48, 0x89, 0x43, 0x08];
    const { vcpu } = start('cpl0', code);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Mmio);
    expect(vcpu.exit).toMatchObject({ address: 0x1000_0000, size: 8, isWrite: false });
    vcpu.exit.bytes.setBigUint64(vcpu.exit.dataOffset, 0x1122_3344_5566_7788n, true);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Mmio);
    expect(vcpu.exit).toMatchObject({ address: 0x1000_0008, size: 8, isWrite: true });
    expect(vcpu.exit.bytes.getBigUint64(vcpu.exit.dataOffset, true)).toBe(0x1122_3344_5566_7788n);
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.rip).toBe(PROBE_CODE + 12);
  });

  test.each(['real', 'cpl0'] as const)(
    '%s: HLT ends the run, again and again until an interrupt is injected',
    (mode) => {
      const g = start(mode, [0xfb, 0x90, 0xf4, 0xe6, 0x12]);
      const { vcpu } = g;
      if (mode === 'real') {
        // Vector 20h: out 30h,al; iret
        g.memory.set([0xe6, 0x30, 0xcf], 0x600);
        g.view.setUint32(0x80, 0x600, true);
      } else {
        g.setHandler(0x20, [0xe6, 0x30, 0x48, 0xcf]);
      }
      expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Halt);
      expect(vcpu.rip).toBe(base(mode) + 3);
      expect(vcpu.getState().halted).toBe(true);
      expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Halt);
      expect(vcpu.canInject).toBe(true);
      vcpu.injectInterrupt(0x20);
      expect(vcpu.canInject).toBe(false);
      expect(g.runToOut(0x30)).toBeDefined();
      expect(g.runToOut(0x12)).toBeDefined();
    },
  );

  test('canInject is false while IF is clear, and true after an exit with IF set', () => {
    const { vcpu } = start('cpl0', [0xe6, 0x10, 0xfb, 0x90, 0xe6, 0x11]);
    expect(vcpu.canInject).toBe(false);
    vcpu.run(NO_LIMIT);
    vcpu.complete();
    expect(vcpu.canInject).toBe(false);
    vcpu.run(NO_LIMIT);
    vcpu.complete();
    expect(vcpu.canInject).toBe(true);
  });

  test('an MSR that is no CPU state is an exit; LSTAR is not', () => {
    // mov ecx,10h; rdmsr; mov ecx,c0000082h; wrmsr; out 10h,al
    const code = [0xb9, 0x10, 0, 0, 0, 0x0f, 0x32, 0xb9, 0x82, 0, 0, 0xc0, 0x0f, 0x30, 0xe6, 0x10];
    const g = start('cpl0', code);
    const { vcpu } = g;
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.MsrRead);
    expect(vcpu.exit).toMatchObject({ address: 0x10, size: 8, isWrite: false });
    vcpu.exit.bytes.setBigUint64(vcpu.exit.dataOffset, 0x1234_5678_9abcn, true);
    expect(g.runToOut(0x10)).toBe(0xbc);
    vcpu.complete();
    expect(vcpu.getState().lstar).toBe(0x1234_5678_9abcn);
  });

  test('IA32_TSC_AUX is no exit, keeps its value, and takes only 32 bits', () => {
    // mov ecx,c0000103h; mov eax,77h; xor edx,edx; wrmsr; xor eax,eax; rdmsr; out 10h,al; inc edx; wrmsr
    const code = [0xb9, 3, 1, 0, 0xc0, 0xb8, 0x77, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x30, 0x31, 0xc0, 0x0f, 0x32, 0xe6, 0x10];
    const g = start('cpl0', [...code, 0xff, 0xc2, 0x0f, 0x30]);
    g.setHandler(13, [0xe6, 0x40]);
    expect(g.runToOut(0x10)).toBe(0x77);
    g.vcpu.complete();
    expect(g.vcpu.getState().tscAux).toBe(0x77n);
    expect(g.runToOut(0x40)).toBeDefined();
  });

  test('failMsr makes the access raise #GP', () => {
    const g = start('cpl0', [0xb9, 0x10, 0, 0, 0, 0x0f, 0x30]);
    g.setHandler(13, [0xe6, 0x40]);
    expect(g.vcpu.run(NO_LIMIT)).toBe(ExitReason.MsrWrite);
    g.vcpu.failMsr();
    expect(g.runToOut(0x40)).toBeDefined();
  });

  test.each(PROBE_MODES)('%s: setRegister, setRip and setFlags take effect at the next instruction', (mode) => {
    const { vcpu } = start(mode, [0xe6, 0x10, 0xf4, 0xf4, 0x9f, 0x00, 0x00]);
    // At +16: jnc +2; out 20h,al; out 21h,al
    guest?.memory.set([0x73, 0x02, 0xe6, 0x20, 0xe6, 0x21], PROBE_CODE + 16);
    vcpu.run(NO_LIMIT);
    vcpu.setRegister(0, 0xabcd_ef5a, 0);
    vcpu.setRip(base(mode) + 16, 0);
    const registers = new Uint8Array(REGISTERS_SIZE);
    vcpu.readRegisters(registers);
    vcpu.setFlags(new DataView(registers.buffer).getUint32(17 * 8, true) | 1);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Io);
    expect(vcpu.exit.address).toBe(0x20);
    expect(vcpu.exit.bytes.getUint8(vcpu.exit.dataOffset)).toBe(0x5a);
  });

  test.each(['cpl0', 'cpl3'] as const)(
    '%s: a guest that steps itself gets its #DB where the host set a register',
    (mode) => {
      // in al,10h; out 11h,al. KVM's emulator does not step OUT at all (x86_emulate_instruction: "FIXME: return into emulator").
      const g = start(mode, [0xe4, 0x10, 0xe6, 0x11], undefined, 0x100n);
      g.setHandler(1, [0xe6, 0x40]);
      expect(g.vcpu.run(NO_LIMIT)).toBe(ExitReason.Io);
      expect(g.vcpu.exit.address).toBe(0x10);
      g.vcpu.setRegister(0, 0x5a, 0);
      expect(g.vcpu.run(NO_LIMIT)).toBe(ExitReason.Io);
      expect(g.vcpu.exit.address).toBe(0x40);
      expect(g.vcpu.exit.bytes.getUint8(g.vcpu.exit.dataOffset)).toBe(0x5a);
    },
  );

  test.each(['real', 'cpl0'] as const)('%s: single step stops after each instruction, I/O too', (mode) => {
    const { vcpu } = start(mode, [0x90, 0xb0, 0x01, 0xe6, 0x10, 0x90]);
    vcpu.setSingleStep(true);
    expect([vcpu.run(NO_LIMIT), vcpu.rip - base(mode)]).toEqual([ExitReason.Debug, 1]);
    expect([vcpu.run(NO_LIMIT), vcpu.rip - base(mode)]).toEqual([ExitReason.Debug, 3]);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Io);
    expect([vcpu.run(NO_LIMIT), vcpu.rip - base(mode)]).toEqual([ExitReason.Debug, 5]);
    expect([vcpu.run(NO_LIMIT), vcpu.rip - base(mode)]).toEqual([ExitReason.Debug, 6]);
    vcpu.setSingleStep(false);
  });

  test.each(PROBE_MODES)('%s: a guest that spins is kicked by the timer and by kick()', (mode) => {
    const { vcpu } = start(mode, [0xeb, 0xfe]);
    vcpu.armTimer(2000);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Kicked);
    vcpu.kick();
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Kicked);
  });

  test('a kick that comes while no run is under way survives complete()', () => {
    const { vcpu } = start('cpl0', [0xe6, 0x10, 0xeb, 0xfe]);
    vcpu.run(NO_LIMIT);
    vcpu.kick();
    expect(vcpu.complete()).toBeUndefined();
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Kicked);
  });

  test('REP OUTSB writes all its elements, in batches of the kernel', () => {
    // mov esi,20000h; mov ecx,5; mov dx,60h; rep outsb; out 10h,al
    const code = [0xbe, 0, 0, 2, 0, 0xb9, 5, 0, 0, 0, 0x66, 0xba, 0x60, 0, 0xf3, 0x6e, 0xe6, 0x10];
    const g = start('cpl0', code);
    g.memory.set([1, 2, 3, 4, 5], PROBE_DATA);
    const seen: number[] = [];
    for (let i = 0; i < 10 && g.vcpu.run(NO_LIMIT) === ExitReason.Io && g.vcpu.exit.address === 0x60; i++) {
      const { count, size, bytes, dataOffset } = g.vcpu.exit;
      for (let k = 0; k < count; k++) seen.push(bytes.getUint8(dataOffset + k * size));
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test('no interrupt is injected between two elements of REP OUTSB', () => {
    // mov esi,20000h; mov ecx,3; mov dx,60h; rep outsb; out 10h,al
    const code = [0xbe, 0, 0, 2, 0, 0xb9, 3, 0, 0, 0, 0x66, 0xba, 0x60, 0, 0xf3, 0x6e, 0xe6, 0x10];
    const { vcpu } = start('cpl0', code, {}, 0x200n);
    const injectable: boolean[] = [];
    while (vcpu.run(NO_LIMIT) === ExitReason.Io && vcpu.exit.address === 0x60) {
      vcpu.complete();
      injectable.push(vcpu.canInject);
    }
    expect(injectable.at(0)).toBe(injectable.length === 1);
    vcpu.complete();
    expect(vcpu.canInject).toBe(true);
  });

  test('the whole state survives getState, setState, getState', () => {
    for (const mode of PROBE_MODES) {
      const { vcpu } = start(mode, [0x90, 0xe6, 0x10]);
      const state = vcpu.getState();
      state.rbx = 0xfedc_ba98_7654_3210n;
      state.r15 = 1n;
      state.cr2 = 0x1234n;
      state.cr8 = 5n;
      state.lstar = 0xffff_8000_0000_1000n;
      state.kernelGsBase = 0xffff_8880_0000_0000n;
      state.dr0 = 0x1000n;
      state.fxsave.fill(0x5a, 160, 416);
      state.fxsave[24] = 0x80;
      state.tscOffset = -5n;
      vcpu.setState(state);
      expect(diffState(state, vcpu.getState())).toEqual([]);
      guest?.close();
    }
  });

  test('a state that KVM refuses is VMTAPE_STATE and changes nothing', () => {
    const { vcpu } = start('cpl0', [0x90]);
    const before = vcpu.getState();
    const bad = vcpu.getState();
    bad.rax = 1n;
    bad.cr4 = 0n;
    expect(() => vcpu.setState(bad)).toThrow(expect.objectContaining({ code: 'VMTAPE_STATE' }));
    expect(diffState(before, vcpu.getState())).toEqual([]);
  });

  test('takeDirtyPages gives the pages written since', () => {
    // mov byte [20000h],1; mov byte [25000h],1; out 10h,al
    const store = (page: number) => [0xc6, 0x04, 0x25, 0, page << 4, 2, 0, 1];
    const g = start('cpl0', [...store(0), ...store(5), 0xe6, 0x10], { logDirty: true });
    g.vcpu.takeDirtyPages();
    g.runToOut(0x10);
    const pages = [...g.vcpu.takeDirtyPages()];
    expect(pages).toContain(0x20);
    expect(pages).toContain(0x25);
    expect(pages).not.toContain(0x30);
    expect([...g.vcpu.takeDirtyPages()]).toEqual([]);
  });

  test('a triple fault is a shutdown', () => {
    // No IDT entry for #UD, #GP, #DF.
    const { vcpu } = start('cpl0', [0x0f, 0x0b]);
    expect([ExitReason.Shutdown, ExitReason.EngineError]).toContain(vcpu.run(NO_LIMIT));
  });

  test('a readonly region is written to by MMIO exits', () => {
    guest = new ProbeGuest('cpl0');
    guest.close();
    const rom = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer);
    // F000:FFF0, real mode: mov [cs:0],al; hlt
    rom.set([0x2e, 0xa2, 0, 0, 0xf4], 0xfff0);
    const vcpu = new (guest.vcpu.constructor as typeof import('../../../src/vmm/cpu/kvm.js').KvmVcpu)([
      { gpa: 0xffff_0000, bytes: rom, readonly: true },
    ]);
    vcpu.armTimer(200_000);
    expect(vcpu.run(NO_LIMIT)).toBe(ExitReason.Mmio);
    expect(vcpu.exit).toMatchObject({ address: 0xffff_0000, isWrite: true, size: 1 });
    vcpu.close();
  });

  test('setCpuid takes the model', () => {
    const { vcpu } = start('cpl0', [0x90]);
    vcpu.setCpuid(vmtape64Cpuid());
  });

  test('every method after close is VMTAPE_CLOSED', () => {
    const { vcpu } = start('cpl0', [0x90]);
    vcpu.close();
    vcpu.close();
    const closed = expect.objectContaining({ code: 'VMTAPE_CLOSED' });
    for (const action of [
      () => vcpu.run(NO_LIMIT),
      () => vcpu.complete(),
      () => vcpu.canInject,
      () => vcpu.rip,
      () => vcpu.getState(),
      () => vcpu.kick(),
      () => vcpu.armTimer(1),
      () => vcpu.readRegisters(new Uint8Array(REGISTERS_SIZE)),
      () => vcpu.setRegister(0, 0, 0),
      () => vcpu.setFlags(0),
      () => vcpu.takeDirtyPages(),
    ]) {
      expect(action).toThrow(closed);
    }
  });
});

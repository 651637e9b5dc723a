/** The addon's handles: capabilities, closing in every order, errors with their ioctl, workers. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { VmtapeError } from '../../src/base/errors.js';
import { KvmError, KvmSystem, kickVcpu } from '../../src/vmm/cpu/addon.js';
import { decodeCpuid } from '../../src/vmm/cpu/kvm-vm.js';
import { kvmMissing, kvmNote } from './kvm-host.js';

const addonPath = join(import.meta.dirname, '../../build/Release/vmtape_kvm.node');

function memory(): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer);
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof VmtapeError ? error.code : String(error);
  }
  return 'nothing thrown';
}

describe.skipIf(kvmMissing !== undefined)(`the KVM addon${kvmNote}`, () => {
  test('KVM_GET_API_VERSION returns 12', () => {
    const system = new KvmSystem();
    expect(system.apiVersion).toBe(12);
    system.close();
  });

  test('the supported and the emulated CPUID, and the MSR lists, are there', () => {
    const system = new KvmSystem();
    const supported = decodeCpuid(system.cpuid('supported'));
    expect(supported.find((row) => row.function === 0)?.eax).toBeGreaterThan(1);
    decodeCpuid(system.cpuid('emulated'));
    expect([...system.msrIndices('all')]).toContain(0x174);
    system.msrIndices('feature');
    system.close();
  });

  test.each([
    ['system', 'vm', 'vcpu'],
    ['vcpu', 'vm', 'system'],
    ['vm', 'vcpu', 'system'],
    ['vm', 'system', 'vcpu'],
  ])('handles close in the order %s, %s, %s, twice', (...order) => {
    const system = new KvmSystem();
    const vm = system.createVm();
    vm.setMemory(0, 0, memory());
    const vcpu = vm.createVcpu();
    const handles: Record<string, { close(): void }> = { system, vm, vcpu };
    for (const name of order) handles[name]?.close();
    for (const name of order) handles[name]?.close();
    expect(codeOf(() => system.createVm())).toBe('VMTAPE_CLOSED');
    expect(codeOf(() => vm.createVcpu())).toBe('VMTAPE_CLOSED');
    expect(codeOf(() => vcpu.run())).toBe('VMTAPE_CLOSED');
    expect(codeOf(() => vcpu.page)).toBe('VMTAPE_CLOSED');
  });

  test('a vCPU runs on after its VM and the system were closed', () => {
    const system = new KvmSystem();
    const vm = system.createVm();
    const bytes = memory();
    bytes.fill(0xf4);
    vm.setMemory(0, 0xffff_0000, bytes);
    const vcpu = vm.createVcpu();
    vm.close();
    system.close();
    expect(vcpu.run()).toBe(5);
    vcpu.close();
  });

  test('closing a vCPU detaches its page', () => {
    const system = new KvmSystem();
    const vm = system.createVm();
    const vcpu = vm.createVcpu();
    const page = vcpu.page;
    expect(vcpu.page).toBe(page);
    expect(page.byteLength).toBeGreaterThan(4096);
    vcpu.close();
    expect(page.byteLength).toBe(0);
    vm.close();
    system.close();
  });

  test('what nobody closed is collected', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let i = 0; i < 40; i++) {
      const vm = new KvmSystem().createVm();
      vm.setMemory(0, 0, memory());
      const page = new Uint8Array(vm.createVcpu().page);
      page[0] = 0;
      if (i % 10 === 9) collect();
    }
  });

  test('an error names the ioctl and errno', () => {
    const system = new KvmSystem();
    const vm = system.createVm();
    const vcpu = vm.createVcpu();
    const bad = new Uint8Array(312).fill(0xff);
    expect(() => vcpu.transfer('KVM_SET_SREGS', bad)).toThrow(new KvmError('KVM_SET_SREGS', 'EINVAL'));
    expect(() => vcpu.transfer('KVM_GET_REGS', new Uint8Array(143))).toThrow(/KVM_GET_REGS: EINVAL/);
    expect(() => vcpu.transfer('KVM_NO_SUCH', new Uint8Array(8))).toThrow(/KVM_NO_SUCH: ENOSYS/);
    vm.setMemory(0, 0, memory());
    expect(() => vm.setMemory(1, 0x1000, memory())).toThrow(/KVM_SET_USER_MEMORY_REGION: EEXIST/);
    vm.deleteMemory(0);
    expect(() => vm.deleteMemory(0)).toThrow(/ENOENT/);
    for (const handle of [vcpu, vm, system]) handle.close();
  });

  test('a wrong argument gets a sentence', () => {
    const system = new KvmSystem();
    const vm = system.createVm();
    expect(() => vm.setMemory(0, 1, memory())).toThrow('must be a multiple of 4096');
    expect(() => vm.setMemory(0, 0, memory().subarray(1))).toThrow('must be a multiple of 4096');
    expect(() => vm.setMemory(-1, 0, memory())).toThrow('The memory slot must be a whole number');
    expect(() => vm.setMemory(0, 0, [] as unknown as Uint8Array)).toThrow('must be a Uint8Array');
    expect(() => system.checkExtension(Number.NaN)).toThrow('The capability must be a whole number');
    expect(() => vm.createVcpu(1.5)).toThrow("The vCPU's number must be a whole number");
    vm.close();
    system.close();
  });

  test('the raw addon answers nonsense with -EINVAL, not with a crash', () => {
    const addon = createRequire(import.meta.url)(addonPath);
    expect(addon.openSystem()).toBe(-22);
    const system = addon.openSystem('/dev/kvm');
    const vm = system.createVm();
    expect(system.transfer()).toBe(-22);
    expect(vm.setMemory(0, 0, 0)).toBe(-22);
    expect(vm.setMemory(0, 0, 0, 'x')).toBe(-22);
    expect(vm.setMsrFilter(0, 1, 2)).toBe(-22);
    expect(vm.setMsrFilter(0, new Uint8Array(12).fill(255), new Uint8Array(0))).toBe(-22);
    expect(vm.getDirtyLog(7)).toBe(-2);
    const vcpu = vm.createVcpu(0);
    expect(vcpu.transfer('KVM_SET_MSRS', new Uint8Array(8).fill(255))).toBe(-22);
    vcpu.close();
    expect(vcpu.run()).toBe(-9);
    expect(addon.kick('x')).toBe(-3);
    vm.close();
    system.close();
  });

  test('a kick does not disturb other ioctls of its thread', () => {
    const system = new KvmSystem();
    const vm = system.createVm();
    const vcpu = vm.createVcpu();
    for (let i = 0; i < 30; i++) {
      vcpu.armTimer(20 + i * 20);
      const other = system.createVm();
      other.createVcpu().close();
      other.close();
    }
    for (const handle of [vcpu, vm, system]) handle.close();
  });

  test('a stale token kicks nothing', () => {
    const system = new KvmSystem();
    const vm = system.createVm();
    const vcpu = vm.createVcpu();
    const token = vcpu.kickToken;
    expect(kickVcpu(token)).toBe(true);
    vcpu.close();
    expect(kickVcpu(token)).toBe(false);
    vm.close();
    system.close();
  });

  test('another thread kicks a vCPU that spins, and a worker may end with everything open', async () => {
    const source = `
      const { parentPort } = require('node:worker_threads');
      const system = require(${JSON.stringify(addonPath)}).openSystem('/dev/kvm');
      const vm = system.createVm();
      const bytes = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer);
      bytes.set([0xeb, 0xfe], 0xfff0);
      vm.setMemory(0, 0, 0xffff0000, bytes);
      const vcpu = vm.createVcpu(0);
      globalThis.page = vcpu.runPage();
      parentPort.postMessage(vcpu.kickToken());
      parentPort.postMessage(vcpu.run());
    `;
    const worker = new Worker(source, { eval: true });
    const messages: number[] = [];
    const token = await new Promise<number>((resolve) => worker.once('message', resolve));
    worker.on('message', (value: number) => messages.push(value));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(kickVcpu(token)).toBe(true);
    await new Promise((resolve) => worker.once('exit', resolve));
    expect(messages).toEqual([-4]);
    expect(kickVcpu(token)).toBe(false);
  });
});

describe('opening a KVM device that is not there', () => {
  const open = (path: string) => () => new KvmSystem(path);
  const skip = codeOf(open('/dev/kvm')) === 'VMTAPE_NO_ADDON';

  test.skipIf(skip)('the reason is a sentence', () => {
    expect(open('/nonexistent/kvm')).toThrow('/nonexistent/kvm does not exist: this host has no KVM');
    expect(open('/dev/null')).toThrow('/dev/null is not the KVM device');
    expect(codeOf(open('/dev/null'))).toBe('VMTAPE_KVM');
  });
});

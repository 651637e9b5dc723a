/** Opening an engine. Each is loaded only when it is asked for: a host without KVM never loads the addon. */
import type { Vcpu } from './cpu/vcpu.js';
import { userReturnsOfTrace } from './hooks/user-returns.js';
import { Board } from './machine-board.js';
import { DEFAULT_RTC_TIME, type EngineName, type MachineOptions } from './machine-options.js';
import type { GuestMemory } from './memory.js';

/** Makes a vCPU see what the host does to its memory. */
export function connect(memory: GuestMemory, vcpu: Vcpu): void {
  memory.onHostWrite = (gpa, length) => vcpu.invalidateCode(gpa, length);
  memory.onRemap = (changed) => vcpu.remap(memory, changed);
}

/** No more. */
export function disconnect(memory: GuestMemory): void {
  memory.onHostWrite = undefined;
  memory.onRemap = undefined;
}

/** Which processor it shall be. */
export interface EngineOptions
  extends Pick<MachineOptions, 'userReturns' | 'assistsPaging' | 'assistsAll' | 'fxsaveClears'> {
  /** KVM: it logs writes from the start. */
  readonly logDirty?: boolean;
  /** What this host's KVM cannot do, and the interpreter does, whatever the recording engine could. */
  readonly lacks?: KvmLacks | undefined;
}

/** By the probes of this host (src/record/probes). */
export interface KvmLacks {
  /** User code of 64 bits does not reach the kernel. */
  readonly userEntry: boolean;
  /** Paging outside long mode. */
  readonly paging: boolean;
}

/** A vCPU over the guest's memory. That of KVM has the interpreter at its side. */
export async function openVcpu(engine: EngineName, memory: GuestMemory, options: EngineOptions = {}): Promise<Vcpu> {
  const { logDirty = false, userReturns, assistsPaging = false, assistsAll = false, fxsaveClears = false } = options;
  const { lacks } = options;
  const { InterpVcpu } = await import('./cpu/interp.js');
  const openInterpreter = () => {
    const vcpu = InterpVcpu.open(memory);
    vcpu.assist(userReturns !== undefined, assistsPaging, assistsAll);
    vcpu.clearWithFxsave(fxsaveClears);
    return vcpu;
  };
  if (engine === 'interp') return openInterpreter();
  const { KvmVcpu } = await import('./cpu/kvm.js');
  const { AssistedVcpu } = await import('./machine-assist.js');
  return new AssistedVcpu(KvmVcpu.open(memory, { logDirty }), openInterpreter, memory, {
    userReturns,
    findsUserReturns: userReturns === undefined && lacks?.userEntry === true,
    assistsPaging: assistsPaging || lacks?.paging === true,
    assistsAll,
  });
}

/** The vCPU of a machine: the one that it is given, or its engine's. */
export async function openMachineVcpu(options: MachineOptions): Promise<Vcpu> {
  const { engine, guest, landing, userReturns, assistsPaging, assistsAll, fxsaveClears, vcpu } = options;
  const logDirty = landing?.patience !== Number.POSITIVE_INFINITY;
  return vcpu ?? openVcpu(engine, guest.memory, { logDirty, userReturns, assistsPaging, assistsAll, fxsaveClears });
}

/** What a trace's header says of the recording engine among what its host is. */
export function engineOfTrace(host: Readonly<Record<string, unknown>>, lacks?: KvmLacks): EngineOptions {
  const { assistsPaging, assistsAll, fxsaveClears } = host;
  return {
    userReturns: userReturnsOfTrace(host),
    assistsPaging: assistsPaging === true,
    assistsAll: assistsAll === true,
    fxsaveClears: fxsaveClears === true,
    lacks,
  };
}

/** The board of a machine. */
export function makeBoard(options: MachineOptions, vcpu: Vcpu): Board {
  const { guest, cpuid, rtcTime = DEFAULT_RTC_TIME, seed = 1, strictBus = false, serial, debugConsole } = options;
  const timestampAux = (): number => vcpu.timestampAux;
  return new Board({ guest, cpuid, rtcTime, seed, strictBus, serial, debugConsole, processor: vcpu, timestampAux });
}

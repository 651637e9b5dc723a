/** Making the machine of a trace again: memory with its image, CPU state, hooks. */
import { RAM_MAX } from '../../interp/layout.js';
import { damagedTrace } from '../trace/errors.js';
import { PAGE_SIZE, PRELUDE_SIZE } from '../trace/format.js';
import type { FoundCheckpoint, TraceReader } from '../trace/reader.js';
import { hiddenOfTrace } from '../vmm/cpu/hidden.js';
import { cpuStateTable } from '../vmm/cpu/state.js';
import type { Vcpu } from '../vmm/cpu/vcpu.js';
import { type HookKind, HookTable } from '../vmm/hooks/table.js';
import { Board } from '../vmm/machine-board.js';
import { connect } from '../vmm/machine-engine.js';
import type { LoadedGuest } from '../vmm/machine-options.js';
import { GuestMemory, RAM_MIN } from '../vmm/memory.js';
import { decodeState } from '../vmm/state/codec.js';
import { cpuOf } from './checkpoint.js';
import type { ReplayOptions } from './options.js';

/** The guest as it was before its first instruction, or at a checkpoint. */
export function guestOf(reader: TraceReader, from?: FoundCheckpoint): LoadedGuest {
  const { header, rom } = reader;
  const place = { path: reader.path, frame: 0, byte: PRELUDE_SIZE };
  const { memorySize } = header;
  if (memorySize < RAM_MIN || memorySize > RAM_MAX || memorySize % PAGE_SIZE !== 0) {
    throw damagedTrace(place, `has a machine with ${memorySize} bytes of memory`);
  }
  // What is cheap to refuse comes first: memory is not.
  const cpu = from ? cpuOf(from) : decodeState(cpuStateTable, header.cpuState);
  const hasWindows = header.chipset === 'i440fx';
  const memory = new GuestMemory({ ramSize: header.memorySize, hasWindows, ...(rom ? { rom } : {}) });
  reader.loadMemory((gpa, bytes) => {
    const isRam = memory.storage.some((one) => !one.readonly && gpa >= one.gpa && gpa < one.gpa + one.length);
    if (!isRam) throw damagedTrace(place, `has a page of RAM at 0x${gpa.toString(16)}`);
    memory.writeRam(gpa, bytes);
  }, from?.checkpoint.set);
  const hooks = new HookTable(header.hooks.map((site) => ({ ...site, kind: site.kind as HookKind })));
  return { memory, cpu, hooks };
}

/** The devices of a machine replay. */
export function boardOf(options: ReplayOptions, { header }: TraceReader, guest: LoadedGuest, vcpu: Vcpu): Board {
  return new Board({
    guest,
    cpuid: header.cpuid,
    rtcTime: header.rtcTime,
    seed: header.seed,
    strictBus: header.strictBus,
    serial: options.serial,
    debugConsole: options.debugConsole,
    processor: vcpu,
    timestampAux: () => vcpu.timestampAux,
  });
}

/** Gives the guest and its processor to an engine. */
export function enterGuest(vcpu: Vcpu, guest: LoadedGuest, { header }: TraceReader): void {
  vcpu.setCpuid(header.cpuid, hiddenOfTrace(header.host));
  vcpu.setState(guest.cpu);
  connect(guest.memory, vcpu);
}

/** Making the machine of a trace again: memory with its image, CPU state, hooks. */
import { damagedTrace } from '../trace/errors.js';
import type { TraceReader } from '../trace/reader.js';
import { cpuStateTable } from '../vmm/cpu/state.js';
import { type HookKind, HookTable } from '../vmm/hooks/table.js';
import type { LoadedGuest } from '../vmm/machine-options.js';
import { GuestMemory } from '../vmm/memory.js';
import { decodeState } from '../vmm/state/codec.js';

/** The guest as it was before its first instruction. */
export function guestOf(reader: TraceReader): LoadedGuest {
  const { header, rom } = reader;
  const memory = new GuestMemory({ ramSize: header.memorySize, ...(rom ? { rom } : {}) });
  reader.loadPages((gpa, bytes) => {
    const region = memory.regionAt(gpa);
    if (!region || region.readonly) {
      throw damagedTrace({ path: reader.path, frame: 0, byte: 0 }, `has a page of RAM at 0x${gpa.toString(16)}`);
    }
    memory.write(gpa, bytes);
  });
  const hooks = new HookTable(header.hooks.map((site) => ({ ...site, kind: site.kind as HookKind })));
  return { memory, cpu: decodeState(cpuStateTable, header.cpuState), hooks };
}

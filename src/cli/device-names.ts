/** The names of the devices that a machine of today's vmtape has at its ports and addresses. */

import type { DeviceNames } from '../trace/export/perfetto.js';
import type { TraceHeader } from '../trace/header.js';
import { Bus } from '../vmm/bus.js';
import { hasApic } from '../vmm/cpu/cpuid-features.js';
import { APIC_ADDRESS, BASE_ENABLE } from '../vmm/devices/lapic/registers.js';
import { createDevices } from '../vmm/machine-devices.js';
import { RAM_MIN } from '../vmm/memory.js';

/** The names for a trace of a machine with that header. The local APIC is looked for where it is after power-on. */
export function deviceNames({ cpuid, rtcTime }: TraceHeader): DeviceNames {
  const nowhere = { write() {} };
  const bus = new Bus();
  const { all } = createDevices({
    clock: { now: () => 0 },
    memorySize: RAM_MIN,
    rtcTime,
    serial: nowhere,
    debugConsole: nowhere,
    processor: hasApic(cpuid) ? { cr8: 0, apicBase: APIC_ADDRESS + BASE_ENABLE } : undefined,
    ferr: { ignoreFerr() {} },
    onEnd() {},
  });
  for (const device of all) bus.attach(device);
  return {
    ofPort: (port, size) => bus.portDevice(port, size)?.name,
    ofAddress: (address, size) => bus.mmioDevice(address, size)?.name,
  };
}

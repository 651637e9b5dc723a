/** The devices of a machine and how they are wired together. */
import type { ByteSink, Clock, Device } from './device.js';
import { AcpiPm1 } from './devices/acpi-pm1/acpi-pm1.js';
import { DebugConsole } from './devices/debug-console/debug-console.js';
import { ExitPort } from './devices/exit-port/exit-port.js';
import { I8042 } from './devices/i8042/i8042.js';
import { PciHost } from './devices/pci-host/pci-host.js';
import { Pic } from './devices/pic/pic.js';
import { Pit } from './devices/pit/pit.js';
import { PmTimer } from './devices/pm-timer/pm-timer.js';
import { Port92 } from './devices/port92/port92.js';
import { PostPort } from './devices/post/post.js';
import { ResetControl } from './devices/reset-control/reset-control.js';
import { Rtc } from './devices/rtc/rtc.js';
import { Uart } from './devices/uart/uart.js';
import { exitPortEnd, plainEnd } from './machine-ends.js';
import type { MachineEnd } from './machine-options.js';

/** What the devices are wired to. */
export interface DeviceWiring {
  readonly clock: Clock;
  /** Bytes of RAM, for the CMOS. */
  readonly memorySize: number;
  /** Seconds since 1970 at time 0. */
  readonly rtcTime: number;
  readonly serial: ByteSink;
  readonly debugConsole: ByteSink;
  /** A device ends the run. */
  readonly onEnd: (end: MachineEnd) => void;
}

/** All devices, and by name those that the machine itself speaks to. */
export interface MachineDevices {
  readonly all: readonly Device[];
  readonly pic: Pic;
  readonly uart: Uart;
}

/** Makes the devices of a PC. */
export function createDevices(wiring: DeviceWiring): MachineDevices {
  const { clock, memorySize } = wiring;
  const pic = new Pic();
  const uart = new Uart({ irq: pic.line(4), out: wiring.serial });
  const resetLine = { request: () => wiring.onEnd(plainEnd('reset', 'exit')) };
  const powerLine = { off: () => wiring.onEnd(plainEnd('power-off', 'exit')) };
  const all = [
    pic,
    uart,
    new Pit({ irq: pic.line(0), clock }),
    new Rtc({ irq: pic.line(8), clock }, { startTime: wiring.rtcTime, memorySize }),
    new I8042({ irq: pic.line(1), resetLine }),
    new Port92(resetLine),
    new ResetControl(resetLine),
    new PciHost(),
    new PmTimer({ clock }),
    new AcpiPm1({ irq: pic.line(9), clock, power: powerLine }),
    new PostPort(),
    new DebugConsole(wiring.debugConsole),
    new ExitPort({ exit: (code) => wiring.onEnd(exitPortEnd(code)) }),
  ];
  return { all, pic, uart };
}

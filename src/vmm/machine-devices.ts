/** The devices of a machine and how they are wired together. */
import type { ByteSink, Clock, Device } from './device.js';
import { Pic } from './devices/pic/pic.js';
import { Pit } from './devices/pit/pit.js';
import { Uart } from './devices/uart/uart.js';
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
  const { clock } = wiring;
  const pic = new Pic();
  const uart = new Uart({ irq: pic.line(4), out: wiring.serial });
  const pit = new Pit({ irq: pic.line(0), clock });
  return { all: [pic, pit, uart], pic, uart };
}

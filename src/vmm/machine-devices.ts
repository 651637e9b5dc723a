/** The devices of a machine and how they are wired together. */
import type { ByteSink, Clock, Device, FerrLine, IrqLine, ResetLine } from './device.js';
import { AcpiPm1 } from './devices/acpi-pm1/acpi-pm1.js';
import { DebugConsole } from './devices/debug-console/debug-console.js';
import { ExitPort } from './devices/exit-port/exit-port.js';
import { FpuError } from './devices/fpu-error/fpu-error.js';
import { FwCfg, type FwCfgFile } from './devices/fw-cfg/fw-cfg.js';
import { I440fx, type WindowRam } from './devices/i440fx/i440fx.js';
import { I8042 } from './devices/i8042/i8042.js';
import { Ioapic } from './devices/ioapic/ioapic.js';
import { type ApicProcessor, Lapic } from './devices/lapic/lapic.js';
import type { PciFunction } from './devices/pci-host/function.js';
import { PciHost } from './devices/pci-host/pci-host.js';
import { Pic } from './devices/pic/pic.js';
import { isaBridge, Piix4, type PortSpace } from './devices/piix4/piix4.js';
import { ISA_BRIDGE_ADDRESS, POWER_MANAGEMENT_ADDRESS } from './devices/piix4/registers.js';
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
  /** What a chipset is wired to, which a machine that starts from a ROM has; absent: a host bridge that does nothing. */
  readonly chipset?: ChipsetWiring | undefined;
  /** What the local APIC shares with the processor; absent: the machine has no APICs, and the 8259A's are all. */
  readonly processor?: ApicProcessor | undefined;
  readonly ferr: FerrLine;
  /** A device ends the run. */
  readonly onEnd: (end: MachineEnd) => void;
}

/** RAM behind the windows of the north bridge, and the ports among which the south bridge shows some again. */
export interface ChipsetWiring {
  readonly ram: WindowRam;
  readonly ports: PortSpace;
}

/** The chips of a machine that starts from a ROM. */
export interface Chipset {
  readonly north: I440fx;
  readonly south: Piix4;
}

/** All devices, and by name those that the machine itself speaks to. */
export interface MachineDevices {
  readonly all: readonly Device[];
  readonly pic: Pic;
  readonly uart: Uart;
  readonly apics: Apics | undefined;
  readonly fpuError: FpuError;
  readonly chipset: Chipset | undefined;
}

/** The APICs of a machine that has them. */
export interface Apics {
  readonly local: Lapic;
  readonly io: Ioapic;
}

/** The interrupt override of every PC, told by the MADT: the timer is at input 2, where the 8259A have their cascade. */
const TIMER_PIN = 2;

/** SeaBIOS shows its screen at this serial port: COM1, as a u16. */
const FIRMWARE_FILES: readonly FwCfgFile[] = [{ name: 'etc/sercon-port', bytes: Uint8Array.of(0xf8, 0x03) }];

/** Makes the devices of a PC. */
export function createDevices(wiring: DeviceWiring): MachineDevices {
  const { clock, memorySize } = wiring;
  const resetLine = { request: () => wiring.onEnd(plainEnd('reset', 'exit')) };
  const powerLine = { off: () => wiring.onEnd(plainEnd('power-off', 'exit')) };
  const apics = wiring.processor && createApics(clock, wiring.processor, resetLine);
  const pic = new Pic(apics?.local.lint0);
  const irq = (number: number): IrqLine => joined(pic.line(number), apics?.io.line(number === 0 ? TIMER_PIN : number));
  const uart = new Uart({ irq: irq(4), out: wiring.serial });
  const fpuError = new FpuError({ irq: irq(13), processor: wiring.ferr });
  const chipset = wiring.chipset && createChipset(wiring.chipset);
  const all = [
    pic,
    ...(apics ? [apics.local, apics.io] : []),
    uart,
    new Pit({ irq: irq(0), clock }),
    new Rtc({ irq: irq(8), clock }, { startTime: wiring.rtcTime, memorySize }),
    new I8042({ irq: irq(1), resetLine }),
    fpuError,
    new Port92(resetLine),
    new ResetControl(resetLine),
    ...(chipset ? [chipset.north, chipset.south, new PciHost(functionsOf(chipset))] : [new PciHost()]),
    new PmTimer({ clock }),
    new AcpiPm1({ irq: irq(9), clock, power: powerLine }),
    new PostPort(),
    new FwCfg(memorySize, chipset ? FIRMWARE_FILES : []),
    new DebugConsole(wiring.debugConsole, chipset !== undefined),
    new ExitPort({ exit: (code) => wiring.onEnd(exitPortEnd(code)) }),
  ];
  return { all, pic, uart, fpuError, apics, chipset };
}

function createChipset({ ram, ports }: ChipsetWiring): Chipset {
  return { north: new I440fx(ram), south: new Piix4(ports) };
}

/** What is on bus 0 then. */
function functionsOf({ north, south }: Chipset): ReadonlyMap<number, PciFunction> {
  return new Map<number, PciFunction>([
    [0, north],
    [ISA_BRIDGE_ADDRESS, isaBridge],
    [POWER_MANAGEMENT_ADDRESS, south],
  ]);
}

function createApics(clock: Clock, processor: ApicProcessor, resetLine: ResetLine): Apics {
  const io: Ioapic = new Ioapic({ send: (message) => local.receive(message) });
  const local = new Lapic({ clock, processor, eoi: (vector) => io.endOfInterrupt(vector), resetLine });
  return { local, io };
}

/** One line to both interrupt controllers. */
function joined(first: IrqLine, second: IrqLine | undefined): IrqLine {
  if (second === undefined) return first;
  return {
    set: (level) => {
      first.set(level);
      second.set(level);
    },
  };
}

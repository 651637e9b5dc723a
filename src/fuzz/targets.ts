/** The targets: every device of the machine, once. test/fuzz/targets.test.ts holds that none is missing. */
import { ExitCode, VmtapeError } from '../base/errors.js';
import { AcpiPm1 } from '../vmm/devices/acpi-pm1/acpi-pm1.js';
import { DebugConsole } from '../vmm/devices/debug-console/debug-console.js';
import { ExitPort } from '../vmm/devices/exit-port/exit-port.js';
import { FpuError } from '../vmm/devices/fpu-error/fpu-error.js';
import { FwCfg } from '../vmm/devices/fw-cfg/fw-cfg.js';
import { I440fx } from '../vmm/devices/i440fx/i440fx.js';
import { I8042 } from '../vmm/devices/i8042/i8042.js';
import { Ioapic } from '../vmm/devices/ioapic/ioapic.js';
import { Lapic } from '../vmm/devices/lapic/lapic.js';
import type { ApicMessage } from '../vmm/devices/lapic/message.js';
import { PciHost } from '../vmm/devices/pci-host/pci-host.js';
import { Pic } from '../vmm/devices/pic/pic.js';
import { Piix4 } from '../vmm/devices/piix4/piix4.js';
import { Pit } from '../vmm/devices/pit/pit.js';
import { PmTimer } from '../vmm/devices/pm-timer/pm-timer.js';
import { Port92 } from '../vmm/devices/port92/port92.js';
import { PostPort } from '../vmm/devices/post/post.js';
import { ResetControl } from '../vmm/devices/reset-control/reset-control.js';
import { Rtc } from '../vmm/devices/rtc/rtc.js';
import { Uart } from '../vmm/devices/uart/uart.js';
import { Bench, type Rig } from './rig.js';

/** A device and how it is put on the bench. */
export interface FuzzTarget {
  readonly name: string;
  /** A fresh device at guest time `now`. */
  create(now: number): Rig;
}

/** 2024-02-29T23:59:50Z: a leap day is about to end. */
const RTC_START = 1_709_251_190;

function target(name: string, make: (bench: Bench) => Omit<Rig, 'bench'>): FuzzTarget {
  return {
    name,
    create: (now) => {
      const bench = new Bench(now);
      return { bench, ...make(bench) };
    },
  };
}

function uartRig(bench: Bench): Omit<Rig, 'bench'> {
  const device = new Uart({ irq: bench.irq(4), out: bench });
  const receive = (value: number): void => {
    const bytes = Uint8Array.from({ length: value % 40 }, (_, index) => value + index);
    bench.note('taken', device.receive(bytes));
  };
  return { device, inputs: [receive] };
}

function picRig(bench: Bench): Omit<Rig, 'bench'> {
  const device = new Pic();
  const lines = Array.from({ length: 16 }, (_, irq) => (irq === 2 ? undefined : device.line(irq)));
  return {
    device,
    inputs: [
      (value) => lines[value & 15]?.set((value & 16) !== 0),
      () => bench.note('vector', device.acknowledge()),
      (value) => bench.note('level', device.level(value & 15) ? 1 : 0),
    ],
    observe: () => bench.note('intr', device.intr ? 1 : 0),
  };
}

function rtcRig(bench: Bench): Omit<Rig, 'bench'> {
  const device = new Rtc({ irq: bench.irq(8), clock: bench.clock }, { startTime: RTC_START, memorySize: 0x800_0000 });
  return { device, inputs: [], observe: () => bench.note('nmi off', device.nmiOff ? 1 : 0) };
}

function pm1Rig(bench: Bench): Omit<Rig, 'bench'> {
  const power = { off: () => bench.note('power off', 1) };
  return { device: new AcpiPm1({ irq: bench.irq(9), clock: bench.clock, power }), inputs: [] };
}

/** Inputs: LINT0, a message on the APIC bus, CR8, IA32_APIC_BASE, an interrupt that the processor takes. */
function lapicRig(bench: Bench): Omit<Rig, 'bench'> {
  const { clock, processor } = bench;
  const device = new Lapic({ clock, processor, eoi: (vector) => bench.note('eoi', vector), resetLine: bench });
  const send = (value: number): void => {
    const [vector, destination] = [value & 0xff, [0, 0, 0xff, (value >>> 24) & 0xff][(value >>> 22) & 3] ?? 0];
    const [isLogical, isLevel] = [(value & 0x800) !== 0, (value & 0x8000) !== 0];
    const delivery = (value >>> 8) & 7;
    bench.note('taken', device.receive({ vector, delivery, isLogical, destination, isLevel }) ? 1 : 0);
  };
  return {
    device,
    inputs: [
      (value) => device.lint0.set((value & 1) !== 0),
      send,
      (value) => {
        processor.cr8 = value & 15;
      },
      (value) => {
        processor.apicBase = [0xfee0_0900, 0xfee0_0900, 0xfee0_0100, 0xfed0_0900][value & 3] as number;
      },
      () => {
        // An NMI goes before every interrupt (SDM volume 3, table 6-2).
        if (!device.hasNmi) return bench.note('vector', device.acknowledge());
        device.takeNmi();
        bench.note('nmi', 1);
      },
    ],
    observe: () => {
      bench.note('pending', device.pending < 0 ? 0x100 : device.pending);
      bench.note('passes', (device.passesExtInt ? 1 : 0) | (device.canInterrupt ? 2 : 0));
      bench.note('nmi', (device.hasNmi ? 1 : 0) | (device.wiresNmi ? 2 : 0));
      bench.note('cr8', processor.cr8);
    },
  };
}

/** Inputs: a line, the end of an interrupt, and whether local APICs take messages. */
function ioapicRig(bench: Bench): Omit<Rig, 'bench'> {
  const send = ({ vector, delivery, isLogical, destination, isLevel }: ApicMessage): boolean => {
    const flags = (delivery << 8) | (isLogical ? 0x800 : 0) | (isLevel ? 0x8000 : 0);
    bench.note('message', ((destination << 24) | flags | vector) >>> 0);
    // Those to an odd destination find nobody.
    return destination % 2 === 0;
  };
  const device = new Ioapic({ send });
  const lines = Array.from({ length: 24 }, (_, pin) => device.line(pin));
  return {
    device,
    inputs: [
      (value) => lines[(value & 31) % 24]?.set((value & 32) !== 0),
      (value) => device.endOfInterrupt(value & 0xff),
    ],
    observe: () => bench.note('open', device.canInterrupt ? 1 : 0),
  };
}

function fpuErrorRig(bench: Bench): Omit<Rig, 'bench'> {
  const processor = { ignoreFerr: () => bench.note('ignne', 1) };
  const device = new FpuError({ irq: bench.irq(13), processor });
  const observe = () => bench.note('latched', device.latched ? 1 : 0);
  return { device, inputs: [() => device.assertFerr()], observe };
}

/** Inputs: a register is written, all of it or a byte, and read. */
function i440fxRig(bench: Bench): Omit<Rig, 'bench'> {
  const writeRam = (gpa: number, bytes: Uint8Array): void =>
    bench.note(`ram 0x${gpa.toString(16)}`, bytes[0] as number);
  const device = new I440fx({ writeRam });
  const views = ['bus', 'ram', 'ram-readonly'];
  return {
    device,
    inputs: [
      (value) =>
        device.writeRegister([0x58, 0x5c, 0x70, value & 0xfc][(value >>> 8) & 3] as number, value, (value >>> 4) & 0xf),
      (value) => bench.note('register', device.readRegister(value & 0xfc)),
    ],
    observe: () =>
      bench.note(
        'views',
        device.views.reduce((sum, view) => sum * 3 + views.indexOf(view), 0),
      ),
  };
}

/** Inputs: PMBA or PMREGMISC is written, and read; a port of power management is written, and read. */
function piix4Rig(bench: Bench): Omit<Rig, 'bench'> {
  const space = {
    readPort: (port: number, size: number) => port * size,
    writePort: (port: number, size: number, value: number) => bench.note(`port ${port} size ${size}`, value),
    registerAt: () => undefined,
  };
  const device = new Piix4(space);
  const register = (value: number) => ((value & 0x1000) !== 0 ? 0x80 : 0x40);
  return {
    device,
    inputs: [
      (value) => device.writeRegister(register(value), value >>> 16, value & 0xf),
      (value) => bench.note('register', device.readRegister(register(value))),
      (value) => device.writePort(value & 0xffff, 2, value >>> 16),
      (value) => bench.note('port', device.readPort(value & 0xffff, 2)),
    ],
    observe: () => bench.note('ports', device.pmPorts?.base ?? 0),
  };
}

/** Every device. */
export const targets: readonly FuzzTarget[] = [
  target('pic', picRig),
  target('lapic', lapicRig),
  target('ioapic', ioapicRig),
  target('uart', uartRig),
  target('pit', (bench) => ({ device: new Pit({ irq: bench.irq(0), clock: bench.clock }), inputs: [] })),
  target('rtc', rtcRig),
  target('i8042', (bench) => ({ device: new I8042({ irq: bench.irq(1), resetLine: bench }), inputs: [] })),
  target('fpu-error', fpuErrorRig),
  target('port92', (bench) => ({ device: new Port92(bench), inputs: [] })),
  target('reset-control', (bench) => ({ device: new ResetControl(bench), inputs: [] })),
  target('i440fx', i440fxRig),
  target('piix4', piix4Rig),
  target('pci-host', () => ({ device: new PciHost(), inputs: [] })),
  target('acpi-pm1', pm1Rig),
  target('pm-timer', (bench) => ({ device: new PmTimer({ clock: bench.clock }), inputs: [] })),
  target('post', () => ({ device: new PostPort(), inputs: [] })),
  target('fw-cfg', () => ({ device: new FwCfg(0x1234_5678_0000), inputs: [] })),
  target('debug-console', (bench) => ({ device: new DebugConsole(bench), inputs: [] })),
  target('exit-port', (bench) => ({ device: new ExitPort(bench), inputs: [] })),
];

/** The target of that name; throws VMTAPE_USAGE if there is none. */
export function findTarget(name: string): FuzzTarget {
  const found = targets.find((candidate) => candidate.name === name);
  if (found !== undefined) return found;
  throw new VmtapeError(
    'VMTAPE_USAGE',
    `there is no fuzz target ${name}`,
    ExitCode.Usage,
    `the targets are ${targets.map((candidate) => candidate.name).join(', ')}`,
  );
}

/**
 * The DSDT's code: how the machine is switched off, and what a guest cannot find by itself. The devices are those of
 * src/vmm/machine-devices.ts; the names are customary, and have no meaning.
 *
 *     \_S5          SLP_TYPx for soft off
 *     \_SB.PCI0     the PCI root: one bus, and which addresses it passes on
 *     \_SB.COM1, RTC, KBD    serial port, clock, keyboard
 */
import { SLEEP_TYPE_S5 } from '../devices/acpi-pm1/registers.js';
import {
  type Aml,
  busNumbers,
  device,
  eisaId,
  integer,
  interrupt,
  ioPorts,
  ioWindow,
  memoryWindow,
  name,
  packageOf,
  resources,
  scope,
} from './aml.js';

/** Addresses for memory-mapped devices begin here at the lowest, and end before the I/O APIC's place. */
const WINDOW_START = 0xc000_0000;
const WINDOW_END = 0xfec0_0000;
const LARGE_PAGE = 0x20_0000;

/** A device with an identifier and fixed resources. */
function isaDevice(path: string, id: string, ...descriptors: Aml[]): Aml {
  return device(path, name('_HID', eisaId(id)), name('_UID', integer(0)), name('_CRS', resources(...descriptors)));
}

/** The PCI root: the configuration ports are its own, all other ports are passed on. */
function pciRoot(ramSize: number): Aml {
  const first = Math.max(WINDOW_START, Math.ceil(ramSize / LARGE_PAGE) * LARGE_PAGE);
  const high = first < WINDOW_END ? [memoryWindow(first, WINDOW_END - 1)] : [];
  return isaDevice(
    'PCI0',
    'PNP0A03',
    busNumbers(0, 0),
    ioPorts(0xcf8, 8),
    ioWindow(0x0000, 0x0cf7),
    ioWindow(0x0d00, 0xffff),
    memoryWindow(0xa_0000, 0xb_ffff),
    ...high,
  );
}

/** The definition block of a machine with `ramSize` bytes. */
export function dsdtCode(ramSize: number): Aml {
  const sleepType = integer(SLEEP_TYPE_S5);
  return [
    ...name('\\_S5', packageOf(sleepType, sleepType, integer(0), integer(0))),
    ...scope(
      '\\_SB',
      pciRoot(ramSize),
      isaDevice('COM1', 'PNP0501', ioPorts(0x3f8, 8), interrupt(4)),
      isaDevice('RTC', 'PNP0B00', ioPorts(0x70, 2), interrupt(8)),
      isaDevice('KBD', 'PNP0303', ioPorts(0x60, 1), ioPorts(0x64, 1), interrupt(1)),
    ),
  ];
}

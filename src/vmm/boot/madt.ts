/**
 * The MADT, the table of interrupt controllers (ACPI specification 6.5, section 5.2.12): one processor with a local APIC, one I/O
 * APIC, both 8259A besides, and where the lines of the ISA bus are not what their numbers say.
 */
import { SCI_IRQ } from '../devices/acpi-pm1/registers.js';
import { IOAPIC_ADDRESS } from '../devices/ioapic/registers.js';
import { APIC_ADDRESS } from '../devices/lapic/registers.js';
import { acpiTable } from './table.js';

/** Flags: "the system also has a PC-AT-compatible dual-8259 setup". */
const PCAT_COMPAT = 1;
/** MPS INTI flags (table 5.25): active high is 1 in bits 0 and 1, level-triggered 3 in bits 2 and 3; 0: as on ISA. */
const ACTIVE_HIGH_LEVEL = 0b1101;
const ALL_PROCESSORS = 0xff;
const LINT1 = 1;

const u16 = (value: number): number[] => [value & 0xff, value >> 8];
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];

/** An entry: type, length, and what it says. */
const entry = (type: number, ...content: number[]): number[] => [type, content.length + 2, ...content];
/** ISA interrupt `irq` is at input `pin`. */
const override = (irq: number, pin: number, flags: number): number[] => entry(2, 0, irq, ...u32(pin), ...u16(flags));

/** The table. Where the override of the timer leads is wired in src/vmm/machine-devices.ts. */
export function madt(): Uint8Array {
  const content = [
    ...u32(APIC_ADDRESS),
    ...u32(PCAT_COMPAT),
    ...entry(0, 0, 0, ...u32(1)),
    ...entry(1, 0, 0, ...u32(IOAPIC_ADDRESS), ...u32(0)),
    ...override(0, 2, 0),
    ...override(SCI_IRQ, SCI_IRQ, ACTIVE_HIGH_LEVEL),
    ...entry(4, ALL_PROCESSORS, ...u16(0), LINT1),
  ];
  return acpiTable('APIC', 3, 36 + content.length, (_, bytes) => bytes.set(content, 36));
}

/** Why a line of Linux's console is in that of QEMU's PC and not in ours, or the other way round. What is not here is a finding. */

/** One reason, and the lines that it explains. */
export interface Explanation {
  readonly reason: string;
  readonly lines: readonly RegExp[];
}

/** The reasons: dates and numbers apart (lines.ts), they are device lists, tables of the firmware and the model of the processor. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    reason: 'QEMU runs firmware, which prints, and brings SMBIOS, an MP table, EDD and more reserved memory',
    lines: [
      /^SeaBIOS|^Booting from ROM|Probing EDD|^SMBIOS|^DMI|^found SMP MP-table|^BIOS-e820: .* reserved$/,
      // The first line of the kernel stands behind the last one of the boot loader, or alone.
      /^Linux version /,
      /^PCI: PCI BIOS revision|^PnPBIOS: Disabled/,
      /^ {2}node +0: |zone DMA.*unavailable ranges|^acpi resource window/,
    ],
  },
  {
    reason: 'The ACPI tables are others, with other names, and there are WAET and an RSDT instead of an XSDT',
    lines: [/^ACPI: (RSDP|RSDT|XSDT|FACP|FACS|DSDT|APIC|WAET) 0x/, /^ACPI: Reserving WAET/],
  },
  {
    reason: 'Interrupt overrides, links and events of PCI devices, which the machine does not have',
    lines: [
      /^ACPI: INT_SRC_OVR \(bus 0 bus_irq (5|10|11) /,
      /^ACPI: PCI: Interrupt link|^ACPI: Enabled \d+ GPEs/,
      /^ACPI FADT declares the system doesn't support MSI/,
      /_OSC: OS supports/,
    ],
  },
  {
    reason: 'The PCI bus: only a host bridge is on it, and it has one number',
    lines: [
      /^acpiphp: Slot/,
      /^pci 0000:00:01\./,
      /^pci 0000:00:00\.0: .*(ISA DMA|Passive)/,
      /^pci_bus 0000:00: /,
      /^ACPI: PCI Root Bridge/,
    ],
  },
  {
    reason: 'There is no VGA, no mouse, and no sleep state but S5',
    lines: [/^Console: colour/, /^i8042: PNP|^serio: i8042 AUX/, /^rtc_cmos .* wake from S4/, /^ACPI: PM: \(supports/],
  },
  {
    reason: 'The processor is another: its name, UMIP, pages of 1 GiB, and what Linux says of its vendor',
    lines: [
      /^smpboot: CPU0: /,
      /User Mode Instruction Prevention/,
      /^Using GB pages|^HugeTLB: .*1\.00 GiB/,
      /using AMD E400 aware idle routine/,
    ],
  },
  {
    reason: "With nolapic a 32-bit kernel reads the MP table of QEMU's firmware; there is none here",
    lines: [
      /^Intel MultiProcessor Specification|Virtual Wire compatibility mode|^MPTABLE: |^Processor #0 |^Processors: 1$/,
      /^IOAPIC\[0\]: apic_id 0, version 32/,
      /^APIC: (disable apic facility|switched to apic NOOP)$|boot CPU \(#0\) not listed by the BIOS/,
    ],
  },
  {
    reason: 'Signs of numbers',
    lines: [/^sched_clock: Marking stable/],
  },
];

/** The reason for a line; undefined: there is none. */
export function reasonFor(line: string): string | undefined {
  return EXPLANATIONS.find(({ lines }) => lines.some((pattern) => pattern.test(line)))?.reason;
}

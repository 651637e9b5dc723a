import { expect, test } from 'vitest';
import { reasonFor } from '../../scripts/compare-console/explained.js';
import { consoleLines, differences, withoutNumbers } from '../../scripts/compare-console/lines.js';

const console = (...lines: string[]) => consoleLines(lines.join('\r\n'));

test('time stamps, terminal codes and empty lines are no part of a line; firmware ends where the kernel begins', () => {
  expect(console('Probing... ok\u001bc\u001b[?7l\u001b[2J[    0.000000] Linux version 6.1  ', '', 'BOOT-OK')).toEqual([
    { text: 'Probing... ok', isKernel: false },
    { text: 'Linux version 6.1', isKernel: true },
    { text: 'BOOT-OK', isKernel: false },
  ]);
});

test('numbers of the kernel are alike, those of programs are not', () => {
  const first = console(
    '[    1.000000] mem 0xffe0000-0xFFF at 12 MHz',
    '20000',
    'WORK-OK',
    '[    9.000000] Power down',
  );
  const second = console('[    2.000000] mem 0x12-0x5 at 999.5 MHz', '20001', 'WORK-OK', '[    3.000000] Power down');
  expect(withoutNumbers('mem 0x12-0x5 at 12 MHz, cafe')).toBe('mem #-# at # MHz, cafe');
  expect(differences(first, second)).toEqual({
    same: 2,
    numbers: [],
    onlyFirst: ['mem 0xffe0000-0xFFF at 12 MHz', '20000'],
    onlySecond: ['mem 0x12-0x5 at 999.5 MHz', '20001'],
  });
  const third = console('[    2.000000] mem 0x12-0x5 at 999 MHz', '20000', 'WORK-OK', '[    3.000000] Power down');
  expect(differences(first, third)).toMatchObject({
    same: 3,
    numbers: ['mem 0xffe0000-0xFFF at 12 MHz'],
    onlySecond: [],
  });
});

test('a line that comes twice must be there twice, in whatever order', () => {
  const found = differences(console('a', 'b', 'a'), console('b', 'a', 'c'));
  expect(found).toEqual({ same: 2, numbers: [], onlyFirst: ['a'], onlySecond: ['c'] });
});

test('what is explained has a reason, and trouble has none', () => {
  expect(reasonFor('ACPI: INT_SRC_OVR (bus 0 bus_irq 5 global_irq 5 high level)')).toContain('PCI');
  expect(reasonFor('ACPI: INT_SRC_OVR (bus 0 bus_irq 0 global_irq 2 dfl dfl)')).toBeUndefined();
  expect(reasonFor('..MP-BIOS bug: 8254 timer not connected to IO-APIC')).toBeUndefined();
});

import { expect, test } from 'vitest';
import { AccessNames } from '../../src/cli/device-names.js';
import { TraceSummary } from '../../src/cli/trace-summary.js';
import { TraceRecord } from '../../src/trace/record.js';
import { vmtape64Cpuid } from '../../src/vmm/cpu/cpuid.js';
import { createDevices } from '../../src/vmm/machine-devices.js';
import { smallHeader } from '../helpers/trace.js';

const header = { ...smallHeader, cpuid: vmtape64Cpuid() };
const [IN, OUT, LOAD, STORE, WRMSR] = [1, 2, 3, 4, 6] as const;
type Access = readonly [kind: 1 | 2 | 3 | 4 | 6, address: number, value: number | bigint, size?: number];

const recordOf = ([kind, address, value, size = kind > 2 ? 4 : 1]: Access) => {
  const record = Object.assign(new TraceRecord(), { kind, address, size });
  new DataView(record.data.buffer).setBigUint64(0, BigInt(value), true);
  return record;
};
const named = (...accesses: Access[]) => {
  const names = new AccessNames(header);
  return accesses.map((access) =>
    names
      .follow(recordOf(access))
      .map(({ register, bits }) => [register, ...bits].join(' '))
      .join(', '),
  );
};

test('the divisor latch of the serial port lies over its data', () => {
  expect(
    named(
      ...([
        [OUT, 0x3f9, 0x0f],
        [OUT, 0x3fb, 0x83],
        [OUT, 0x3f8, 1],
        [OUT, 0x3f9, 0],
        [OUT, 0x3fb, 3],
        [OUT, 0x3f8, 0x48],
        [IN, 0x3fd, 0x60],
        [OUT, 0x3fa, 0xc7],
        [IN, 0x3fa, 0xc2],
      ] as const),
    ),
  ).toEqual([
    'uart.IER ERBFI ETBEI ELSI EDSSI',
    'uart.LCR WLS=3 DLAB',
    'uart.DLL',
    'uart.DLM',
    'uart.LCR WLS=3',
    'uart.THR',
    'uart.LSR THRE TEMT',
    'uart.FCR ENABLE CLEAR-RX CLEAR-TX TRIGGER=3',
    'uart.IIR ID=1 FIFOS=3',
  ]);
});

test('the interrupt controllers are told their command words by order and by value', () => {
  expect(
    named(
      ...([
        [OUT, 0x20, 0x11],
        [OUT, 0x21, 0x20],
        [OUT, 0x21, 0x04],
        [OUT, 0x21, 0x01],
        [OUT, 0x21, 0xfe],
        [OUT, 0xa1, 0xff],
        [OUT, 0x20, 0x60],
        [IN, 0x20, 1],
        [OUT, 0x20, 0x0b],
        [IN, 0x20, 1],
        [OUT, 0xa0, 0x0c],
        [IN, 0xa0, 0],
        [IN, 0xa1, 0x80],
        [OUT, 0x4d1, 0x0c],
      ] as const),
    ),
  ).toEqual([
    ...['pic1.ICW1 IC4', 'pic1.ICW2', 'pic1.ICW3', 'pic1.ICW4 UPM'],
    'pic1.OCW1 IRQ1 IRQ2 IRQ3 IRQ4 IRQ5 IRQ6 IRQ7',
    'pic2.OCW1 IRQ8 IRQ9 IRQ10 IRQ11 IRQ12 IRQ13 IRQ14 IRQ15',
    ...['pic1.OCW2 EOI SL', 'pic1.IRR IRQ0', 'pic1.OCW3 RIS RR', 'pic1.ISR IRQ0'],
    ...['pic2.OCW3 P', 'pic2.POLL', 'pic2.IMR IRQ15', 'pic2.ELCR IRQ10 IRQ11'],
  ]);
});

test('a counter of the timer gives its low byte, its high byte, and its status where it was latched', () => {
  expect(
    named(
      ...([
        [OUT, 0x43, 0x34],
        [OUT, 0x40, 0x9c],
        [OUT, 0x40, 0x2e],
        [OUT, 0x43, 0xe2],
        [IN, 0x40, 0x34],
        [IN, 0x40, 1],
        [OUT, 0x43, 0],
        [IN, 0x40, 2],
        [IN, 0x61, 0x20],
      ] as const),
    ),
  ).toEqual([
    ...['pit.control M=2 RW=3', 'pit.counter0.low', 'pit.counter0.high', 'pit.read-back CNT0 NO-COUNT'],
    ...[
      'pit.counter0.status M=2 RW=3',
      'pit.counter0.low',
      'pit.latch',
      'pit.counter0.high',
      'pit.port61 TIM_CNT2_OUT',
    ],
  ]);
});

test('a wide access to bytes has the name of each, where the second is what the first has chosen', () => {
  expect(named([OUT, 0x70, 0x260b, 2], [OUT, 0x70, 0x8f], [IN, 0x71, 0], [IN, 0x600, 1, 4])).toEqual([
    ...['rtc.index INDEX=0xb, rtc.B 24/12 DM AIE', 'rtc.index INDEX=0xf NMI-OFF', 'rtc.cmos[0x0f]'],
    'acpi-pm1.PM1_STS TMR_STS, acpi-pm1.PM1_EN',
  ]);
});

test('a configuration access is named by its function, and a byte within the address is the reset control', () => {
  expect(
    named([OUT, 0xcf8, 0x8000_f80c, 4], [IN, 0xcfe, 0, 2], [OUT, 0xcf9, 6], [OUT, 0x64, 0x60], [OUT, 0x60, 0x61]),
  ).toEqual([
    'pci-host.CONFIG_ADDRESS REGISTER=3 DEVICE=0x1f ENABLE',
    ...['pci-host.00:1f.0+0x0e', 'reset-control.RC SRST RCPU'],
    ...['i8042.command', 'i8042.command-byte INT AUX-OFF XLATE'],
  ]);
});

test('the local APIC is followed to where IA32_APIC_BASE says', () => {
  expect(
    named(
      [STORE, 0xfee0_00f0, 0x1ff],
      [WRMSR, 0x1b, 0xfee1_0900n],
      [STORE, 0xfee0_00f0, 0x1ff],
      [STORE, 0xfee1_0300, 0xc_4500],
      [STORE, 0xfec0_0000, 0x13],
      [LOAD, 0xfec0_0010, 0x0200_0000],
    ),
  ).toEqual([
    ...['lapic.SVR VECTOR=0xff ENABLE', '', 'unclaimed', 'lapic.ICR.low MODE=5 ASSERT SHORTHAND=3'],
    ...['ioapic.IOREGSEL', 'ioapic.IOREDTBL1.high DESTINATION=2'],
  ]);
});

test('every port of every device has the name of a register', () => {
  const nowhere = { write() {}, set() {}, request() {}, off() {}, ignoreFerr() {}, now: () => 0 };
  const { all } = createDevices({
    ...{ clock: nowhere, memorySize: 0x10_0000, rtcTime: 0, serial: nowhere, debugConsole: nowhere, ferr: nowhere },
    onEnd() {},
  });
  const bare: string[] = [];
  for (const device of all) {
    for (const { base, length } of device.ports) {
      for (let port = base; port < base + length; port++) {
        const isNamed = [true, false].some((isWrite) => device.registerAt?.(port, isWrite, 0) !== undefined);
        if (!isNamed) bare.push(`${device.name} 0x${port.toString(16)}`);
      }
    }
  }
  // Within registers of several bytes.
  expect(bare).toEqual([
    ...['pci-host 0xcf9', 'pci-host 0xcfa', 'pci-host 0xcfb', 'pm-timer 0x609', 'pm-timer 0x60a', 'pm-timer 0x60b'],
    ...['acpi-pm1 0x601', 'acpi-pm1 0x603', 'acpi-pm1 0x605', 'exit-port 0xf5', 'exit-port 0xf6', 'exit-port 0xf7'],
  ]);
});

test('a summary counts what it has no room for together', () => {
  const summary = new TraceSummary(header);
  for (let index = 0; index < 10_000; index++) summary.add(recordOf([STORE, 0xd000_0000 + 16 * index, 0]));
  const { addresses, unclaimed } = summary.data;
  expect(unclaimed).toHaveLength(4097);
  expect(unclaimed[0]).toEqual({ space: 'port', address: 'others', device: 'others', reads: 0, writes: 5904 });
  expect(unclaimed[1]).toEqual({ space: 'mmio', address: '0xd0000000', device: 'unclaimed', reads: 0, writes: 1 });
  expect(addresses).toEqual(unclaimed);
});

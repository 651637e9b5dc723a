import { describe, expect, it } from 'vitest';
import { Bus } from '../../../src/vmm/bus.js';
import { PciHost } from '../../../src/vmm/devices/pci-host/pci-host.js';
import { ResetControl } from '../../../src/vmm/devices/reset-control/reset-control.js';
import { onBench } from './bench.js';

/** Reads a configuration register as a driver does. */
function config(device: PciHost, address: number, size = 4, lane = 0): number {
  device.writePort(0xcf8, 4, address);
  return device.readPort(0xcfc + lane, size);
}

describe('the host bridge at 00:00.0', () => {
  it.each([
    ['vendor and device', 0x8000_0000, 0x1237_8086],
    ['command and status', 0x8000_0004, 0x0280_0006],
    ['revision and class', 0x8000_0008, 0x0600_0002],
    ['header type', 0x8000_000c, 0],
    ['a base address', 0x8000_0010, 0],
    ['the interrupt pin', 0x8000_003c, 0],
  ])('%s', (_, address, value) => {
    expect(config(new PciHost(), address)).toBe(value);
  });

  it('answers bytes and words', () => {
    const host = new PciHost();
    expect(config(host, 0x8000_0000, 2, 2)).toBe(0x1237);
    expect(config(host, 0x8000_0000, 1, 1)).toBe(0x80);
    expect(config(host, 0x8000_0008, 2, 2)).toBe(0x0600);
  });

  it('is read-only', () => {
    const host = new PciHost();
    for (const address of [0x8000_0000, 0x8000_0004, 0x8000_0010]) {
      const before = config(host, address);
      host.writePort(0xcfc, 4, 0xffff_ffff);
      expect(config(host, address)).toBe(before);
    }
  });
});

describe('mechanism #1', () => {
  it.each([
    ['another function', 0x8000_0100],
    ['another device', 0x8000_0800],
    ['another bus', 0x8001_0000],
    ['the enable bit is 0', 0x0000_0000],
  ])('all ones: %s', (_, address) => {
    expect(config(new PciHost(), address)).toBe(0xffff_ffff);
  });

  it('"bits 30-24 are reserved, read-only, and must return 0\'s", and bits 1 and 0 too', () => {
    const host = new PciHost();
    host.writePort(0xcf8, 4, 0xffff_ffff);
    expect(host.readPort(0xcf8, 4)).toBe(0x80ff_fffc);
  });

  it('takes the address by dwords only', () => {
    const host = new PciHost();
    host.writePort(0xcf8, 4, 0x8000_0000);
    host.writePort(0xcfb, 1, 0x01);
    host.writePort(0xcf8, 2, 0x1234);
    expect(host.readPort(0xcf8, 4)).toBe(0x8000_0000);
    expect(host.readPort(0xcf8, 2)).toBe(0xffff);
    expect(host.readPort(0xcfb, 1)).toBe(0xff);
  });

  it('refuses reserved bits in a state', () => {
    expect(() => new PciHost().loadState({ address: 0x0100_0000 })).toThrow('reserved');
  });
});

it.each(['first', 'last'])('bytes at CF9h are the reset control register, which comes %s', (order) => {
  const { device: reset, seen } = onBench((bench) => new ResetControl(bench));
  const bus = new Bus();
  for (const device of order === 'first' ? [reset, new PciHost()] : [new PciHost(), reset]) bus.attach(device);
  bus.writePort(0xcf8, 4, 0x8000_0604);
  expect(bus.readPort(0xcf8, 4)).toBe(0x8000_0604);
  bus.writePort(0xcf9, 2, 0x0606);
  expect(seen()).toEqual([]);
  expect(bus.readPort(0xcf9, 1)).toBe(0x00);
  bus.writePort(0xcf9, 1, 0x06);
  expect(seen()).toEqual(['reset=1']);
  expect(bus.readPort(0xcf8, 4)).toBe(0x8000_0604);
});

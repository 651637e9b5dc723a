import { describe, expect, it } from 'vitest';
import { Bus } from '../../../src/vmm/bus.js';
import { I440fx } from '../../../src/vmm/devices/i440fx/i440fx.js';
import { PciHost } from '../../../src/vmm/devices/pci-host/pci-host.js';
import { isaBridge, Piix4 } from '../../../src/vmm/devices/piix4/piix4.js';
import { PmTimer } from '../../../src/vmm/devices/pm-timer/pm-timer.js';

/** A bus with both chips and the PM timer at 608h, 1 s after power-on. */
function board() {
  const bus = new Bus();
  const south = new Piix4(bus);
  const north = new I440fx({ writeRam() {} });
  const host = new PciHost(
    new Map<number, I440fx | Piix4 | typeof isaBridge>([
      [0, north],
      [0x800, isaBridge],
      [0xb00, south],
    ]),
  );
  for (const device of [host, south, new PmTimer({ clock: { now: () => 1_000_000_000 } })]) bus.attach(device);
  const at = (address: number) => {
    bus.writePort(0xcf8, 4, 0x8000_0000 + (address & ~3));
    return 0xcfc + (address & 3);
  };
  return {
    bus,
    south,
    read: (address: number, size = 4) => bus.readPort(at(address), size),
    write: (address: number, value: number, size = 1) => {
      bus.writePort(at(address), size, value);
      bus.movePorts(south, south.pmPorts);
    },
  };
}

const TICKS = 3_579_545;

describe('the functions of 00:01', () => {
  it.each([
    ['the ISA bridge', 0x800, 0x7000_8086],
    ['it has several functions', 0x80c, 0x0080_0000],
    ['no PIRQ is routed', 0x860, 0x8080_8080],
    ['power management', 0xb00, 0x7113_8086],
    ['the SCI is IRQ 9', 0xb3c, 0x0000_0109],
    ['APMC_EN is set', 0xb58, 0x0200_0000],
    ['PMBA', 0xb40, 1],
    ['PMREGMISC', 0xb80, 0],
  ])('%s', (_, address, value) => {
    expect(board().read(address)).toBe(value);
  });
});

describe('PMBA', () => {
  it('shows the registers of power management a second time, while PMIOSE is set', () => {
    const { bus, read, write } = board();
    write(0xb40, 0xb001, 2);
    expect(read(0xb40)).toBe(0xb001);
    expect(bus.readPort(0xb008, 4)).toBe(0xffff_ffff);
    write(0xb80, 1);
    expect([bus.readPort(0xb008, 4), bus.readPort(0x608, 4)]).toEqual([TICKS, TICKS]);
    write(0xb41, 0xe4);
    expect(bus.readPort(0xb008, 4)).toBe(0xffff_ffff);
    expect(bus.readPort(0xe408, 4)).toBe(TICKS);
    write(0xb80, 0);
    expect(bus.readPort(0xe408, 4)).toBe(0xffff_ffff);
  });

  it('has bits 15 to 6', () => {
    const { read, write } = board();
    write(0xb40, 0xffff_ffff, 4);
    expect(read(0xb40)).toBe(0xffc1);
  });

  it('takes no port from another device, at whatever address', () => {
    const { bus, read, write } = board();
    write(0xb80, 1);
    for (const base of [0x0cc0, 0x0600, 0x05c0, 0x0640]) {
      write(0xb40, base | 1, 2);
      expect(read(0xb00)).toBe(0x7113_8086);
      expect(bus.readPort(0x608, 4)).toBe(TICKS);
    }
  });

  it('names the registers there', () => {
    const { south, write } = board();
    write(0xb40, 0xb001, 2);
    write(0xb80, 1);
    expect(south.registerAt(0xb008, false, 0)?.name).toBe('PM_TMR');
  });
});

it('refuses reserved bits in a state', () => {
  expect(() => board().south.loadState({ base: 0x20, isEnabled: true })).toThrow('reserved');
});

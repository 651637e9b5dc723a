import { describe, expect, it } from 'vitest';
import { I440fx } from '../../../src/vmm/devices/i440fx/i440fx.js';
import { PciHost } from '../../../src/vmm/devices/pci-host/pci-host.js';

/** The bridge behind mechanism #1, and what it wrote to RAM: address, value. */
function bridge() {
  const written: [number, number][] = [];
  const device = new I440fx({ writeRam: (gpa, bytes) => written.push([gpa, bytes[0] as number]) });
  const host = new PciHost(new Map([[0, device]]));
  const at = (register: number) => {
    host.writePort(0xcf8, 4, 0x8000_0000 + (register & 0xfc));
    return 0xcfc + (register & 3);
  };
  return {
    device,
    written,
    read: (register: number, size = 1) => host.readPort(at(register), size),
    write: (register: number, value: number, size = 1) => host.writePort(at(register), size, value),
    store: (address: number, ...values: number[]) =>
      device.writeMmio(address, values.length, new DataView(Uint8Array.from(values).buffer), 0),
  };
}

describe('the header', () => {
  it('is that of the 82441FX, with the subsystem of QEMU’s PC', () => {
    const { read } = bridge();
    expect(read(0x00, 4)).toBe(0x1237_8086);
    expect(read(0x08, 4)).toBe(0x0600_0002);
    expect(read(0x2c, 4)).toBe(0x1100_1af4);
  });

  it('is read-only', () => {
    const { read, write } = bridge();
    for (const register of [0x00, 0x04, 0x08, 0x10, 0x2c]) {
      const before = read(register, 4);
      write(register, 0xffff_ffff, 4);
      expect(read(register, 4)).toBe(before);
    }
  });
});

describe('PAM', () => {
  const bus = 'bus';

  it('shows the bus everywhere after power-on', () => {
    expect(bridge().device.views).toEqual(Array.from({ length: 14 }, () => bus));
  });

  it('has no reserved bits', () => {
    const { read, write } = bridge();
    for (let register = 0x59; register <= 0x5f; register++) {
      write(register, 0xff);
      expect(read(register)).toBe(register === 0x59 ? 0x30 : 0x33);
    }
  });

  it.each([
    [0x59, 0x10, 13, 'ram-readonly'],
    [0x59, 0x20, 13, 'bus'],
    [0x59, 0x30, 13, 'ram'],
    [0x5a, 0x03, 1, 'ram'],
    [0x5a, 0x30, 2, 'ram'],
    [0x5c, 0x01, 5, 'ram-readonly'],
    [0x5f, 0x03, 11, 'ram'],
    [0x5f, 0x10, 12, 'ram-readonly'],
  ])('register %i = %i: window %i is %s, and no other changes', (register, value, window, view) => {
    const { device, write } = bridge();
    write(register, value);
    const wanted: string[] = Array.from({ length: 14 }, () => bus);
    wanted[window] = view;
    expect(device.views).toEqual(wanted);
  });

  it('takes dwords: PAM3 to PAM6', () => {
    const { device, write } = bridge();
    write(0x5c, 0x3333_3333, 4);
    expect(device.views.slice(5, 13)).toEqual(Array.from({ length: 8 }, () => 'ram'));
  });

  it('writes to RAM where only writes go there, byte by byte', () => {
    const { store, write, written } = bridge();
    write(0x5a, 0x02);
    store(0xc_0000, 1);
    store(0xc_3ffe, 2, 3, 4, 5);
    store(0xf_0000, 6);
    expect(written).toEqual([
      [0xc_0000, 1],
      [0xc_3ffe, 2],
      [0xc_3fff, 3],
    ]);
    write(0x59, 0x20);
    store(0xf_ffff, 7);
    expect(written.at(-1)).toEqual([0xf_ffff, 7]);
  });
});

describe('SMRAM', () => {
  it('is 02h, and DOPEN shows RAM', () => {
    const { device, read, write } = bridge();
    expect(read(0x72)).toBe(0x02);
    write(0x72, 0xff & ~0x10);
    expect(read(0x72)).toBe(0x6a);
    expect(device.views[0]).toBe('ram');
    write(0x72, 0x0a);
    expect(device.views[0]).toBe('bus');
  });

  it('"DLCK … DOPEN is set to 0 and both DLCK and DOPEN become read only"', () => {
    const { device, read, write } = bridge();
    write(0x72, 0x58);
    expect(read(0x72)).toBe(0x1a);
    write(0x72, 0x48);
    expect(read(0x72)).toBe(0x1a);
    expect(device.views[0]).toBe('bus');
    device.reset();
    expect(read(0x72)).toBe(0x02);
  });
});

it.each([
  ['a reserved bit of PAM0', { pam: Uint8Array.of(1, 0, 0, 0, 0, 0, 0), smram: 2 }],
  ['SMRAM that is locked and open', { pam: new Uint8Array(7), smram: 0x52 }],
  ['another base of SMRAM', { pam: new Uint8Array(7), smram: 0 }],
])('refuses a state with %s', (_, state) => {
  expect(() => bridge().device.loadState(state)).toThrow('i440fx');
});

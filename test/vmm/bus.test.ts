import { describe, expect, it } from 'vitest';
import { Bus } from '../../src/vmm/bus.js';
import { MachineClock } from '../../src/vmm/clock.js';
import { DebugConsole } from '../../src/vmm/devices/debug-console/debug-console.js';
import { Lapic } from '../../src/vmm/devices/lapic/lapic.js';
import { PostPort } from '../../src/vmm/devices/post/post.js';

const sink = { write: () => {} };

describe('the bus', () => {
  it('unclaimed ports and addresses read ones, ignore writes and are counted', () => {
    const bus = new Bus();
    expect(bus.readPort(0x1234, 4)).toBe(0xffff_ffff);
    bus.writePort(0x1234, 1, 5);
    const bytes = new DataView(new ArrayBuffer(8));
    bus.readMmio(0xfee0_0000, 8, bytes, 0);
    expect(bytes.getBigUint64(0)).toBe(0xffff_ffff_ffff_ffffn);
    expect(bus.unclaimed()).toEqual([
      { space: 'port', address: 0x1234, reads: 1, writes: 1 },
      { space: 'mmio', address: 0xfee0_0000, reads: 1, writes: 0 },
    ]);
  });

  it('counts no more than 1024 addresses one by one', () => {
    const bus = new Bus();
    const bytes = new DataView(new ArrayBuffer(8));
    for (let page = 0; page < 2000; page++) bus.writeMmio(page * 4096, 1, bytes, 0);
    expect(bus.unclaimed()).toHaveLength(1025);
    expect(bus.unclaimed()[0]).toEqual({ space: 'mmio', address: -1, reads: 0, writes: 976 });
  });

  it('a strict bus refuses', () => {
    const bus = new Bus();
    bus.strict = true;
    expect(() => bus.readPort(0x1234, 2)).toThrowError(expect.objectContaining({ code: 'VMTAPE_UNCLAIMED' }));
  });

  it('splits an access that leaves a device, or wraps round', () => {
    const bus = new Bus();
    bus.attach(new PostPort());
    bus.attach(new DebugConsole(sink));
    bus.writePort(0x8e, 4, 0x4433_2211);
    expect(bus.readPort(0x8e, 4)).toBe(0xffff_2211);
    expect(bus.readPort(0xe8, 2)).toBe(0xe9ff);
    expect(bus.readPort(0xffff, 2) & 0xffff).toBe(0xffff);
  });

  it('asks a device that moves whether an address is its, before all others, and splits what leaves it', () => {
    const bus = new Bus();
    const processor = { cr8: 0, apicBase: 0xfee0_0900 };
    const apic = new Lapic({ clock: new MachineClock(), processor, eoi: () => {}, resetLine: { request: () => {} } });
    bus.attach(apic);
    const bytes = new DataView(new ArrayBuffer(8));
    const read = (address: number): number => {
      bus.readMmio(address, 8, bytes, 0);
      return bytes.getUint32(0, true);
    };
    expect(read(0xfee0_0030)).toBe(0x5_0014);
    processor.apicBase = 0xfed0_0900;
    expect([read(0xfee0_0030), read(0xfed0_0030)]).toEqual([0xffff_ffff, 0x5_0014]);
    // Two bytes before the page, and the first two of its first register, which is not there.
    expect(read(0xfecf_fffe)).toBe(0x0000_ffff);
    processor.apicBase = 0xfed0_0100;
    expect(read(0xfed0_0030)).toBe(0xffff_ffff);
    expect(bus.unclaimed().map(({ address, reads }) => [address, reads])).toEqual([
      [0xfecf_fffe, 1],
      [0xfecf_ffff, 1],
      [0xfed0_0030, 1],
      [0xfee0_0030, 1],
    ]);
  });

  it('has one device a port and a name', () => {
    const bus = new Bus();
    bus.attach(new PostPort());
    expect(() => bus.attach(new PostPort())).toThrow('the names of devices are unique');
  });
});

describe('the clock', () => {
  it('samples at most once until it expires, and only if asked', () => {
    const clock = new MachineClock();
    let asked = 0;
    clock.sampleFrom(() => ++asked * 10);
    clock.expire();
    expect(asked).toBe(0);
    expect([clock.now(), clock.now(), asked]).toEqual([10, 10, 1]);
    clock.expire();
    expect(clock.fresh).toBe(false);
    expect(clock.now()).toBe(20);
  });

  it('never goes back', () => {
    const clock = new MachineClock();
    clock.set(100);
    clock.sampleFrom(() => 50);
    clock.expire();
    expect(clock.now()).toBe(100);
    expect(() => clock.set(99)).toThrow('guest time never decreases');
  });
});

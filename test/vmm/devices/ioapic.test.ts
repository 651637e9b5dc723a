/** The I/O APIC as software sees it (82093AA data sheet). Offsets and bits are written out. */
import { describe, expect, it, test } from 'vitest';
import { Ioapic } from '../../../src/vmm/devices/ioapic/ioapic.js';
import type { ApicMessage } from '../../../src/vmm/devices/lapic/message.js';

const BASE = 0xfec0_0000;

function onBench() {
  const sent: ApicMessage[] = [];
  const state = { takes: true };
  const device = new Ioapic({
    send: (message) => {
      sent.push(message);
      return state.takes;
    },
  });
  const bytes = new DataView(new ArrayBuffer(8));
  const store = (offset: number, value: number): void => {
    bytes.setUint32(0, value, true);
    device.writeMmio(BASE + offset, 4, bytes, 0);
  };
  return {
    device,
    state,
    get(register: number): number {
      store(0, register);
      device.readMmio(BASE + 0x10, 4, bytes, 0);
      return bytes.getUint32(0, true);
    },
    put(register: number, value: number): void {
      store(0, register);
      store(0x10, value);
    },
    line: (pin: number, level: boolean) => device.line(pin).set(level),
    /** The vectors of messages since the last time. */
    seen: () => sent.splice(0).map(({ vector }) => vector),
    sent,
  };
}

describe('registers', () => {
  it('id, version and arbitration', () => {
    const chip = onBench();
    expect([chip.get(0), chip.get(1), chip.get(2)]).toEqual([0, 0x0017_0011, 0]);
    chip.put(0, 0xffff_ffff);
    chip.put(1, 0);
    chip.put(2, 0);
    expect([chip.get(0), chip.get(1), chip.get(2)]).toEqual([0x0f00_0000, 0x0017_0011, 0x0f00_0000]);
  });
  it('every entry is masked at first', () => {
    const chip = onBench();
    for (let pin = 0; pin < 24; pin++)
      expect([chip.get(0x10 + pin * 2), chip.get(0x11 + pin * 2)]).toEqual([0x1_0000, 0]);
  });
  it('delivery status and remote IRR are read-only', () => {
    const chip = onBench();
    chip.put(0x3e, 0xffff_ffff);
    chip.put(0x3f, 0xffff_ffff);
    expect([chip.get(0x3e), chip.get(0x3f)]).toEqual([0x1_afff, 0xff00_0000]);
  });
  it('CVE-2013-1798: all 256 selections can be read and written', () => {
    const chip = onBench();
    for (let register = 0; register < 256; register++) {
      chip.put(register, 0x1_0000);
      const value = chip.get(register);
      if (register > 2 && (register < 0x10 || register >= 0x40)) expect(value).toBe(0);
    }
  });
});

describe('an edge-triggered input', () => {
  it('sends at each rise', () => {
    const chip = onBench();
    chip.put(0x15, 0x0100_0000);
    chip.put(0x14, 0x0831);
    chip.line(2, true);
    expect(chip.sent).toEqual([{ vector: 0x31, delivery: 0, isLogical: true, destination: 1, isLevel: false }]);
    chip.line(2, true);
    chip.line(2, false);
    chip.line(2, true);
    expect(chip.seen()).toEqual([0x31, 0x31]);
  });
  it('"Edge-sensitive interrupts signaled on a masked interrupt pin are ignored (i.e., not delivered or held pending)"', () => {
    const chip = onBench();
    chip.line(3, true);
    chip.put(0x16, 0x33);
    expect(chip.seen()).toEqual([]);
  });
});

describe('a level-triggered input', () => {
  it('sends once, and again after its end while the line is asserted', () => {
    const chip = onBench();
    chip.line(9, true);
    chip.put(0x22, 0x8039);
    expect([chip.seen(), chip.get(0x22)]).toEqual([[0x39], 0xc039]);
    chip.line(9, false);
    chip.line(9, true);
    expect(chip.seen()).toEqual([]);
    chip.device.endOfInterrupt(0x38);
    expect(chip.seen()).toEqual([]);
    chip.device.endOfInterrupt(0x39);
    expect([chip.seen(), chip.get(0x22)]).toEqual([[0x39], 0xc039]);
    chip.line(9, false);
    chip.device.endOfInterrupt(0x39);
    expect([chip.seen(), chip.get(0x22)]).toEqual([[], 0x8039]);
  });
  it('that nobody takes has no remote IRR, and is sent again when its entry is written', () => {
    const chip = onBench();
    chip.state.takes = false;
    chip.put(0x22, 0x8039);
    chip.line(9, true);
    expect(chip.get(0x22)).toBe(0x8039);
    chip.state.takes = true;
    chip.put(0x22, 0x8039);
    expect([chip.seen(), chip.get(0x22)]).toEqual([[0x39, 0x39], 0xc039]);
  });
  it('made edge-triggered, loses its remote IRR', () => {
    const chip = onBench();
    chip.put(0x22, 0x8039);
    chip.line(9, true);
    chip.put(0x22, 0x1_0039);
    expect(chip.get(0x22)).toBe(0x1_0039);
    chip.put(0x22, 0x8039);
    expect(chip.seen()).toEqual([0x39, 0x39]);
  });
});

test('a state that contradicts itself is refused', () => {
  const { device } = onBench();
  const state = device.saveState();
  (state.pins[0] as { entry: number }).entry = 0x4031;
  expect(() => device.loadState(state)).toThrow('remote IRR');
});

/** Intel 8259A, 231468-003. */
import { describe, expect, it } from 'vitest';
import { Pic } from '../../../src/vmm/devices/pic/pic.js';
import { type OnBench, onBench } from './bench.js';

/** Vectors 20h and 28h, all open. */
function ready(icw4 = 0x01): OnBench<Pic> {
  const pic = onBench(() => new Pic());
  pic.out(0x20, 0x11);
  pic.out(0x21, 0x20, 0x04, icw4, 0x00);
  pic.out(0xa0, 0x11);
  pic.out(0xa1, 0x28, 0x02, icw4, 0x00);
  return pic;
}
const raise = (pic: OnBench<Pic>, ...irqs: number[]): void => {
  for (const irq of irqs) pic.device.line(irq).set(true);
};
const pulse = (pic: OnBench<Pic>, ...irqs: number[]): void => {
  for (const irq of irqs) {
    pic.device.line(irq).set(true);
    pic.device.line(irq).set(false);
  }
};

describe('delivery', () => {
  it('takes the highest priority first, and a lower one after the end of interrupt', () => {
    const pic = ready();
    raise(pic, 5, 3);
    expect(pic.device.intr).toBe(true);
    expect(pic.device.acknowledge()).toBe(0x23);
    expect(pic.device.intr).toBe(false);
    pic.out(0x20, 0x20);
    expect(pic.device.acknowledge()).toBe(0x25);
  });

  it('nests: a higher priority interrupts, a lower waits', () => {
    const pic = ready();
    raise(pic, 4);
    pic.device.acknowledge();
    raise(pic, 6);
    expect(pic.device.intr).toBe(false);
    raise(pic, 1);
    expect(pic.device.acknowledge()).toBe(0x21);
  });

  it('passes the slave through input 2 and needs both ends', () => {
    const pic = ready();
    raise(pic, 12);
    expect(pic.device.acknowledge()).toBe(0x2c);
    raise(pic, 14);
    pic.out(0x20, 0x20);
    expect(pic.device.intr).toBe(false);
    pic.out(0xa0, 0x20);
    expect(pic.device.acknowledge()).toBe(0x2e);
  });

  it('masks', () => {
    const pic = ready();
    pic.out(0x21, 0x08);
    raise(pic, 3);
    expect(pic.device.intr).toBe(false);
    expect(pic.in(0x21)).toBe(0x08);
    pic.out(0x21, 0);
    expect(pic.device.acknowledge()).toBe(0x23);
  });

  it('gives the default input 7 when nothing waits, without its ISR bit', () => {
    const pic = ready();
    expect(pic.device.acknowledge()).toBe(0x27);
    pic.out(0x20, 0x0b);
    expect(pic.in(0x20)).toBe(0);
  });
});

describe('triggers', () => {
  it('needs a new edge after service', () => {
    const pic = ready();
    raise(pic, 3);
    pic.device.acknowledge();
    pic.out(0x20, 0x20);
    expect(pic.device.intr).toBe(false);
    pulse(pic, 3);
    raise(pic, 3);
    expect(pic.device.intr).toBe(true);
  });

  it('asks again at once for a level that stays (ELCR), and not once it is gone', () => {
    const pic = ready();
    pic.out(0x4d0, 0xff);
    expect(pic.in(0x4d0)).toBe(0xf8);
    raise(pic, 5);
    pic.device.acknowledge();
    pic.out(0x20, 0x20);
    expect(pic.device.intr).toBe(true);
    pic.device.line(5).set(false);
    expect(pic.device.intr).toBe(false);
  });

  it('forgets edges on initialisation: "must make a low-to-high transition"', () => {
    const pic = ready();
    raise(pic, 3);
    pic.out(0x20, 0x11);
    pic.out(0x21, 0x20, 0x04, 0x01);
    expect(pic.device.intr).toBe(false);
  });
});

describe('ends and priorities', () => {
  it('ends a named input', () => {
    const pic = ready();
    raise(pic, 6);
    pic.device.acknowledge();
    raise(pic, 2 + 1);
    pic.device.acknowledge();
    pic.out(0x20, 0x66, 0x0b);
    expect(pic.in(0x20)).toBe(0x08);
  });

  it('ends by itself (AEOI), and rotates then', () => {
    const pic = ready(0x03);
    pic.out(0x20, 0x80);
    raise(pic, 0);
    expect(pic.device.acknowledge()).toBe(0x20);
    pic.device.line(0).set(false);
    raise(pic, 0, 7);
    expect(pic.device.acknowledge()).toBe(0x27);
  });

  it('rotates on a non-specific end: the served input becomes the lowest', () => {
    const pic = ready();
    pulse(pic, 4);
    pic.device.acknowledge();
    pic.out(0x20, 0xa0);
    raise(pic, 3, 4, 5);
    expect(pic.device.acknowledge()).toBe(0x25);
  });

  it('sets priorities by command', () => {
    const pic = ready();
    pic.out(0x20, 0xc5);
    raise(pic, 0, 6);
    expect(pic.device.acknowledge()).toBe(0x26);
  });

  it('lets lower inputs through in special mask mode', () => {
    const pic = ready();
    raise(pic, 1);
    pic.device.acknowledge();
    pic.out(0x21, 0x02);
    raise(pic, 6);
    expect(pic.device.intr).toBe(false);
    pic.out(0x20, 0x68);
    expect(pic.device.intr).toBe(true);
  });

  it('special fully nested: the slave interrupts its own service', () => {
    const pic = ready(0x11);
    raise(pic, 12);
    pic.device.acknowledge();
    raise(pic, 8);
    expect(pic.device.acknowledge()).toBe(0x28);
  });
});

it('polls: bit 7 and the input, and that is its acknowledgement', () => {
  const pic = ready();
  raise(pic, 6);
  pic.out(0x20, 0x0c);
  expect(pic.in(0x20)).toBe(0x86);
  expect(pic.device.intr).toBe(false);
  pic.out(0x20, 0x0c);
  expect(pic.in(0x20)).toBe(0x00);
});

it('reads IRR and ISR as chosen', () => {
  const pic = ready();
  raise(pic, 1, 4);
  pic.device.acknowledge();
  pic.out(0x20, 0x0a);
  expect(pic.in(0x20)).toBe(0x10);
  pic.out(0x20, 0x0b);
  expect(pic.in(0x20)).toBe(0x02);
});

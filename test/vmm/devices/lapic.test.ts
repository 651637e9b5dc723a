/** The local APIC as software sees it (Intel SDM volume 3A, chapter 10). Offsets and bits are written out. */
import { describe, expect, it, test } from 'vitest';
import { Bench } from '../../../src/fuzz/rig.js';
import { Lapic } from '../../../src/vmm/devices/lapic/lapic.js';
import { lapicState } from '../../../src/vmm/devices/lapic/state.js';
import { decodeState, encodeState } from '../../../src/vmm/state/codec.js';

const BASE = 0xfee0_0000;

/** An APIC that software has enabled, unless told otherwise. */
function onBench(spurious = 0x1ff) {
  const bench = new Bench(0);
  const { clock, processor } = bench;
  const device = new Lapic({ clock, processor, eoi: (vector) => bench.note('eoi', vector), resetLine: bench });
  const bytes = new DataView(new ArrayBuffer(8));
  const apic = {
    device,
    processor,
    get(offset: number, size = 4): number {
      device.readMmio(BASE + offset, size, bytes, 0);
      return size === 4 ? bytes.getUint32(0, true) : bytes.getUint8(0);
    },
    put(offset: number, value: number, size = 4): void {
      bytes.setUint32(0, value, true);
      device.writeMmio(BASE + offset, size, bytes, 0);
    },
    pass(ns: number): void {
      clock.set(clock.now() + ns);
      device.advance(clock.now());
    },
    /** A fixed interrupt on the APIC bus. */
    send(vector: number, isLevel = false, destination = 0, isLogical = false): boolean {
      return device.receive({ vector, delivery: 0, isLogical, destination, isLevel });
    },
    seen: () => bench.take().map(({ what, value }) => `${what}=${value}`),
  };
  if (spurious !== 0xff) apic.put(0xf0, spurious);
  return apic;
}

describe('after power-on', () => {
  const apic = onBench(0xff);
  it.each([
    ['ID', 0x20, 0],
    ['version: 14h, six LVT entries', 0x30, 0x0005_0014],
    ['TPR', 0x80, 0],
    ['LDR', 0xd0, 0],
    ['DFR', 0xe0, 0xffff_ffff],
    ['SVR', 0xf0, 0xff],
    ['LVT timer', 0x320, 0x1_0000],
    ['LVT LINT0: ExtINT', 0x350, 0x700],
    ['LVT LINT1: NMI', 0x360, 0x400],
    ['LVT error', 0x370, 0x1_0000],
    ['initial count', 0x380, 0],
    ['divide configuration', 0x3e0, 0],
  ])('%s', (_, offset, value) => {
    expect(apic.get(offset)).toBe(value);
  });
  it("passes on the 8259A's interrupts, and accepts no others", () => {
    expect(apic.device.passesExtInt).toBe(true);
    expect([apic.send(0x40), apic.device.pending]).toEqual([false, -1]);
  });
});

describe('priorities (section 10.8.3)', () => {
  it('the highest vector comes first, and holds back its class and those below', () => {
    const apic = onBench();
    for (const vector of [0x41, 0x53, 0x58]) apic.send(vector);
    expect(apic.device.acknowledge()).toBe(0x58);
    expect([apic.get(0xa0), apic.device.pending]).toEqual([0x50, -1]);
    apic.put(0xb0, 0);
    expect(apic.device.acknowledge()).toBe(0x53);
    apic.send(0x60);
    expect(apic.device.acknowledge()).toBe(0x60);
    apic.put(0xb0, 0);
    apic.put(0xb0, 0);
    expect([apic.get(0xa0), apic.device.acknowledge()]).toEqual([0, 0x41]);
  });
  it('TPR and CR8 are one: its class holds back', () => {
    const apic = onBench();
    apic.put(0x80, 0x45);
    expect([apic.processor.cr8, apic.get(0x80), apic.get(0xa0)]).toEqual([4, 0x45, 0x45]);
    apic.send(0x4f);
    expect(apic.device.pending).toBe(-1);
    apic.processor.cr8 = 3;
    expect([apic.get(0x80) >> 4, apic.device.pending]).toEqual([3, 0x4f]);
  });
  it('IRR, ISR and TMR show one bit a vector', () => {
    const apic = onBench();
    apic.send(0x41);
    apic.send(0xe3, true);
    expect([apic.get(0x220), apic.get(0x270), apic.get(0x1f0)]).toEqual([2, 8, 8]);
    apic.device.acknowledge();
    expect([apic.get(0x270), apic.get(0x170)]).toEqual([0, 8]);
  });
  it('nothing pending: the spurious vector', () => {
    expect(onBench(0x1ee).device.acknowledge()).toBe(0xee);
  });
});

test('the end of a level-triggered interrupt goes to the I/O APIC, that of an edge does not', () => {
  const apic = onBench();
  apic.send(0x51);
  apic.device.acknowledge();
  apic.send(0x61, true);
  apic.device.acknowledge();
  apic.put(0xb0, 0);
  expect(apic.seen()).toEqual(['eoi=97']);
  apic.put(0xb0, 0);
  apic.put(0xb0, 0);
  expect(apic.seen()).toEqual([]);
});

describe('destinations (section 10.6.2)', () => {
  it.each([
    ['physical 0', 0, false, 0, 0xf, true],
    ['physical 1', 1, false, 0, 0xf, false],
    ['physical broadcast', 0xff, false, 0, 0xf, true],
    ['flat, a common bit', 0x06, true, 0x02, 0xf, true],
    ['flat, none', 0x05, true, 0x02, 0xf, false],
    ['cluster, same cluster and bit', 0x32, true, 0x36, 0, true],
    ['cluster, another bit', 0x38, true, 0x36, 0, false],
    ['cluster, another cluster', 0x22, true, 0x36, 0, false],
    ['cluster broadcast', 0xf4, true, 0x36, 0, true],
  ])('%s', (_, destination, isLogical, id, model, taken) => {
    const apic = onBench();
    apic.put(0xd0, id << 24);
    apic.put(0xe0, model << 28);
    expect(apic.send(0x40, false, destination, isLogical)).toBe(taken);
  });
});

describe('ICR', () => {
  it.each([
    ['shorthand self', 0x4_0041, 0, 0x41],
    ['all including self', 0x8_0041, 0, 0x41],
    ['all excluding self', 0xc_0041, 0, -1],
    ['its own id', 0x41, 0, 0x41],
    ['another id', 0x41, 1, -1],
    ['lowest priority', 0x141, 0, 0x41],
  ])('%s', (_, low, destination, pending) => {
    const apic = onBench();
    apic.put(0x310, destination << 24);
    apic.put(0x300, low);
    expect([apic.device.pending, apic.get(0x300), apic.get(0x310)]).toEqual([pending, low, destination * 2 ** 24]);
  });
  it('INIT resets the machine, INIT level de-assert does nothing', () => {
    const apic = onBench();
    apic.put(0x300, 0x8_8500);
    expect(apic.seen()).toEqual([]);
    apic.put(0x300, 0x4500);
    expect(apic.seen()).toEqual(['reset=1']);
  });
});

describe('the timer (section 10.5.4)', () => {
  it('counts once, in steps of the divider', () => {
    const apic = onBench();
    apic.put(0x320, 0xef);
    apic.put(0x3e0, 0b0011);
    apic.put(0x380, 100);
    expect(apic.device.nextDeadline()).toBe(1600);
    apic.pass(31);
    expect(apic.get(0x390)).toBe(99);
    apic.pass(1);
    expect(apic.get(0x390)).toBe(98);
    apic.pass(1568);
    expect([apic.get(0x390), apic.device.pending, apic.device.nextDeadline()]).toEqual([
      0,
      0xef,
      Number.POSITIVE_INFINITY,
    ]);
  });
  it('periodic: loads the count again; what was missed comes once', () => {
    const apic = onBench();
    apic.put(0x320, 0x2_00ef);
    apic.put(0x3e0, 0b1011);
    apic.put(0x380, 1000);
    apic.pass(1000);
    expect(apic.device.acknowledge()).toBe(0xef);
    apic.put(0xb0, 0);
    apic.pass(3500);
    expect([apic.device.pending, apic.device.nextDeadline(), apic.get(0x390)]).toEqual([0xef, 5000, 500]);
  });
  it.each([
    [0b0000, 2],
    [0b0001, 4],
    [0b0010, 8],
    [0b0011, 16],
    [0b1000, 32],
    [0b1001, 64],
    [0b1010, 128],
    [0b1011, 1],
  ])('divide configuration %i divides by %i', (code, divisor) => {
    const apic = onBench();
    apic.put(0x320, 0xef);
    apic.put(0x3e0, code);
    apic.put(0x380, 10);
    expect(apic.device.nextDeadline()).toBe(10 * divisor);
  });
  it('a new divider applies to what is left; a count of 0 stops; masked it counts in silence', () => {
    const apic = onBench();
    apic.put(0x320, 0xef);
    apic.put(0x3e0, 0b1011);
    apic.put(0x380, 100);
    apic.pass(40);
    apic.put(0x3e0, 0b0000);
    expect([apic.get(0x390), apic.device.nextDeadline()]).toEqual([60, 160]);
    apic.put(0x320, 0x1_00ef);
    apic.pass(120);
    expect([apic.get(0x390), apic.device.pending]).toEqual([0, -1]);
    apic.put(0x320, 0x2_00ef);
    apic.put(0x380, 0);
    expect(apic.device.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });
  it('CVE-2013-6367: no count and no divider divides by 0, at any current count', () => {
    for (let code = 0; code < 16; code++) {
      const apic = onBench();
      apic.put(0x320, 0x2_00ef);
      apic.put(0x3e0, code);
      for (const count of [0, 1, 0xffff_ffff, 0]) {
        apic.put(0x380, count);
        expect(apic.get(0x390)).toBe(count);
        apic.pass(3);
        expect(apic.get(0x390)).toBeLessThanOrEqual(count);
      }
    }
  });
});

describe('errors (section 10.5.3)', () => {
  it('"This write clears any previously logged errors and updates the ESR"', () => {
    const apic = onBench();
    apic.put(0x370, 0xfe);
    apic.put(0x300, 0x4_000f);
    expect([apic.get(0x280), apic.device.pending]).toEqual([0, 0xfe]);
    apic.put(0x280, 0);
    expect(apic.get(0x280)).toBe(1 << 5);
    apic.put(0x280, 0);
    expect(apic.get(0x280)).toBe(0);
  });
  it('an illegal vector that is received, and a register that is not there', () => {
    const apic = onBench();
    apic.send(0x0f);
    apic.get(0x2f0);
    apic.put(0x280, 0);
    expect(apic.get(0x280)).toBe((1 << 6) | (1 << 7));
  });
  it('an error interrupt with an illegal vector makes no endless errors', () => {
    const apic = onBench();
    apic.put(0x370, 0);
    apic.send(3);
    apic.put(0x280, 0);
    expect([apic.get(0x280), apic.device.pending]).toEqual([1 << 6, -1]);
  });
});

describe('off', () => {
  it('"The mask bits for all the LVT entries are set. Attempts to reset these bits will be ignored."', () => {
    const apic = onBench();
    apic.put(0x320, 0xef);
    apic.put(0xf0, 0xff);
    apic.put(0x350, 0x700);
    expect([0x320, 0x350, 0x370].map((offset) => apic.get(offset) >> 16)).toEqual([1, 1, 1]);
    expect(apic.device.passesExtInt).toBe(false);
  });
  it('by IA32_APIC_BASE: it answers nothing, and the 8259A has the processor', () => {
    const apic = onBench();
    apic.put(0x350, 0x1_0000);
    apic.send(0x40);
    apic.processor.apicBase = 0xfee0_0100;
    expect([apic.device.claims(BASE + 0x30), apic.device.pending, apic.device.passesExtInt]).toEqual([false, -1, true]);
    expect([apic.send(0x50), apic.get(0x30)]).toEqual([false, 0xffff_ffff]);
  });
  it('it answers where IA32_APIC_BASE says', () => {
    const apic = onBench();
    apic.processor.apicBase = 0xfed0_0900;
    expect([apic.device.claims(0xfed0_0ffc), apic.device.claims(0xfed0_1000), apic.device.claims(BASE)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('widths', () => {
  it('reads of single bytes are those of the register, between registers there are zeros', () => {
    const apic = onBench();
    expect([0x30, 0x31, 0x32, 0x33, 0x34, 0x3f].map((offset) => apic.get(offset, 1))).toEqual([0x14, 0, 5, 0, 0, 0]);
  });
  it('writes of bytes, words and odd dwords are ignored', () => {
    const apic = onBench();
    for (const [offset, size] of [
      [0xd0, 1],
      [0xd0, 2],
      [0xd1, 4],
      [0xcc, 4],
    ] as const)
      apic.put(offset, 0xffff_ffff, size);
    expect(apic.get(0xd0)).toBe(0);
  });
});

test('LINT0 in fixed mode makes an interrupt of each rise', () => {
  const apic = onBench();
  apic.put(0x350, 0x41);
  apic.device.lint0.set(true);
  expect([apic.device.passesExtInt, apic.device.acknowledge()]).toEqual([false, 0x41]);
  apic.put(0xb0, 0);
  apic.device.lint0.set(true);
  expect(apic.device.pending).toBe(-1);
  apic.device.lint0.set(false);
  apic.device.lint0.set(true);
  expect(apic.device.pending).toBe(0x41);
});

describe('NMIs (sections 10.4.7.2, 10.6.1)', () => {
  const nmi = (apic: ReturnType<typeof onBench>): boolean => {
    const { hasNmi } = apic.device;
    apic.device.takeNmi();
    expect(apic.device.hasNmi).toBe(false);
    return hasNmi;
  };

  it.each([
    ['to id 0', 0, 0x4400, true],
    ['to all', 0xff00_0000, 0x4400, true],
    ['to another id', 0x0100_0000, 0x4400, false],
    ['self', 0x0100_0000, 0x4_4400, true],
    ['all including self', 0x0100_0000, 0x8_4400, true],
    ['all excluding self', 0, 0xc_4400, false],
    ['logical', 0x0200_0000, 0x4c00, true],
    ['another logical id', 0x0400_0000, 0x4c00, false],
    ['a start-up', 0, 0x4612, false],
    ['an SMI', 0, 0x4200, false],
    ['a fixed interrupt', 0, 0x4040, false],
  ])('by ICR: %s', (_, high, low, comes) => {
    for (const spurious of [0x1ff, 0xff]) {
      const apic = onBench(spurious);
      apic.put(0xd0, 0x0200_0000);
      apic.put(0x310, high);
      apic.put(0x300, low);
      expect(nmi(apic)).toBe(comes);
    }
  });

  it('by a message of the I/O APIC, unless the APIC is disabled', () => {
    const apic = onBench();
    const message = { vector: 0, delivery: 4, isLogical: false, destination: 0, isLevel: false };
    expect(apic.device.receive(message)).toBe(true);
    expect(nmi(apic)).toBe(true);
    apic.processor.apicBase = 0xfee0_0000;
    expect(apic.device.receive(message)).toBe(false);
    expect(nmi(apic)).toBe(false);
  });

  it('by LINT0 in NMI mode: at the edge, if it is not masked', () => {
    const apic = onBench();
    const edges = (entry: number): boolean[] => {
      apic.put(0x350, entry);
      return [true, true, false, true, false].map((level) => {
        apic.device.lint0.set(level);
        return nmi(apic);
      });
    };
    expect(edges(0x400)).toEqual([true, false, false, true, false]);
    expect(edges(0x1_0400)).toEqual([false, false, false, false, false]);
    expect(edges(0x700)).toEqual([false, false, false, false, false]);
    expect(apic.device.wiresNmi).toBe(false);
  });

  it('one that waits is state; an older state has none', () => {
    const apic = onBench();
    apic.put(0x300, 0x4_4400);
    const saved = apic.device.saveState();
    const other = onBench();
    other.device.loadState(saved);
    expect(other.device.hasNmi).toBe(true);
    const old = decodeState(lapicState, encodeState(lapicState, saved, 1));
    expect(old.nmi).toBe(false);
  });
});

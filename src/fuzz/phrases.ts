/**
 * What drivers say to a device, with random words: sequences that bring it into states which single random accesses
 * would hardly ever reach. Port numbers are written out, so that a typo in a device's registers shows.
 */
import fc from 'fast-check';
import type { Operation } from './operations.js';

type Word = fc.Arbitrary<number> | number;
type Phrase = fc.Arbitrary<Operation[]>;

const any8 = fc.nat(0xff);
const anyWord = fc.nat(0xffff_ffff);

const write = (port: Word, value: Word): fc.Arbitrary<Operation> =>
  fc.record({ kind: fc.constant('write' as const), port: word(port), size: fc.constant(1), value: word(value) });
const read = (port: Word): fc.Arbitrary<Operation> =>
  fc.record({ kind: fc.constant('read' as const), port: word(port), size: fc.constant(1) });
const input = (number: number, value: Word): fc.Arbitrary<Operation> =>
  fc.record({ kind: fc.constant('input' as const), input: fc.constant(number), value: word(value) });
const pass = (ns: Word): fc.Arbitrary<Operation> => fc.record({ kind: fc.constant('pass' as const), ns: word(ns) });
const say = (...operations: fc.Arbitrary<Operation>[]): Phrase => fc.tuple(...operations);

function word(value: Word): fc.Arbitrary<number> {
  return typeof value === 'number' ? fc.constant(value) : value;
}

/** `make` with one of several values, the same wherever it is used. */
function with_<T>(values: readonly T[], make: (value: T) => Phrase): Phrase {
  return fc.constantFrom(...values).chain(make);
}

const pic: Phrase[] = [
  with_([0x20, 0xa0], (port) =>
    say(
      write(port, fc.constantFrom(0x11, 0x11, 0x10, 0x13, 0x19)),
      write(port + 1, any8),
      write(port + 1, fc.constantFrom(4, 2, 2, 0, 0xff)),
      write(port + 1, fc.constantFrom(0x01, 0x03, 0x11, 0x13)),
      write(port + 1, fc.constantFrom(0, 0, 0xfe, 0x55)),
      write(port, fc.constantFrom(0x80, 0x00, 0x68, 0x0b)),
    ),
  ),
  with_([0, 1, 3, 7, 8, 9, 12, 15], (irq) =>
    say(input(0, irq), input(0, irq | 16), input(1, 0), read(0x20), input(0, irq | 16), input(1, 0)),
  ),
  with_([0x20, 0xa0], (port) => say(write(port, fc.constantFrom(0x0a, 0x0b, 0x0c, 0x48, 0x68)), read(port))),
  with_([0x20, 0xa0], (port) =>
    say(write(port, fc.constantFrom(0x20, 0xa0, 0x60, 0x61, 0xe2, 0xc3, 0xc7, 0x80, 0x00)), input(1, 0)),
  ),
];

// Special mask mode: a masked input in service lets a lower one through.
const specialMask: Phrase = with_(
  [
    [0x20, 0, 3],
    [0x20, 4, 7],
    [0xa0, 8, 12],
    [0xa0, 9, 10],
  ] as const,
  ([port, first, second]) =>
    say(
      input(0, first),
      input(0, first | 16),
      input(1, 0),
      write(port, fc.constantFrom(0x68, 0x68, 0x48)),
      write(port + 1, 1 << (first & 7)),
      input(0, second),
      input(0, second | 16),
      write(port, 0x0c),
      read(port),
    ),
);

const pit: Phrase[] = [
  with_([0, 1, 2], (counter) =>
    say(
      write(
        0x43,
        fc
          .tuple(fc.constantFrom(1, 2, 3, 3), fc.nat(7), fc.nat(1))
          .map(([a, m, b]) => (counter << 6) | (a << 4) | (m << 1) | b),
      ),
      write(0x40 + counter, any8),
      write(0x40 + counter, fc.constantFrom(0, 0, 1, 0x12, 0xff)),
      pass(fc.nat(100_000)),
      read(0x40 + counter),
    ),
  ),
  with_([0, 1, 2], (counter) =>
    say(
      write(0x40 + counter, any8),
      write(0x40 + counter, fc.nat(1)),
      write(0x43, 0xc0 | (2 << counter)),
      read(0x40 + counter),
      read(0x40 + counter),
    ),
  ),
  // The status alone, of a count that was taken over long ago: the null-count flag is clear.
  with_([0, 1, 2], (counter) => say(write(0x43, 0xe0 | (2 << counter)), read(0x40 + counter))),
  say(write(0x61, fc.constantFrom(0, 1)), pass(fc.nat(100_000)), write(0x61, fc.constantFrom(0, 1)), read(0x42)),
];

const rtc: Phrase[] = [
  say(write(0x70, fc.nat(0x0d)), write(0x71, any8)),
  say(write(0x70, fc.constantFrom(0, 2, 4, 6, 7, 8, 9, 10, 12, 0x32)), read(0x71)),
  say(
    write(0x70, 0x0a),
    write(
      0x71,
      fc.nat(15).map((rate) => 0x20 | rate),
    ),
    write(0x70, 0x0b),
    write(0x71, fc.constantFrom(0x02, 0x12, 0x22, 0x42, 0x72, 0x06, 0x00)),
    write(0x70, 0x0c),
    read(0x71),
    fc.constant({ kind: 'deadline' } as const),
    read(0x71),
  ),
  say(...[0x01, 0x03, 0x05].flatMap((alarm) => [write(0x70, alarm), write(0x71, fc.constantFrom(0xff, 0, 1, 0x30))])),
];

const i8042: Phrase[] = [
  say(write(0x64, fc.constantFrom(0x60, 0x61, 0xd1, 0xd2, 0xd3, 0xd4)), write(0x60, any8), read(0x64), read(0x60)),
  say(write(0x64, fc.constantFrom(0x20, 0x21, 0xa9, 0xaa, 0xab, 0xd0)), read(0x60)),
  say(
    write(0x60, fc.constantFrom(0xed, 0xf0, 0xf2, 0xf3, 0xff, 0xfe)),
    write(0x60, fc.nat(3)),
    read(0x60),
    read(0x60),
    read(0x60),
  ),
];

const uart: Phrase[] = [
  say(
    write(0x3fb, 0x80),
    write(0x3f8, any8),
    write(0x3f9, any8),
    write(0x3fb, 3),
    write(0x3fc, fc.constantFrom(8, 0x0b, 0x10, 0x1f)),
  ),
  say(write(0x3fa, fc.constantFrom(0, 1, 7, 0x41, 0x81, 0xc1)), write(0x3f9, fc.nat(15)), read(0x3fa)),
  say(write(0x3fc, 0x10), write(0x3f8, any8), write(0x3f8, any8), read(0x3fd), read(0x3f8)),
];

// TMR_STS and TMR_EN around a change of the timer's bit 23, every 2.34 s; SLP_TYP and SLP_EN in one access and in two.
const acpiPm1: Phrase[] = [
  say(write(0x602, fc.nat(1)), pass(fc.nat(3_000_000_000)), read(0x600), write(0x600, fc.nat(1)), read(0x600)),
  say(write(0x602, 1), write(0x600, 1), fc.constant({ kind: 'deadline' } as const), read(0x600)),
  say(write(0x602, any8), write(0x603, any8), read(0x602), read(0x603)),
  say(
    write(
      0x605,
      fc.nat(7).map((type) => type << 2),
    ),
    write(0x605, fc.constantFrom(0x20, 0x34, 0x14)),
    read(0x604),
    read(0x605),
  ),
];

const dword = (kind: 'read' | 'write', port: number, value: Word): fc.Arbitrary<Operation> =>
  kind === 'read'
    ? fc.constant({ kind, port, size: 4 })
    : fc.record({ kind: fc.constant(kind), port: fc.constant(port), size: fc.constant(4), value: word(value) });

// A configuration address, mostly of 00:00.0, then its data in every width.
const pciHost: Phrase[] = [
  say(
    dword(
      'write',
      0xcf8,
      fc
        .tuple(fc.constantFrom(0x8000_0000, 0x8000_0000, 0), fc.constantFrom(0, 0, 0, 0x800, 0x100, 0x1_0000), any8)
        .map(([enable, place, register]) => enable + place + register),
    ),
    dword('read', 0xcf8, 0),
    dword('read', 0xcfc, 0),
    read(fc.constantFrom(0xcfc, 0xcfd, 0xcfe, 0xcff)),
    dword('write', 0xcfc, fc.constantFrom(0, 0xffff_ffff)),
    dword('read', 0xcfc, 0),
  ),
];

// PAM0 to PAM6 and SMRAM, then stores through windows.
const i440fx: Phrase[] = [
  say(
    input(0, anyWord),
    input(1, fc.constantFrom(0x58, 0x5c, 0x70, 0, 0x2c)),
    fc.record({
      kind: fc.constant('store' as const),
      address: fc.nat(0x3_fff7).map((offset) => 0xc_0000 + offset),
      size: fc.constantFrom(1, 2, 4, 8),
      value: anyWord,
    }),
  ),
];

const store = (address: Word, value: Word): fc.Arbitrary<Operation> =>
  fc.record({ kind: fc.constant('store' as const), address: word(address), size: fc.constant(4), value: word(value) });
const fetch = (address: Word): fc.Arbitrary<Operation> =>
  fc.record({ kind: fc.constant('load' as const), address: word(address), size: fc.constant(4) });
const deadline = fc.constant({ kind: 'deadline' } as const);
/** Usual vectors, and illegal ones. */
const vector = fc.constantFrom(0x10, 0x1f, 0x20, 0x31, 0x41, 0x55, 0x80, 0xc3, 0xef, 0xfe, 0xff, 0x0f, 0);

// Every phrase begins with an enabled APIC: off, it does little.
const on = store(0xfee0_00f0, fc.constantFrom(0x1ff, 0x1ff, 0x1ff, 0x3f0, 0x0ff));
const lapic: Phrase[] = [
  say(input(3, 0), on, input(1, fc.nat(0xffff)), input(1, vector), input(4, 0), store(0xfee0_00b0, 0)),
  // A level-triggered interrupt is in service, and ends.
  say(
    input(3, 0),
    on,
    input(
      1,
      vector.map((one) => one | 0x8000),
    ),
    input(4, 0),
    store(0xfee0_00b0, 0),
  ),
  say(on, store(0xfee0_0080, any8), input(1, vector), fetch(0xfee0_00a0), input(4, 0), fetch(0xfee0_00a0)),
  say(on, input(2, fc.nat(15)), input(1, vector), input(4, 0), fetch(0xfee0_0080)),
  say(
    input(3, 0),
    on,
    store(
      0xfee0_0320,
      fc.tuple(vector, fc.constantFrom(0, 0x2_0000, 0x2_0000, 0x1_0000)).map(([v, mode]) => v | mode),
    ),
    store(0xfee0_03e0, fc.constantFrom(0, 1, 2, 3, 8, 9, 10, 11)),
    store(0xfee0_0380, fc.oneof(fc.nat(1000), fc.nat(0xffff_ffff))),
    pass(fc.nat(2000)),
    fetch(0xfee0_0390),
    deadline,
    fetch(0xfee0_0390),
    store(0xfee0_03e0, fc.constantFrom(0, 1, 2, 3, 8, 9, 10, 11)),
    fetch(0xfee0_0390),
    deadline,
    input(4, 0),
  ),
  // The ICR: to itself by each way.
  say(
    on,
    store(0xfee0_00d0, fc.constantFrom(0x0100_0000, 0x1100_0000, 0xff00_0000)),
    store(0xfee0_00e0, fc.constantFrom(0xffff_ffff, 0x0fff_ffff, 0x7fff_ffff)),
    store(0xfee0_0310, fc.constantFrom(0, 0xff00_0000, 0x0100_0000, 0x1100_0000, 0xf100_0000)),
    store(
      0xfee0_0300,
      fc
        .tuple(vector, fc.constantFrom(0, 0x4000, 0x800, 0x4_0000, 0x8_0000, 0xc_0000, 0x500, 0x8500, 0x100))
        .map(([v, m]) => v | m),
    ),
    input(4, 0),
    fetch(0xfee0_0280),
  ),
  say(
    on,
    store(0xfee0_0370, fc.constantFrom(0xfe, 0, 0x1_00fe)),
    fetch(0xfee0_0040),
    store(0xfee0_0280, 0),
    fetch(0xfee0_0280),
  ),
  say(
    on,
    store(0xfee0_0350, fc.constantFrom(0x700, 0x31, 0x1_0700, 0x1_0031, 0x8041)),
    input(0, 0),
    input(0, 1),
    input(4, 0),
  ),
  say(...[0x330, 0x340, 0x360].map((entry) => store(0xfee0_0000 + entry, anyWord))),
  say(input(3, fc.nat(3)), fetch(0xfed0_0030), fetch(0xfee0_0030)),
];

const register = (index: Word, value: Word): fc.Arbitrary<Operation>[] => [
  store(0xfec0_0000, index),
  store(0xfec0_0010, value),
];
// A pin's entry, its line up and down, the end of its interrupt; then the register again.
const ioapic: Phrase[] = [
  fc
    .tuple(fc.nat(23), vector, fc.constantFrom(0, 0x8000, 0x8000, 0x800, 0x700, 0x1_0000, 0xa000))
    .chain(([pin, v, flags]) =>
      say(
        ...register(0x11 + pin * 2, fc.constantFrom(0, 0, 0x0100_0000, 0xff00_0000, 0xfe00_0000)),
        ...register(0x10 + pin * 2, v | flags),
        input(0, pin | 32),
        fetch(0xfec0_0010),
        input(0, fc.constantFrom(pin, pin | 32)),
        input(1, v),
        fetch(0xfec0_0010),
        ...register(0x10 + pin * 2, fc.constantFrom(v | flags, v, v | 0x1_0000, v | 0x8000)),
        fetch(0xfec0_0010),
      ),
    ),
  say(store(0xfec0_0000, any8), fetch(0xfec0_0010), store(0xfec0_0010, anyWord), fetch(0xfec0_0010)),
  say(...register(0, anyWord), store(0xfec0_0000, fc.constantFrom(0, 1, 2)), fetch(0xfec0_0010)),
];

const fwCfg: Phrase[] = [
  with_([0x00, 0x01, 0x03, 0x05, 0x0f, 0x19], (key) => say(write(0x510, key), read(0x511), read(0x511), read(0x511))),
];

const byTarget: Readonly<Record<string, Phrase[]>> = {
  pic: [...pic, specialMask],
  pit,
  rtc,
  i8042,
  uart,
  'acpi-pm1': acpiPm1,
  'pci-host': pciHost,
  i440fx,
  piix4: [say(input(0, anyWord), input(1, anyWord), input(2, anyWord), input(3, anyWord))],
  'fw-cfg': fwCfg,
  lapic,
  ioapic,
};

/** The phrases for the target of that name; none for a simple device. */
export function phrasesOf(target: string): readonly Phrase[] {
  return byTarget[target] ?? [];
}

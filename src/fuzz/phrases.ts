/**
 * What drivers say to a device, with random words: sequences that bring it into states which single random accesses
 * would hardly ever reach. Port numbers are written out, so that a typo in a device's registers shows.
 */
import fc from 'fast-check';
import type { Operation } from './operations.js';

type Word = fc.Arbitrary<number> | number;
type Phrase = fc.Arbitrary<Operation[]>;

const any8 = fc.nat(0xff);

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

const byTarget: Readonly<Record<string, Phrase[]>> = {
  pic: [...pic, specialMask],
  pit,
  rtc,
  i8042,
  uart,
  'acpi-pm1': acpiPm1,
  'pci-host': pciHost,
};

/** The phrases for the target of that name; none for a simple device. */
export function phrasesOf(target: string): readonly Phrase[] {
  return byTarget[target] ?? [];
}

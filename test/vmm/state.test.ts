import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyState } from '../../src/fuzz/arbitraries.js';
import { checkState } from '../../src/vmm/state/check.js';
import { decodeState, encodeState, hashState } from '../../src/vmm/state/codec.js';
import { compareStates, copyState, printDifference, printState, stateToJson } from '../../src/vmm/state/compare.js';
import * as f from '../../src/vmm/state/fields.js';

const table = f.stateTable('example', 2, {
  byte: f.u8({ max: 200 }),
  word: f.u16({ min: 3, initial: 12 }),
  dword: f.u32(),
  wide: f.u64(),
  signed: f.i64(),
  flag: f.bool(),
  image: f.bytes(3),
  queue: f.bytesUpTo(5),
  due: f.deadline(),
  at: f.time(),
  pair: f.array(f.u8(), 2),
  list: f.listUpTo(f.struct({ id: f.u8(), name: f.oneOf(['one', 'two']) }), 3),
  phase: f.oneOf(['idle', 'busy']),
  later: f.u8({ since: 2, initial: 7 }),
});

describe('a state', () => {
  it('is the declared one after power-on', () => {
    expect(f.initialState(table)).toEqual({
      byte: 0,
      word: 12,
      dword: 0,
      wide: 0n,
      signed: 0n,
      flag: false,
      image: new Uint8Array(3),
      queue: new Uint8Array(0),
      due: Number.POSITIVE_INFINITY,
      at: 0,
      pair: [0, 0],
      list: [],
      phase: 'idle',
      later: 7,
    });
  });

  it('survives encoding and decoding, whatever is in it', () => {
    fc.assert(
      fc.property(anyState(table), (state) => {
        const encoded = encodeState(table, state);
        const decoded = decodeState(table, encoded);
        expect(decoded).toEqual(state);
        expect(compareStates(table, state, decoded)).toEqual([]);
        expect(hashState(table, decoded)).toBe(hashState(table, state));
      }),
      { seed: 1 },
    );
  });

  it('of an older version has the initial value of newer fields', () => {
    const state = { ...f.initialState(table), later: 99 };
    expect(decodeState(table, encodeState(table, state, 1)).later).toBe(7);
  });

  it('is copied whole', () => {
    const state = f.initialState(table);
    const copy = copyState(table, state);
    copy.image[0] = 1;
    copy.pair[0] = 1;
    expect(state).toEqual(f.initialState(table));
  });

  it('is compared field by field', () => {
    const left = f.initialState(table);
    const right = { ...copyState(table, left), dword: 0x1234, pair: [0, 9], due: 5 };
    expect(compareStates(table, left, right).map(printDifference)).toEqual([
      'example.dword: expected 0, actual 4660 (0x1234)',
      'example.due: expected Infinity, actual 5',
      'example.pair[1]: expected 0, actual 9',
    ]);
  });

  it('is printed and given as JSON', () => {
    expect(printState(table, f.initialState(table))).toContain('example.wide = 0x0\n');
    expect(JSON.stringify(stateToJson(table, f.initialState(table)))).toContain('"image":"000000"');
  });
});

describe('a bad state is refused, and the field is named', () => {
  const good = f.initialState(table);
  it.each([
    ['example.byte must be 0 to 200', { ...good, byte: 201 }],
    ['example.word must be 3 to 65535', { ...good, word: 2 }],
    ['example.dword must be a whole number', { ...good, dword: 0.5 }],
    ['example.wide must be a bigint', { ...good, wide: 1 }],
    ['example.flag must be true or false', { ...good, flag: 1 }],
    ['example.image must have 3 elements', { ...good, image: new Uint8Array(2) }],
    ['example.queue must have 0 to 5 elements', { ...good, queue: new Uint8Array(6) }],
    ['example.due must be a time', { ...good, due: Number.NaN }],
    ['example.at must be a time', { ...good, at: Number.POSITIVE_INFINITY }],
    ['example.pair must be a list', { ...good, pair: 3 }],
    [
      'example.list[1].name must be one of',
      {
        ...good,
        list: [
          { id: 1, name: 'one' },
          { id: 2, name: 'x' },
        ],
      },
    ],
    ['example.extra is not known', { ...good, extra: 1 }],
    ['example.phase is missing', Object.fromEntries(Object.entries(good).filter(([name]) => name !== 'phase'))],
    ['example must be an object', null],
  ])('%s', (message, state) => {
    expect(() => checkState(table, state)).toThrowError(expect.objectContaining({ code: 'VMTAPE_STATE' }));
    expect(() => checkState(table, state)).toThrow(message);
  });

  const encoded = encodeState(table, good);
  const changed = (at: number, value: number): Uint8Array =>
    encoded.map((byte, index) => (index === at ? value : byte));
  it.each([
    ['belongs to another part', changed(1, 0x45)],
    ['has version 3', changed(8, 3)],
    ['has version 0', changed(8, 0)],
    ['example.byte must be 0 to 200', changed(10, 255)],
    ['example.flag must be 0 or 1', changed(33, 2)],
    ['is followed by 1 bytes too many', Uint8Array.of(...encoded, 0)],
    ['example.later needs 1 bytes where 0 are left', encoded.slice(0, -1)],
    [
      'example.queue must have 0 to 5 elements, not 4294967040',
      encoded.map((byte, index) => (index > 37 && index < 41 ? 255 : byte)),
    ],
  ])('%s', (message, bytes) => {
    expect(() => decodeState(table, bytes)).toThrow(message);
  });

  it('is cut at any byte', () => {
    for (let length = 0; length < encoded.length; length++) {
      expect(() => decodeState(table, encoded.slice(0, length))).toThrowError(
        expect.objectContaining({ code: 'VMTAPE_STATE' }),
      );
    }
  });
});

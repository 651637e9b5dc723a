import { expect, it } from 'vitest';
import { decodeOne, mnemonicOf } from '../../src/base/mnemonic.js';

it('an instruction has the name of the manual and its length, whatever follows', () => {
  expect(decodeOne(Uint8Array.of(0xf3, 0x48, 0x0f, 0xb8, 0x07, 0x90), 64)).toEqual({ mnemonic: 'POPCNT', length: 5 });
  expect(decodeOne(Uint8Array.of(0x48, 0x40), 32)).toEqual({ mnemonic: 'DEC', length: 1 });
  expect(mnemonicOf(Uint8Array.of(0xcc), 16)).toBe('INT3');
});

it('without bits it is one of 64-bit code', () => {
  expect(mnemonicOf(Uint8Array.of(0x48, 0x0f, 0xc7, 0x0c, 0x24), 0)).toBe('CMPXCHG16B');
});

it('bytes that are no instruction have no name', () => {
  expect(decodeOne(Uint8Array.of(0x06), 64)).toEqual({ mnemonic: '?', length: 1 });
  expect(decodeOne(new Uint8Array(0), 64)).toEqual({ mnemonic: '?', length: 0 });
});

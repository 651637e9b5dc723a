/** National Semiconductor PC16550D, June 1995. Offsets are written out. */
import { describe, expect, it } from 'vitest';
import { Uart } from '../../../src/vmm/devices/uart/uart.js';
import { type OnBench, onBench } from './bench.js';

const make = (): OnBench<Uart> => onBench((bench) => new Uart({ irq: bench.irq(4), out: bench }));
const text = (letters: string): Uint8Array => Uint8Array.from(letters, (letter) => letter.charCodeAt(0));

describe('the transmitter', () => {
  it('sends at once and is empty again', () => {
    const uart = make();
    uart.out(0x3f8, 0x41, 0x42);
    expect(uart.seen()).toEqual(['out=65', 'out=66']);
    expect(uart.in(0x3fd)).toBe(0b0110_0000);
  });

  it('interrupts when enabled while empty, and reading IIR takes it back', () => {
    const uart = make();
    uart.out(0x3fc, 0x08);
    uart.out(0x3f9, 0x02);
    expect(uart.level(4)).toBe(true);
    expect(uart.in(0x3fa)).toBe(0x02);
    expect(uart.level(4)).toBe(false);
    expect(uart.in(0x3fa)).toBe(0x01);
  });

  it('makes an edge for every character', () => {
    const uart = make();
    uart.out(0x3fc, 0x08);
    uart.out(0x3f9, 0x02);
    uart.seen();
    uart.out(0x3f8, 0x41);
    expect(uart.seen()).toEqual(['irq 4=0', 'out=65', 'irq 4=1']);
  });

  it('asks for nothing while OUT2 is off', () => {
    const uart = make();
    uart.out(0x3f9, 0x0f);
    uart.out(0x3f8, 0x41);
    expect(uart.seen()).toEqual(['out=65']);
  });
});

describe('the receiver', () => {
  it('holds 16 bytes, the rest waits at the host and follows', () => {
    const uart = make();
    uart.out(0x3fa, 0x01);
    expect(uart.device.receive(text('abcdefghijklmnopqrst'))).toBe(20);
    let read = '';
    while (uart.in(0x3fd) & 1) read += String.fromCharCode(uart.in(0x3f8));
    expect(read).toBe('abcdefghijklmnopqrst');
  });

  it('takes no more than 4096 bytes ahead', () => {
    const uart = make();
    expect(uart.device.receive(new Uint8Array(5000))).toBe(4096);
    // One byte went on into the receiver.
    expect(uart.device.receive(new Uint8Array(5000))).toBe(1);
  });

  it('tells a timeout below the trigger level and data from it on', () => {
    const uart = make();
    uart.out(0x3fa, 0x41);
    uart.out(0x3f9, 0x01);
    uart.device.receive(text('abc'));
    expect(uart.in(0x3fa)).toBe(0xcc);
    uart.device.receive(text('d'));
    expect(uart.in(0x3fa)).toBe(0xc4);
  });

  it('has the priority of the data sheet: line status, data, transmitter, modem', () => {
    const uart = make();
    uart.out(0x3fc, 0x10);
    uart.out(0x3f8, 1, 2);
    uart.out(0x3fc, 0x11);
    uart.out(0x3f9, 0x0f);
    expect(uart.in(0x3fa)).toBe(0x06);
    expect(uart.in(0x3fd) & 0x02).toBe(0x02);
    expect(uart.in(0x3fa)).toBe(0x04);
    expect(uart.in(0x3f8)).toBe(1);
    expect(uart.in(0x3fa)).toBe(0x02);
    expect(uart.in(0x3fa)).toBe(0x00);
    uart.in(0x3fe);
    expect(uart.in(0x3fa)).toBe(0x01);
  });
});

describe('registers', () => {
  it('keeps scratch, and any divisor behind DLAB', () => {
    const uart = make();
    uart.out(0x3ff, 0x5a);
    uart.out(0x3fb, 0x80);
    uart.out(0x3f8, 0);
    uart.out(0x3f9, 0);
    expect([uart.in(0x3f8), uart.in(0x3f9), uart.in(0x3ff)]).toEqual([0, 0, 0x5a]);
    uart.out(0x3fb, 0x03);
    uart.out(0x3f8, 0x41);
    expect(uart.seen()).toEqual(['out=65']);
  });

  it('shows the FIFOs in IIR bits 7:6 only when they are on', () => {
    const uart = make();
    expect(uart.in(0x3fa)).toBe(0x01);
    uart.out(0x3fa, 0x01);
    expect(uart.in(0x3fa)).toBe(0xc1);
  });

  it('loops the modem outputs back: DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD', () => {
    const uart = make();
    expect(uart.in(0x3fe)).toBe(0xb0);
    for (const [output, input] of [
      [0x01, 0x20],
      [0x02, 0x10],
      [0x04, 0x40],
      [0x08, 0x80],
    ] as const) {
      uart.out(0x3fc, 0x10 | output);
      expect(uart.in(0x3fe) & 0xf0).toBe(input);
    }
  });
});

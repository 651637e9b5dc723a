/** The small devices: keyboard controller, reset ports, debug console, exit port, PM timer, POST. */
import { describe, expect, it } from 'vitest';
import { DebugConsole } from '../../../src/vmm/devices/debug-console/debug-console.js';
import { ExitPort } from '../../../src/vmm/devices/exit-port/exit-port.js';
import { assertsIgnne, FpuError } from '../../../src/vmm/devices/fpu-error/fpu-error.js';
import { FwCfg } from '../../../src/vmm/devices/fw-cfg/fw-cfg.js';
import { I8042 } from '../../../src/vmm/devices/i8042/i8042.js';
import { PmTimer } from '../../../src/vmm/devices/pm-timer/pm-timer.js';
import { Port92 } from '../../../src/vmm/devices/port92/port92.js';
import { PostPort } from '../../../src/vmm/devices/post/post.js';
import { ResetControl } from '../../../src/vmm/devices/reset-control/reset-control.js';
import { type OnBench, onBench } from './bench.js';

describe('the keyboard controller', () => {
  const make = (): OnBench<I8042> => onBench((bench) => new I8042({ irq: bench.irq(1), resetLine: bench }));
  /** Everything that waits at port 60h. */
  const drain = (keyboard: OnBench<I8042>): number[] => {
    const bytes: number[] = [];
    while (keyboard.in(0x64) & 1) bytes.push(keyboard.in(0x60));
    return bytes;
  };
  const noTranslation = (keyboard: OnBench<I8042>): void => {
    keyboard.out(0x64, 0x60);
    keyboard.out(0x60, 0x05);
  };

  it.each([
    [0xaa, 0x55],
    [0xab, 0x00],
    [0xa9, 0x01],
  ])('command %i answers %i', (command, answer) => {
    const keyboard = make();
    keyboard.out(0x64, command);
    expect(drain(keyboard)).toEqual([answer]);
  });

  it('keeps the command byte, and AD/AE, A7/A8 change it', () => {
    const keyboard = make();
    const control = () => {
      keyboard.out(0x64, 0x20);
      return keyboard.in(0x60);
    };
    keyboard.out(0x64, 0x60);
    keyboard.out(0x60, 0x45);
    expect(control()).toBe(0x45);
    keyboard.out(0x64, 0xad, 0xa7);
    expect(control()).toBe(0x75);
    keyboard.out(0x64, 0xae, 0xa8);
    expect(control()).toBe(0x45);
  });

  it.each([
    [[0xff], [0xfa, 0xaa]],
    [[0xf2], [0xfa, 0xab, 0x83]],
    [
      [0xed, 0x07],
      [0xfa, 0xfa],
    ],
    [
      [0xf0, 0x00],
      [0xfa, 0xfa, 0x02],
    ],
    [[0xf4], [0xfa]],
    [[0xf5], [0xfa]],
    [[0xee], [0xee]],
    [[0x13], [0xfe]],
  ])('the keyboard answers %j with %j', (said, answer) => {
    const keyboard = make();
    noTranslation(keyboard);
    const heard: number[] = [];
    for (const byte of said) {
      keyboard.out(0x60, byte);
      heard.push(...drain(keyboard));
    }
    expect(heard).toEqual(answer);
  });

  it('interrupts once for each byte, with the line low in between', () => {
    const keyboard = make();
    keyboard.out(0x60, 0xff);
    expect(keyboard.seen()).toEqual(['irq 1=1']);
    keyboard.in(0x60);
    expect(keyboard.seen()).toEqual(['irq 1=0', 'irq 1=1']);
    keyboard.in(0x60);
    expect(keyboard.seen()).toEqual(['irq 1=0']);
  });

  it('resets by FE and by bit 0 of the output port', () => {
    const keyboard = make();
    keyboard.out(0x64, 0xff);
    expect(keyboard.seen()).toEqual([]);
    keyboard.out(0x64, 0xfe);
    expect(keyboard.seen()).toEqual(['reset=1']);
    keyboard.out(0x64, 0xd1);
    keyboard.out(0x60, 0xfe);
    expect(keyboard.seen()).toEqual(['reset=1']);
  });
});

it('port 92h resets when bit 0 rises', () => {
  const port = onBench((bench) => new Port92(bench));
  expect(port.in(0x92)).toBe(0x02);
  port.out(0x92, 0x00);
  expect(port.in(0x92)).toBe(0x00);
  port.out(0x92, 0x01, 0x01);
  expect(port.seen()).toEqual(['reset=1']);
});

describe('the x87 error circuit', () => {
  const make = () => {
    const ignored: number[] = [];
    const processor = { ignoreFerr: () => ignored.push(1) };
    return { ignored, ...onBench((bench) => new FpuError({ irq: bench.irq(13), processor })) };
  };

  it('makes IRQ 13 of FERR#, until port F0h is written', () => {
    const circuit = make();
    circuit.device.assertFerr();
    circuit.device.assertFerr();
    expect(circuit.seen()).toEqual(['irq 13=1']);
    circuit.out(0xf0, 0x5a);
    expect(circuit.seen()).toEqual(['irq 13=0']);
    expect(circuit.ignored.length).toBe(1);
    circuit.device.assertFerr();
    expect(circuit.level(13)).toBe(true);
  });

  it('reads ones, and is not hit by the ports beside it', () => {
    const circuit = make();
    circuit.device.assertFerr();
    circuit.out(0xef, 0);
    circuit.out(0xf1, 0);
    expect(circuit.in(0xf0)).toBe(0xff);
    expect(circuit.level(13)).toBe(true);
    circuit.device.writePort(0xef, 2, 0);
    expect(circuit.level(13)).toBe(false);
  });

  it.each([
    [0xf0, 1, true],
    [0xef, 2, true],
    [0xed, 4, true],
    [0xf1, 1, false],
    [0xec, 4, false],
  ])('a write at %i of %i bytes asserts IGNNE#: %s', (port, size, asserts) => {
    expect(assertsIgnne(port, size)).toBe(asserts);
  });
});

describe('the reset control register', () => {
  it('resets when bit 2 rises', () => {
    const control = onBench((bench) => new ResetControl(bench));
    control.out(0xcf9, 0x02);
    expect(control.seen()).toEqual([]);
    control.out(0xcf9, 0x06);
    expect(control.seen()).toEqual(['reset=1']);
    expect(control.in(0xcf9)).toBe(0x06);
  });

  it('is not hit by a PCI configuration address', () => {
    const control = onBench((bench) => new ResetControl(bench));
    control.device.writePort(0xcf8, 4, 0x8000_ff04);
    expect(control.seen()).toEqual([]);
    expect(control.device.readPort(0xcf8, 4)).toBe(0xffff_ffff);
  });
});

it('the debug console sends bytes and reads E9h', () => {
  const console = onBench((bench) => new DebugConsole(bench));
  console.out(0xe9, 0x48, 0x69);
  expect(console.seen()).toEqual(['out=72', 'out=105']);
  expect(console.in(0xe9)).toBe(0xe9);
});

it.each([
  [1, 0, 1],
  [1, 5, 11],
  [4, 0xffff_ffff, 0xffff_ffff],
])('the exit port: %i byte(s) of %i end with %i', (size, value, code) => {
  const port = onBench((bench) => new ExitPort(bench));
  port.device.writePort(0xf4, size, value);
  expect(port.seen()).toEqual([`exit=${code}`]);
});

describe('the PM timer', () => {
  it('counts 3579545 a second, 24 bits', () => {
    const timer = onBench((bench) => new PmTimer({ clock: bench.clock }));
    timer.pass(1_000_000_000);
    expect(timer.device.readPort(0x608, 4)).toBe(3_579_545);
    timer.pass(9_000_000_000);
    expect(timer.device.readPort(0x608, 4)).toBe(35_795_450 % 0x100_0000);
    expect(timer.device.readPort(0x60a, 1)).toBe((35_795_450 >> 16) & 0xff);
  });

  it('is exact at the end of time', () => {
    const timer = onBench((bench) => new PmTimer({ clock: bench.clock }, 32));
    const end = 2 ** 53 - 1;
    timer.pass(end);
    expect(timer.device.readPort(0x608, 4)).toBe(Number(((BigInt(end) * 3_579_545n) / 1_000_000_000n) & 0xffff_ffffn));
  });
});

it('the POST port and the page registers read back', () => {
  const post = onBench(() => new PostPort());
  post.out(0x80, 0x42);
  post.out(0x8f, 0x24);
  expect([post.in(0x80), post.in(0x8f), post.device.code]).toEqual([0x42, 0x24, 0x42]);
});

describe('the firmware configuration', () => {
  const read = (key: number, count: number): number[] => {
    const config = onBench(() => new FwCfg(0x8000_0000));
    config.device.writePort(0x510, 2, key);
    return Array.from({ length: count }, () => config.in(0x511));
  };

  it.each([
    ['the signature', 0x00, [0x51, 0x45, 0x4d, 0x55, 0]],
    ['the interface: no DMA', 0x01, [1, 0, 0, 0, 0]],
    ['bytes of RAM', 0x03, [0, 0, 0, 0x80, 0, 0, 0, 0, 0]],
    ['processors', 0x05, [1, 0, 0]],
    ['the most processors', 0x0f, [1, 0, 0]],
    ['files: none', 0x19, [0, 0, 0, 0]],
    ['what there is not', 0x7fff, [0, 0]],
  ])('%s, and zeros behind the end', (_, key, bytes) => {
    expect(read(key, bytes.length)).toEqual(bytes);
  });

  it('selecting begins an item again, writing data changes nothing', () => {
    const config = onBench(() => new FwCfg(0x100_0000));
    config.device.writePort(0x510, 2, 0x00);
    expect([config.in(0x511), config.in(0x511)]).toEqual([0x51, 0x45]);
    config.out(0x511, 0x99);
    expect(config.in(0x511)).toBe(0x4d);
    config.device.writePort(0x510, 2, 0x00);
    expect(config.in(0x511)).toBe(0x51);
  });
});

/** The fuzzer is tested: planted bugs must be found, and the command that a finding ends in must show it again. */
import { describe, expect, it } from 'vitest';
import { fuzz, type OracleName } from '../../src/fuzz/run.js';
import { targets } from '../../src/fuzz/targets.js';
import { type Defect, forgetting, leaves, withDefect } from './mutants.js';

const seed = 7;
const runs = 3000;

const planted: [string, string, OracleName, Defect][] = [
  [
    'CVE-2016-8669: the baud rate is divided by a divisor of 0',
    'uart',
    'answers',
    (device) => ({
      writePort: (port, size, value) => {
        device.writePort(port, size, value);
        const { divisor } = device.saveState() as { divisor: number };
        if (!Number.isFinite(115_200 / divisor)) throw new RangeError('division by zero');
      },
    }),
  ],
  [
    'a read that answers a negative number',
    'pm-timer',
    'answers',
    (device) => ({ readPort: (port, size) => device.readPort(port, size) | 0 }),
  ],
  [
    'a deadline that stays in the past: the machine turns on the spot',
    'rtc',
    'answers',
    (device, rig) => ({ nextDeadline: () => Math.min(device.nextDeadline(), rig.bench.clock.last) }),
  ],
  [
    'a reset that keeps the scratch register',
    'uart',
    'reset',
    (device) => ({
      reset: () => {
        const { scratch } = device.saveState();
        device.reset();
        device.loadState({ ...device.saveState(), scratch });
      },
    }),
  ],
  [
    'vm-superio: a restore that fires an interrupt',
    'uart',
    'cut',
    (device, rig) => ({
      loadState: (state) => {
        device.loadState(state);
        if (rig.bench.levels.get(4)) rig.bench.note('irq 4', 1);
      },
    }),
  ],
  [
    'the levels of the interrupt lines are not in the state',
    'pic',
    'cut',
    (device) => ({
      saveState: () => {
        const state = device.saveState() as { chips: { lines: number }[] };
        (state.chips[1] as { lines: number }).lines = 0;
        return state;
      },
    }),
  ],
  [
    'a count of 17 bits is saved in 8',
    'pit',
    'cut',
    (device) => ({
      saveState: () => {
        const state = device.saveState() as { counters: { count: number }[] };
        for (const counter of state.counters) counter.count = counter.count & 0xff || 1;
        return state;
      },
    }),
  ],
  [
    'two fields of equal width are swapped on load',
    'uart',
    'cut',
    (device) => ({
      loadState: (state) => device.loadState({ ...state, lcr: state['scratch'], scratch: state['lcr'] }),
    }),
  ],
  [
    'a saved state shares a buffer with the device',
    'post',
    'cut',
    (device) => {
      const shared = { registers: new Uint8Array(16) };
      return {
        saveState: () => {
          shared.registers.set((device.saveState() as { registers: Uint8Array }).registers);
          return shared;
        },
      };
    },
  ],
  [
    'CVE-2013-6367: the current count is taken modulo an initial count of 0',
    'lapic',
    'answers',
    (device) => ({
      readMmio: (address, size, bytes, at) => {
        device.readMmio(address, size, bytes, at);
        const { timerInitial, lvt } = device.saveState() as { timerInitial: number; lvt: number[] };
        const isPeriodic = ((lvt[0] as number) & 0x2_0000) !== 0;
        if (address === 0xfee0_0390 && isPeriodic && timerInitial === 0) throw new RangeError('division by zero');
      },
    }),
  ],
  [
    'CVE-2013-1798: IOWIN reads beyond the table',
    'ioapic',
    'answers',
    (device) => ({
      readMmio: (address, size, bytes, at) => {
        device.readMmio(address, size, bytes, at);
        const { select, pins } = device.saveState() as { select: number; pins: { entry: number }[] };
        const index = (select - 0x10) >> 1;
        if (address === 0xfec0_0010 && select >= 0x10)
          bytes.setUint8(at, (pins[index] as { entry: number }).entry & 0xff);
      },
    }),
  ],
  [
    'a timer under way counts from its beginning again after a load',
    'lapic',
    'cut',
    (device, rig) => ({
      loadState: (state) => {
        const { timerInitial, timerZero } = state as { timerInitial: number; timerZero: number };
        const again = Math.min(timerZero, rig.bench.clock.now() + timerInitial);
        device.loadState({ ...state, timerZero: Number.isFinite(timerZero) ? again : timerZero });
      },
    }),
  ],
  [
    'the end of a level-triggered interrupt is lost if it was saved in service',
    'lapic',
    'cut',
    (device) => ({
      loadState: (state) => {
        const { isr, tmr } = state as { isr: number[]; tmr: number[] };
        device.loadState({ ...state, tmr: tmr.map((word, index) => (word & ~(isr[index] as number)) >>> 0) });
      },
    }),
  ],
  [
    'a refused state has changed the device already',
    'pit',
    'hostile',
    (device) => ({
      loadState: (state) => {
        device.loadState({ ...device.saveState(), irq: state['irq'] });
        device.loadState(state);
      },
    }),
  ],
  [
    'CVE-2017-16845: a queue from a saved state is not looked at',
    'uart',
    'hostile',
    (device) => ({
      loadState: (state) => {
        const fifo = state['fifo'] as number[];
        device.loadState({ ...state, fifo: state['fifoEnabled'] ? fifo : fifo.slice(0, 1) });
      },
    }),
  ],
];

describe('planted bugs are found', () => {
  it.each(planted)('%s', (_, name, oracle, defect) => {
    const target = withDefect(name, defect);
    const found = fuzz(target, oracle, { seed, runs }).failure;
    expect(found).toBeDefined();
    // fast-check's path leads to the very case, shrunk.
    const again = fuzz(target, oracle, { seed, runs: 1, path: found?.path }).failure;
    expect(again?.message).toBe(found?.message);
    expect(found?.command).toBe(
      `npm run fuzz -- --target ${name} --oracle ${oracle} --seed ${seed} --path "${found?.path}"`,
    );
  });
});

/** Forgetting these changes nothing: a field is as after power-on in every state that can be reached. */
const equivalent = new Set([
  // The gates of counters 0 and 1 are wired high, so that these are never frozen.
  'pit.counters.0.gate',
  'pit.counters.0.elapsed',
  'pit.counters.1.gate',
  'pit.counters.1.elapsed',
  // No chip stands behind the slave: its special fully nested mode has no effect.
  'pic.chips.1.nested',
]);

describe('a device that forgets any one field is found', () => {
  const fields = targets.flatMap((target) =>
    leaves(target.create(0).device.stateTable.fields).map((path) => [target.name, path.join('.'), path] as const),
  );
  it.each(fields)('%s.%s', (name, path, keys) => {
    const isEquivalent = equivalent.has(`${name}.${path}`);
    const { failure } = fuzz(forgetting(name, keys), 'cut', { seed, runs: isEquivalent ? 100 : runs, shrink: false });
    expect(failure === undefined).toBe(isEquivalent);
  });
});

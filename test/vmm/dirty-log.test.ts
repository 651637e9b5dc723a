import { expect, it } from 'vitest';
import { DirtyLog } from '../../src/vmm/dirty-log.js';

it('each reader of a log of written pages hears of every page since it asked last', () => {
  const written = [[3, 5], [5], [], [1, 300]];
  const log = new DirtyLog({ takeDirtyPages: () => Uint32Array.from(written.shift() ?? []) });
  const [first, second] = [log.reader(), log.reader()];
  expect([...first.take()]).toEqual([3, 5]);
  expect([...first.take()]).toEqual([5]);
  expect([...second.take()]).toEqual([3, 5]);
  expect([...first.take()]).toEqual([1, 300]);
  expect([...second.take()]).toEqual([1, 300]);
  expect([...second.take()]).toEqual([]);
});

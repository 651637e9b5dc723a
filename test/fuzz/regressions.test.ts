/** What was found once, again: corpora/regressions holds shrunk cases. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../src/fuzz/operations.js';
import { answers, cut, reset } from '../../src/fuzz/oracles.js';
import { findTarget } from '../../src/fuzz/targets.js';
import { Pic } from '../../src/vmm/devices/pic/pic.js';

interface Regression {
  readonly why: string;
  readonly target: string;
  readonly oracle: 'answers' | 'reset' | 'cut';
  readonly operations: Operation[];
}

const folder = 'corpora/regressions';
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

describe(folder, () => {
  it.each(files)('%s', (name) => {
    const { target, oracle, operations } = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Regression;
    const found = findTarget(target);
    if (oracle === 'answers') answers(found, operations);
    else if (oracle === 'reset') reset(found, operations, operations);
    else cut(found, operations);
  });
});

it('IRQ 10 does not interrupt its own service in special fully nested mode', () => {
  const pic = new Pic();
  for (const [port, value] of [
    [0xa0, 0x11],
    [0xa1, 0x28],
    [0xa1, 0x02],
    [0xa1, 0x11],
  ] as const) {
    pic.writePort(port, 1, value);
  }
  const line = pic.line(10);
  line.set(true);
  expect(pic.acknowledge()).toBe(0x2a);
  line.set(false);
  line.set(true);
  pic.writePort(0xa0, 1, 0x0c);
  expect(pic.readPort(0xa0, 1)).toBe(0x00);
});

import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { targets } from '../../src/fuzz/targets.js';

it('every device has its fuzz target, once', () => {
  const folders = readdirSync('src/vmm/devices', { withFileTypes: true });
  const devices = folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  expect(targets.map((target) => target.name).sort()).toEqual(devices.sort());
  for (const target of targets) expect(target.create(0).device.name).toBe(target.name);
});

it('a state table is named after its device', () => {
  for (const target of targets) {
    const { device } = target.create(0);
    expect(device.stateTable.name).toBe(device.name);
  }
});

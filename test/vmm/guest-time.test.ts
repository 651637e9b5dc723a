import { describe, expect, it } from 'vitest';
import { GuestTime, timeScaleOfTrace } from '../../src/vmm/guest-time.js';

/** A host whose time is what the test says. */
function clock(): { now(): number; sleep(): Promise<void>; time: number } {
  return {
    time: 5_000,
    now() {
      return this.time;
    },
    sleep: () => Promise.resolve(),
  };
}

describe('the time of a guest on KVM', () => {
  it('begins with zero and goes as the host’s', () => {
    const host = clock();
    const time = new GuestTime(host);
    expect(time.now()).toBe(0);
    host.time += 1234;
    expect(time.now()).toBe(1234);
  });

  it('goes slower by the scale, and loses nothing between two readings', () => {
    const host = clock();
    const time = new GuestTime(host, 50);
    for (let reading = 0; reading < 100; reading++) {
      host.time += 7;
      time.now();
    }
    expect(time.now()).toBe(14);
    expect(time.hostMicroseconds(2_000_000)).toBe(100_000);
    expect(time.fromHost(20_000_000)).toBe(400_000);
  });

  it('goes as fast as the host’s while the guest is idle', () => {
    const host = clock();
    const time = new GuestTime(host, 50);
    host.time += 5_000;
    time.setIdle(true);
    host.time += 3_000;
    time.setIdle(true);
    host.time += 3_000;
    time.setIdle(false);
    host.time += 5_000;
    expect(time.now()).toBe(100 + 6_000 + 100);
  });

  it('does not see that the process was stopped, nor that the host’s time went back', () => {
    const host = clock();
    const time = new GuestTime(host);
    host.time += 30_000_000_000;
    expect(time.now()).toBe(100_000_000);
    host.time -= 50;
    expect(time.now()).toBe(100_000_000);
    host.time += 1;
    expect(time.now()).toBe(100_000_001);
  });
});

it('a trace’s scale is one of the range, else 1', () => {
  const scales = [
    { timeScale: 44 },
    {},
    { timeScale: 0 },
    { timeScale: 1001 },
    { timeScale: '44' },
    { timeScale: 1.5 },
  ];
  expect(scales.map(timeScaleOfTrace)).toEqual([44, 1, 1, 1, 1, 1]);
});

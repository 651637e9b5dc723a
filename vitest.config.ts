import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Generous: the KVM of a test machine may emulate the guest in software.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Processes, not threads: an addon that crashes takes one file of tests with it, and signals stay where they belong.
    pool: 'forks',
    maxWorkers: 2,
  },
});

import { defineConfig } from 'vitest/config';

/** Benchmarks are programs with a report, run one by one; nothing in them passes or fails by time. */
export default defineConfig({
  test: {
    include: ['bench/**/*.bench.ts'],
    reporters: ['./bench/plain-reporter.ts'],
    // On a busy machine, which is waited for.
    testTimeout: 3 * 60 * 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
});

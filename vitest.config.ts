import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

export default defineConfig({
  // As it is built: React's production build, which is what draws, has no other.
  esbuild: { jsx: 'automatic', jsxDev: false },
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    reporters: [process.env['CI'] ? 'verbose' : 'default', './test/support/summary-reporter.ts'],
    // Where commands keep their compiled form: not where the one keeps it who runs the tests.
    env: { XDG_CACHE_HOME: fileURLToPath(new URL('.cache/xdg', import.meta.url)) },
    setupFiles: './test/support/each-worker.ts',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Many wait rather than compute: one more than the two processors that they are run on.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    coverage: { provider: 'v8', include: ['src/**'] },
  },
});

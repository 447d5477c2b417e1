import { defineConfig } from 'vitest/config';

/** What turns a client's bytes into the record: no branch of it is untested. */
const branchesWithout = [
  'src/gateway/relay.ts',
  'src/gateway/recorded-steps.ts',
  ...[
    'answers',
    'client-messages',
    'conversation',
    'copy-in',
    'decoder',
    'login-reader',
    'messages',
    'names',
    'questions',
    'scram',
    'splitter',
    'startup',
    'statement-text',
    'waiting',
  ].map((name) => `src/protocol/postgres/${name}.ts`),
  ...[
    'answers',
    'command-cutter',
    'commands',
    'conversation',
    'decoder',
    'fifo',
    'frontend',
    'login',
    'messages',
    'questions',
    'redaction',
    'render',
    'reply-parser',
    'scripts',
    'subscriptions',
  ].map((name) => `src/protocol/redis/${name}.ts`),
];

/** `npm run prove -- coverage`. */
export default defineConfig({
  test: {
    include: ['test/protocol/{postgres,redis}/*.test.ts', 'test/gateway/relay.test.ts'],
    // They need servers and programs, and reach no branch that the others do not.
    exclude: ['**/{backend,dsn,programs,random,server-commands}.test.ts', 'test/protocol/postgres/render.test.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    coverage: {
      enabled: true,
      provider: 'v8',
      include: branchesWithout,
      reporter: ['text'],
      reportsDirectory: '.cache/coverage',
      thresholds: { perFile: true, branches: 100 },
    },
  },
});

/**
 * What is recorded is what was executed: random conversations through the gateway before real servers that log all they do. The
 * recording, as `hoop replay --json` gives it, is the server's own log: each statement once, in order, with text, parameters and
 * outcome. `npm run prove -- differential` plays 50,000. A failure prints a seed: HOOP_PROVE_SEED=<seed> HOOP_PROVE_SCRIPTS=1 plays it
 * alone.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { postgresServers } from '../support/postgres.ts';
import { logEverything } from '../support/server-log.ts';
import { Bench } from './differential/bench.ts';
import { makeScript } from './differential/script.ts';
import { proofSeed } from './random.ts';

const scripts = Number(process.env['HOOP_PROVE_SCRIPTS'] ?? 500);
const firstSeed = proofSeed();
const perServer = Math.ceil(scripts / postgresServers.length);
const perSession = 50;
/** Enough to see a pattern. */
const failuresMax = 5;

const settings = [
  ...logEverything,
  'log_min_duration_statement = 0', // tells what ended well
  'log_disconnections = on',
  'max_prepared_transactions = 100',
  "lock_timeout = '5s'",
  "statement_timeout = '20s'",
];

describe.each(postgresServers)('differential: $name', ({ name, start }) => {
  let server: PostgresServer;
  let bench: Bench;
  beforeAll(async () => {
    server = await start({ settings });
    bench = await Bench.open(server);
  });
  afterAll(async () => {
    await bench?.close();
    await server?.stop();
  });

  test(`${perServer} scripts: the record is the server's log`, { timeout: 60_000 + perServer * 500 }, async () => {
    const failures: string[] = [];
    for (let done = 0; done < perServer && failures.length < failuresMax; done += perSession) {
      const count = Math.min(perSession, perServer - done);
      if (done > 0 && done % 5000 === 0) process.stdout.write(`${name}: ${done} scripts\n`);
      failures.push(...(await bench.play(Array.from({ length: count }, (_, at) => makeScript(firstSeed + done + at)))));
    }
    process.stdout.write(`${name}: from seed ${firstSeed}: ${JSON.stringify(bench.tally)}\n`);
    expect(failures.slice(0, failuresMax).join('\n\n')).toBe('');
  });
});

import { randomInt } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Deployment, type Ready, type Role } from '../support/deployment.ts';
import { at, startLoad } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { executed, logEverything, missing, recorded } from '../support/server-log.ts';
import { until } from '../support/until.ts';

const seed = Number(process.env['HOOP_TEST_SEED'] ?? randomInt(1_000_000));
process.stdout.write(`gateway-killed: HOOP_TEST_SEED=${seed}\n`);
const rounds = Array.from({ length: 6 }, (_, round) => ({
  round,
  millis: 20 + ((seed * 7919 + round * 104_729) % 700),
}));

describe.runIf(hasProgram('pgbench'))('kill -9 of the gateway under load', { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let hoop: Deployment;
  let direct: pg.Client;
  let connect: Role;
  let ready: Ready;

  beforeAll(async () => {
    server = await startAnyPostgres({ settings: logEverything });
    direct = new pg.Client({ host: '127.0.0.1', ...server, application_name: 'direct' });
    await direct.connect();
    await direct.query('create table load (id int, note text)');
    hoop = await Deployment.start({ postgres: server });
    ({ role: connect, ready } = await hoop.connect());
  }, 120_000);
  afterAll(async () => {
    await hoop?.remove();
    await direct?.end();
    await server?.stop();
  });

  let session: string | undefined;
  const unknown: number[] = [];
  let pipelined = 0;

  test.each(rounds)('round $round, after $millis ms: what ran is in the record', async ({ round, millis }) => {
    session ??= ready.session;
    const name = `round-${round}.`;
    const load = startLoad(ready.environment, name);
    await until(() => load.answered.length > 3, {
      seconds: 60,
      what: () => `load through hoop: ${connect.stderr}`,
    });
    await new Promise((resolve) => setTimeout(resolve, millis)); // a moment by chance is the point
    const from = connect.stderr.length;
    await hoop.gateway.kill('SIGKILL');
    await load.ended;
    await hoop.startGateway();
    const [, successor = ''] = await connect.says(/ready on .* session (\w+)/, { from, seconds: 90 });
    await served(name);

    const ended = (await hoop.sessions()).find(({ id }) => id === session);
    expect(ended).toMatchObject({ state: 'interrupted', reason: 'interrupted', endedAt: expect.any(String) });
    const statements = await hoop.statements(session);
    const ran = executed(server.logFile!, name);
    pipelined += ran.filter((one) => one.startsWith('insert into load')).length;
    expect(missing(ran, load.answered)).toEqual([]); // the oracle sees what it must
    expect(missing(recorded(statements), ran)).toEqual([]);
    expect(missing(recorded(statements), load.answered)).toEqual([]);
    expect(statements.filter(({ outcome }) => outcome === null)).toEqual([]);
    unknown.push(statements.filter(({ outcome }) => outcome?.status === 'unknown').length);

    expect((await hoop.sessions()).find(({ id }) => id === successor)).toMatchObject({
      state: 'live',
      continues: session,
    });
    session = successor;
  });

  test('what had no answer is unknown, and hoop sessions says interrupted', async () => {
    expect(Math.max(...unknown)).toBeGreaterThan(0);
    expect(pipelined).toBeGreaterThan(0); // the pipelines of pgbench took part
    expect((await hoop.run(['sessions'])).stdout.match(/interrupted/g)!.length).toBeGreaterThanOrEqual(rounds.length);
  });

  test('hoop connect has come back each time: same port, same password, and it works', async () => {
    const client = new pg.Client(at(ready.environment));
    await client.connect();
    expect((await client.query('select 6 * 7 as answer')).rows).toEqual([{ answer: 42 }]);
    await client.end();
    expect(connect.isRunning).toBe(true);
  });

  /** Waits until the server has ended the connections of a load, and its log is written. */
  async function served(name: string): Promise<void> {
    const open = 'select count(*)::int as open from pg_stat_activity where application_name like $1';
    await until(async () => (await direct.query(open, [`%${name}`])).rows[0].open === 0);
    await direct.query(`select 'after ${name}'`);
    await until(() => executed(server.logFile!, 'direct').includes(`select 'after ${name}'`));
  }
});

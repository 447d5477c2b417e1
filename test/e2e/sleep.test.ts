import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Deployment } from '../support/deployment.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';

let server: PostgresServer;
let hoop: Deployment;
beforeAll(async () => {
  server = await startAnyPostgres();
  hoop = await Deployment.start({ postgres: server });
}, 120_000);
afterAll(async () => {
  await hoop?.remove();
  await server?.stop();
});

const answer = async (environment: Record<string, string>) => {
  const client = new pg.Client(at(environment));
  await client.connect();
  const { rows } = await client.query('select 6 * 7 as answer');
  await client.end();
  return rows[0].answer;
};

test('a laptop that sleeps for 90 s: client_lost at the gateway, a successor on the same port and credential', async () => {
  const { role, ready } = await hoop.connect();
  expect(await answer(ready.environment)).toBe(42);
  const from = role.stderr.length;
  role.signal('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 90_000)); // the sleep itself
  expect(await hoop.session(({ id }) => id === ready.session)).toMatchObject({
    state: 'sealed',
    reason: 'client_lost',
  });
  role.signal('SIGCONT');
  const [, successor = ''] = await role.says(/ready on .* session (\w+)/, { from, seconds: 60 });
  expect(await answer(ready.environment)).toBe(42);
  expect(await hoop.session(({ id }) => id === successor)).toMatchObject({ state: 'live', continues: ready.session });
}, 240_000);

import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let server: PostgresServer;
let stack: Stack;
let alice: SignedIn;
let root: SignedIn;
let direct: Client;
beforeAll(async () => {
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server });
  for (const role of ['admin', 'user'] as const) await stack.addUser({ admin: 'root', user: 'alice' }[role], role);
  [root, alice] = [await stack.signIn('root'), await stack.signIn('alice')];
  direct = new Client({ host: '127.0.0.1', ...server });
  await direct.connect();
  await direct.query('create table done (what text)');
});
afterAll(async () => {
  await direct?.end();
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});

/** Whether the resource is at it now. */
const runs = async (what: string): Promise<boolean> => {
  const text = `select from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like $1`;
  return (await direct.query(text, [`%${what}%`])).rowCount! > 0;
};

const takenAway: Record<string, (connected: Connected) => Promise<unknown>> = {
  'killed by an administrator': ({ session }) =>
    root.call('POST', `/sessions/${session}/kill`, { reason: 'it deletes too much' }),
  'killed by whose it is': ({ session }) => alice.call('POST', `/sessions/${session}/kill`),
  'without its grant': async () => {
    const [grant] = ((await root.call('GET', '/grants?resource=orders-db')).body as { grants: { id: string }[] })
      .grants;
    await root.call('DELETE', `/grants/${grant!.id}`);
  },
};

test.each(Object.keys(takenAway))('what runs in a session that is %s does not finish at the resource', async (how) => {
  const connected = await stack.connect(alice);
  const client = new Client(at(connected.environment));
  client.on('error', () => undefined);
  await client.connect();
  const told = client
    .query(`with slow as (select pg_sleep(60)) insert into done select '${how}' from slow`)
    .catch(({ message }: Error) => message);
  await until(() => runs(how));
  await takenAway[how]!(connected);
  expect(await told).toMatch(/ended this session|access|grant/);
  await until(async () => !(await runs(how)));
  expect((await direct.query('select from done')).rowCount).toBe(0);
  const [statement] = await stack.statements(alice, connected.session);
  expect(statement).toMatchObject({ text: expect.stringContaining(how), outcome: { status: 'unknown' } });
  await connected.close();
});

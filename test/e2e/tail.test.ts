import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { statementsOf } from '../../src/client/api/sessions.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Statement } from '../../src/shared/api.ts';
import { followSessions } from '../../src/client/follow-sessions.ts';
import { call, type SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { apiOf } from '../support/recording-of.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let postgres: PostgresServer;
let stack: Stack;
let alice: SignedIn;
beforeAll(async () => {
  postgres = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
}, 60_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await postgres?.stop();
});

async function opened({ port, user, password, database }: Connected): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  client.on('error', () => undefined); // a killed session ends its connections
  await client.connect();
  return client;
}

const bySeq = (all: Statement[]) => all.toSorted((one, other) => one.seq - other.seq);

test('whoever joins under load is shown every statement once, and the end', async () => {
  const connected = await stack.connect(alice);
  const id = connected.session;
  const api = apiOf(stack.gateway, alice);
  const clients = [await opened(connected), await opened(connected)];
  let isOver = false;
  const load = clients.map(async (client, which) => {
    for (let count = 0; !isOver; count++) await client.query(`select ${which}, ${count}`);
  });
  const shown: Statement[][] = [];
  const tails: Promise<void>[] = [];
  for (let joined = 0; joined < 8; joined++) {
    const mine: Statement[] = [];
    shown.push(mine);
    const join = async () => {
      for await (const statement of statementsOf(api, id, { follow: true })) mine.push(statement);
    };
    tails.push(join());
    const before = shown[0]!.length;
    await until(() => mine.length > before + 10);
  }
  isOver = true;
  await Promise.all(load);
  for (const client of clients) await client.end();
  await connected.close();
  await Promise.all(tails);
  const all = await stack.statements(alice, id);
  expect(all.length).toBeGreaterThan(8 * 10);
  for (const mine of shown) expect(bySeq(mine)).toEqual(bySeq(all));
}, 60_000);

test('a statement that takes long keeps back no other; those who leave cost nothing more', async () => {
  const connected = await stack.connect(alice);
  const [slow, quick] = [await opened(connected), await opened(connected)];
  const sleeping = slow!.query('select pg_sleep(60)').catch((error: Error) => error.message);
  await quick!.query('select 1');
  const texts: (string | null)[] = [];
  for await (const { text } of statementsOf(apiOf(stack.gateway, alice), connected.session, { follow: true })) {
    texts.push(text);
    if (text === 'select 1') break;
  }
  expect(texts).not.toContain('select pg_sleep(60)');
  await call(stack.gateway, alice, 'POST', `/sessions/${connected.session}/kill`, {});
  await sleeping;
  await quick!.end().catch(() => undefined);
});

test('a session that has ended is shown whole, and not waited for', async () => {
  const all: Statement[] = [];
  for await (const statement of statementsOf(apiOf(stack.gateway, alice), 'last', { follow: true }))
    all.push(statement);
  expect(all.map(({ text }) => text)).toContain('select pg_sleep(60)');
});

test('new sessions are shown as they start, each once', async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const session of followSessions(
      apiOf(stack.gateway, alice),
      {},
      { everyMillis: 10, signal: stop.signal },
    ))
      seen.push(session.id);
  })();
  await until(() => seen.length === 2);
  const started: string[] = [];
  for (let count = 0; count < 5; count++) {
    const connected = await stack.connect(alice);
    started.push(connected.session);
    if (count % 2 === 0) await connected.close();
  }
  await until(() => seen.length >= 7);
  stop.abort();
  await following;
  expect(seen.slice(2)).toEqual(started);
});

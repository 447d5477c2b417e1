import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSessionTunnel } from '../../src/client/session-tunnel.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { makeProof, type SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Stack } from '../support/stack.ts';

let server: PostgresServer;
let stack: Stack;
let alice: SignedIn;
let bob: SignedIn;

beforeAll(async () => {
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server });
  for (const name of ['alice', 'bob']) await stack.addUser(name);
  alice = await stack.signIn('alice');
  bob = await stack.signIn('bob');
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});

/** What a client of one's own making could ask for. */
const openTunnel = (user: SignedIn, continues?: string) =>
  openSessionTunnel({
    gateway: stack.gateway.url,
    resource: 'orders-db',
    ...(continues === undefined ? {} : { continues }),
    authorize: async (method, url) => ({
      authorization: `DPoP ${user.accessToken}`,
      dpop: await makeProof(user.key, { htm: method, htu: url, accessToken: user.accessToken }),
    }),
    signal: new AbortController().signal,
  });

test('nobody continues, or ends, a session of somebody else', async () => {
  const connected = await stack.connect(alice);
  await expect(openTunnel(bob, connected.session)).rejects.toMatchObject({ code: 'HOOP_NOT_FOUND' });
  const client = new pg.Client({ host: '127.0.0.1', ...connected });
  await client.connect();
  expect((await client.query('select 1 as still')).rows).toEqual([{ still: 1 }]);
  await client.end();
  expect(await stack.session(alice, connected.session)).toMatchObject({ state: 'live' });
  await connected.close();
});

test.each(['last', 'a', '0', 'x'.repeat(64)])('a predecessor is named by its whole id, not %j', async (continues) => {
  await (await openTunnel(alice)).close();
  await expect(openTunnel(alice, continues)).rejects.toMatchObject({ code: 'HOOP_NOT_FOUND' });
});

test('a successor has the same credential, names its predecessor and ends it', async () => {
  const first = await openTunnel(alice);
  const second = await openTunnel(alice, first.opened.session);
  expect(await first.ended).toMatchObject({ reason: 'client_lost', final: false });
  expect(second.opened.credential).toEqual(first.opened.credential);
  const third = await openTunnel(alice, second.opened.session);
  expect(third.opened.credential).toEqual(first.opened.credential);
  expect(await stack.session(alice, third.opened.session)).toMatchObject({ continues: second.opened.session });
  await third.close();
  const other = await openTunnel(alice);
  expect(other.opened.credential.password).not.toBe(first.opened.credential.password);
  await other.close();
});

test('a restarted gateway takes the client back: same port, same credential, a successor session', async () => {
  const connected = await stack.connect(alice);
  const { session, port } = connected;
  const seen = connected.states.length;
  await stack.restartGateway();
  await connected.until('ready', seen);
  await expect.poll(() => connected.states.at(-1)).toMatchObject({ state: 'ready', port });
  // The agent links again by itself; until then there is nobody who serves the resource.
  const client = new pg.Client({ host: '127.0.0.1', ...connected });
  await client.connect();
  expect((await client.query('select 2 as again')).rows).toEqual([{ again: 2 }]);
  await client.end();
  expect(connected.session).not.toBe(session);
  expect(await stack.session(alice, connected.session)).toMatchObject({ continues: session });
  expect(await stack.session(alice, session)).toMatchObject({ state: 'sealed', reason: 'gateway_stopped' });
  await connected.close();
});

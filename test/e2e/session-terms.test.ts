import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSessionTunnel, type TunnelRequest } from '../../src/client/session-tunnel.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { makeProof, type SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let server: PostgresServer;
let stack: Stack;
beforeAll(async () => {
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server, settings: { session: { idle: '1s' } } });
  await stack.addUser('bob');
  // Of alice every session ends 3 s after the approval behind it.
  await stack.addUser('alice', 'auditor');
  const { users, grants } = stack.gateway.registry;
  const rules = { resource: 'orders-db', createdBy: 'test', maxTtlSeconds: 3 };
  grants.create({ userId: users.get('alice').id, group: null, ...rules });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});

const openTunnel = (user: SignedIn, more: Partial<TunnelRequest> = {}) =>
  openSessionTunnel({
    gateway: stack.gateway.url,
    resource: 'orders-db',
    ...more,
    authorize: async (method, url) => ({
      authorization: `DPoP ${user.accessToken}`,
      dpop: await makeProof(user.key, { htm: method, htu: url, accessToken: user.accessToken }),
    }),
    signal: new AbortController().signal,
  });

/** What a client program is told when its connection ends. */
function ending(client: pg.Client): Promise<Error> {
  return new Promise((resolve) => client.on('error', resolve));
}

describe('the longest life of a session', () => {
  test('ends it, says so in the client’s own protocol and in the record, and only a new approval opens another', async () => {
    const alice = await stack.signIn('alice');
    const connected = await stack.connect(alice);
    const client = new pg.Client({ host: '127.0.0.1', ...connected });
    await client.connect();
    client.on('error', () => undefined);
    const { session } = connected;
    // At work, so not idle.
    const told = await client.query('select pg_sleep(60)').then(String, ({ message }: Error) => message);
    expect(told).toContain('its time is over; it goes on when a person has approved');
    const direct = new pg.Client({ host: '127.0.0.1', ...server });
    await direct.connect();
    const running = `select from pg_stat_activity where state = 'active' and query = 'select pg_sleep(60)'`;
    await until(async () => (await direct.query(running)).rowCount === 0);
    await direct.end();
    expect(await connected.until('signing-in')).toMatchObject({ why: expect.stringContaining('at most 3 s') });
    expect(await stack.session(alice, session)).toMatchObject({ state: 'sealed', reason: 'expired' });
    await expect(openTunnel(alice)).rejects.toMatchObject({ code: 'HOOP_SIGN_IN' });
    await expect(openTunnel(alice, { continues: session })).rejects.toMatchObject({ code: 'HOOP_SIGN_IN' });
    const again = await stack.signIn('alice');
    const successor = await openTunnel(again, { continues: session });
    expect(successor.opened.secondsLeft).toBeGreaterThan(0);
    await successor.close();
    await connected.close();
  });

  test('what was asked for ends it too, and a successor gets no more of it', async () => {
    const bob = await stack.signIn('bob');
    const first = await openTunnel(bob, { ttlSeconds: 1 });
    expect(first.opened.secondsLeft).toBe(1);
    const second = await openTunnel(bob, { continues: first.opened.session, ttlSeconds: 3600 });
    expect(second.opened.secondsLeft).toBeLessThanOrEqual(1);
    expect(await second.ended).toMatchObject({ reason: 'expired', final: true });
    await expect(openTunnel(bob, { continues: second.opened.session })).rejects.toMatchObject({
      code: expect.stringMatching(/HOOP_SESSION_ENDED|HOOP_SIGN_IN/),
    });
    const { actorInstance, expiresAt } = await stack.session(bob, second.opened.session);
    expect(await stack.session(bob, first.opened.session)).toMatchObject({ actorInstance, expiresAt });
  });
});

test('a session in which nothing is asked ends as idle; one at work does not', async () => {
  const bob = await stack.signIn('bob');
  const connected = await stack.connect(bob);
  const client = new pg.Client({ host: '127.0.0.1', ...connected });
  await client.connect();
  const told = ending(client);
  expect((await client.query('select pg_sleep(1.3)::text as slept')).rowCount).toBe(1);
  expect((await told).message).toContain('nothing was asked for 1 s');
  const ended = await connected.until('ended');
  expect(ended).toMatchObject({ reason: 'idle' });
  // The port says so for a moment, then nobody listens.
  const late = new pg.Client({ host: '127.0.0.1', ...connected });
  await expect(late.connect()).rejects.toThrow(/the session has ended: nothing was asked/);
  await connected.close();
  const gone = new pg.Client({ host: '127.0.0.1', ...connected });
  await expect(gone.connect()).rejects.toThrow(/ECONNREFUSED/);
  expect(await stack.session(bob, connected.session ?? 'last')).toMatchObject({ reason: 'idle' });
});

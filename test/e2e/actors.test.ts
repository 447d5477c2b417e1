import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import pg from 'pg';
import { entriesOf } from '../../src/client/api/sessions.ts';
import { recordedEntries } from '../../src/client/recorded-entries.ts';
import { openSessionTunnel, type TunnelRequest } from '../../src/client/session-tunnel.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { call, makeProof, type SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { apiOf } from '../support/recording-of.ts';
import { startStack, type Stack } from '../support/stack.ts';

let server: PostgresServer;
let stack: Stack;
let root: SignedIn;
let alice: SignedIn;
beforeAll(async () => {
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server });
  await stack.addUser('root', 'admin');
  await stack.addUser('alice');
  root = await stack.signIn('root');
  alice = await stack.signIn('alice');
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

async function genesis(id: string): Promise<Record<string, unknown>> {
  for await (const { body } of recordedEntries(id, entriesOf(apiOf(stack.gateway, alice), id))) return body as never;
  throw new Error('an empty recording');
}

describe('a grant that names coding agents', () => {
  let grant: string;
  beforeAll(async () => {
    const rules = { actors: ['cursor'], maxTtlSeconds: 3600 };
    const { body, status } = await call(stack.gateway, root, 'POST', '/grants', {
      user: 'root',
      resource: 'orders-db',
      ...rules,
    });
    expect({ status, body }).toMatchObject({ status: 201, body: rules });
    grant = (body as { id: string }).id;
  });

  test('lets those in, and says to others whom it is for', async () => {
    const cursor = await openTunnel(root, { actor: 'Cursor' });
    expect(cursor.opened.secondsLeft).toBeGreaterThan(3500);
    await cursor.close();
    for (const more of [{}, { actor: 'codex' }])
      await expect(openTunnel(root, more)).rejects.toMatchObject({
        code: 'HOOP_DENIED',
        message: 'root may reach orders-db only by cursor',
      });
  });

  test('its removal ends what it let in', async () => {
    const cursor = await openTunnel(root, { actor: 'cursor' });
    expect((await call(stack.gateway, root, 'DELETE', `/grants/${grant}`)).status).toBe(204);
    expect(await cursor.ended).toMatchObject({ reason: 'access_ended', final: true });
  });
});

describe('an actor instance', () => {
  test('goes on through a line of successors, as the actor that it was first', async () => {
    const first = await openTunnel(alice, { actor: 'cursor' });
    const second = await openTunnel(alice, { actor: 'somebody else', continues: first.opened.session });
    const [was, is] = [await genesis(first.opened.session), await genesis(second.opened.session)];
    expect(is).toMatchObject({ user: 'alice', actor: 'cursor', actorInstance: was['actorInstance'] });
    await second.close();
    const other = await openTunnel(alice, { actor: 'cursor' });
    expect((await genesis(other.opened.session))['actorInstance']).not.toBe(was['actorInstance']);
    await other.close();
  });

  test('has one live session, also when several continue the same one at once', async () => {
    const { opened } = await openTunnel(alice, { actor: 'cursor' });
    const twins = await Promise.allSettled([1, 2, 3, 4].map(() => openTunnel(alice, { continues: opened.session })));
    const { body } = await call(stack.gateway, alice, 'GET', '/sessions?state=live');
    expect((body as unknown as { sessions: unknown[] }).sessions).toHaveLength(1);
    for (const twin of twins) {
      if (twin.status === 'fulfilled') await twin.value.close();
      else expect(twin.reason).toMatchObject({ code: 'HOOP_LIMIT' });
    }
  });
});

test('a kept local password is the same the next day, only on this machine, and the record says so', async () => {
  const keepCredential = 'a'.repeat(32);
  const passwords: string[] = [];
  for (const kept of [keepCredential, keepCredential, 'b'.repeat(32)]) {
    const tunnel = await openTunnel(alice, { keepCredential: kept });
    expect(await genesis(tunnel.opened.session)).toMatchObject({ terms: { credential: 'kept' } });
    passwords.push(tunnel.opened.credential.password);
    await tunnel.close();
  }
  expect(passwords[1]).toBe(passwords[0]);
  expect(passwords[2]).not.toBe(passwords[0]);
});

test('the database knows the session, the user and the actor; the record has the name that the program gave', async () => {
  const connected = await stack.connect(alice, { actor: 'cursor' });
  const client = new pg.Client({ host: '127.0.0.1', ...connected, application_name: 'report' });
  await client.connect();
  const { rows } = await client.query('select application_name from pg_stat_activity where pid = pg_backend_pid()');
  const [{ application_name: name }] = rows as [{ application_name: string }];
  expect(name).toBe(`hoop/${connected.session.slice(0, 12)}/alice/cursor report`);
  await client.end();
  const states: unknown[] = [];
  for await (const { body } of recordedEntries(
    connected.session,
    entriesOf(apiOf(stack.gateway, alice), connected.session),
  ))
    states.push(body);
  expect(states).toContainEqual(expect.objectContaining({ kind: 'state', name: 'application_name', value: 'report' }));
  await connected.close();
});

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Deployment } from '../support/deployment.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

/** Roles as real processes, killed and stopped one after the other; what is left is for the next. */
describe('when a role goes away', { timeout: 120_000 }, () => {
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

  const open = async (environment: Record<string, string>) => {
    const client = new pg.Client(at(environment));
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const answer = async (environment: Record<string, string>) => {
    const client = await open(environment);
    const { rows } = await client.query('select 6 * 7 as answer');
    await client.end();
    return rows[0].answer;
  };
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => new Error('it was answered'),
      (error: Error) => error,
    );

  test('kill -9 of the agent: agent_lost, and connect goes on when the agent is back, without a join token', async () => {
    const { role, ready } = await hoop.connect();
    const client = await open(ready.environment);
    await client.query('select 1');
    const running = failure(client.query('select pg_sleep(60)'));
    await hoop.session(({ id, statements }) => id === ready.session && statements === 2);
    const from = role.stderr.length;
    await hoop.agent.kill('SIGKILL');
    expect((await running).message).toMatch(/agent|connection/i);
    const lost = await hoop.session(({ id, state }) => id === ready.session && state !== 'live');
    expect(lost).toMatchObject({ state: 'sealed', reason: 'agent_lost', statements: 2 });
    expect((await hoop.statements(ready.session)).map(({ text, outcome }) => [text, outcome?.status])).toEqual([
      ['select 1', 'ok'],
      ['select pg_sleep(60)', 'unknown'],
    ]);
    expect((await failure(open(ready.environment))).message).toContain('hoop is not connected');

    await hoop.startAgent();
    const [, successor = ''] = await role.says(/ready on .* session (\w+)/, { from, seconds: 60 });
    expect(await answer(ready.environment)).toBe(42);
    expect(await hoop.session(({ id }) => id === successor)).toMatchObject({ continues: ready.session });
    await role.kill('SIGTERM');
    expect(await hoop.session(({ id, state }) => id === successor && state === 'sealed')).toMatchObject({
      reason: 'client_closed',
    });
  });

  test('kill -9 of hoop connect: the session is sealed with a reason, the next connect works', async () => {
    const { role, ready } = await hoop.connect();
    const client = await open(ready.environment);
    const running = failure(client.query('select pg_sleep(60)'));
    await hoop.session(({ id, statements }) => id === ready.session && statements === 1);
    await role.kill('SIGKILL');
    await running;
    const ended = await hoop.session(({ id, state }) => id === ready.session && state !== 'live');
    expect(ended).toMatchObject({ state: 'sealed', reason: 'client_lost', statements: 1 });
    const next = await hoop.connect();
    expect(await answer(next.ready.environment)).toBe(42);
    await next.role.kill('SIGTERM');
  });

  test('a second gateway on the same data-dir is refused, and named the first', async () => {
    const second = await hoop.role(['gateway', 'start', '--data-dir', hoop.dataDir, '--listen', '127.0.0.1:0']).ended;
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('HOOP_DATA_DIR_LOCKED');
    expect(second.stderr).toContain(`process ${hoop.gateway.pid},`);
  });

  test('SIGTERM of the gateway: the running statement is answered, everything is sealed', async () => {
    const { role, ready } = await hoop.connect();
    const client = await open(ready.environment);
    const running = client.query('select pg_sleep(2), $1::text as word', ['done']);
    await hoop.session(({ id, statements }) => id === ready.session && statements === 1);
    const gone = hoop.gateway.kill('SIGTERM');
    expect((await running).rows).toMatchObject([{ word: 'done' }]);
    await gone;
    expect((await hoop.gateway.ended).code).toBe(0);
    const from = role.stderr.length;
    await hoop.startGateway();
    expect(await hoop.session(({ id }) => id === ready.session)).toMatchObject({
      state: 'sealed',
      reason: 'gateway_stopped',
    });
    expect((await hoop.statements(ready.session)).map(({ outcome }) => outcome?.status)).toEqual(['ok']);
    await role.says(/ready on /, { from, seconds: 90 });
    expect(await answer(ready.environment)).toBe(42);
    await role.kill('SIGTERM');
  });

  test('kill -9 leaves no lock behind; gateway reindex gives the same sessions without the old catalog', async () => {
    await until(async () => (await hoop.sessions()).every(({ state }) => state !== 'live'));
    const before = await hoop.sessions();
    expect(before.length).toBeGreaterThan(4);
    await hoop.gateway.kill('SIGKILL');
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(hoop.dataDir, `catalog.db${suffix}`), { force: true });
    await hoop.run(['gateway', 'reindex', '--data-dir', hoop.dataDir]);
    await hoop.startGateway();
    expect(await hoop.sessions()).toEqual(before);
  });
});

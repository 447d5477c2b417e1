import pg from 'pg';
import { expect, test } from 'vitest';
import { freePort } from '../../src/demo/postgres.ts';
import { postgresServers } from '../support/postgres.ts';

test.each(postgresServers)('$name starts, wants its password, and is gone after stop', async ({ start }) => {
  const server = await start({ database: 'orders' });
  const at = { host: '127.0.0.1', port: server.port, user: server.user, database: server.database };
  const client = new pg.Client({ ...at, password: server.password });
  await client.connect();
  expect((await client.query('select current_database() as name')).rows).toEqual([{ name: 'orders' }]);
  await client.end();
  await expect(new pg.Client({ ...at, password: 'wrong' }).connect()).rejects.toThrow('password authentication failed');
  await server.stop();
  await expect(new pg.Client({ ...at, password: server.password }).connect()).rejects.toThrow('ECONNREFUSED');
});

test.each(postgresServers)('$name at a port that somebody took meanwhile: takes another', async ({ start }) => {
  const first = await start();
  const tried = [first.port];
  const second = await start({
    ports: async () => tried.pop() ?? (await freePort()),
  });
  expect(second.port).not.toBe(first.port);
  for (const { port, password } of [first, second]) {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password });
    await client.connect();
    await client.end();
  }
  await second.stop();
  await first.stop();
});

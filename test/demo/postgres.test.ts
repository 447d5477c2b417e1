import pg from 'pg';
import { expect, test } from 'vitest';
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

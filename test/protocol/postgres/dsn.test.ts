import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postgres } from '../../../src/protocol/postgres/index.ts';
import { startAnyPostgres } from '../../support/postgres.ts';
import type { PostgresServer } from '../../../src/demo/postgres.ts';
import { hasProgram } from '../../support/programs.ts';
import { run } from '../../support/run.ts';

/** Names that a careless quoting would break. */
const local = { host: '127.0.0.1', user: 'ho op@x', password: 'p/w?#%&:', database: "or'ders/1" };
let server: PostgresServer;
beforeAll(async () => {
  server = await startAnyPostgres();
  const admin = new pg.Client({ ...server, host: '127.0.0.1' });
  await admin.connect();
  await admin.query(`create role "${local.user}" login password '${local.password}'`);
  await admin.query(`create database "${local.database}"`);
  await admin.end();
});
afterAll(() => server.stop());

const asked = 'select current_user || current_database() as both';

test('the printed DSN works in the pg driver as it is', async () => {
  const { dsn } = postgres.connectInfo({ ...local, port: server.port });
  const client = new pg.Client(dsn);
  await client.connect();
  expect((await client.query(asked)).rows).toEqual([{ both: local.user + local.database }]);
  await client.end();
});

test('the pg driver connects by the environment alone', async () => {
  const { environment } = postgres.connectInfo({ ...local, port: server.port });
  const script = `import pg from 'pg'; const c = new pg.Client(); await c.connect();
    console.log((await c.query(${JSON.stringify(asked)})).rows[0].both); await c.end();`;
  const env = { ...environment, NODE_NO_WARNINGS: '1' };
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], { env });
  expect({ stdout, stderr }).toEqual({ stdout: `${local.user + local.database}\n`, stderr: '' });
});

test.runIf(hasProgram('psql')).each(['by DSN', 'by environment'])('psql connects %s', async (way) => {
  const { dsn, environment } = postgres.connectInfo({ ...local, port: server.port });
  const target = way === 'by DSN' ? [dsn] : [];
  const { stdout, stderr } = await run('psql', ['-X', '-w', '-At', '-c', asked, ...target], {
    // A user's own settings must not get in the way.
    env: {
      PGSSLMODE: 'require',
      ...(way === 'by DSN' ? { PGSSLMODE: 'prefer' } : environment),
    },
  });
  expect({ stdout, stderr }).toEqual({ stdout: `${local.user + local.database}\n`, stderr: '' });
});

test('a fatal error is one that drivers show', () => {
  const bytes = Buffer.from(postgres.fatal('HOOP_AGENT_OFFLINE', 'no agent serves orders-db'));
  expect(bytes.toString('latin1', 0, 1)).toBe('E');
  expect(bytes.readInt32BE(1)).toBe(bytes.length - 1);
  expect(bytes.toString('utf8', 5)).toBe('SFATAL\0VFATAL\0C08001\0Mno agent serves orders-db\0\0');
});

import pg from 'pg';
import { expect, test } from 'vitest';
import { startDemoDatabase } from '../../src/demo/demo-database.ts';
import { startStack } from '../support/stack.ts';

test('where there is no PostgreSQL, the demo has PGlite: a session through hoop works and is recorded', async () => {
  const database = await startDemoDatabase(() => undefined);
  expect(database.kind).toMatch(/^PGlite/);
  {
    await using stack = await startStack({ postgres: database });
    await stack.addUser('demo');
    const demo = await stack.signIn('demo');
    const connected = await stack.connect(demo);
    const client = new pg.Client({ host: '127.0.0.1', ...connected });
    await client.connect();
    expect((await client.query('select count(*)::int as n from orders where cents > $1', [0])).rows).toEqual([
      { n: 4 },
    ]);
    await client.end();
    const { session } = connected;
    await connected.close();
    expect(await stack.statements(demo, session)).toMatchObject([
      { verb: 'execute', outcome: { status: 'ok', tag: 'SELECT 1' } },
    ]);
  }
  await database.stop();
}, 120_000);

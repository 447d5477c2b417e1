import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Resource, Session, Statement } from '../../src/shared/api.ts';
import { replayStatement } from '../../src/ui/replay.ts';
import { call, type SignedIn } from '../support/identity-gateway.ts';
import { postgresServers } from '../support/postgres.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

const plain = (text: string): string => text.replaceAll(/\u001b\[[0-9;]*m/g, '');

describe.each(postgresServers)('a resource with results: rows, $name', ({ start }) => {
  let postgres: PostgresServer;
  let stack: Stack;
  let alice: SignedIn;
  let connected: Connected;
  let client: pg.Client;
  let session: Session;

  const last = async (): Promise<Statement> => {
    let statement: Statement | undefined;
    await until(async () => {
      statement = (await stack.statements(alice, connected.session)).at(-1);
      return statement?.outcome !== null;
    });
    return statement!;
  };

  beforeAll(async () => {
    postgres = await start();
    stack = await startStack({ postgres, resource: { results: 'rows', redact: [] } });
    await stack.addUser('alice');
    alice = await stack.signIn('alice');
    connected = await stack.connect(alice);
    const { port, user, password, database } = connected;
    client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
    await client.connect();
    session = await stack.session(alice, connected.session);
  }, 60_000);
  afterAll(async () => {
    await client?.end();
    await stack?.[Symbol.asyncDispose]();
    await postgres?.stop();
  });

  test('says so where a user looks it up', async () => {
    const { body } = await call(stack.gateway, alice, 'GET', '/resources/orders-db');
    expect((body as Resource).results).toBe('rows');
  });

  test('replay shows what came back, columns by name', async () => {
    await client.query("SELECT 7 AS id, 'ann' AS name, NULL AS phone UNION ALL SELECT 8, E'b\\tb', '1'");
    const statement = await last();
    expect(statement.results).toEqual([
      {
        columns: ['id', 'name', 'phone'],
        rows: [
          ['7', 'ann', null],
          ['8', 'b\tb', '1'],
        ],
      },
    ]);
    const lines = plain(replayStatement(statement, session)).split('\n');
    expect(lines.slice(-3)).toEqual([
      '    id | name | phone',
      '    7  | ann  | NULL',
      expect.stringMatching(/^ {4}8 {2}\| b/),
    ]);
  });

  test('of the extended protocol too, text and binary', async () => {
    await client.query({ name: 'q', text: 'SELECT $1::int AS n, now() > $2 AS later', values: [5, '2020-01-01'] });
    expect((await last()).results).toEqual([{ columns: ['n', 'later'], rows: [['5', 't']] }]);
    await client.query({ text: 'SELECT $1::int AS n', values: [6], binary: true } as pg.QueryConfig);
    expect((await last()).results).toEqual([{ columns: ['n'], rows: [['6']] }]);
  });

  test('of many rows the first ones, and the outcome says how many', async () => {
    const { rowCount } = await client.query("SELECT i, repeat('x', 1000) AS pad FROM generate_series(1, 5000) AS i");
    expect(rowCount).toBe(5000);
    const statement = await last();
    const { rows, rowsKept } = statement.outcome!;
    expect(rows).toBe(5000);
    expect(rowsKept).toBeGreaterThan(900);
    expect(rowsKept).toBeLessThan(1100);
    expect(statement.results?.[0]?.rows).toHaveLength(rowsKept!);
    const shown = plain(replayStatement(statement, session));
    expect(shown).toContain(`… ${(rowsKept! - 10).toLocaleString('en')} more rows (--json shows them)`);
    expect(shown).toContain(`the record keeps the first ${rowsKept!.toLocaleString('en')} rows of 5,000`);
  });

  test('the rows are in the sealed recording as they were', async () => {
    await client.end();
    const before = await stack.statements(alice, connected.session);
    await connected.close();
    await until(async () => (await stack.session(alice, connected.session)).state === 'sealed');
    expect(await stack.statements(alice, connected.session)).toEqual(before);
    expect(before.filter(({ results }) => results).length).toBeGreaterThan(3);
  });
});

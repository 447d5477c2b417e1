import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { postgresServers } from '../support/postgres.ts';
import { aliceAtOrders, at } from '../support/alice.ts';

describe.each(postgresServers)('through hoop to $name', ({ start }) => {
  const here = aliceAtOrders(start);

  test('what a driver asks is answered, and in the record with parameters and outcome, in order, once', async () => {
    const connected = await here.stack.connect(here.alice);
    const client = new pg.Client(at(connected));
    await client.connect();
    await client.query('create table items (id int primary key, name text)');
    await client.query('insert into items values ($1, $2), ($3, $4)', [1, 'one', 2, null]);
    expect((await client.query('select * from items order by id')).rows).toEqual([
      { id: 1, name: 'one' },
      { id: 2, name: null },
    ]);
    await expect(client.query('select * from missing')).rejects.toThrow('relation "missing" does not exist');
    await client.end();
    const { session } = connected;
    await connected.close();

    const statements = await here.stack.statements(here.alice, session);
    expect(statements.map(({ verb, text, outcome }) => [verb, text, outcome?.status, outcome?.tag])).toEqual([
      ['query', 'create table items (id int primary key, name text)', 'ok', 'CREATE TABLE'],
      ['execute', 'insert into items values ($1, $2), ($3, $4)', 'ok', 'INSERT 0 2'],
      ['query', 'select * from items order by id', 'ok', 'SELECT 2'],
      ['query', 'select * from missing', 'error', undefined],
    ]);
    expect(statements[1]?.parameters.map(({ shown, base64 }) => (base64 === null ? null : shown))).toEqual([
      "'1'",
      "'one'",
      "'2'",
      null,
    ]);
    expect(statements[3]?.outcome).toMatchObject({ errorCode: '42P01' });
    expect(await here.stack.session(here.alice, session)).toMatchObject({
      user: 'alice',
      actor: 'cursor',
      resource: 'orders-db',
      state: 'sealed',
      reason: 'client_closed',
      statements: 4,
      errors: 1,
      streams: 1,
    });
  });
});

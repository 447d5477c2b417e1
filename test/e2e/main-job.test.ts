import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { postgresServers } from '../support/postgres.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import type { SignedIn } from '../support/identity-gateway.ts';

const at = ({ port, user, password, database }: Connected) => ({ host: '127.0.0.1', port, user, password, database });

describe.each(postgresServers)('through hoop to $name', ({ start }) => {
  let server: PostgresServer;
  let stack: Stack;
  let alice: SignedIn;

  beforeAll(async () => {
    server = await start({ database: 'orders' });
    stack = await startStack({ postgres: server });
    await stack.addUser('alice');
    alice = await stack.signIn('alice');
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  test('what a driver asks is answered, and in the record with parameters and outcome, in order, once', async () => {
    const connected = await stack.connect(alice);
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

    const statements = await stack.statements(alice, session);
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
    expect(await stack.session(alice, session)).toMatchObject({
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

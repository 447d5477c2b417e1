import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { statementsOf } from '../../../src/client/api/sessions.ts';
import type { PostgresServer } from '../../../src/demo/postgres.ts';
import {
  bytesOf,
  cstring,
  encodeBind,
  encodeExecute,
  encodeMessage,
  encodeParse,
  frontendType,
} from '../../../src/protocol/postgres/messages.ts';
import { apiOf } from '../../support/recording-of.ts';
import type { SignedIn } from '../../support/identity-gateway.ts';
import { postgresServers } from '../../support/postgres.ts';
import { RawClient } from '../../support/raw-client.ts';
import { differences, rerunOn, type RerunTestOptions } from '../../support/rerun.ts';
import { startStack, type Connected, type Stack } from '../../support/stack.ts';
import { until } from '../../support/until.ts';

const start = `
  create type mood as enum ('sad', 'ok');
  create table accounts (id int primary key, owner text, cents bigint, feels mood default 'ok');
  insert into accounts select i, 'owner ' || i, i * 100 from generate_series(1, 20) as i;
  create table lines (n int, t text);
  create function slow(seconds float) returns int language sql as $$ select pg_sleep(seconds); select 1 $$;
`;

const query = (text: string) => encodeMessage(frontendType.query, ...cstring(bytesOf(text)));
const sync = encodeMessage(frontendType.sync);
const flush = encodeMessage(frontendType.flush);
const copyData = (bytes: Uint8Array) => encodeMessage(frontendType.copyData, bytes);
const copyDone = encodeMessage(frontendType.copyDone);
const name = (text: string) => bytesOf(text);
const parse = (text: string, types: number[] = [], statement = '') =>
  encodeParse({ name: name(statement), text: bytesOf(text), types });
const bind = (values: (Uint8Array | null)[], formats: number[] = [], resultFormats: number[] = [], statement = '') =>
  encodeBind({ portal: name(''), statement: name(statement), formats, values, resultFormats });
const execute = (rowLimit = 0) => encodeExecute({ portal: name(''), rowLimit });
const int4 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const binaryRows = (rows: [number, string][]) => {
  const header = Buffer.concat([Buffer.from('PGCOPY\n\u00FF\r\n\0', 'latin1'), int4(0), int4(0)]);
  const row = ([n, t]: [number, string]) =>
    Buffer.concat([Buffer.from([0, 2]), int4(4), int4(n), int4(t.length), Buffer.from(t)]);
  return Buffer.concat([header, ...rows.map(row), Buffer.from([0xff, 0xff])]);
};

describe.each(postgresServers)('a recorded session run again, $name', ({ name: server, start: startServer }) => {
  let postgres: PostgresServer;
  let stack: Stack;
  let alice: SignedIn;
  let connected: Connected;

  const address = () => ({ host: '127.0.0.1', port: postgres.port, user: postgres.user, password: postgres.password });
  const dsn = () =>
    `postgres://${postgres.user}:${encodeURIComponent(postgres.password)}@127.0.0.1:${postgres.port}/again`;
  const admin = async (database: string, sql: string): Promise<pg.QueryResult> => {
    const client = new pg.Client({ ...address(), database });
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  };

  beforeAll(async () => {
    postgres = await startServer({ database: 'orders', settings: ['deadlock_timeout = 200ms'] });
    stack = await startStack({ postgres });
    await stack.addUser('alice');
    alice = await stack.signIn('alice');
  }, 60_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await postgres?.stop();
  });
  beforeEach(async () => {
    await admin('postgres', 'drop database if exists again');
    await admin('postgres', 'create database again');
    await admin('orders', `drop schema public cascade; create schema public; ${start}`);
    await admin('again', `create table elsewhere (i int); ${start}`); // so that nothing has the number it has there
    connected = await stack.connect(alice);
  });

  const viaHoop = async (): Promise<pg.Client> => {
    const { port, user, password, database } = connected;
    const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const raw = (): Promise<RawClient> => RawClient.open(connected);
  const send = async (client: RawClient, ...messages: Uint8Array[]): Promise<string> => {
    client.send(...messages);
    return client.ready();
  };
  const again = async (options: RerunTestOptions = {}) => {
    await connected.idle();
    await connected.close();
    return rerunOn(apiOf(stack.gateway, alice), connected.session, dsn(), options);
  };
  const tables = async (database: string) => {
    const { rows } = await admin(
      database,
      `select (select json_agg(a order by id) from accounts a) as accounts, (select json_agg(l order by n, t) from lines l) as lines`,
    );
    return rows;
  };

  /** Everything that a client can do, on one connection. */
  const recordMuch = async (): Promise<void> => {
    const client = await viaHoop();
    await client.query('select * from accounts order by id');
    await client.query('select id, feels from accounts where id = $1', [3]);
    await client.query({ name: 'add', text: 'update accounts set cents = cents + $1 where id = $2', values: [5, 1] });
    await client.query({
      name: 'add',
      text: 'update accounts set cents = cents + $1 where id = $2',
      values: [null, 2],
    });
    await client.query('begin');
    await client.query('insert into lines values ($1, $2)', [1, 'rolled back']);
    await client.query('select 1 / 0').catch(() => undefined);
    await client.query('select 2').catch(() => undefined);
    await client.query('rollback');
    await client.query('create temp table scratch as select * from accounts where id < 4');
    await client.query('select * from scratch order by id');
    await client.query('prepare p as select $1::int + 1 as n; execute p(41)');
    await client.query('create schema other; set search_path to other, public');
    await client.query("create table here (x text); insert into here values ('x')");
    await client.query('begin; declare c cursor for select id from accounts order by id');
    await client.query('fetch 3 from c');
    await client.query('commit');
    await client.end();
    const wire = await raw();
    await send(
      wire,
      parse('select $1::int4 * 2, $2::text', [23, 25]),
      bind([int4(21), name('é')], [1, 0], [1]),
      execute(),
      sync,
    );
    await send(
      wire,
      parse('select i from generate_series(1, 5) as i'),
      bind([]),
      execute(2),
      execute(2),
      execute(2),
      sync,
    );
    await send(
      wire,
      parse('insert into lines values (9, $1)'),
      bind([name('lost')]),
      execute(),
      parse('select nothing'),
      bind([]),
      execute(),
      sync,
    );
    wire.send(query('copy lines from stdin'));
    await wire.until(() => wire.types().includes('G'));
    await send(wire, copyData(bytesOf('1\tone\n2\ttwo\n')), copyData(bytesOf('3\t\\N\n')), copyDone);
    wire.send(query('copy lines from stdin with (format binary)'));
    await wire.until(() => wire.types().includes('G'));
    await send(
      wire,
      copyData(
        binaryRows([
          [4, 'four'],
          [5, 'five'],
        ]),
      ),
      copyDone,
    );
    await send(wire, query('copy (select * from lines order by n) to stdout'));
    wire.send(parse('select count(*) from lines'), bind([]), execute(), flush);
    await wire.until(() => wire.types().includes('C'));
    await send(wire, sync);
    await wire.close();
  };

  test('does everything as it was, in a database restored from the same start', async () => {
    await recordMuch();
    const ran = await again();
    expect(ran.end).toEqual({ reason: 'done', outOfOrder: [], openTransactions: [] });
    expect(differences(ran)).toEqual([]);
    expect(ran.statements.length).toBeGreaterThan(25);
    expect(await tables('again')).toEqual(await tables('orders'));
  });

  test('streams that wait for each other are kept in their order: nothing deadlocks, and who waited waits again', async () => {
    const [one, two] = [await viaHoop(), await viaHoop()];
    for (let round = 0; round < 5; round++) {
      await one.query('begin');
      await one.query('update accounts set cents = cents + 1 where id = 1');
      await two.query('begin');
      await two.query('update accounts set cents = cents * 2 where id = 2');
      const waits = two.query('update accounts set cents = cents * 2 where id = 1');
      await untilOneWaits();
      await one.query("update accounts set owner = 'one' where id = 3");
      await one.query({ text: 'commit', values: [] }); // by Sync
      await waits;
      await two.query({ text: 'commit', values: [] });
      await one.query('select * from accounts order by id');
    }
    await Promise.all([one.end(), two.end()]);
    const ran = await again();
    expect(differences(ran)).toEqual([]);
    expect(ran.end).toMatchObject({ reason: 'done', outOfOrder: [] });
    expect(await tables('again')).toEqual(await tables('orders'));
  });

  const untilOneWaits = () =>
    until(async () => {
      const { rows } = await admin('orders', "select 1 from pg_stat_activity where wait_event_type = 'Lock'");
      return rows.length === 1;
    });

  // What follows is about hoop more than about the server.
  if (server !== postgresServers[0]!.name) return;

  test('where one row is another, exactly the statement that reads it is different', async () => {
    const client = await viaHoop();
    for (let id = 1; id <= 5; id++) await client.query('select owner from accounts where id = $1', [id]);
    await client.query('select count(*) from accounts');
    await client.end();
    await admin('again', "update accounts set owner = 'somebody' where id = 4");
    const ran = await again();
    expect(ran.statements.map(({ result }) => result)).toEqual([
      'same',
      'same',
      'same',
      'different-rows',
      'same',
      'same',
    ]);
  });

  test('a statement that got slower is the same, and slower', async () => {
    const client = await viaHoop();
    await client.query('select slow(0.001)');
    await client.end();
    await admin(
      'again',
      'create or replace function slow(seconds float) returns int language sql as $$ select pg_sleep(0.3); select 1 $$',
    );
    const [ran] = (await again()).statements;
    expect(ran).toMatchObject({ result: 'same' });
    expect(ran!.slowerBy).toBeGreaterThan(3);
  });

  test('a different count and a different error are told apart', async () => {
    const client = await viaHoop();
    await client.query('update accounts set cents = 0 where id > 18');
    await client.query("insert into accounts values (21, 'new', 0)");
    await client.query("insert into accounts values (1, 'there already', 0)").catch(() => undefined);
    await client.end();
    await admin('again', 'delete from accounts where id in (1, 20); alter table accounts alter owner type int using 1');
    expect(differences(await again()).map(([, result]) => result)).toEqual([
      'different-count',
      'different-error',
      'different-error',
    ]);
  });

  test('a deadlock that was recorded is one again', async () => {
    const [one, two] = [await viaHoop(), await viaHoop()];
    await Promise.all([one.query('begin'), two.query('begin')]);
    await one.query('update accounts set cents = 1 where id = 1');
    await two.query('update accounts set cents = 2 where id = 2');
    const waits = one.query('update accounts set cents = 1 where id = 2');
    await untilOneWaits();
    const both = await Promise.allSettled([waits, two.query('update accounts set cents = 2 where id = 1')]);
    expect(both.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    await Promise.all([one.query('commit'), two.query('commit')]);
    await Promise.all([one.end(), two.end()]);
    const ran = await again();
    expect(ran.statements.filter(({ ran: { errorCode } = {} }) => errorCode === '40P01')).toHaveLength(1);
    expect(ran.end.reason).toBe('done');
  });

  test('an order that the target cannot keep is given up after a while, and said', async () => {
    const [one, two] = [await viaHoop(), await viaHoop()];
    await one.query('begin');
    await two.query('update accounts set cents = 0 where id = 7');
    await one.query('update lines set n = 0');
    await one.query('commit');
    await Promise.all([one.end(), two.end()]);
    await connected.idle();
    await admin(
      'again',
      `create function wait() returns trigger language plpgsql as $$ begin
      perform pg_advisory_lock(7); return new; end $$;
      create trigger waits before update on accounts for each row execute function wait()`,
    );
    const blocker = new pg.Client({ ...address(), database: 'again' });
    await blocker.connect();
    await blocker.query('select pg_advisory_lock(7)');
    const ran = await again({
      pace: { gapMax: 1, patienceMax: 300, courtesyMax: 100 },
      onStatement: async ({ recorded }) => {
        if (recorded.text === 'begin') setTimeout(() => void blocker.end(), 1000);
      },
    });
    expect(ran.end.outOfOrder).toHaveLength(1);
    expect(ran.end.reason).toBe('done');
  });

  test('--until stops before a statement, and says what was open', async () => {
    const client = await viaHoop();
    await client.query('delete from accounts where id > 10');
    await client.query({ text: 'update accounts set cents = 0 where id = $1', values: [1] });
    await client.query('begin');
    await client.query('delete from accounts'); // the bad one
    await client.query('commit');
    await client.end();
    const api = apiOf(stack.gateway, alice);
    await connected.idle();
    const bad: number[] = [];
    for await (const { seq, text } of statementsOf(api, connected.session))
      if (text === 'delete from accounts') bad.push(seq);
    const ran = await again({ until: bad[0]! });
    expect(ran.statements.map(({ recorded, result }) => [recorded.text, result])).toEqual([
      ['delete from accounts where id > 10', 'same'],
      ['update accounts set cents = 0 where id = $1', 'same'],
      ['begin', 'same'],
    ]);
    expect(ran.end).toMatchObject({ reason: 'done', openTransactions: [1] });
    expect((await admin('again', 'select count(*)::int as n, sum(cents)::int as cents from accounts')).rows).toEqual([
      { n: 10, cents: 5400 },
    ]);
  });

  test('what was cancelled is not run, and its transaction is as it was after it', async () => {
    const client = await viaHoop();
    await client.query('begin');
    await client.query('insert into lines values (1, $1)', ['lost']);
    const sleeps = client.query('select slow(60)').catch((error: pg.DatabaseError) => error.code);
    await until(async () => {
      const { rows } = await admin('orders', "select 1 from pg_stat_activity where wait_event = 'PgSleep'");
      return rows.length === 1;
    });
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const cancel = await RawClient.dial(connected.port);
    cancel.send(Buffer.concat([int4(16), int4(80_877_102), int4(processID), int4(secretKey)]));
    expect(await sleeps).toBe('57014');
    await cancel.close();
    await client.query('insert into lines values (2, $1)', ['refused']).catch(() => undefined);
    await client.query('commit');
    await client.query('select count(*) from lines');
    await client.end();
    const ran = await again();
    expect(differences(ran)).toEqual([
      ['select slow(60)', 'not-run: cancelled'],
      [null, 'not-run: cancel'],
    ]);
    expect(await tables('again')).toEqual(await tables('orders'));
  });

  test('what was withheld is not run; everything else is', async () => {
    await admin('orders', 'drop role if exists app; create role app');
    const client = await viaHoop();
    await client.query("alter role app password 'secret word'");
    await client.query('select 1');
    await client.end();
    const shown = differences(await again());
    expect(shown).toEqual([[expect.stringContaining('withheld'), 'not-run: withheld']]);
  });

  test('a target that goes away in the middle ends the run, which says where', async () => {
    const client = await viaHoop();
    for (let n = 0; n < 50; n++) await client.query(`select ${n}`);
    await client.end();
    let seen = 0;
    const ran = await again({
      onStatement: async () => {
        if (++seen === 10)
          await admin('postgres', "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'again'");
      },
    });
    expect(ran.end).toMatchObject({ reason: 'target-lost', message: expect.stringMatching(/stream 1 before #\d+$/) });
    const results = ran.statements.map(({ result }) => result);
    expect(results.slice(0, 10)).toEqual(Array(10).fill('same'));
    expect(results.length).toBeLessThan(20);
  });

  test('Ctrl-C stops it: what runs is cancelled, what ran is reported', async () => {
    const client = await viaHoop();
    await client.query('insert into lines values (1, $1)', ['ran']);
    await client.query('select slow(0.001)');
    await client.end();
    await admin(
      'again',
      'create or replace function slow(seconds float) returns int language sql as $$ select pg_sleep(60); select 1 $$',
    );
    const stop = new AbortController();
    const began = Date.now();
    const ran = await again({
      signal: stop.signal,
      onStatement: () => void setTimeout(() => stop.abort(), 200),
    });
    expect(Date.now() - began).toBeLessThan(10_000);
    expect(ran.end.reason).toBe('stopped');
    expect(ran.statements.map(({ result }) => result)).toEqual(['same', 'not-compared']);
    expect((await admin('again', 'select n from lines')).rows).toEqual([{ n: 1 }]);
  });
});

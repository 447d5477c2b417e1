import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { entriesOf, getSession, statementsOf } from '../../src/client/api/sessions.ts';
import { CopySpools } from '../../src/client/copy-spool.ts';
import { recordedEntries } from '../../src/client/recorded-entries.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { replayFormats } from '../../src/ui/formats/formats.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { RawClient } from '../support/raw-client.ts';
import { say } from '../support/frontend-messages.ts';
import { apiOf, textOf } from '../support/recording-of.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';

const hasPsql = hasProgram('psql');
const start = `
  create type mood as enum ('sad', 'ok', 'happy');
  create table t (id int primary key, note text, m mood, at timestamptz, b bytea, n numeric, tags text[]);
  create table u (id int primary key, note text);
`;

let postgres: PostgresServer;
let stack: Stack;
let alice: SignedIn;
let connected: Connected;
let folder: string;

const adminOf = (database: string) => new pg.Client({ ...address(), database });
const address = () => ({ host: '127.0.0.1', port: postgres.port, user: postgres.user, password: postgres.password });

async function admin(database: string, sql: string): Promise<pg.QueryResult> {
  const client = adminOf(database);
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** All that a table has, and in which order nobody cares. */
async function contents(database: string) {
  const rows = async (sql: string) => (await admin(database, sql)).rows;
  return {
    t: await rows('select id, note, m, at, b, n::text, tags from t order by id'),
    u: await rows('select * from u order by id'),
    tables: await rows(
      "select relname from pg_class where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace order by 1",
    ),
  };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-sql-'));
  postgres = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
}, 60_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await admin('postgres', 'drop database if exists again');
  await admin('postgres', 'create database again');
  await admin('orders', `drop schema public cascade; create schema public; ${start}`);
  await admin('again', start);
  connected = await stack.connect(alice);
});

const viaHoop = async (): Promise<pg.Client> => {
  const { port, user, password, database } = connected;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database, application_name: 'coding agent' });
  await client.connect();
  return client;
};
const raw = (): Promise<RawClient> => RawClient.open(connected);

/** The recorded session as a script, and what it left out. */
async function script(stream?: number): Promise<{ sql: string; said: string[] }> {
  await connected.close(); // then all outcomes are on disk
  const api = apiOf(stack.gateway, alice);
  const session = await getSession(api, connected.session);
  const said: string[] = [];
  await using spools = new CopySpools();
  const pieces = replayFormats.sql({
    session,
    statements: () => statementsOf(api, session.id),
    entries: () => recordedEntries(session.id, entriesOf(api, session.id)),
    spool: spools.spool,
    stream,
    say: (line) => said.push(line),
  });
  return { sql: await textOf(pieces), said };
}

async function psql(sql: string): Promise<{ stdout: string; stderr: string }> {
  const file = join(folder, 'script.sql');
  writeFileSync(file, sql);
  const { host, port, user, password } = address();
  const env = {
    ...process.env,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: 'again',
  };
  return promisify(execFile)('psql', ['-X', '-q', '-f', file], { env });
}

async function send(client: RawClient, ...messages: Uint8Array[]): Promise<void> {
  client.received.length = 0;
  client.send(...messages);
  await client.ready();
}

describe.runIf(hasPsql)('a recorded session as a script for psql does the same again', () => {
  test('parameters of all kinds, NULL and empty, what a driver prepares, what needs a type', async () => {
    const client = await viaHoop();
    const insert = 'insert into t values ($1, $2, $3, $4, $5, $6, $7)';
    const at = '2026-01-02 03:04:05.678901+00';
    await client.query(insert, [1, "it's", 'ok', at, Buffer.from([0, 1, 255]), '12.50', ['a', 'b,"c']]);
    await client.query({ name: 'again', text: insert, values: [2, '', null, null, null, null, null] });
    await client.query({
      name: 'again',
      text: insert,
      values: [3, 'a\\b \u001B[2J \u202E \r\n é', 'sad', null, null, '-0.1', []],
    });
    await client.query('update t set note = note || $1 where id > $2', ['!', 1]);
    await client.query("insert into u select 1, E'\\\\d' where 'a1' ~ '\\d'");
    await client.query('insert into u values (2, $$;$$); insert into u values (3, null); -- done');
    await client.end();
    const { sql, said } = await script();
    expect(said).toEqual([]);
    expect(await psql(sql)).toMatchObject({ stderr: '' });
    expect(await contents('again')).toEqual(await contents('orders'));
    expect((await contents('again')).t).toHaveLength(3);
    expect(sql.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test('transactions: rolled back, saved at points, failed; a multi-statement query that fails takes its first part back', async () => {
    const client = await viaHoop();
    const fails = (sql: string) => expect(client.query(sql)).rejects.toThrow(/./);
    await client.query('begin');
    await client.query('insert into u values (1)');
    await client.query('savepoint s');
    await fails('insert into u values (1)');
    await fails("select 'in a failed transaction \\'");
    await client.query('rollback to s');
    await client.query('insert into u values (2)');
    await client.query('commit -- \\');
    await client.query('begin isolation level serializable; insert into u values (3)');
    await client.query('rollback -- \\ of a transaction');
    await fails('insert into u values (4); insert into u values (4)');
    await fails("select 'open");
    await fails(`select 1 \\! touch ${join(folder, 'never')}`);
    await fails('no sql at all)');
    await client.query('begin');
    await fails('insert into u values (1)');
    await client.query('commit');
    await client.query('insert into u values (5)');
    await client.query("set statement_timeout = '50ms'");
    await client.query('begin; insert into u values (6)');
    await fails('select pg_sleep(5)');
    await client.query('commit');
    await client.end();
    const { sql } = await script();
    await psql(sql);
    expect(await contents('again')).toEqual(await contents('orders'));
    expect((await contents('again')).u).toEqual([1, 2, 5].map((id) => ({ id, note: null })));
    expect(existsSync(join(folder, 'never'))).toBe(false);
  });

  test('a pipeline is one transaction: what fails in it takes back what went before', async () => {
    const client = await raw();
    const run = (sql: string, ...values: string[]) => [
      say.parse('', sql),
      say.bind('', '', ...values),
      say.execute(''),
    ];
    const insert = 'insert into u values ($1)';
    await send(client, ...run(insert, '1'), ...run(insert, '2'), say.sync());
    await send(client, ...run(insert, '3'), ...run(insert, '1'), ...run(insert, '4'), say.sync());
    await send(client, ...run('begin'), ...run(insert, '5'), ...run('commit'), say.sync());
    await send(
      client,
      say.parse('', 'select * from u'),
      say.bind('p', ''),
      say.execute('p', 1),
      say.execute('p', 1),
      say.sync(),
    );
    await client.close();
    const { sql } = await script();
    await psql(sql);
    expect(await contents('again')).toEqual(await contents('orders'));
    expect((await contents('again')).u).toEqual([1, 2, 5].map((id) => ({ id, note: null })));
    expect(sql).toContain('-- sent at once: one transaction\nBEGIN;');
    expect(sql).toContain('not run: more rows of what has run above');
  });

  test('COPY data in its place, escaped; what a script cannot say is left out and said', async () => {
    const client = await raw();
    const copy = async (sql: string, ...data: string[]) => {
      client.send(say.query(sql));
      await client.until(() => client.types().includes('G'));
      await send(client, ...data.map(say.copyData), say.copyDone());
    };
    await copy('copy u from stdin', '1\ta\n2\t\\N\n3\t', 'x\\ny\u001B]0;z\u0007\u202E\n4\tend');
    await copy('copy u (id, note) from stdin with (format csv)', '5,"a, ""b"""\n6,\n');
    await copy(String.raw`copy u from stdin with delimiter E'\x7c'`, '8|eight\n');
    await copy('copy u from stdin csv header', 'id,no', 'te\r\n9,"a\n""b\\,"\r\n10,""\r\n11,\u001B[2J');
    await copy("copy u from stdin with (format csv, null 'x')", '7,x\n');
    await client.close();
    const { sql, said } = await script();
    const { stderr } = await psql(sql);
    expect(stderr).toBe('');
    expect(said).toEqual(['1 statement cannot be run again from a script (a comment stands in its place).']);
    await admin('orders', 'delete from u where id = 7');
    expect(await contents('again')).toEqual(await contents('orders'));
    expect((await contents('again')).u).toHaveLength(10);
    expect(sql.replaceAll('\n', '').replaceAll('\t', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test('streams one behind the other begin afresh; start-up parameters are set', async () => {
    const first = await viaHoop();
    await first.query('create temp table gone as select 1 as id');
    await first.query("set search_path = 'nowhere'");
    await first.query('prepare p as select 1');
    await first.end();
    await connected.idle();
    const second = await RawClient.open({ ...connected, parameters: { search_path: 'public, pg_catalog' } });
    await send(second, say.query("insert into u select 1, current_setting('search_path')"));
    await send(second, say.query('create temp table gone as select 1 as id; prepare p as select 1; deallocate p'));
    await second.close();
    const { sql } = await script();
    expect(await psql(sql)).toMatchObject({ stderr: '' });
    expect(await contents('again')).toEqual(await contents('orders'));
    expect((await contents('again')).u).toEqual([{ id: 1, note: 'public, pg_catalog' }]);
  });

  test('streams with transactions side by side are refused: psql has one connection', async () => {
    const [one, two] = [await viaHoop(), await viaHoop()];
    await one.query('begin; insert into u values (1)');
    await two.query('begin; insert into u values (2)');
    await two.query('commit');
    await one.query('commit');
    await one.end();
    await two.end();
    await expect(script()).rejects.toThrow(/streams 1 and 2 had transactions side by side/);
    const { sql } = await script(2);
    await psql(sql);
    expect((await contents('again')).u).toEqual([{ id: 2, note: null }]);
  });
});

describe('the entries of a recording over the API', () => {
  const read = async (bytes: Buffer, id: string, pieceBytes = 7) => {
    const entries = async function* () {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    };
    let count = 0;
    for await (const _ of recordedEntries(id, entries())) count++;
    return count;
  };

  test('are read in whatever pieces they come; what was changed or cut off on the way shows', async () => {
    const client = await viaHoop();
    await client.query('select 1');
    await client.end();
    await connected.close();
    const api = apiOf(stack.gateway, alice);
    const pieces: Uint8Array[] = [];
    for await (const piece of entriesOf(api, connected.session)) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    const whole = await read(bytes, connected.session);
    expect(whole).toBeGreaterThan(4);
    expect(await read(bytes, connected.session, bytes.length)).toBe(whole);
    await expect(read(bytes.subarray(0, -3), connected.session)).rejects.toThrow(/cut off in the middle of an entry/);
    const changed = Buffer.from(bytes);
    changed[changed.length - 2]! ^= 1;
    await expect(read(changed, connected.session)).rejects.toMatchObject({ code: 'HOOP_RECORD_DAMAGED' });
    await expect(read(Buffer.alloc(64, 0xff), connected.session)).rejects.toThrow(/something that is no entry/);
  });

  test('are not there for somebody else', async () => {
    await stack.addUser('bob');
    const bob = apiOf(stack.gateway, await stack.signIn('bob'));
    await expect(entriesOf(bob, connected.session).next()).rejects.toMatchObject({ code: 'HOOP_NOT_FOUND' });
  });
});

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

const start = "create table t (id int primary key, name text); insert into t values (1, 'one'), (2, 'two')";

let postgres: PostgresServer;
let stack: Stack;
let alice: SignedIn;
let cli: Cli;
let session: string;

const sql = async (database: string, text: string): Promise<pg.QueryResult> => {
  const { port, user, password } = postgres;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
};
const fresh = async (): Promise<void> => {
  await sql('again', `drop schema public cascade; create schema public; ${start}`);
};
const into = (...args: string[]): Promise<CliResult> => cli.run(['replay', session, '--into', ...args]);
const dsn = (database = 'again'): string =>
  `postgres://${postgres.user}:${encodeURIComponent(postgres.password)}@localhost:${postgres.port}/${database}`;
const plain = (text: string): string => text.replaceAll(/\u001b\[[0-9;]*m/g, '');

beforeAll(async () => {
  postgres = await startAnyPostgres({ database: 'orders' });
  await sql('postgres', 'create database again');
  await sql('orders', start);
  stack = await startStack({
    postgres,
    more: [
      { name: 'sandbox-db', database: 'again', sandbox: true },
      { name: 'unmarked-db', database: 'again' },
    ],
  });
  await stack.addUser('alice', 'admin');
  const { id } = stack.gateway.registry.users.byName('alice')!;
  const { secret } = stack.gateway.registry.tokens.create({ userId: id, name: null, ttlSeconds: 600 });
  for (const resource of ['orders-db', 'sandbox-db', 'unmarked-db'])
    stack.gateway.registry.grants.create({ userId: id, group: null, resource, createdBy: 'test' });
  cli = new Cli({ HOOP_GATEWAY: stack.gateway.url, HOOP_TOKEN: secret });
  alice = await stack.signIn('alice');
  const connected = await stack.connect(alice);
  const { port, user, password, database } = connected;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  await client.query('select * from t order by id');
  await client.query({
    name: 'n',
    text: 'update t set name = $1 where id = $2',
    values: ['</pre><script>alert(1)</script>', 2],
  });
  await client.query('delete from t where id = 1');
  await client.query('select count(*) from t');
  await client.end();
  await connected.idle();
  session = connected.session;
  await connected.close();
  await until(async () => (await stack.session(alice, session)).state === 'sealed');
}, 60_000);
afterAll(async () => {
  cli?.remove();
  await stack?.[Symbol.asyncDispose]();
  await postgres?.stop();
});

describe('hoop replay --into', () => {
  test('a sandbox: the same, through a session that is recorded as every other', async () => {
    await fresh();
    const { code, stdout, stderr } = await into('sandbox-db');
    expect([stderr, code]).toEqual(['', 0]);
    expect(plain(stdout)).toMatch(
      /run again on +sandbox-db \(session \w{26}\)\n[^]*\n4 statements, 4 same(, \d slower)?\n$/,
    );
    const recorded = await stack.session(alice, /session (\w{26})\)/.exec(plain(stdout))![1]!);
    expect(recorded).toMatchObject({ actor: 'hoop replay', resource: 'sandbox-db', user: 'alice', statements: 4 });
    expect((await sql('again', 'select id from t')).rows).toEqual([{ id: 2 }]);
  });

  test('what is different is shown, and is the exit code', async () => {
    await fresh();
    await sql('again', "insert into t values (3, 'three')");
    const { code, stdout } = await into('sandbox-db');
    expect(code).toBe(1);
    const text = plain(stdout);
    expect(text).toContain('4 statements, 2 same, 1 different rows, 1 different count');
    expect(text).toMatch(
      /different count.*\n {4}select \* from t order by id\n {4}recorded: OK SELECT 2 · .*\n {4}now: {6}OK SELECT 3/,
    );
  });

  test('--until leaves the target as it was before a statement', async () => {
    await fresh();
    const bad = (await stack.statements(alice, session)).find(({ text }) => text === 'delete from t where id = 1')!;
    const { code, stdout } = await into('sandbox-db', '--until', String(bad.seq));
    expect(code).toBe(0);
    expect(stdout).toContain('2 statements, 2 same');
    expect((await sql('again', 'select id from t order by id')).rows).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('--report json is one document; --report html one page in which nothing recorded is obeyed', async () => {
    await fresh();
    const json = await into('sandbox-db', '--report', 'json');
    const { replayed, statements, summary } = JSON.parse(json.stdout);
    expect(replayed).toMatchObject({ session, resource: 'orders-db', target: 'sandbox-db', until: null });
    expect(statements.map(({ result }: { result: string }) => result)).toEqual(['same', 'same', 'same', 'same']);
    expect(statements[0].ran).toMatchObject({ status: 'ok', tag: 'SELECT 2', rows: 2 });
    expect(statements[0].ran.resultSha256).toBe(statements[0].recorded.resultSha256);
    expect(summary).toMatchObject({ statements: 4, results: { same: 4 }, reason: 'done' });
    expect(json.stderr).toContain('4 statements, 4 same');
    await fresh();
    const { stdout: page } = await into('sandbox-db', '--report', 'html');
    expect(page).toContain('&lt;/pre&gt;&lt;script&gt;alert(1)');
    expect(page).not.toMatch(/<script|https?:|<img| on\w+=/i);
    expect(page).toContain(`content="default-src 'none';`);
    expect(page.trimEnd().endsWith('</body></html>')).toBe(true);
  });

  test('--dry-run shows what would be run, and connects to nothing', async () => {
    const before = (await stack.session(alice)).id;
    const { code, stdout, stderr } = await into('unmarked-db', '--dry-run');
    expect(code).toBe(0);
    expect(plain(stdout)).toMatch(/#\d+ {2}stream 1\n {4}delete from t where id = 1\n/);
    expect(stdout).toContain('4 statements; nothing was run');
    expect(stderr).toContain('unmarked-db is not marked with sandbox: true in agent.yaml');
    expect((await stack.session(alice)).id).toBe(before);
  });

  test('where it was recorded and where nothing is marked it is refused, unless told twice', async () => {
    await fresh();
    const original = await into('orders-db');
    expect(original.code).toBe(3);
    expect(original.stderr).toMatch(/orders-db is the resource that was recorded, and orders-db is not marked/);
    const unmarked = await into('unmarked-db');
    expect([unmarked.code, unmarked.stderr]).toEqual([3, expect.stringContaining('--force --confirm unmarked-db')]);
    expect((await into('unmarked-db', '--force')).code).toBe(3);
    expect((await into('unmarked-db', '--confirm', 'unmarked-db')).code).toBe(3);
    expect((await into('unmarked-db', '--force', '--confirm', 'orders-db')).code).toBe(3);
    expect((await sql('again', 'select count(*)::int as n from t')).rows).toEqual([{ n: 2 }]);
    expect((await into('unmarked-db', '--force', '--confirm', 'unmarked-db')).code).toBe(0);
  });

  test('a DSN: --sandbox is to be said, and it must not be a database that was recorded, by whatever name', async () => {
    await fresh();
    const silent = await into(dsn());
    expect([silent.code, silent.stderr]).toEqual([3, expect.stringContaining('--sandbox')]);
    const original = await into(dsn('orders'), '--sandbox');
    expect([original.code, original.stderr]).toEqual([3, expect.stringContaining('it is the database of orders-db')]);
    expect(original.stderr + silent.stderr).not.toContain(postgres.password);
    stack.gateway.registry.grants.list();
    await sql('postgres', 'create database nobody_knows template again');
    const free = await into(dsn('nobody_knows'), '--sandbox');
    expect([free.code, free.stderr]).toEqual([0, expect.stringContaining('is not recorded')]);
    expect(free.stdout).toContain('4 statements, 4 same');
  });

  test('flags that make no sense alone, targets that are none', async () => {
    expect((await cli.run(['replay', session, '--until', '3'])).code).toBe(2);
    expect((await into('nothing-db')).code).toBe(7);
    expect((await into('mysql://h/x', '--sandbox')).code).toBe(2);
    expect((await into('redis://localhost/0', '--sandbox')).stderr).toContain('was recorded of postgres');
    const away = await into('postgres://u@127.0.0.1:1/x', '--sandbox');
    expect([away.code, away.stderr]).toEqual([6, expect.stringContaining('check the DSN')]);
  });
});

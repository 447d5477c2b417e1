import { describe, expect, test } from 'vitest';
import { approveDevice } from '../../src/client/approve-device.ts';
import { Cli } from '../support/cli.ts';
import { deployedBeforePostgres } from '../support/deployed.ts';
import { revisions, startMcp, type Revision } from '../support/mcp.ts';
import { until } from '../support/until.ts';

const deployment = await deployedBeforePostgres();

const cursor = (revision: Revision, env?: Record<string, string>) =>
  startMcp(revision, env ?? deployment.alice.environment());

describe.each(revisions)('hoop mcp, to a client of %s', (...revision) => {
  test('says of each tool whether it changes anything', async () => {
    const { client } = await cursor(revision);
    const { tools } = await client.listTools();
    expect(Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint]))).toEqual({
      query: true,
      execute: false,
      transaction: false,
      list_tables: true,
      describe_table: true,
      explain: true,
    });
    await client.close();
  });

  test('reads and changes the resource, and the record has every statement with both identities and the call', async () => {
    const { client, call } = await cursor(revision);
    const made = await call('execute', { sql: 'create table if not exists orders (id int primary key, item text)' });
    expect(made).toMatchObject({ structuredContent: { command: 'CREATE TABLE', rowCount: null } });
    await call('execute', { sql: 'delete from orders' });
    const inserted = await call('execute', {
      sql: 'insert into orders values ($1, $2), (2, null) returning id',
      params: [1, "it's"],
    });
    expect(inserted.structuredContent).toMatchObject({ columns: ['id'], rows: [['1'], ['2']], rowCount: 2 });
    const read = await call('query', { sql: 'select * from orders order by id' });
    expect(read.structuredContent).toMatchObject({
      rows: [
        ['1', "it's"],
        ['2', null],
      ],
      more: false,
    });
    const [live] = (await deployment.sessions()).filter(({ state }) => state === 'live');
    const shown = await deployment.run(['sessions', 'show', live!.id]);
    expect(shown.stdout).toMatch(/tool query, call \d+, pid \d+/);
    await client.close();
    const session = await deployment.session(
      ({ actor, state, statements }) => actor === 'cursor' && state === 'sealed' && statements >= 6,
    );
    expect(session).toMatchObject({ user: 'alice', actor: 'cursor', resource: 'orders-db' });
    const statements = await deployment.statements(session.id);
    expect(statements.map(({ text, outcome }) => [text, outcome?.status])).toEqual([
      ['create table if not exists orders (id int primary key, item text)', 'ok'],
      ['delete from orders', 'ok'],
      ['insert into orders values ($1, $2), (2, null) returning id', 'ok'],
      ['BEGIN TRANSACTION READ ONLY', 'ok'],
      ['select * from orders order by id', 'ok'],
      ['ROLLBACK', 'ok'],
    ]);
  });
});

describe('hoop mcp', () => {
  const newest = revisions[0];

  test('query cannot change anything; execute and transaction take no transaction control', async () => {
    const { client, call } = await cursor(newest);
    await call('execute', { sql: 'create table kept (n int)' });
    for (const sql of [
      'insert into kept values (1)',
      'with x as (insert into kept values (2) returning n) select * from x',
    ]) {
      const refused = await call('query', { sql });
      expect(refused).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('ERROR 25006') }] });
    }
    await call('query', { sql: 'commit' });
    const two = await call('query', { sql: 'select 1; insert into kept values (3)' });
    expect(two.content[0]!.text).toContain('ERROR 42601');
    for (const sql of ['begin', '/* /* */ */ -- x\n ; COMMIT', 'savepoint s'])
      expect((await call('execute', { sql })).content[0]!.text).toContain('transaction');
    const failed = await call('transaction', {
      statements: [{ sql: 'insert into kept values (4)' }, { sql: 'insert into kept values ($1)', params: ['four'] }],
    });
    expect(failed.content[0]!.text).toMatch(/ERROR 22P02[\s\S]*statement 2 of 2; nothing was committed/);
    const done = await call('transaction', {
      statements: [{ sql: 'insert into kept values (5)' }, { sql: 'select 6' }],
    });
    expect(done.structuredContent).toMatchObject({ committed: true });
    expect((await call('query', { sql: 'select n from kept' })).structuredContent).toMatchObject({ rows: [['5']] });
    await client.close();
  });

  test('bounds what it answers, and says so; nothing crosses from call to call', async () => {
    const { client, call } = await cursor(newest);
    const many = await call('query', { sql: 'select generate_series(1, 100000)', limit: 3 });
    expect(many.structuredContent).toMatchObject({ rows: [['1'], ['2'], ['3']], more: true });
    expect(many.structuredContent!['note']).toMatch(/more rows than the 3 shown/);
    await call('execute', { sql: "set application_name = 'leftover'" });
    const name = await call('query', { sql: 'show application_name' });
    expect(name.content[0]!.text).not.toContain('leftover');
    const copy = await call('execute', { sql: 'copy kept from stdin' });
    expect(copy.isError).toBe(true);
    await client.close();
  });

  test('helps a model that is wrong: SQLSTATE, hint and place', async () => {
    const { client, call } = await cursor(newest);
    const wrong = await call('query', { sql: 'select * from ordres' });
    expect(wrong).toMatchObject({ isError: true });
    expect(wrong.content[0]!.text).toMatch(
      /^ERROR 42P01: relation "ordres" does not exist\nAt character 15 of the statement\.$/,
    );
    const described = await call('describe_table', { table: 'kept' });
    expect(described.structuredContent).toMatchObject({ columns: { rows: [['n', 'integer', 't', null, 'f', null]] } });
    const plan = await call('explain', { sql: 'select * from kept where n = 1' });
    expect(plan.content[0]!.text).toContain('Seq Scan on kept');
    const tables = await call('list_tables', { schema: 'public' });
    expect(tables.content[0]!.text).toContain('"kept"');
    await client.close();
  });

  test('says where to sign in when nobody is, and works once that is done', async () => {
    const fresh = new Cli({ HOOP_GATEWAY: deployment.url });
    const { client, call } = await cursor(newest, fresh.environment());
    const asked = await call('query', { sql: 'select 1' });
    expect(asked).toMatchObject({ isError: true });
    const [, page = '', code = ''] = /open (\S+) and enter (\S+)/.exec(asked.content[0]!.text) ?? [];
    expect((await call('query', { sql: 'select 1' })).content[0]!.text).toContain(code);
    const verificationUriComplete = `${page}?user_code=${code}`;
    await approveDevice({
      verificationUriComplete,
      user: 'alice',
      password: deployment.password,
      fetch: fetch as never,
    });
    await until(async () => (await call('query', { sql: 'select 1' })).isError !== true);
    await client.close();
    fresh.remove();
  });

  test('two windows are two identities, and each ends with its window', async () => {
    const one = await cursor(newest);
    const other = await cursor(newest);
    await one.call('query', { sql: "select 'window one'" });
    await other.call('query', { sql: "select 'window two'" });
    const live = (await deployment.sessions()).filter(({ state }) => state === 'live');
    expect(live).toHaveLength(2);
    await one.client.close();
    await other.client.close();
    await until(async () => (await deployment.sessions()).every(({ state }) => state === 'sealed'));
    expect((await deployment.sessions()).every(({ reason }) => reason === 'client_closed')).toBe(true);
  });
});

describe('hoop sessions kill', () => {
  test('ends a session at once, says why in the client’s own words, and who did it stands in the record', async () => {
    const { client, call } = await cursor(revisions[0]);
    await call('query', { sql: 'select 1' });
    const live = await deployment.session(({ state }) => state === 'live');
    const running = call('query', { sql: 'select pg_sleep(60)' });
    await until(async () => (await deployment.statements(live.id)).some(({ text }) => text?.includes('pg_sleep')));
    const started = Date.now();
    await deployment.run(['sessions', 'kill', live.id, '--reason', 'enough']);
    expect(Date.now() - started).toBeLessThan(10_000);
    expect(await running).toMatchObject({ isError: true });
    expect(await deployment.session(({ id }) => id === live.id)).toMatchObject({ state: 'sealed', reason: 'killed' });
    const again = await deployment.alice.run(['sessions', 'kill', live.id]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('has ended already') });
    await client.close();
  });

  test('is for one’s own sessions, or for administrators', async () => {
    const { role: own, ready } = await deployment.connect(['--port', '0']);
    expect((await deployment.alice.run(['sessions', 'kill', ready.session])).code).toBe(0);
    await own.ended;
    expect(own.stderr).toMatch(/alice ended this session/);
    const mine = await deployment.run(['sessions', '--json', '--user', 'alice', '--limit', '1']);
    expect(JSON.parse(mine.stdout).sessions[0]).toMatchObject({ reason: 'killed', user: 'alice' });
    const stranger = await deployment.alice.run(['sessions', 'kill', 'zzzzzzzz']);
    expect(stranger.code).toBe(7);
  });
});

describe('hoop doctor', () => {
  test('sends a statement and finds it in the record; says where tokens are and who is signed in', async () => {
    const { code, stdout } = await deployment.alice.run(['doctor', 'orders-db', '--json']);
    const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string; seen: string }[] };
    expect(checks.map(({ name, state }) => [name, state])).toEqual([
      ['gateway', 'ok'],
      ['sign-in', 'ok'],
      ['tokens', 'warning'],
      ['record of orders-db', 'ok'],
    ]);
    expect([0, 1]).toContain(code); // whatever lies in the home of whoever runs this
    const probe = (await deployment.sessions()).find(({ actor }) => actor === 'hoop-doctor')!;
    expect((await deployment.statements(probe.id))[0]!.text).toMatch(/^select 'hoop doctor [0-9a-f]{24}'$/);
  });

  test('fails where there is no gateway, and checks the rest', async () => {
    const nowhere = new Cli({ HOOP_GATEWAY: 'http://127.0.0.1:1' });
    const { code, stdout } = await nowhere.run(['doctor', 'orders-db']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^failed +gateway: /);
    expect(stdout).toMatch(/^not checked +record of orders-db: nobody is signed in/m);
    nowhere.remove();
  });
});

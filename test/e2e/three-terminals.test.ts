import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { run } from '../support/run.ts';
import { untilOutput, watchOutput } from '../support/until-output.ts';

const password = 'a long enough password';
const json = ({ stdout }: CliResult) => JSON.parse(stdout);
const lines = ({ stdout }: CliResult) =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** The README's three terminals, each command a process of its own: nothing but the command line and a PostgreSQL. */
describe('the three terminals of the README', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-three-'));
  const terminal = new Cli();
  const admin = new Cli();
  const alice = new Cli();
  const running: { child: ChildProcess; result: Promise<CliResult> }[] = [];
  let server: PostgresServer;
  let gateway: string;
  let session: string;

  const start = (cli: Cli, args: string[], env: Record<string, string> = {}) => {
    const started = cli.start(args, { env });
    for (const stream of [started.child.stdout!, started.child.stderr!]) watchOutput(stream);
    running.push(started);
    return started;
  };
  const end = async ({ child, result }: { child: ChildProcess; result: Promise<CliResult> }) => {
    child.kill('SIGINT');
    return result;
  };

  beforeAll(async () => {
    server = await startAnyPostgres({ database: 'orders' });
  });
  afterAll(async () => {
    for (const { child, result } of running.toReversed()) {
      child.kill('SIGTERM');
      await result;
    }
    for (const cli of [terminal, admin, alice]) cli.remove();
    rmSync(folder, { recursive: true, force: true });
    await server?.stop();
  });

  test('the gateway starts, and its output alone is enough to become the administrator', async () => {
    const { child } = start(terminal, [
      'gateway',
      'start',
      '--data-dir',
      join(folder, 'gw'),
      '--listen',
      '127.0.0.1:0',
    ]);
    [, gateway = ''] = await untilOutput(child, /hoop gateway (http:\S+)/, 'stderr');
    const [, code = ''] = await untilOutput(child, /--setup-code (\S+) .*--password-stdin\n/, 'stderr');
    const create = ['users', 'create', 'root', '--setup-code', code, '--gateway', gateway, '--password-stdin'];
    expect(await admin.run(create, { stdin: `${password}\n` })).toMatchObject({ code: 0 });
    expect(await admin.run(create, { stdin: `${password}\n` })).toMatchObject({ code: 3, stdout: '' });
    expect(await admin.login('root', password, ['--gateway', gateway])).toMatchObject({ code: 0 });
  });

  test('the administrator makes an agent, a user and a grant; the agent joins with its token', async () => {
    const { stdout: token } = await admin.run(['agents', 'create', 'db-agent']);
    const created = await admin.run(['users', 'create', 'alice', '--password-stdin'], { stdin: `${password}\n` });
    expect(created.code).toBe(0);
    writeFileSync(join(folder, 'agent.yaml'), agentYaml(server));
    const join_ = [
      'agent',
      'start',
      '--gateway',
      gateway,
      '--join',
      token.trim(),
      '--config',
      join(folder, 'agent.yaml'),
    ];
    const { child } = start(terminal, join_, { ORDERS_PASSWORD: server.password });
    await untilOutput(child, /linked/, 'stderr');
    expect(await admin.run(['grants', 'add', '--user', 'alice', '--resource', 'orders-db'])).toMatchObject({ code: 0 });
    const [agent] = json(await admin.run(['agents', 'list', '--json'])).agents;
    expect(agent).toMatchObject({ name: 'db-agent', online: true, resources: ['orders-db'] });
  });

  test('alice signs in, sees what she may reach, and psql works on the DSN that connect prints', async () => {
    expect(await alice.login('alice', password, ['--gateway', gateway])).toMatchObject({ code: 0 });
    expect((await alice.run(['whoami'])).stdout).toMatch(/user +alice\nrole +user\n/);
    expect(json(await alice.run(['resources', '--json'])).resources).toMatchObject([
      { name: 'orders-db', recorded: true },
    ]);
    const connect = start(alice, ['connect', 'orders-db', '--as', 'cursor']);
    const [dsn = ''] = await untilOutput(connect.child, /postgres\S+(?=\n)/, 'stdout');
    const sql = ['create table orders (id int, item text)', "insert into orders values (1, 'lamp'), (2, 'desk')"];
    for (const text of sql) expect(await run('psql', ['-qXc', text, dsn])).toMatchObject({ code: 0, stderr: '' });
    expect((await run('psql', ['-qXAtc', 'table orders', dsn])).stdout).toBe('1|lamp\n2|desk\n');
    expect((await run('psql', ['-qXc', 'select missing', dsn])).code).toBe(1);
    const ended = await end(connect);
    expect(ended).toMatchObject({ code: 130, stdout: `${dsn}\n` });
    expect(ended.stderr).not.toContain(new URL(dsn).password);
  });

  test('sessions and replay read it back, for people and for programs', async () => {
    const [{ id, ...found }] = json(await alice.run(['sessions', '--json'])).sessions;
    session = id;
    expect(found).toMatchObject({ user: 'alice', actor: 'cursor', resource: 'orders-db', statements: 4, errors: 1 });
    expect(found).toMatchObject({ state: 'sealed', reason: 'client_closed', agent: 'db-agent' });
    const statements = lines(await alice.run(['replay', 'last', '--json']));
    expect(statements.map(({ text, outcome }) => [text, outcome.status])).toEqual([
      ['create table orders (id int, item text)', 'ok'],
      ["insert into orders values (1, 'lamp'), (2, 'desk')", 'ok'],
      ['table orders', 'ok'],
      ['select missing', 'error'],
    ]);
    const { stdout, stderr } = await alice.run(['replay', session.slice(0, 12)]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/insert into orders values \(1, 'lamp'\), \(2, 'desk'\)\n +OK INSERT 0 2/);
    expect(stdout).toMatch(/select missing\n +ERROR 42703 column "missing" does not exist/);
    expect((await alice.run(['sessions'])).stdout).toContain(session.slice(0, 8));
  });

  test('connect -- COMMAND gives the child its variables and returns its exit code and output, nothing else', async () => {
    const good = await alice.run(['connect', 'orders-db', '--', 'psql', '-qXAtc', 'select count(*) from orders']);
    expect(good).toMatchObject({ code: 0, stdout: '2\n' });
    const bad = await alice.run(['connect', 'orders-db', '--', 'psql', '-qXc', 'select missing']);
    expect(bad).toMatchObject({ code: 1, stdout: '' });
    const seven = await alice.run([
      'connect',
      'orders-db',
      '--',
      'sh',
      '-c',
      'psql "$DATABASE_URL" -qXAtc "select 7" && exit 7',
    ]);
    expect(seven).toMatchObject({ code: 7, stdout: '7\n' });
    const none = await alice.run(['connect', 'orders-db', '--', 'no-such-program']);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain('no-such-program');
  });

  test('two resources at once: the one that fails says so, the other stays', async () => {
    const connect = start(alice, ['connect', 'orders-db', 'billing-db']);
    const [, dsn = ''] = await untilOutput(connect.child, /^orders-db\t(postgres\S+)\n/, 'stdout');
    await untilOutput(connect.child, /billing-db: alice has no grant/, 'stderr');
    await untilOutput(connect.child, /^billing-db.* failed/m, 'stderr');
    expect((await run('psql', ['-qXAtc', 'select 1', dsn])).stdout).toBe('1\n');
    expect((await end(connect)).code).toBe(130);
  });

  test('two resources of which none opens: each says once why', async () => {
    const { code, stdout, stderr } = await alice.run(['connect', 'billing-db', 'crm-db']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    for (const name of ['billing-db', 'crm-db']) expect(stderr.split(`no grant for ${name}`)).toHaveLength(2);
  });

  test('a token of the administrator lets a program connect without a sign-in, and stops when it is revoked', async () => {
    const { secret, token } = json(await admin.run(['tokens', 'create', '--user', 'alice', '--ttl', '1h', '--json']));
    const ci = new Cli({ HOOP_TOKEN: secret, HOOP_GATEWAY: gateway });
    try {
      const command = ['connect', 'orders-db', '--', 'psql', '-qXAtc', 'select current_user'];
      expect(await ci.run(command)).toMatchObject({ code: 0, stdout: `${server.user}\n` });
      expect((await admin.run(['tokens', 'revoke', token.id])).code).toBe(0);
      expect(await ci.run(command)).toMatchObject({ code: 4, stdout: '' });
    } finally {
      ci.remove();
    }
  });

  test('alice sees her own sessions, the administrator all; after logout nothing opens', async () => {
    expect(json(await admin.run(['sessions', '--user', 'alice', '--json'])).sessions.length).toBeGreaterThan(3);
    expect(await alice.run(['users', 'list'])).toMatchObject({ code: 3, stdout: '' });
    expect((await alice.run(['logout'])).code).toBe(0);
    const after = await alice.run(['connect', 'orders-db', '--', 'true']);
    expect(after).toMatchObject({ code: 4, stdout: '' });
    expect(after.stderr).toMatch(/\[HOOP_SIGN_IN\]\n +.*hoop login/);
  });
});

test('npm start -- --once: the tour ends with 0 and replays its three statements', async () => {
  const cli = new Cli();
  try {
    const { code, stdout } = await cli.run(['demo', '--once']);
    expect(code).toBe(0);
    const [, replayed = ''] = stdout.split('$ hoop replay');
    expect(replayed.match(/ {4}OK (SELECT|INSERT|UPDATE)/g)).toEqual([
      '    OK SELECT',
      '    OK INSERT',
      '    OK UPDATE',
    ]);
    expect(replayed).toContain("$1 = 'Lin'");
  } finally {
    cli.remove();
  }
});

const agentYaml = ({ port, user, database }: PostgresServer) => `
resources:
  - name: orders-db
    protocol: postgres
    address: 127.0.0.1:${port}
    database: ${database}
    tls: { mode: disable }
    credentials: { user: ${user}, password: "\${env:ORDERS_PASSWORD}" }
`;

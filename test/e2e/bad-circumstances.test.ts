import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { password, type SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { run } from '../support/run.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';

let server: PostgresServer;
let stack: Stack;
let alice: SignedIn;
const cli = new Cli();
const folder = mkdtempSync(join(tmpdir(), 'hoop-bad-'));

beforeAll(async () => {
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server });
  await stack.addUser('alice');
  await stack.addUser('root', 'admin');
  alice = await stack.signIn('alice');
  expect(await cli.login('alice', password, ['--gateway', stack.gateway.url])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  cli.remove();
  rmSync(folder, { recursive: true, force: true });
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});

/** What a person or a script gets of a failure: one line of what and why with its code, one line of what to do next, nothing on stdout. */
function shown({ code, stdout, stderr }: CliResult) {
  const [, what, error, next] = /^hoop: ([^\n]+) \[(HOOP_\w+)\]\n {6}([^\n]+)\n$/.exec(stderr) ?? [];
  return { exit: code, stdout, error, what, next };
}
const failure = (exit: number, error: string, says: RegExp) => ({
  exit,
  stdout: '',
  error,
  what: expect.stringMatching(says),
  next: expect.any(String),
});
const psql = ({ port, user, password: secret, database }: Connected, sql: string) =>
  run('psql', ['-qXAtc', sql], {
    env: {
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: secret,
      PGDATABASE: database,
      PGSSLMODE: 'disable',
    },
  });

test('a resource without a grant, or that does not exist: denied alike, and what to do', async () => {
  for (const name of ['billing-db', 'no-such-thing'])
    expect(shown(await cli.run(['connect', name]))).toEqual(
      failure(3, 'HOOP_DENIED', /alice has no grant for .* or it does not exist/),
    );
  expect(shown(await cli.run(['resources', 'show', 'no-such-thing']))).toEqual(
    failure(7, 'HOOP_NOT_FOUND', /no-such-thing/),
  );
});

test('a port that is taken: says by whom, and leaves no empty session in the record', async () => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  const { port } = squatter.address() as AddressInfo;
  const result = await cli.run(['connect', 'orders-db', '--port', String(port)]);
  squatter.close();
  expect(shown(result)).toEqual(
    failure(1, 'HOOP_PORT_TAKEN', new RegExp(`127\\.0\\.0\\.1:${port} belongs to .*\\(?${process.pid}`)),
  );
  const { sessions } = JSON.parse((await cli.run(['sessions', '--json'])).stdout) as { sessions: unknown[] };
  expect(sessions).toEqual([]);
});

test('no gateway at its address', async () => {
  const result = await cli.run(['login', '--gateway', 'http://127.0.0.1:1']);
  expect(shown(result)).toEqual(failure(5, 'HOOP_GATEWAY_UNREACHABLE', /127\.0\.0\.1:1/));
});

test('a token that never was', async () => {
  const env = { HOOP_TOKEN: 'hoop_wrong', HOOP_GATEWAY: stack.gateway.url };
  expect(shown(await cli.run(['connect', 'orders-db', '--', 'true'], { env }))).toEqual(
    failure(4, 'HOOP_SIGN_IN', /HOOP_TOKEN/),
  );
});

test('malformed configuration: the file, the line or the key', async () => {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const gateway = (text: string) => cli.run(['gateway', 'start', '--config', file('hoop.yaml', text)]);
  const agent = (text: string) =>
    cli.run(['agent', 'start', '--gateway', stack.gateway.url, '--config', file('agent.yaml', text)]);
  expect(shown(await gateway('listen: "127.0.0.1:0"\n  dataDir: [\n'))).toEqual(
    failure(2, 'HOOP_CONFIG', /hoop\.yaml:\d+: not valid YAML/),
  );
  expect(shown(await gateway('listen: nowhere\n'))).toEqual(
    failure(2, 'HOOP_CONFIG', /hoop\.yaml: listen: must be host:port/),
  );
  expect(shown(await gateway('recording: off\n'))).toEqual(failure(2, 'HOOP_CONFIG', /hoop\.yaml: .*recording/));
  expect(shown(await agent('resources: [\n'))).toEqual(failure(2, 'HOOP_CONFIG', /agent\.yaml:\d+: not valid YAML/));
  const noAddress = 'resources:\n  - { name: a, protocol: postgres, credentials: { user: u } }\n';
  expect(shown(await agent(noAddress))).toEqual(failure(2, 'HOOP_CONFIG', /agent\.yaml: resources\.0\.address/));
  expect(shown(await agent('- just a list\n'))).toEqual(failure(2, 'HOOP_CONFIG', /agent\.yaml: \(top level\)/));
});

test('PostgreSQL is down: the client program is told, the session stays, the record says so', async () => {
  const connected = await stack.connect(alice);
  await server.stop();
  const failed = await psql(connected, 'select 1');
  server = await startAnyPostgres({ database: 'orders' });
  expect(failed).toMatchObject({ code: 2, stdout: '' });
  expect(failed.stderr).toMatch(/FATAL: .*cannot reach|FATAL: .*(refused|reach)/i);
  await connected.close();
  expect(await stack.session(alice, connected.session)).toMatchObject({ state: 'sealed', streams: 1, statements: 0 });
  const [refusal, ...rest] = await stack.statements(alice, connected.session);
  expect(refusal).toMatchObject({
    verb: 'refusal',
    outcome: { status: 'refused', errorMessage: expect.stringMatching(/refused|reach/i) },
  });
  expect(rest).toEqual([]);
});

test('the agent is offline: nobody connects; a session under way ends and says why', async () => {
  const connected = await stack.connect(alice);
  await stack.stopAgent();
  try {
    expect(shown(await cli.run(['connect', 'orders-db']))).toEqual(
      failure(6, 'HOOP_AGENT_OFFLINE', /no agent that serves orders-db/),
    );
    await expect.poll(async () => (await stack.session(alice, connected.session)).state).toBe('sealed');
    expect(await stack.session(alice, connected.session)).toMatchObject({ reason: 'agent_lost' });
    // What is shown while it tries again is why it does not work now, not why it ended.
    const shownNow = () => connected.states.flatMap((state) => (state.state === 'reconnecting' ? [state.why] : []));
    await expect.poll(shownNow).toContainEqual(expect.stringContaining('no agent that serves orders-db'));
  } finally {
    await stack.startAgent();
    await connected.close();
  }
});

test('the resource refuses the agent’s credentials: the client hears of it, never of the password', async () => {
  const wrong = await startStack({ postgres: { ...server, password: 'not-the-password-at-all' } });
  try {
    await wrong.addUser('alice');
    const user = await wrong.signIn('alice');
    const connected = await wrong.connect(user);
    const failed = await psql(connected, 'select 1');
    expect(failed).toMatchObject({ code: 2, stdout: '' });
    expect(failed.stderr).toMatch(/FATAL: .*(credentials|password authentication failed)/);
    expect(failed.stderr + wrong.logs.join('\n')).not.toContain('not-the-password-at-all');
  } finally {
    await wrong[Symbol.asyncDispose]();
  }
});

/** ESC, OSC 8 and 52, C1, bidi overrides, a backspace and line ends: what a statement may carry to a reader's terminal. */
const hostile =
  "select '\u001B[2J\u001B]8;;http://evil\u0007x\u001B]52;c;ZXZpbA==\u0007\u009B31m\u202Egnp\u2066\b\r\u2028' as a\n-- end";

test('a recording cannot drive the terminal of its reader', async () => {
  const own = await startStack({ postgres: server });
  const reader = new Cli();
  try {
    await own.addUser('alice');
    const connected = await own.connect(await own.signIn('alice'), { actor: 'cur\u001B[31msor\u202E' });
    const { port, user, database } = connected;
    const client = new pg.Client({ host: '127.0.0.1', port, user, password: connected.password, database });
    await client.connect();
    await client.query(hostile);
    await client.query('select $1::text', [hostile]);
    await client.query(`select "${hostile}"`).catch(() => undefined);
    await client.end();
    await connected.close();
    expect(await reader.login('alice', password, ['--gateway', own.gateway.url])).toMatchObject({ code: 0 });
    for (const args of [['replay', 'last'], ['sessions'], ['replay', 'last', '--json'], ['sessions', '--json']]) {
      const { code, stdout, stderr } = await reader.run(args, { env: { FORCE_COLOR: '0' } });
      expect(code).toBe(0);
      // oxlint-disable-next-line no-control-regex -- these must not be there
      expect(stdout + stderr).not.toMatch(
        /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/,
      );
    }
    const { stdout } = await reader.run(['replay', 'last']);
    expect(stdout).toContain('evil');
    const recorded = (await reader.run(['replay', 'last', '--json'])).stdout.split('\n')[0] ?? '';
    expect(JSON.parse(recorded).text).toBe(hostile);
  } finally {
    reader.remove();
    await own[Symbol.asyncDispose]();
  }
});

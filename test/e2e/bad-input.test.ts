import { once } from 'node:events';
import { connect } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { run } from '../support/run.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';

const psqlEnvironment = ({ port, user, password, database }: Connected) => ({
  PGHOST: '127.0.0.1',
  PGPORT: String(port),
  PGUSER: user,
  PGPASSWORD: password,
  PGDATABASE: database,
  PGSSLMODE: 'disable', // as `hoop connect --` sets it: where libpq prefers TLS and is refused, it comes a second time without
});
const psql = (connected: Connected, sql: string, env: Record<string, string> = {}) =>
  run('psql', ['-qXAtc', sql], { env: { ...psqlEnvironment(connected), ...env } });

/** Sends bytes and returns everything that comes back until the other side ends. */
async function exchange(port: number, bytes: Uint8Array): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

function startup(parameters: Record<string, string>, code = 196_608): Buffer {
  const body = Buffer.from(
    `${Object.entries(parameters)
      .flat()
      .map((word) => `${word}\0`)
      .join('')}\0`,
  );
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.writeUInt32BE(code, 4);
  return Buffer.concat([head, body]);
}

/** What a local port does with programs that make mistakes, or are no PostgreSQL clients. */
describe('the local port', () => {
  let server: PostgresServer;
  let stack: Stack;
  let alice: SignedIn;
  let connected: Connected;

  beforeAll(async () => {
    server = await startAnyPostgres({ database: 'orders' });
    stack = await startStack({ postgres: server, settings: { messageBytesMax: 65_536 } });
    await stack.addUser('alice');
    alice = await stack.signIn('alice');
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await server?.stop();
  });
  beforeEach(async () => {
    connected = await stack.connect(alice);
  });
  afterEach(() => connected.close());

  /** The record of the session, after it was closed: verb, and why it was refused. */
  const record = async () => {
    await connected.close();
    expect(await stack.session(alice, connected.session)).toMatchObject({ state: 'sealed', reason: 'client_closed' });
    return (await stack.statements(alice, connected.session)).map(({ verb, text, outcome }) => ({
      verb,
      text,
      status: outcome?.status,
      code: outcome?.errorCode,
      why: outcome?.errorMessage,
    }));
  };
  const stillServes = async () => expect((await psql(connected, 'select 42')).stdout).toBe('42\n');

  test.each([
    ['password', { PGPASSWORD: 'wrong' }, /password/],
    ['user', { PGUSER: 'postgres' }, /user/],
    ['database', { PGDATABASE: 'postgres' }, /database/],
  ])(
    'a wrong %s is refused in PostgreSQL’s own words, is in the record, and never holds the password',
    async (_, env, why) => {
      const refused = await psql(connected, 'select 1', env);
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).toMatch(/FATAL: /);
      expect(refused.stderr).toMatch(why);
      await stillServes();
      const [refusal, ...rest] = await record();
      expect(refusal).toMatchObject({ verb: 'refusal', status: 'refused' });
      expect(rest).toMatchObject([{ text: 'select 42', status: 'ok' }]);
    },
  );

  test.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'), /^HTTP\/1.1 400 .*PostgreSQL port/s],
    ['garbage', Buffer.from('\x00\x00\x00\x08garbage garbage', 'latin1'), /^E.*FATAL/s],
    ['a length of 4 GiB', Buffer.from('ffffffff00030000', 'hex'), /^E.*FATAL/s],
  ])('%s gets an answer of its own kind, closes, is in the record, and disturbs nobody', async (_, bytes, expected) => {
    const answer = await exchange(connected.port, bytes);
    expect(answer).toMatch(expected);
    await stillServes();
    expect(await record()).toMatchObject([{ verb: 'refusal' }, { text: 'select 42', status: 'ok' }]);
  });

  test('replication is refused before anything is asked', async () => {
    const { user, database, port } = connected;
    const answer = await exchange(port, startup({ user, database, replication: 'database' }));
    expect(answer).toMatch(/replication/);
    expect(await record()).toMatchObject([{ verb: 'refusal' }]);
  });

  test('a second StartupMessage is never a second login', async () => {
    const { user, database, port } = connected;
    const answer = await exchange(
      port,
      Buffer.concat([startup({ user, database }), startup({ user: 'postgres', database })]),
    );
    expect(answer).toContain('FATAL');
    expect(await record()).toMatchObject([{ verb: 'refusal' }]);
  });

  test('a message over the bound ends the stream, says which bound, and reaches the resource in no part', async () => {
    const big = await run('psql', ['-qXAt'], {
      env: psqlEnvironment(connected),
      input: `create table kept (id int);\ncreate table big as select '${'x'.repeat(70_000)}';\n`,
    });
    expect(big.code).toBe(2);
    expect(big.stderr).toMatch(/65536|64 KiB|65,536/);
    expect((await psql(connected, "select to_regclass('kept'), to_regclass('big')")).stdout).toBe('kept|\n');
    const statements = await record();
    expect(statements[0]).toMatchObject({ text: 'create table kept (id int);', status: 'ok' });
    expect(statements[1]).toMatchObject({ verb: 'refusal', status: 'refused' });
  });

  test('bytes that cannot be decoded, mid-stream: what came before is answered, nothing after is forwarded', async () => {
    const client = new pg.Client({ ...connected, host: '127.0.0.1' });
    const failed = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.connect();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    const { stream } = (client as unknown as { connection: { stream: NodeJS.WritableStream } }).connection;
    stream.write(Buffer.concat([Buffer.from('z\0\0\0\x04', 'latin1'), Buffer.from('Q\0\0\0\x0dselect 2\0', 'latin1')]));
    expect((await failed).message).not.toBe('');
    const statements = await record();
    expect(statements).toMatchObject([{ text: 'select 1 as one', status: 'ok' }, { verb: 'refusal' }]);
  });

  test('a cancel with a wrong key cancels nothing; with the right one the statement ends as cancelled', async () => {
    const client = new pg.Client({ ...connected, host: '127.0.0.1' });
    await client.connect();
    const slow = client.query('select pg_sleep(30)').then(
      () => 'ran',
      (error: Error) => error.message,
    );
    const watcher = new pg.Client({ ...server, host: '127.0.0.1' });
    await watcher.connect();
    const running = async () =>
      Number(
        (await watcher.query("select count(*) from pg_stat_activity where query = 'select pg_sleep(30)'")).rows[0]
          .count,
      );
    await expect.poll(running).toBe(1);
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const cancelRequest = (key: number) => {
      const bytes = Buffer.alloc(16);
      [16, 80_877_102, processID, key].forEach((word, index) => bytes.writeInt32BE(word, index * 4));
      return bytes;
    };
    expect(await exchange(connected.port, cancelRequest(secretKey ^ 1))).toBe('');
    expect(await running()).toBe(1);
    expect(await exchange(connected.port, cancelRequest(secretKey))).toBe('');
    expect(await slow).toContain('canceling statement due to user request');
    await client.end();
    await watcher.end();
    const statements = await record();
    expect(statements).toContainEqual(expect.objectContaining({ text: 'select pg_sleep(30)', status: 'cancelled' }));
    expect(statements.filter(({ verb }) => verb === 'cancel')).toHaveLength(1);
  });
});

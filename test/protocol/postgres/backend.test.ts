import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResourceConfig } from '../../../src/agent/config.ts';
import { dial } from '../../../src/agent/transport.ts';
import { backend } from '../../../src/protocol/postgres/backend.ts';
import { decodeParameterStatus, encodeMessage, frontendType } from '../../../src/protocol/postgres/messages.ts';
import type { PostgresServer } from '../../../src/demo/postgres.ts';
import type { BackendReady, Transport } from '../../../src/protocol/protocol.ts';
import { selfSigned, type Certificate } from '../../support/certificate.ts';
import { postgresServers } from '../../support/postgres.ts';

interface Login {
  user?: string;
  password?: string | undefined;
  database?: string;
  tls?: Partial<ResourceConfig['tls']>;
  parameters?: Record<string, string>;
  host?: string;
}

const label = 'hoop 01hzy alice/cursor';

function logIn(port: number, login: Login): Promise<BackendReady> {
  const { user = 'scram', database = 'postgres', host = '127.0.0.1', parameters = {} } = login;
  const password = 'password' in login ? login.password : 'a resource secret';
  const tls: ResourceConfig['tls'] = { mode: 'disable', ...login.tls };
  const credentials = { user };
  const config = { name: 'orders', protocol: 'postgres', results: 'digest' as const, credentials, tls };
  return backend.connect({
    dial: () => dial({ ...config, address: `${host}:${port}` }),
    tlsMode: tls.mode,
    credentials: { user, password, database },
    startup: { parameters },
    label,
    randomBytes,
  });
}

/** The first column of the one row that a query gives. */
async function ask(resource: Transport, sql: string): Promise<string> {
  await resource.write(encodeMessage(frontendType.query, Buffer.from(`${sql}\0`)));
  let bytes = Buffer.alloc(0);
  while (!bytes.includes('Z\0\0\0\x05')) bytes = Buffer.concat([bytes, (await resource.read())!]);
  const row = bytes.indexOf('D\0\0', bytes.readInt32BE(1));
  return row < 0 ? bytes.toString() : bytes.toString('utf8', row + 11, row + 11 + bytes.readInt32BE(row + 7));
}

async function connected(port: number, login: Login, sql: string): Promise<string> {
  const { resource } = await logIn(port, login);
  const answer = await ask(resource, sql);
  resource.reset('done');
  return answer;
}

describe.each(postgresServers)('$name', ({ start }) => {
  let server: PostgresServer;
  let certificate: Certificate;
  beforeAll(async () => {
    certificate = selfSigned('localhost', 'sha384');
    server = await start({
      settings: ['ssl = on', "ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'"],
      files: { 'server.crt': certificate.cert, 'server.key': certificate.key },
      hba: [
        'host all postgres 127.0.0.1/32 scram-sha-256',
        'host all scram,unicode,emoji 127.0.0.1/32 scram-sha-256',
        'host all md5 127.0.0.1/32 md5',
        'hostssl all clear 127.0.0.1/32 password',
        'hostnossl all clear 127.0.0.1/32 password',
        'host all trusted 127.0.0.1/32 trust',
      ],
    });
    const admin = new pg.Client({ ...server, host: '127.0.0.1' });
    await admin.connect();
    await admin.query(`create role scram login password 'a resource secret'`);
    await admin.query(`create role clear login password 'a resource secret'`);
    await admin.query(`create role unicode login password U&'\\FB01sh\\00A0k\\00ADey'`);
    await admin.query(`create role emoji login password U&'\\FB01sh \\+01F511'`);
    await admin.query(`set password_encryption = md5; create role md5 login password 'a resource secret'`);
    await admin.query('create role trusted login');
    await admin.end();
  });
  afterAll(async () => {
    await server.stop();
    certificate.remove();
  });

  test.each([
    ['SCRAM', { user: 'scram' }],
    ['SCRAM with a password that SASLprep changes', { user: 'unicode', password: 'ﬁsh\u00A0k\u00ADey' }],
    ['SCRAM with a password that SASLprep leaves alone', { user: 'emoji', password: 'ﬁsh 🔑' }],
    ['md5', { user: 'md5' }],
    ['no password where none is asked for', { user: 'trusted', password: undefined }],
  ])('logs in by %s', async (_, login) => {
    expect(await connected(server.port, login, 'select current_user')).toBe(login.user);
  });

  test.each(['prefer', 'require'] as const)('%s uses the TLS that is there, unchecked', async (mode) => {
    const login = { tls: { mode } };
    expect(await connected(server.port, login, 'select ssl from pg_stat_ssl where pid = pg_backend_pid()')).toBe('t');
  });

  test('verify-full checks chain and name; the login is bound to the certificate', async () => {
    const tls = { mode: 'verify-full', ca: certificate.caFile, serverName: 'localhost' } as const;
    expect(await connected(server.port, { tls }, 'select current_user')).toBe('scram');
    await expect(logIn(server.port, { tls: { ...tls, serverName: 'db.example' } })).rejects.toMatchObject({
      code: 'HOOP_RESOURCE_UNREACHABLE',
      message: expect.stringContaining('TLS handshake'),
    });
    await expect(logIn(server.port, { tls: { mode: 'verify-ca' } })).rejects.toThrow('self-signed certificate');
  });

  test('a clear-text password goes through TLS only', async () => {
    const inTls = { user: 'clear', tls: { mode: 'require' } } as const;
    expect(await connected(server.port, inTls, 'select current_user')).toBe('clear');
    await expect(logIn(server.port, { user: 'clear' })).rejects.toThrow('in clear text outside TLS');
  });

  test.each([
    [{ password: 'wrong secret' }, 'password authentication failed for user "scram" (SQLSTATE 28P01)'],
    [{ user: 'md5', password: 'wrong secret' }, 'password authentication failed for user "md5" (SQLSTATE 28P01)'],
    [{ user: 'trusted', database: 'none' }, 'database "none" does not exist (SQLSTATE 3D000)'],
    [{ user: 'nobody' }, '(SQLSTATE 28000)'],
    [{ password: undefined }, 'agent.yaml has none'],
    [{ parameters: { timezone: 'Nowhere' } }, 'invalid value for parameter "TimeZone"'],
  ])('%j fails with the server’s own words, and no secret', async (login, words) => {
    const failure = await logIn(server.port, login).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'HOOP_RESOURCE_UNREACHABLE', message: expect.stringContaining(words) });
    expect(JSON.stringify([String(failure), failure])).not.toContain('secret');
  });

  test('the greeting is the server’s parameters, without its cancel key', async () => {
    const { resource, greeting, leftover } = await logIn(server.port, { parameters: { datestyle: 'German' } });
    const names: string[] = [];
    const letters: string[] = [];
    for (let at = 0; at < greeting.length;) {
      const view = Buffer.from(greeting).subarray(at);
      const message = view.subarray(0, view.readInt32BE(1) + 1);
      letters.push(String.fromCharCode(message[0]!));
      if (letters.at(-1) === 'S') names.push(Object.values(decodeParameterStatus(message.subarray(5))).join('='));
      at += message.length;
    }
    expect(names).toContain('DateStyle=German, DMY');
    expect(new Set(letters)).toEqual(new Set(['S', 'Z']));
    expect(letters.at(-1)).toBe('Z');
    expect(leftover).toHaveLength(0);
    resource.reset('done');
  });

  test('the server’s own log can be joined to the record by the name of the application', async () => {
    const sql = 'select application_name from pg_stat_activity where pid = pg_backend_pid()';
    expect(await connected(server.port, {}, sql)).toBe(label);
    expect(await connected(server.port, { parameters: { application_name: 'psql' } }, sql)).toBe(`${label} psql`);
  });

  test.each(['disable', 'verify-full'] as const)('cancels what runs, with tls.mode %s', async (mode) => {
    const tls = { mode, ca: certificate.caFile, serverName: 'localhost' };
    const { resource, cancel } = await logIn(server.port, { tls });
    const answer = ask(resource, 'select pg_sleep(60)');
    const watcher = await logIn(server.port, {});
    const sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    await expect.poll(() => ask(watcher.resource, sleeping)).toBe('1');
    await cancel();
    expect(await answer).toContain('canceling statement due to user request');
    watcher.resource.reset('done');
    resource.reset('done');
  });
});

test('a port where nobody listens is named', async () => {
  await expect(logIn(1, {})).rejects.toThrow('127.0.0.1:1 does not answer');
});

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import pg from 'pg';
import postgresJs from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { embeddedBinaries } from '../../src/demo/postgres-binaries.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { hasProgram } from '../support/programs.ts';
import { run } from '../support/run.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';

const sslRequest = Buffer.from('0000000804d2162f', 'hex');
const gssEncRequest = Buffer.from('0000000804d21630', 'hex');

let server: PostgresServer;
let stack: Stack;
let alice: SignedIn;
let connected: Connected;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-encryption-'));
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
  connected = await stack.connect(alice);
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const at = () => ({
  host: '127.0.0.1',
  port: connected.port,
  user: connected.user,
  password: connected.password,
  database: connected.database,
});

async function open(...bytes: Buffer[]): Promise<Socket> {
  const socket = connect(connected.port, '127.0.0.1');
  await once(socket, 'connect');
  for (const one of bytes) socket.write(one);
  return socket;
}

/** What comes next: bytes as text, or `closed`. */
const next = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.once('data', (bytes) => resolve(bytes.toString('latin1')));
    socket.once('error', () => resolve('closed'));
    socket.once('close', () => resolve('closed'));
  });

/** TLS from here on; resolves when the handshake is over, or to what went wrong. */
const secured = (options: ConnectionOptions): Promise<TLSSocket | string> =>
  new Promise((resolve) => {
    const socket = connectTls({ rejectUnauthorized: false, ...options }, () => resolve(socket));
    socket.once('error', (error) => resolve(error.message));
    socket.once('close', () => resolve('closed'));
  });

async function certificateFile(): Promise<string> {
  const socket = await open(sslRequest);
  expect(await next(socket)).toBe('S');
  const tls = (await secured({ socket })) as TLSSocket;
  const { raw } = tls.getPeerCertificate();
  tls.destroy();
  const path = join(folder, 'port.pem');
  writeFileSync(path, new X509Certificate(raw).toString());
  return path;
}

describe('the certificate of the local port', () => {
  test('is its own issuer’s, for 127.0.0.1 and localhost, and good now', async () => {
    const socket = await open(sslRequest);
    await next(socket);
    const tls = (await secured({ socket })) as TLSSocket;
    const certificate = new X509Certificate(tls.getPeerCertificate().raw);
    tls.destroy();
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect([certificate.checkIP('127.0.0.1'), certificate.checkHost('localhost')]).toEqual(['127.0.0.1', 'localhost']);
    expect([certificate.checkIP('127.0.0.2'), certificate.checkHost('example.com')]).toEqual([undefined, undefined]);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now() + 300 * 86_400_000);
  });

  test('is the same for every connection to one port', async () => {
    const { readFileSync } = await import('node:fs');
    const first = readFileSync(await certificateFile(), 'utf8');
    expect(readFileSync(await certificateFile(), 'utf8')).toBe(first);
  });
});

describe('encryption as clients ask for it', () => {
  test('pg with ssl, postgres.js with require: in the record like any other', async () => {
    const client = new pg.Client({ ...at(), ssl: { rejectUnauthorized: false } });
    await client.connect();
    expect((await client.query('select $1::text as way', ['pg over TLS'])).rows).toEqual([{ way: 'pg over TLS' }]);
    await client.end();
    const sql = postgresJs({ ...at(), username: connected.user, ssl: 'require', max: 1 });
    expect(await sql`select ${'postgres.js over TLS'}::text as way`).toEqual([{ way: 'postgres.js over TLS' }]);
    await sql.end();
    await connected.idle();
    const shown = (await stack.statements(alice, connected.session)).flatMap(({ verb, parameters }) =>
      verb === 'execute' ? parameters.map((parameter) => parameter.shown) : [],
    );
    expect(shown).toEqual(expect.arrayContaining(["'pg over TLS'", "'postgres.js over TLS'"]));
  });

  test('100,000 rows over TLS are what they are without', async () => {
    const digests = [];
    for (const ssl of [false, { rejectUnauthorized: false }]) {
      const client = new pg.Client({ ...at(), ssl });
      await client.connect();
      const { rows } = await client.query("select n, repeat('x', 100) as x from generate_series(1, 100000) n");
      digests.push(rows.reduce<number>((sum, { n, x }: { n: number; x: string }) => sum + n + x.length, 0));
      await client.end();
    }
    expect(digests[1]).toBe(digests[0]);
    expect(digests[0]).toBe(5_000_050_000 + 100 * 100_000);
  });

  test('GSS encryption is declined, TLS after it is not', async () => {
    const socket = await open(gssEncRequest);
    expect(await next(socket)).toBe('N');
    socket.write(sslRequest);
    expect(await next(socket)).toBe('S');
    expect(await secured({ socket })).toHaveProperty('encrypted', true);
    socket.destroy();
  });

  test('inside of TLS no second encryption is offered', async () => {
    const socket = await open(sslRequest);
    await next(socket);
    const tls = (await secured({ socket })) as TLSSocket;
    tls.write(sslRequest);
    expect(await next(tls)).toBe('N');
    tls.destroy();
  });

  test('direct TLS: with ALPN postgresql, else not at all', async () => {
    const target = { host: '127.0.0.1', port: connected.port };
    const good = (await secured({ ...target, ALPNProtocols: ['postgresql'] })) as TLSSocket;
    expect(good.alpnProtocol).toBe('postgresql');
    good.destroy();
    expect(await secured({ ...target, ALPNProtocols: ['h2'] })).toMatch(/no application protocol|closed/i);
    const without = await secured(target);
    if (typeof without !== 'string') expect(await next(without)).toBe('closed');
  });

  test('a ClientHello that is none: closed', async () => {
    const hello = Buffer.from(`16030100c4010000c00303${'00'.repeat(190)}`, 'hex');
    expect(await next(await open(hello))).not.toMatch(/^S|^N/);
    const socket = await open(sslRequest);
    await next(socket);
    socket.write('no handshake at all');
    await once(socket, 'close');
  });

  test.each([
    ['SSLRequest', sslRequest],
    ['GSSENCRequest', gssEncRequest],
  ])('bytes sent behind %s, before its answer, end the connection', async (_name, request) => {
    expect(await next(await open(Buffer.concat([request, Buffer.from('early')])))).toBe('closed');
  });

  test('a cancel request whose sender does not wait cancels all the same', async () => {
    const client = new pg.Client(at());
    await client.connect();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const sleeping = client.query('select pg_sleep(60)').catch((error: { code: string }) => error.code);
    const admin = new pg.Client({ ...server, host: '127.0.0.1' });
    await admin.connect();
    const asleep = "select from pg_stat_activity where wait_event = 'PgSleep'";
    while ((await admin.query(asleep)).rowCount === 0);
    await admin.end();
    const request = Buffer.alloc(16);
    for (const [index, word] of [16, 80_877_102, processID, secretKey].entries()) request.writeInt32BE(word, index * 4);
    const socket = connect(connected.port, '127.0.0.1', () => socket.end(request, () => socket.destroy()));
    expect(await sleeping).toBe('57014');
    await client.end();
  });
});

describe.runIf(hasProgram('psql'))('sslmode, by psql', () => {
  const psql = (env: Record<string, string>) =>
    run('psql', ['-X', '-w', '-At', '-h', '127.0.0.1', '-c', '\\conninfo'], {
      env: {
        PGPORT: String(connected.port),
        PGUSER: connected.user,
        PGPASSWORD: connected.password,
        PGDATABASE: connected.database,
        ...env,
      },
    });

  test.each([
    ['disable', false],
    ['allow', false],
    ['prefer', true],
    ['require', true],
  ])('%s', async (mode, encrypted) => {
    const { stdout, stderr } = await psql({ PGSSLMODE: mode });
    expect(stderr).toBe('');
    expect(stdout.includes('SSL connection (protocol: TLSv1.3')).toBe(encrypted);
  });

  test('prefer, and refused: libpq comes again without TLS, and is told the same', async () => {
    const { stderr } = await psql({ PGSSLMODE: 'prefer', PGPASSWORD: 'wrong' });
    expect(stderr.match(/password authentication failed/g)).toHaveLength(2);
  });

  test('verify-full: with the port’s own certificate yes, with another’s no', async () => {
    const own = await psql({ PGSSLMODE: 'verify-full', PGSSLROOTCERT: await certificateFile() });
    expect([own.stderr, own.stdout]).toEqual(['', expect.stringContaining('SSL connection')]);
    const strange = await psql({ PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/etc/ssl/certs/ca-certificates.crt' });
    expect(strange.stderr).toMatch(/certificate verify failed|does not exist/);
  });

  // libpq 18 under the psql that is installed: direct TLS and newer protocol versions are asked for by libpq alone.
  const native = embeddedBinaries()?.bin.replace(/bin$/, 'lib');
  test
    .runIf(native !== undefined && process.platform === 'linux')
    .each([
      { PGSSLMODE: 'require', PGSSLNEGOTIATION: 'direct' },
      { PGMAXPROTOCOLVERSION: '3.0' },
      { PGMAXPROTOCOLVERSION: '3.2', PGMINPROTOCOLVERSION: '3.2' },
      { PGMAXPROTOCOLVERSION: 'latest', PGREQUIREAUTH: 'scram-sha-256' },
      { PGCHANNELBINDING: 'disable' },
    ])('libpq 18 with %j', async (env) => {
    const { stdout, stderr } = await psql({ LD_LIBRARY_PATH: native!, ...env });
    expect([stderr, stdout]).toEqual(['', expect.stringContaining('SSL connection')]);
  });
});

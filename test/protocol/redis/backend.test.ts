import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dial } from '../../../src/agent/transport.ts';
import type { TlsMode, Transport } from '../../../src/protocol/protocol.ts';
import { backend } from '../../../src/protocol/redis/backend.ts';
import { encodeCommand } from '../../../src/protocol/redis/messages.ts';
import { selfSigned, type Certificate } from '../../support/certificate.ts';
import { startRedis, type RedisServer } from '../../support/redis.ts';
import { listen } from '../../support/tcp.ts';

let server: RedisServer;
let certificate: Certificate;
const opened: Transport[] = [];
beforeAll(async () => {
  certificate = selfSigned('127.0.0.1');
  server = await startRedis({ tls: certificate });
});
afterAll(async () => {
  await server?.stop();
  certificate?.remove();
});
afterEach(() => {
  for (const transport of opened.splice(0)) transport.reset('the test is over');
});

interface Login {
  port?: number;
  mode?: TlsMode;
  ca?: string;
  user?: string;
  password?: string | undefined;
  database?: string;
  parameters?: Record<string, string>;
}

async function connect(login: Login = {}) {
  const { port = server.port, mode = 'disable', ca, user = 'app', database = '0', parameters = {} } = login;
  const password = 'password' in login ? login.password : server.password;
  const tls = { mode, ...(ca === undefined ? {} : { ca }) };
  const config = { name: 'cache', protocol: 'redis', results: 'digest' as const, credentials: { user }, tls };
  const ready = await backend.connect({
    dial: () => dial({ ...config, address: `127.0.0.1:${port}` }),
    tlsMode: mode,
    credentials: { user, password, database },
    startup: { parameters },
    label: 'hoop/0123/alice/cursor',
    randomBytes,
  });
  opened.push(ready.resource);
  return ready;
}

async function ask(resource: Transport, ...words: string[]): Promise<string> {
  await resource.write(encodeCommand(words));
  return Buffer.from((await resource.read())!).toString();
}

const refusal = (login: Login) => connect(login).catch((error: unknown) => error as { message: string; next: string });

test('logs in as the ACL user, in the client’s protocol, under a name that leads to the record', async () => {
  const { resource, greeting, leftover, cancel } = await connect();
  expect([greeting[0], leftover.length]).toEqual([0x2a, 0]);
  expect(await ask(resource, 'ACL', 'WHOAMI')).toBe('$3\r\napp\r\n');
  expect(await ask(resource, 'CLIENT', 'GETNAME')).toContain('\r\nhoop/0123/alice/cursor\r\n');
  await cancel();
  await resource.closed;
  const three = await connect({ parameters: { protocol: '3', 'client-name': 'my worker' } });
  expect(String.fromCharCode(three.greeting[0]!)).toBe('%');
  expect(await ask(three.resource, 'CLIENT', 'GETNAME')).toContain('\r\nhoop/0123/alice/cursor:my_worker\r\n');
});

test('chooses the database', async () => {
  const { resource } = await connect({ database: '7' });
  expect(await ask(resource, 'CLIENT', 'INFO')).toContain(' db=7 ');
  expect(await refusal({ database: '99' })).toMatchObject({ message: expect.stringContaining('no database 99') });
  expect(await refusal({ database: 'cache' })).toMatchObject({ next: expect.stringContaining('a number') });
});

test.each([
  [{ password: 'wrong password' }, 'the resource refused the login of app: WRONGPASS'],
  [{ user: 'nobody' }, 'the resource refused the login of nobody: WRONGPASS'],
  [{ password: undefined }, 'the resource refused the login of app: NOAUTH'],
])('a login that the server refuses (%o) is said without the password', async (login, message) => {
  const error = await refusal(login);
  expect(error).toMatchObject({ code: 'HOOP_RESOURCE_UNREACHABLE', message });
  expect(JSON.stringify(error)).not.toContain('wrong password');
});

describe('TLS', () => {
  test.each(['prefer', 'require', 'verify-ca', 'verify-full'] as const)(
    '%s, with a server that has it',
    async (mode) => {
      const { resource } = await connect({ port: server.tlsPort!, mode, ca: certificate.caFile });
      expect(resource.encrypted).toBe(true);
      expect(await ask(resource, 'PING')).toBe('+PONG\r\n');
    },
  );

  test('prefer goes on without, with a server that has none', async () => {
    const { resource } = await connect({ mode: 'prefer' });
    expect([resource.encrypted, await ask(resource, 'PING')]).toEqual([false, '+PONG\r\n']);
  });

  test('require does not go on without', async () => {
    const plain = await listen(async (duplex) => {
      await duplex.read();
      await duplex.write(Buffer.from('-ERR unknown command\r\n'));
    });
    expect(await refusal({ port: plain.port, mode: 'require' })).toMatchObject({
      message: expect.stringContaining('TLS handshake'),
    });
    await plain.close();
  });

  test('what comes in plain text before the handshake is never taken for an answer', async () => {
    const early = await listen(async (duplex) => {
      await duplex.write(Buffer.from('+OK\r\n%0\r\n'));
      await duplex.read();
    });
    expect(await refusal({ port: early.port, mode: 'require' })).toMatchObject({
      code: 'HOOP_RESOURCE_UNREACHABLE',
      message: expect.stringMatching(/TLS handshake/),
    });
    await early.close();
  });

  test('verify-full refuses a certificate that nobody vouches for', async () => {
    expect(await refusal({ port: server.tlsPort!, mode: 'verify-full' })).toMatchObject({
      message: expect.stringContaining('self-signed'),
    });
  });
});

test.each([
  ['-ERR unknown command `HELLO`, with args beginning with: \r\n', 'does not know HELLO'],
  ['-NOAUTH Authentication required.\r\n', 'refused the login of app: NOAUTH'],
  ['-LOADING Redis is loading the dataset in memory\r\n', 'refused the login: LOADING'],
  ['HTTP/1.1 400 Bad Request\r\n\r\n', 'does not speak Redis as expected'],
  ['+OK\r\n', 'an answer to HELLO that is none'],
  ['', 'ended the connection during the login'],
  ['*2\r\n', 'ended the connection during the login'],
  [`+${'x'.repeat(70_000)}`, 'does not speak Redis as expected'],
  [`%200\r\n$1000\r\n${'x'.repeat(1000)}\r\n`, 'ended the connection'],
  [`*100000\r\n${':1\r\n'.repeat(30_000)}`, 'an answer without an end'],
])('a server that answers HELLO with %j', async (answer, message) => {
  const scripted = await listen(async (duplex) => {
    await duplex.read();
    if (answer) await duplex.write(Buffer.from(answer));
  });
  expect(await refusal({ port: scripted.port })).toMatchObject({ message: expect.stringContaining(message) });
  await scripted.close();
});

test('a server that resets the connection, and one that is not there', async () => {
  const scripted = await listen(async (duplex) => {
    await duplex.read();
    duplex.reset('no');
  });
  expect(await refusal({ port: scripted.port })).toMatchObject({ message: expect.stringMatching(/broke|ended/) });
  await scripted.close();
  expect(await refusal({ port: scripted.port })).toMatchObject({ message: expect.stringContaining('does not answer') });
});

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { loginDeadline } from '../../src/agent/login-deadline.ts';
import { dial } from '../../src/agent/transport.ts';
import { backend } from '../../src/protocol/postgres/backend.ts';
import type { TlsMode } from '../../src/protocol/protocol.ts';
import { listen } from '../support/tcp.ts';

const resource = (port: number, mode: TlsMode = 'disable') => ({
  name: 'orders',
  protocol: 'postgres',
  address: `127.0.0.1:${port}`,
  results: 'digest' as const,
  credentials: { user: 'app' },
  tls: { mode },
});

test.each<[TlsMode, string, string]>([
  ['disable', '', 'the connection broke during the login: nothing came of it in 0.1 s'],
  ['require', '', 'the connection broke during the login: nothing came of it in 0.1 s'],
  ['require', 'S', 'the TLS handshake with 127.0.0.1'],
])('a resource that goes silent (tls.mode %s, after %j) is given up', async (tlsMode, answer, message) => {
  const server = await listen(async (duplex) => {
    await duplex.read();
    if (answer) await duplex.write(Buffer.from(answer));
    await duplex.closed;
  });
  const logins = loginDeadline(() => dial(resource(server.port, tlsMode)), 100);
  const login = backend.connect({
    dial: logins.dial,
    tlsMode,
    credentials: { user: 'app', password: 'secret', database: 'orders' },
    startup: { parameters: {} },
    label: 'hoop',
    randomBytes,
  });
  await expect(login).rejects.toMatchObject({
    code: 'HOOP_RESOURCE_UNREACHABLE',
    message: expect.stringContaining(message),
  });
  await server.close();
});

test('a connection whose login is over stays; another of the same stream is given up', async () => {
  const server = await listen(async (duplex) => {
    for (let bytes = await duplex.read(); bytes; bytes = await duplex.read()) await duplex.write(bytes);
  });
  const logins = loginDeadline(() => dial(resource(server.port)), 50);
  const kept = await logins.dial();
  logins.done(kept);
  const forgotten = await logins.dial();
  await expect(forgotten.read()).rejects.toThrow('nothing came of it in 0.05 s');
  await kept.write(Buffer.from('still here'));
  expect(Buffer.from((await kept.read())!).toString()).toBe('still here');
  kept.reset('done');
  await server.close();
});

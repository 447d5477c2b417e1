import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { acceptWebSocket, connectWebSocket, type Connection } from '../../src/tunnel/websocket.ts';
import { selfSigned, type Certificate } from '../support/certificate.ts';

const MiB = 1024 * 1024;
const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function gatewayWith(certificate: Certificate): Promise<{ url: string; accepted: Promise<Connection> }> {
  const server: Server = createServer({ key: certificate.key, cert: certificate.cert });
  const accepted = new Promise<Connection>((resolve, reject) => {
    server.once('upgrade', (request, socket, head) => {
      acceptWebSocket(request, socket, head).then(resolve, reject);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close(), certificate.remove);
  return { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/`, accepted };
}

test('over TLS with a CA of one’s own: large data flows, a reader that stops stops the sender', async () => {
  const certificate = selfSigned('127.0.0.1');
  const { url, accepted } = await gatewayWith(certificate);
  const client = await connectWebSocket(url, { caFile: certificate.caFile });
  const server = await accepted;
  const near = client.open();
  let sent = 0;
  const sending = (async () => {
    for (const chunk = Buffer.alloc(256 * 1024, 1); sent < 32 * MiB; sent += chunk.length) await near.write(chunk);
  })();
  const far = await server.accept();
  let received = (await far.read())!.length;
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(sent).toBeLessThanOrEqual(3 * MiB);
  for (; received < 16 * MiB; received += (await far.read())!.length);
  far.reset('seen enough');
  await expect(sending).rejects.toThrow('seen enough');
  client.close('done');
  expect(await server.closed).toBe('done');
});

test('a certificate that nobody vouches for: the person is told about --ca-file', async () => {
  const { url } = await gatewayWith(selfSigned('127.0.0.1'));
  await expect(connectWebSocket(url)).rejects.toMatchObject({
    code: 'HOOP_GATEWAY_UNREACHABLE',
    message: expect.stringContaining('self-signed certificate'),
    next: expect.stringContaining('--ca-file'),
  });
});

test('a certificate for another name: the person is told to use that name', async () => {
  const certificate = selfSigned('gateway.example');
  const { url } = await gatewayWith(certificate);
  await expect(connectWebSocket(url, { caFile: certificate.caFile })).rejects.toMatchObject({
    code: 'HOOP_GATEWAY_UNREACHABLE',
    next: expect.stringContaining('certificate names'),
  });
});

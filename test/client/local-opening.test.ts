import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLocally } from '../../src/client/local-opening.ts';
import { opening } from '../../src/protocol/postgres/opening.ts';

let server: Server;
beforeAll(async () => {
  server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

/** Both ends of a connection. */
async function pair(): Promise<{ client: Socket; accepted: Socket }> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  const [accepted] = (await once(server, 'connection')) as [Socket];
  return { client, accepted };
}

test.each([
  ['says nothing', ''],
  ['stops inside of its request', '0000000804d2'],
  ['asks for TLS and does not begin it', '0000000804d2162f'],
  ['stops inside of its ClientHello', '16030100c401'],
])('a client that %s is let go of in time', async (_name, digits) => {
  const { client, accepted } = await pair();
  client.write(Buffer.from(digits, 'hex'));
  const gone = once(client.resume(), 'close');
  await expect(openLocally(accepted, opening, { millisMax: 100 })).rejects.toThrow(/closed|went/);
  expect(accepted.destroyed).toBe(true);
  await gone;
});

test('a client that goes before it says anything is no connection', async () => {
  const { client, accepted } = await pair();
  client.end();
  await expect(openLocally(accepted, opening)).rejects.toThrow('went');
  expect(accepted.destroyed).toBe(true);
});

test('a login comes through whole, byte by byte too, and what follows it', async () => {
  const { client, accepted } = await pair();
  const startup = Buffer.from('000000090003000000', 'hex');
  const opened = openLocally(accepted, opening);
  for (const byte of startup) await new Promise((resolve) => client.write(Buffer.of(byte), resolve));
  const { duplex, isParting } = await opened;
  client.end('more');
  const heard: Uint8Array[] = [];
  for (let bytes = await duplex.read(); bytes !== null; bytes = await duplex.read()) heard.push(bytes);
  expect(Buffer.concat(heard)).toEqual(Buffer.concat([startup, Buffer.from('more')]));
  expect(isParting).toBe(false);
  duplex.end();
  client.destroy();
});

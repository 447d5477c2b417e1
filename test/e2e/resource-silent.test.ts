import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import pg from 'pg';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import type { SignedIn } from '../support/identity-gateway.ts';

/** Something that takes connections and never says a word. */
let silent: Server;
let dialled: Promise<Socket>;
let stack: Stack;
let alice: SignedIn;
let connected: Connected;
beforeEach(async () => {
  silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  dialled = once(silent, 'connection').then(([socket]) => socket as Socket);
  const { port } = silent.address() as AddressInfo;
  stack = await startStack({ postgres: { port, user: 'u', password: 'p', database: 'orders' } });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
  connected = await stack.connect(alice);
});
afterEach(async () => {
  await stack[Symbol.asyncDispose]();
  silent.close();
});

/** A client program that is let in as soon as the resource answers: never. */
function startClient() {
  const { port, user, password, database } = connected;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  const ended = client.connect().then(
    () => 'connected',
    (error: Error) => error.message,
  );
  client.on('error', () => undefined);
  return { ended, leave: () => (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy() };
}

const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

const soonMillis = 8_000; // what is given up by itself takes 15 s

test('a client that leaves while the resource is opened: its connection there ends at once', async () => {
  const client = startClient();
  const there = await dialled;
  const begun = Date.now();
  client.leave();
  await closed(there);
  await connected.idle();
  expect(Date.now() - begun).toBeLessThan(soonMillis);
  await connected.close();
  expect(await stack.session(alice)).toMatchObject({ state: 'sealed', streams: 1, statements: 0 });
});

test('a session that ends while a resource is opened is sealed at once, and the client is told', async () => {
  const client = startClient();
  const there = await dialled;
  const begun = Date.now();
  await Promise.all([closed(there), connected.close()]);
  expect(await client.ended).toMatch(/the client ended the session/);
  expect(Date.now() - begun).toBeLessThan(soonMillis);
  expect(await stack.session(alice)).toMatchObject({ state: 'sealed', reason: 'client_closed' });
});

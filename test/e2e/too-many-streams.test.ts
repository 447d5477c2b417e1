import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { openSessionTunnel } from '../../src/client/session-tunnel.ts';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { limits } from '../../src/shared/limits.ts';
import { pump } from '../../src/shared/pump.ts';
import { socketDuplex } from '../../src/shared/socket-duplex.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { makeProof, type SignedIn } from '../support/identity-gateway.ts';
import { startStack, type Stack } from '../support/stack.ts';

let server: PostgresServer;
let stack: Stack;
beforeAll(async () => {
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server });
  await stack.addUser('alice');
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});

const soon = { timeout: 40_000 };

const client = ({ port, user, password, database }: Awaited<ReturnType<typeof connectTo>>) =>
  new pg.Client({ host: '127.0.0.1', port, user, password, database });

/** A session whose local port takes connections as they come: who asks there is not what this is about, and takes its time. */
async function connectTo(stack: Stack, user: SignedIn) {
  const tunnel = await openSessionTunnel({
    gateway: stack.gateway.url,
    resource: 'orders-db',
    authorize: async (method, url) => ({
      authorization: `DPoP ${user.accessToken}`,
      dpop: await makeProof(user.key, { htm: method, htu: url, accessToken: user.accessToken }),
    }),
    signal: new AbortController().signal,
  });
  const port = createServer({ allowHalfOpen: true }, (socket) => {
    void tunnel.openStream({}).then((stream) => pump(socketDuplex(socket), stream));
  }).listen(0, '127.0.0.1');
  await once(port, 'listening');
  const close = async () => {
    port.close();
    await tunnel.close();
  };
  return { ...tunnel.opened.credential, port: (port.address() as AddressInfo).port, close };
}

/** A program that connects and says nothing. */
async function idle(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function letIn(program: pg.Client): Promise<boolean> {
  program.on('error', () => undefined);
  return program.connect().then(
    () => program.end().then(() => true),
    () => false,
  );
}

/** https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS */
async function cancel({ processID, secretKey }: pg.Client & { processID?: number; secretKey?: number }, port: number) {
  const request = Buffer.alloc(16);
  for (const [index, value] of [16, 80877102, processID!, secretKey!].entries()) request.writeInt32BE(value, index * 4);
  (await idle(port)).end(request);
}

test('one connection too many is told so in its own protocol, the record has it, and a statement can still be cancelled', async () => {
  const alice = await stack.signIn('alice');
  const connected = await connectTo(stack, alice);
  const running = client(connected);
  await running.connect();
  const count = limits.streamsPerSessionMax - 1;
  const idlers = await Promise.all(Array.from({ length: count }, () => idle(connected.port)));

  const refused = client(connected).connect();
  await expect(refused).rejects.toMatchObject({
    code: '53300',
    severity: 'FATAL',
    message: expect.stringMatching(/256 connections already.*close some/),
  });
  const asleep = running.query('select pg_sleep(60)').catch((error: pg.DatabaseError) => error.code);
  await expect
    .poll(async () => (await stack.statements(alice)).map(({ text }) => text), soon)
    .toContain('select pg_sleep(60)');
  await cancel(running, connected.port);
  expect(await asleep).toBe('57014');

  for (const socket of idlers) socket.destroy();
  await expect.poll(() => letIn(client(connected)), soon).toBe(true); // as soon as the gateway has seen them leave
  await running.end();
  await connected.close();
  const refusals = (await stack.statements(alice)).filter(({ verb }) => verb === 'refusal');
  expect(new Set(refusals.map(({ outcome }) => outcome?.errorCode))).toEqual(new Set(['too-many-streams']));
}, 120_000);

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { limits } from '../../src/shared/limits.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';

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

const soon = { timeout: 20_000 };

const client = ({ port, user, password, database }: Connected) =>
  new pg.Client({ host: '127.0.0.1', port, user, password, database });

/** A program that connects and says nothing. */
async function idle(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS */
async function cancel({ processID, secretKey }: pg.Client & { processID?: number; secretKey?: number }, port: number) {
  const request = Buffer.alloc(16);
  for (const [index, value] of [16, 80877102, processID!, secretKey!].entries()) request.writeInt32BE(value, index * 4);
  (await idle(port)).end(request);
}

test('one connection too many is told so in its own protocol, the record has it, and a statement can still be cancelled', async () => {
  const alice = await stack.signIn('alice');
  const connected = await stack.connect(alice);
  const running = client(connected);
  await running.connect();
  const idlers = await Promise.all(Array.from({ length: limits.streamsPerSessionMax - 1 }, () => idle(connected.port)));
  await expect.poll(() => connected.states.at(-1), soon).toMatchObject({ streams: limits.streamsPerSessionMax });

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
  await expect.poll(() => connected.states.at(-1), soon).toMatchObject({ streams: 1 });
  const next = client(connected);
  await next.connect();
  await next.end();
  await running.end();
  await connected.close();
  const refusals = (await stack.statements(alice)).filter(({ verb }) => verb === 'refusal');
  expect(refusals.map(({ outcome }) => outcome?.errorCode)).toEqual(['too-many-streams']);
}, 60_000);

import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';

const rows = 300_000;
const rowBytes = 1000;
/** All roles are in this process, each with a window of 1 MiB a stream and its sockets' buffers; the result is 300 MB. */
const growthBytesMax = 96 * 1024 * 1024;

let server: PostgresServer;
let stack: Stack;
let alice: SignedIn;
let connected: Connected;

beforeAll(async () => {
  server = await startAnyPostgres({ database: 'orders' });
  stack = await startStack({ postgres: server });
  await stack.addUser('alice');
  alice = await stack.signIn('alice');
  connected = await stack.connect(alice);
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await server?.stop();
});

async function client(target: Connected | PostgresServer): Promise<pg.Client> {
  const { port, user, password, database } = target;
  const opened = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await opened.connect();
  return opened;
}

test('a client that stops reading stops the database; memory stays flat, nineteen other streams run on', async () => {
  const observer = await client(server);
  const sleeper = await client(connected);
  const others = await Promise.all(Array.from({ length: 19 }, () => client(connected)));
  const { stream } = (sleeper as unknown as { connection: { stream: { pause(): void; resume(): void } } }).connection;
  const before = process.memoryUsage().rss;

  let received = 0;
  const query = new pg.Query(`select repeat('x', ${rowBytes}) from generate_series(1, ${rows})`);
  query.on('row', () => received++);
  const finished = new Promise((resolve, reject) => query.on('end', resolve).on('error', reject));
  sleeper.query(query);
  stream.pause();
  const waits = async () =>
    (
      await observer.query(
        "select wait_event from pg_stat_activity where query like 'select repeat%' and wait_event = 'ClientWrite'",
      )
    ).rows;
  await expect.poll(waits, { timeout: 20_000 }).toEqual([{ wait_event: 'ClientWrite' }]);

  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(
      others.map((other, n) => other.query('select $1::int + $2::int as sum', [n, round])),
    );
    expect(answers.map(({ rows: [row] }) => (row as { sum: number }).sum)).toEqual(others.map((_, n) => n + round));
  }
  expect(await waits()).toEqual([{ wait_event: 'ClientWrite' }]);
  expect(process.memoryUsage().rss - before).toBeLessThan(growthBytesMax);

  stream.resume();
  await finished;
  expect(received).toBe(rows);
  await Promise.all([observer, sleeper, ...others].map((one) => one.end()));
  await connected.idle();
  const asked = (await stack.statements(alice, connected.session)).filter(
    ({ verb }) => verb === 'query' || verb === 'execute',
  );
  expect(asked).toHaveLength(1 + 19 * 20);
  expect(asked[0]?.outcome).toMatchObject({ status: 'ok', tag: `SELECT ${rows}` });
  expect(asked[0]?.outcome?.resultBytes).toBeGreaterThan(rows * rowBytes);
}, 90_000);

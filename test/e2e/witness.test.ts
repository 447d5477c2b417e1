import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { Archive } from '../../src/store/archive.ts';
import { hashOf } from '../support/hostile-gateway.ts';
import { aliceAtOrders, at } from '../support/alice.ts';

const here = aliceAtOrders();

const listed = (): Record<string, unknown>[] =>
  readFileSync(join(here.stack.agentStateDir, 'witness.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('several programs in one session: the agent’s list ends with the seal of the recording', async () => {
  const connected = await here.stack.connect(here.alice);
  const clients = await Promise.all(
    [1, 2, 3].map(async () => {
      const client = new Client(at(connected));
      await client.connect();
      return client;
    }),
  );
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(clients.map((client, place) => client.query('select $1::int + $2 as sum', [round, place])));
    expect(answers.map(({ rows }) => rows[0].sum)).toEqual([round, round + 1, round + 2]);
  }
  const text = 'x'.repeat(300_000); // more than the agent is given to check
  expect((await clients[0]!.query(`select length('${text}') as length`)).rows[0].length).toBe(300_000);
  const { session } = connected;
  await Promise.all(clients.map((client) => client.end()));
  await connected.close();

  await expect.poll(() => listed().find((head) => head['session'] === session && head['sealed'])).toBeDefined();
  const archive = new Archive(here.stack.dataDir);
  const entries: Buffer[] = [];
  for await (const entry of archive.read((await archive.find(session))!)) entries.push(entry);
  expect(listed().findLast((head) => head['session'] === session)).toEqual({
    session,
    seq: entries.length - 1,
    hash: hashOf(entries.at(-1)!),
    sealed: true,
  });
});

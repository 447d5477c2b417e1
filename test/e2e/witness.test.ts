import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { witnessList } from '../../src/agent/witness-export.ts';
import { seqOf } from '../../src/recording/entry-codec.ts';
import { parseWitnessList } from '../../src/recording/witness-list.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { Archive } from '../../src/store/archive.ts';
import { hashOf } from '../support/hostile-gateway.ts';
import { sessionText } from '../../src/ui/session-text.ts';
import { aliceAtOrders, at } from '../support/alice.ts';

const here = aliceAtOrders();
/** The list is written at most a second after the news. */
const within = { timeout: 5000 };

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
    const answers = await Promise.all(
      clients.map((client, place) => client.query('select $1::int + $2 as sum', [round, place])),
    );
    expect(answers.map(({ rows }) => rows[0].sum)).toEqual([round, round + 1, round + 2]);
  }
  const text = 'x'.repeat(300_000); // more than the agent is given to check
  expect((await clients[0]!.query(`select length('${text}') as length`)).rows[0].length).toBe(300_000);
  const { session } = connected;
  await Promise.all(clients.map((client) => client.end()));
  await connected.close();

  await expect.poll(() => listed().find((head) => head['session'] === session && head['sealed']), within).toBeDefined();
  const archive = new Archive(here.stack.dataDir);
  const entries: Buffer[] = [];
  for await (const entry of archive.read((await archive.find(session))!)) entries.push(entry);
  expect(listed().findLast((head) => head['session'] === session)).toEqual({
    session,
    seq: seqOf(entries.at(-1)!),
    hash: hashOf(entries.at(-1)!),
    sealed: true,
  });
});

async function ask(client: Client, word: string): Promise<void> {
  expect((await client.query(`select '${word}' as word`)).rows).toEqual([{ word }]);
}

test('the agent is away when a session ends: it is shown the end when it comes back', async () => {
  const connected = await here.stack.connect(here.alice);
  const client = new Client(at(connected));
  client.on('error', () => undefined); // it is cut off
  await client.connect();
  await ask(client, 'before');
  const { session } = connected;
  await here.stack.stopAgent();
  expect(listed().findLast((head) => head['session'] === session)).toMatchObject({ sealed: false });
  await here.stack.startAgent();
  await expect.poll(() => listed().find((head) => head['session'] === session && head['sealed']), within).toBeDefined();
  expect(here.stack.logs.join('\n')).not.toContain('ALARM');
  await connected.close();
});

test('a gateway whose record is put back to an earlier one is found out by the agent, and its log says so for good', async () => {
  const { dataDir } = here.stack;
  const kept = mkdtempSync(join(tmpdir(), 'hoop-kept-'));
  const connected = await here.stack.connect(here.alice);
  const client = new Client(at(connected));
  client.on('error', () => undefined);
  await client.connect();
  await ask(client, 'kept');
  cpSync(dataDir, kept, { recursive: true });
  for (let count = 0; count < 10; count++) await ask(client, `lost ${count}`);
  const { session } = connected;
  await here.stack.stopAgent();
  await connected.close();
  await here.stack.restartGateway(() => {
    rmSync(dataDir, { recursive: true });
    cpSync(kept, dataDir, { recursive: true });
  });
  rmSync(kept, { recursive: true });
  await here.stack.startAgent();
  const alarms = () => here.stack.logs.filter((line) => line.startsWith('ALARM') && line.includes(session));
  await expect.poll(alarms, within).toHaveLength(2); // the agent's and the gateway's
  expect(alarms()[0]).toContain('the record was cut off');
  const acts = join(dataDir, 'acts');
  const words = () => readdirSync(acts).map((name) => readFileSync(join(acts, name), 'utf8'));
  const refusals = () => words().filter((text) => text.includes('witness.refused'));
  await expect.poll(() => refusals().join(), within).toContain(`"session":"${session}"`);
  expect(refusals().join()).toContain('"verdict":"TRUNCATED"');
  await expect.poll(() => shown(session), within).toMatchObject({ state: 'truncated', reason: 'interrupted' });
  const nothingMore = { streams: [], slowest: [], failed: [] };
  expect(sessionText(await shown(session), nothingMore, { word: 'TRUNCATED', isGood: false })).toContain(
    'the agent has seen entries of it that are not in this record',
  );

  const seen = parseWitnessList(await witnessList(here.stack.agentStateDir));
  const report = await verifyDataDir(dataDir, { keys: [], witnesses: [], seen });
  expect(report.sessions.find((one) => one.session === session)).toMatchObject({
    verdict: 'TRUNCATED',
    why: expect.stringContaining('the agent has seen entry'),
  });

  // It stays so: after a restart, with a catalog made anew, and however often the agent says it.
  await here.stack.stopAgent();
  await here.stack.restartGateway(() => rmSync(join(dataDir, 'catalog.db')));
  expect(await shown(session)).toMatchObject({ state: 'truncated' });
  await here.stack.startAgent();
  await expect.poll(alarms, within).toHaveLength(4);
  expect(refusals()).toHaveLength(1);
});

const shown = (id: string) => here.stack.session(here.alice, id);

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, expect, test } from 'vitest';
import { loadAgentKey } from '../../src/agent/key.ts';
import { witnessList } from '../../src/agent/witness-export.ts';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import {
  cosignedAt,
  formatVerifierKey,
  noteHolds,
  parseVerifierKey,
  type VerifierKey,
} from '../../src/recording/note.ts';
import { agentWitnessKey } from '../../src/recording/witness-key.ts';
import { parseWitnessList } from '../../src/recording/witness-list.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { aliceAtOrders, at } from '../support/alice.ts';
import { Cli } from '../support/cli.ts';
import { password } from '../support/identity-gateway.ts';
import { until } from '../support/until.ts';

const here = aliceAtOrders();
const cli = new Cli();
afterAll(() => cli.remove());

const fetched = async (path: string): Promise<string> => (await fetch(`${here.stack.gateway.url}${path}`)).text();

/** As its owner knows it, not as the gateway shows it. */
async function agentKey(): Promise<VerifierKey> {
  const { publicKey } = await loadAgentKey(here.stack.agentStateDir);
  return agentWitnessKey(Buffer.from(publicKey, 'base64url'));
}

async function cosigned(): Promise<{ size: number; seconds: number } | undefined> {
  const { checkpoint, note } = parseCheckpoint(await fetched('/log/checkpoint'));
  const seconds = cosignedAt(note, await agentKey());
  return seconds === undefined ? undefined : { size: checkpoint.size, seconds };
}

/** What the agent remembers. */
const remembered = (): { key: string; checkpoint: string } =>
  JSON.parse(readFileSync(join(here.stack.agentStateDir, 'witnessed-log.json'), 'utf8')) as never;

const rememberedSize = (): number => parseCheckpoint(remembered().checkpoint).checkpoint.size;

async function oneSession(words: string[]): Promise<string> {
  const connected = await here.stack.connect(here.alice);
  const client = new Client(at(connected));
  await client.connect();
  for (const word of words) expect((await client.query(`select '${word}' as word`)).rows).toEqual([{ word }]);
  await client.end();
  await connected.close();
  return connected.session;
}

test('each checkpoint that is served has the agent’s cosignature a moment later, with the log’s own', async () => {
  let before = 0;
  for (const word of ['one', 'two', 'three']) {
    await oneSession([word]);
    await until(async () => ((await cosigned())?.size ?? 0) > before);
    const { checkpoint, note } = parseCheckpoint(await fetched('/log/checkpoint'));
    expect(noteHolds(note, parseVerifierKey(await fetched('/log/key'))!)).toBe(true);
    expect(checkpoint.size).toBeGreaterThan(before);
    before = checkpoint.size;
  }
  const [, file] = (await agentKey()).name.split('/');
  expect(readdirSync(join(here.stack.dataDir, 'log/cosigned'))).toContain(file);
});

test('the agent remembers what it cosigned, and the key that it pinned, before the gateway has the cosignature', async () => {
  const { size } = (await cosigned())!;
  expect(rememberedSize()).toBeGreaterThanOrEqual(size);
  expect(remembered().key).toBe((await fetched('/log/key')).trim());
});

test('an agent that comes back goes on where it stopped', async () => {
  const before = rememberedSize();
  await here.stack.stopAgent();
  await here.stack.startAgent();
  await oneSession(['again']);
  await until(async () => ((await cosigned())?.size ?? 0) > before);
  expect(here.stack.logs.join('\n')).not.toContain('ALARM');
});

test('who watches the gateway sees who cosigns, and how far', async () => {
  const { witnesses } = JSON.parse(await fetched('/log/witnesses')) as {
    witnesses: { key: string; cosigned: number }[];
  };
  expect(witnesses.map(({ key }) => parseVerifierKey(key))).toEqual([await agentKey()]);
  expect(witnesses[0]!.cosigned).toBeGreaterThan(0);
  expect(JSON.parse(await fetched('/healthz'))).toMatchObject({ status: 'ok', log: { cosigning: 1, declined: 0 } });
});

test('the client pins the agent’s key at the sign-in, and wants its cosignature from then on', async () => {
  const session = await oneSession(['pinned']);
  const { stack } = here;
  expect(await cli.login('alice', password, ['--gateway', stack.gateway.url, '--token-store', 'file'])).toMatchObject({
    code: 0,
  });
  const { code, stdout } = await cli.run(['verify', session]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^VALID/)]);
  const { name } = await agentKey();
  expect(stdout).toContain(`db-agent, independent (outside the gateway’s process); cosigned by ${name}`);
  const path = join(cli.configDir, 'settings.json');
  const settings = readFileSync(path, 'utf8');
  const another = formatVerifierKey(agentWitnessKey(Buffer.alloc(32, 7)));
  writeFileSync(path, settings.replace(formatVerifierKey(await agentKey()), another));
  expect(await cli.run(['verify', session])).toMatchObject({ code: 21, stdout: expect.stringMatching(/^UNWITNESSED/) });
  const { stderr } = await cli.run(['resources']);
  expect(stderr).toContain('The agent db-agent cosigns with another key');
});

/** Of the gateway's data directory, by what the agent has seen. */
async function verdictWithList(): Promise<string> {
  const seen = parseWitnessList(await witnessList(here.stack.agentStateDir));
  const trust = { keys: [parseVerifierKey(await fetched('/log/key'))!], witnesses: seen.keys, seen };
  return (await verifyDataDir(here.stack.dataDir, trust)).verdict;
}

/** The data directory as it was, put back under a gateway that has gone on. */
async function rolledBack(meanwhile: () => Promise<unknown>): Promise<void> {
  const { dataDir } = here.stack;
  const kept = mkdtempSync(join(tmpdir(), 'hoop-kept-'));
  await here.stack.restartGateway(() => cpSync(dataDir, kept, { recursive: true }));
  await meanwhile();
  await here.stack.stopAgent();
  await here.stack.restartGateway(() => {
    rmSync(dataDir, { recursive: true });
    cpSync(kept, dataDir, { recursive: true });
  });
  rmSync(kept, { recursive: true });
}

test('a log that was rolled back gets no cosignature: both logs, the transparency log and /healthz say so', async () => {
  await rolledBack(async () => {
    await here.stack.stopAgent();
    await here.stack.startAgent();
    const before = rememberedSize();
    for (const word of ['five', 'six', 'seven', 'eight', 'nine']) await oneSession([word]);
    await until(() => rememberedSize() > before + 9);
  });
  const held = remembered().checkpoint;
  await here.stack.startAgent();
  const alarms = () => here.stack.logs.filter((line) => line.startsWith('ALARM') && line.includes('LOG_ROLLBACK'));
  await until(() => alarms().length === 2, { what: () => here.stack.logs.join('\n') }); // the agent's and the gateway's
  expect(JSON.parse(await fetched('/healthz'))).toMatchObject({ log: { cosigning: 0, declined: 1 } });
  const acts = join(here.stack.dataDir, 'acts');
  const words = () => readdirSync(acts).map((name) => readFileSync(join(acts, name), 'utf8'));
  await until(() => words().some((text) => text.includes('witness.declined') && text.includes('LOG_ROLLBACK')));
  expect(remembered().checkpoint).toBe(held);
  expect(await verdictWithList()).toBe('LOG_ROLLBACK');
});

test('nor does one that has grown on from there: it is another log', async () => {
  const size = rememberedSize();
  await here.stack.stopAgent();
  const now = async () => parseCheckpoint(await fetched('/log/checkpoint')).checkpoint.size;
  while ((await now()) <= size) await here.stack.restartGateway(); // BOOT is a leaf
  await here.stack.startAgent();
  const alarms = () => here.stack.logs.filter((line) => line.startsWith('ALARM') && line.includes('FORK'));
  await until(() => alarms().length === 2, { what: () => here.stack.logs.join('\n') });
  expect(await verdictWithList()).toBe('FORK');
  await oneSession(['served all the same']);
  expect(await cosigned()).toBeUndefined();
});

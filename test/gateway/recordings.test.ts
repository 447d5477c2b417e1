import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { Archive } from '../../src/store/archive.ts';
import { call, type SignedIn } from '../support/identity-gateway.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let postgres: PostgresServer;
let stack: Stack;
const users: Record<string, SignedIn> = {};

beforeAll(async () => {
  postgres = await startAnyPostgres();
  stack = await startStack({ postgres, resource: { results: 'rows' } });
  for (const [name, role] of [
    ['ada', 'user'],
    ['root', 'admin'],
    ['eve', 'auditor'],
  ] as const) {
    await stack.addUser(name, role);
    users[name] = await stack.signIn(name);
  }
}, 120_000);

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await postgres?.stop();
});

/** A session with these statements, each with one parameter, ended and sealed; another one lives on beside it, as in a busy gateway. */
async function recorded(texts: string[], parameter: string): Promise<string> {
  const local = await stack.connect(users['ada']!);
  const { port, user, password, database } = local;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  for (const text of texts) await client.query(text, [parameter]);
  await client.end();
  const { session } = local;
  await local.idle();
  await local.close();
  await until(async () => (await new Archive(stack.dataDir).find(session)) !== undefined);
  return session;
}

const as = (name: string, method: string, path: string, body?: unknown) =>
  call(stack.gateway, users[name]!, method, path, body);

function filesWith(secret: string, directory = stack.dataDir): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(directory, name);
    return statSync(path).isFile() && readFileSync(path).includes(secret);
  });
}

/** Text and parameters are compressed where they are sealed. */
async function archived(session: string): Promise<string> {
  const archive = new Archive(stack.dataDir);
  const recording = await archive.find(session);
  const entries: Buffer[] = [];
  for await (const entry of archive.read(recording!)) entries.push(entry);
  return Buffer.concat(entries).toString('latin1');
}

/** By the log: as soon as it has the session's end. */
async function verified(session: string) {
  const one = async () => (await verifyDataDir(stack.dataDir, { keys: [], witnesses: [] }, { session })).sessions[0]!;
  await until(async () => (await one()).verdict !== 'VALID_OPEN');
  return one();
}

const seqOf = async (session: string, part: string): Promise<number> =>
  (await stack.statements(users['ada']!, session)).find(({ text }) => text?.includes(part))!.seq;

test('what is erased is nowhere, the rest verifies, and replay says when and by whom', async () => {
  const other = await stack.connect(users['ada']!); // its session keeps the journal’s segment
  const session = await recorded(['select $1::text as sesame_text', 'select $1::text as harmless'], 'sesame-parameter');
  expect(filesWith('sesame_text')).not.toEqual([]); // journal, catalog
  expect(await archived(session)).toContain('sesame_text');
  const seq = await seqOf(session, 'sesame_text');
  const harmless = await seqOf(session, 'harmless');

  const answer = await as('root', 'POST', `/recordings/${session}/erase`, { seq, reason: 'case 118' });
  expect(answer).toMatchObject({ status: 200, body: { session } });
  expect(answer.body.entries).toContain(seq);
  const again = await as('root', 'POST', `/recordings/${session}/erase`, { seq: harmless });
  expect(again.status).toBe(200);

  expect(filesWith('sesame')).toEqual([]);
  expect(await archived(session)).not.toContain('sesame');
  expect(await verified(session)).toMatchObject({ verdict: 'VALID_ERASED', why: expect.stringContaining('erased') });
  const shown = await stack.statements(users['ada']!, session);
  expect(shown.find((one) => one.seq === seq)).toMatchObject({
    text: null,
    erased: { by: 'root', at: expect.any(String) },
  });
  const { statements } = await stack.session(users['ada']!, session);
  expect(statements).toBe(2);

  const before = other.states.length;
  await stack.restartGateway();
  await other.until('ready', before); // the agent is back for the tests that follow
  expect(filesWith('sesame')).toEqual([]);
  expect((await stack.statements(users['ada']!, session)).map(({ erased }) => erased?.by)).toContain('root');
  await other.close();
});

test('a live session is not erased, nor the entries that say what a recording is', async () => {
  const local = await stack.connect(users['ada']!);
  const live = await as('root', 'POST', `/recordings/${local.session}/erase`, { seq: 1 });
  expect(live).toMatchObject({
    status: 400,
    body: { error: { code: 'HOOP_USAGE', next: expect.stringContaining('end it') } },
  });
  await local.close();
  const session = await recorded(['select $1::text'], 'x');
  expect((await as('root', 'POST', `/recordings/${session}/erase`, { seq: 0 })).status).toBe(400);
  expect((await as('root', 'POST', `/recordings/${session}/erase`, { seq: 9999 })).status).toBe(404);
  expect(await verified(session)).toMatchObject({ verdict: 'VALID' });
});

test('a hold stops an erasure, until it is released', async () => {
  const session = await recorded(['select $1::text as kept_by_hold'], 'x');
  const seq = await seqOf(session, 'kept_by_hold');
  const held = await as('root', 'PUT', `/recordings/${session}/hold`, { reason: 'case 7' });
  expect(held.body).toMatchObject({ session, reason: 'case 7', heldBy: 'root' });
  const refused = await as('root', 'POST', `/recordings/${session}/erase`, { seq });
  expect(refused).toMatchObject({ status: 403, body: { error: { code: 'HOOP_DENIED' } } });
  expect(await archived(session)).toContain('kept_by_hold');
  expect((await as('eve', 'GET', '/recordings/stats')).body.holds).toMatchObject([{ session }]);
  expect((await as('root', 'DELETE', `/recordings/${session}/hold`)).status).toBe(204);
  expect((await as('root', 'DELETE', `/recordings/${session}/hold`)).status).toBe(404);
  expect((await as('root', 'POST', `/recordings/${session}/erase`, { seq })).status).toBe(200);
});

test('only administrators erase, hold and release; auditors see what recordings take; each act is recorded', async () => {
  const session = await recorded(['select $1::text'], 'x');
  for (const name of ['ada', 'eve']) {
    expect((await as(name, 'POST', `/recordings/${session}/erase`, { seq: 3 })).status).toBe(403);
    expect((await as(name, 'PUT', `/recordings/${session}/hold`)).status).toBe(403);
    expect((await as(name, 'DELETE', `/recordings/${session}/hold`)).status).toBe(403);
  }
  expect((await as('ada', 'GET', '/recordings/stats')).status).toBe(403);
  const { body } = await as('eve', 'GET', '/recordings/stats');
  expect(body.recordings).toBeGreaterThan(2);
  expect(body.bytes).toBeGreaterThan(1000);
  expect(body.bytesPerStatement).toBeGreaterThan(100);
  expect(body.resources).toMatchObject([{ resource: 'orders-db', recordings: body.recordings }]);
  const acts = readdirSync(join(stack.dataDir, 'acts')).map((name) =>
    readFileSync(join(stack.dataDir, 'acts', name), 'utf8'),
  );
  for (const act of ['recording-erased', 'recording-held', 'recording-released'])
    expect(acts.filter((text) => text.includes(`"${act}"`)).every((text) => text.includes('"by":"root"'))).toBe(true);
  expect(acts.some((text) => text.includes('case 118'))).toBe(true);
});

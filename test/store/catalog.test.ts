import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { reindex } from '../../src/gateway/reindex.ts';
import { loadProtocols } from '../../src/protocol/registry.ts';
import { sessionsQuerySchema, type Session } from '../../src/shared/api.ts';
import { openCatalogDatabase } from '../../src/store/catalog-database.ts';
import { query, sessionFacts, startTestRecorder, type TestRecorder } from '../support/recorder.ts';

beforeAll(loadProtocols);
let test: TestRecorder;
beforeEach(async () => {
  test = await startTestRecorder();
});
afterEach(() => test.remove());

async function record(user: string, resource: string, ...texts: string[]): Promise<string> {
  const facts = sessionFacts();
  const session = test.recorder.openSession({
    ...facts,
    principal: { ...facts.principal, user },
    resource: { ...facts.resource, name: resource },
  });
  const stream = session.stream(1);
  for (const text of texts) stream.append({ kind: 'outcome', of: stream.append(query(text)), status: 'ok' });
  await session.seal('client_closed');
  return session.id;
}

const list = (filter: object = {}, user?: string) => test.catalog.list(sessionsQuerySchema.parse(filter), user);
const ids = (sessions: Session[]) => sessions.map(({ id }) => id);

describe('looking for sessions', () => {
  it('lists the newest first, by every filter', async () => {
    const one = await record('alice', 'orders-db');
    const two = await record('bob', 'orders-db');
    const three = await record('alice', 'other-db');
    expect(ids(list())).toEqual([three, two, one]);
    expect(ids(list({ limit: 2 }))).toEqual([three, two]);
    expect(ids(list({ user: 'alice' }))).toEqual([three, one]);
    expect(ids(list({ user: 'alice', resource: 'orders-db' }))).toEqual([one]);
    expect(ids(list({ actor: 'nobody' }))).toEqual([]);
    expect(ids(list({ state: 'live' }))).toEqual([]);
    const { startedAt } = list()[1]!;
    expect(ids(list({ until: startedAt }))).toEqual([one]);
    expect(ids(list({ since: startedAt.replace('Z', '+00:00') }))).toEqual([three, two]);
  });

  it('does not let a user see that others’ sessions exist', async () => {
    const hers = await record('alice', 'orders-db');
    const his = await record('bob', 'orders-db');
    expect(ids(list({}, 'alice'))).toEqual([hers]);
    expect(ids(list({ user: 'bob' }, 'alice'))).toEqual([]);
    expect(test.catalog.find('last', 'alice').id).toBe(hers);
    expect(() => test.catalog.find(his, 'alice')).toThrow(expect.objectContaining({ code: 'HOOP_NOT_FOUND' }));
  });

  it('takes a unique prefix, names the candidates of another, and finds nothing by a trick', async () => {
    const all: string[] = [];
    for (let count = 0; count < 33; count++) all.push(await record('alice', 'r')); // more than first characters
    const [first] = all;
    expect(test.catalog.find(first!).id).toBe(first);
    expect(test.catalog.find(first!.slice(0, 12).toUpperCase()).id).toBe(first);
    const shared = all.map((id) => id[0]!).find((letter, index, letters) => letters.indexOf(letter) !== index)!;
    const candidates = all.filter((id) => id.startsWith(shared));
    expect(() => test.catalog.find(shared)).toThrow(
      expect.objectContaining({ code: 'HOOP_USAGE', message: expect.stringContaining(candidates.toSorted()[0]!) }),
    );
    for (const typed of ['', '%', '_', "' or 1=1 --", '~', 'lasting']) {
      expect(() => test.catalog.find(typed)).toThrow(expect.objectContaining({ code: 'HOOP_NOT_FOUND' }));
    }
  });

  it('says so when there is none', () => {
    expect(() => test.catalog.find('last')).toThrow(/no session yet/);
  });
});

describe('a catalog that was lost', () => {
  const rows = () => {
    const database = openCatalogDatabase(join(test.dataDir, 'catalog.db'));
    const all = ['sessions order by id', 'statements order by id'].map((from) => database.all(`select * from ${from}`));
    database.close();
    return all.map((table) => table.map(({ _metadata, ...row }) => row));
  };

  it('has the same rows again after `hoop gateway reindex`', async () => {
    const long = `select '${'é'.repeat(20_000)}'`;
    await record('alice', 'orders-db', 'select 1', 'select 2', long);
    await record('bob', 'other-db', 'drop table orders');
    const open = test.recorder.openSession(sessionFacts());
    open.stream(1).append(query('select pg_sleep(9)'));
    await open.durable();
    test = await test.reopen(); // one of them was interrupted
    await test.close();
    const before = rows();
    expect(before[0]).toHaveLength(3);
    expect(before[1]!.map((row) => row['text'])).toContain('drop table orders');
    const kept = String(before[1]!.find((row) => String(row['text']).startsWith("select 'é"))!['text']);
    expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(16 * 1024);
    expect(long.startsWith(kept)).toBe(true);
    expect(await reindex(test.dataDir)).toEqual({ sessions: 3 });
    expect(rows()).toEqual(before);
    test = await startTestRecorder({ dataDir: test.dataDir });
  });

  it.each([
    ['rubbish', (bytes: Buffer) => createHash('sha256').update(bytes).digest()],
    ['a torn page', (bytes: Buffer) => bytes.subarray(0, 100)],
  ])('is made anew at the start when its file is %s', async (_, damage) => {
    const id = await record('alice', 'orders-db', 'select 1');
    await test.close();
    const path = join(test.dataDir, 'catalog.db');
    writeFileSync(path, damage(readFileSync(path)));
    test = await test.reopen();
    expect(test.catalog.find(id)).toMatchObject({ state: 'sealed', statements: 1 });
  });
});

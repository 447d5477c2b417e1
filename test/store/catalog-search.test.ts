import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadProtocols, protocolNamed } from '../../src/protocol/registry.ts';
import { sessionsQuerySchema } from '../../src/shared/api.ts';
import { openCatalogDatabase } from '../../src/store/catalog-database.ts';
import { catalogRecording } from '../../src/store/catalog-recording.ts';
import { sessionsText, wordsText } from '../../src/store/catalog-search.ts';
import { query, sessionFacts, startTestRecorder, type TestRecorder } from '../support/recorder.ts';

let test: TestRecorder;
beforeAll(loadProtocols);
beforeEach(async () => {
  test = await startTestRecorder();
});
afterEach(() => test.remove());

async function record(user: string, texts: string[], status: 'ok' | 'error' = 'ok'): Promise<string> {
  const facts = sessionFacts();
  const session = test.recorder.openSession({ ...facts, principal: { ...facts.principal, user } });
  const stream = session.stream(1);
  for (const text of texts) stream.append({ kind: 'outcome', of: stream.append(query(text)), status });
  await session.seal('client_closed');
  return session.id;
}

const page = (filter: object, user?: string) => test.catalog.page(sessionsQuerySchema.parse(filter), user);
const ids = (filter: object, user?: string) => page(filter, user).sessions.map(({ id }) => id);

describe('looking for what was done', () => {
  it('finds words in their order, beginnings, and nothing by the search engine’s own syntax', async () => {
    const dropped = await record('alice', ['select 1', 'DROP TABLE order_items']);
    const read = await record('bob', ['select * from order_items where note = $$table drop$$']);
    expect(ids({ text: 'drop table' })).toEqual([dropped]);
    expect(ids({ text: 'order_items' })).toEqual([read, dropped]);
    expect(ids({ text: 'order_it*' })).toEqual([read, dropped]);
    expect(ids({ text: 'order_items' }, 'alice')).toEqual([dropped]);
    expect(page({ text: 'drop table' }).sessions[0]).toMatchObject({ match: 4 });
    for (const text of ['nothing OR drop', '" OR text:drop', 'NEAR(drop table)', '-nothing'])
      expect(ids({ text })).toEqual([]);
    expect(() => page({ text: '***' })).toThrow(expect.objectContaining({ code: 'HOOP_USAGE' }));
  });

  it('by class and by errors, each with the others', async () => {
    const wrote = await record('alice', ['update orders set a = 1 where id = 1']);
    const made = await record('bob', ['create table t (a int)'], 'error');
    const gone = await record('alice', ['delete from orders']);
    await record('alice', ['select 1', 'begin']);
    expect(ids({ class: 'write' })).toEqual([gone, wrote]);
    expect(ids({ class: 'ddl' })).toEqual([made]);
    expect(ids({ class: 'dangerous' })).toEqual([gone]);
    expect(ids({ errors: 'true' })).toEqual([made]);
    expect(ids({ class: 'write', text: 'orders', user: 'alice', limit: 1 })).toEqual([gone]);
    expect(ids({ class: 'write', errors: 'true' })).toEqual([]);
  });

  it.each([{}, { text: 'select' }, { text: 'select', user: 'alice' }])(
    'gives pages without a gap or a repeat: %j',
    async (filter) => {
      const all: string[] = [];
      for (let count = 0; count < 11; count++)
        all.unshift(await record(count % 3 ? 'alice' : 'bob', [`select ${count}`]));
      const wanted = 'user' in filter ? ids({ user: 'alice' }) : all;
      const seen: string[] = [];
      let after: string | null | undefined;
      while (after !== null) {
        const { sessions, next } = page({ ...filter, limit: 3, ...(after === undefined ? {} : { after }) });
        seen.push(...sessions.map(({ id }) => id));
        after = next;
      }
      expect(seen).toEqual(wanted);
      expect(() => page({ after: all[10] }, 'carol')).toThrow(expect.objectContaining({ code: 'HOOP_NOT_FOUND' }));
    },
  );

  it('has an index for every filter, in the order of the list', () => {
    const database = openCatalogDatabase(join(test.dataDir, 'catalog.db'));
    const plan = (text: string, values: (string | number)[]) =>
      database
        .all(`explain query plan ${text}`, ...values)
        .map(({ detail }) => String(detail))
        .join('\n');
    const filters = [
      {},
      { user: 'a' },
      { actor: 'a' },
      { resource: 'a' },
      { state: 'live' },
      { errors: 'true' },
      { class: 'write' },
      { class: 'ddl' },
      { class: 'dangerous' },
      { since: '2026-11-22T00:00:00Z' },
      { user: 'a', class: 'ddl' },
    ];
    for (const filter of filters) {
      const { text, values } = sessionsText(sessionsQuerySchema.parse(filter), 'user' in filter ? 'a' : undefined, {
        from: 0,
        below: 9,
      });
      const used = plan(text, [...values, 50]);
      expect(used).toMatch(/^SEARCH sessions USING INDEX sessions_\w+/);
      expect(used).not.toMatch(/TEMP B-TREE|SCAN/);
    }
    expect(plan(wordsText, ['"a"', 9, 0])).toMatch(/^SCAN statement_words VIRTUAL TABLE INDEX \d+:.*M/);
    database.close();
  });

  it('what is erased cannot be found, and is in no file of the catalog', async () => {
    const id = await record('alice', ['select geheimniskraemer', 'select 2']);
    const bytes = () =>
      readdirSync(test.dataDir)
        .filter((name) => name.startsWith('catalog.db'))
        .map((name) => readFileSync(join(test.dataDir, name), 'latin1'))
        .join('');
    test.catalog.settle();
    expect(bytes()).toContain('geheimniskraemer');
    const without = async function* () {
      for await (const entry of test.recorder.readEntries(id))
        if (entry.body.kind !== 'statement' || !Buffer.from(entry.body.text!).includes('geheim')) yield entry;
    };
    await catalogRecording(test.catalog, id, without());
    test.catalog.settle();
    expect(ids({ text: 'geheimniskraemer' })).toEqual([]);
    expect(ids({ text: 'select 2' })).toEqual([id]);
    expect(bytes()).not.toContain('geheim');
  });
});

describe('what a statement does', () => {
  const classes = (protocol: string, text: string) =>
    [...(protocolNamed(protocol)!.classify!(text) ?? [])].toSorted().join(' ');

  it.each([
    ['select 1', ''],
    ['explain select 1', ''],
    ['copy t to stdout', ''],
    ['copy t from stdin', 'write'],
    ["copy t to program 'x'", 'dangerous'],
    ['with a as (delete from t where b returning *) select * from a', 'write'],
    ['explain analyze delete from t', 'dangerous write'],
    ['select * into x from t', 'ddl'],
    ['insert into t values (1); drop table t', 'dangerous ddl write'],
    ['update t set a = 1', 'dangerous write'],
    ['truncate t', 'dangerous write'],
    ['alter table t add b int', 'ddl'],
    ['alter table t drop b', 'dangerous ddl'],
    ['do $$ begin end $$', 'dangerous'],
    ['not sql at all', 'dangerous'],
  ])('PostgreSQL: %s', (text, expected) => expect(classes('postgres', text)).toBe(expected));

  it.each([
    ['get a', ''],
    ['SET a 1', 'write'],
    ['flushall', 'dangerous write'],
    ['', 'dangerous write'],
  ])('Redis: %s', (text, expected) => expect(classes('redis', text)).toBe(expected));
});

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  collect,
  query,
  sessionFacts,
  startTestRecorder,
  statementsIn,
  type TestRecorder,
} from '../support/recorder.ts';

let opened: TestRecorder[] = [];
const start = async (...options: Parameters<typeof startTestRecorder>) => {
  const test = await startTestRecorder(...options);
  opened.push(test);
  return test;
};
afterEach(async () => {
  for (const test of opened.toReversed()) await test.remove();
  opened = [];
});

describe('a session, from open to seal', () => {
  it('is found again, whole and in order', async () => {
    const { recorder, catalog, dataDir } = await start();
    const session = recorder.openSession(sessionFacts());
    await session.durable();
    expect(catalog.find('last')).toMatchObject({
      id: session.id,
      state: 'live',
      user: 'alice',
      actor: 'cursor',
      endedAt: null,
    });
    const stream = session.stream(1, { evidence: { pid: 42, executable: '/usr/bin/psql' } });
    const first = stream.append(query('select 1'));
    stream.append({ kind: 'outcome', of: first, status: 'ok', tag: 'SELECT 1', rows: 1, durationMicros: 12 });
    const second = stream.append(query('select boom'));
    stream.append({ kind: 'outcome', of: second, status: 'error', errorCode: '42703', errorMessage: 'no column' });
    await session.durable();
    expect((await collect(recorder.readEntries(session.id))).map(({ body }) => body.kind)).toEqual([
      'genesis',
      'stream-open',
      'statement',
      'outcome',
      'statement',
      'outcome',
    ]);
    stream.close('client_closed');
    await session.seal('client_closed');
    expect(catalog.find(session.id.slice(0, 6))).toMatchObject({
      state: 'sealed',
      reason: 'client_closed',
      statements: 2,
      errors: 1,
      streams: 1,
    });
    const entries = await collect(recorder.readEntries(session.id));
    expect(entries.at(-1)?.body).toEqual({
      kind: 'seal',
      reason: 'client_closed',
      entries: 8,
      statements: 2,
      errors: 1,
      streams: 1,
    });
    expect(entries[1]?.body).toEqual({ kind: 'stream-open', facts: { pid: '42', executable: '/usr/bin/psql' } });
    const statements = await statementsIn(recorder.readEntries(session.id), session.id);
    expect(statements.map(({ text, outcome }) => [text, outcome?.status])).toEqual([
      ['select 1', 'ok'],
      ['select boom', 'error'],
    ]);
    const year = readdirSync(join(dataDir, 'recordings'));
    expect(year).toHaveLength(1);
  });

  it('takes nothing after its seal', async () => {
    const { recorder } = await start();
    const session = recorder.openSession(sessionFacts());
    const stream = session.stream(1);
    await session.seal('killed');
    expect(() => stream.append(query('select 1'))).toThrow(/sealed/);
    stream.close('late');
    await session.seal('again');
    expect((await collect(recorder.readEntries(session.id))).at(-1)?.body).toMatchObject({ reason: 'killed' });
  });

  it('answers statements that are open at the end with unknown', async () => {
    const { recorder } = await start();
    const session = recorder.openSession(sessionFacts());
    session.stream(1).append(query('select pg_sleep(10)'));
    await session.seal('killed');
    const [statement] = await statementsIn(recorder.readEntries(session.id));
    expect(statement?.outcome).toEqual({ status: 'unknown' });
  });
});

describe('a restart', () => {
  it('marks what was open as interrupted, and statements without an answer as unknown', async () => {
    const first = await start();
    const session = first.recorder.openSession(sessionFacts());
    const stream = session.stream(1);
    const done = stream.append(query('insert into orders values (1)'));
    stream.append({ kind: 'outcome', of: done, status: 'ok' });
    stream.append(query('insert into orders values (2)'));
    await session.durable();
    const second = await first.reopen();
    opened.push(second);
    expect(second.recorder.interrupted).toBe(1);
    expect(second.catalog.find(session.id)).toMatchObject({
      state: 'interrupted',
      reason: 'interrupted',
      statements: 2,
    });
    const entries = await collect(second.recorder.readEntries(session.id));
    expect(entries.map(({ body }) => body.kind).slice(-5)).toEqual([
      'statement',
      'interrupted',
      'outcome',
      'stream-close',
      'seal',
    ]);
    expect(entries.find(({ body }) => body.kind === 'interrupted')?.body).toMatchObject({ lastDurable: 4 });
    const statements = await statementsIn(second.recorder.readEntries(session.id));
    expect(statements.map(({ outcome }) => outcome?.status)).toEqual(['ok', 'unknown']);
    const third = await second.reopen();
    opened.push(third);
    expect(third.recorder.interrupted).toBe(0);
  });

  it('goes on counting where it was, per gateway and per agent', async () => {
    const first = await start();
    const open = async (test: TestRecorder, agent: string) => {
      const session = test.recorder.openSession(sessionFacts({ agent }));
      await session.seal('client_closed');
      const [genesis] = await collect(test.recorder.readEntries(session.id));
      if (genesis?.body.kind !== 'genesis') throw new Error('no genesis');
      return [genesis.body.ordinal, genesis.body.agentOrdinal];
    };
    expect(await open(first, 'a')).toEqual([1, 1]);
    expect(await open(first, 'b')).toEqual([2, 1]);
    const second = await first.reopen();
    opened.push(second);
    expect(await open(second, 'a')).toEqual([3, 2]);
  });
});

describe('a journal with damage', () => {
  it('names it at the start, recovers every other session, and shows what can be read of the damaged one', async () => {
    const first = await start();
    const record = async (text: string) => {
      const session = first.recorder.openSession(sessionFacts());
      const stream = session.stream(1);
      stream.append(query('select 1'));
      await session.durable();
      stream.append(query(text));
      await session.durable();
      stream.append(query('select 3'));
      await session.durable();
      return session.id;
    };
    const hit = await record('victim');
    const spared = await record('select 2');
    await first.close();
    const journal = join(first.dataDir, 'journal');
    const path = join(journal, readdirSync(journal)[0]!);
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('victim')]! ^= 1;
    writeFileSync(path, bytes);
    const second = await first.reopen();
    opened.push(second);
    expect(second.recorder.faults).toMatchObject([{ segment: 1 }]);
    expect(second.recorder.damaged).toEqual([hit]);
    expect(second.recorder.interrupted).toBe(1);
    expect(await statementsIn(second.recorder.readEntries(spared))).toHaveLength(3);
    expect(second.catalog.find(hit)).toMatchObject({ state: 'interrupted', reason: 'damaged' });
    const read: string[] = [];
    const reading = (async () => {
      for await (const { body } of second.recorder.readEntries(hit))
        if (body.kind === 'statement') read.push(Buffer.from(body.text!).toString());
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'HOOP_RECORD_DAMAGED',
      message: expect.stringContaining('entry 3'),
    });
    expect(read).toEqual(['select 1', 'select 3']);
    const next = second.recorder.openSession(sessionFacts());
    await next.seal('client_closed');
    const [genesis] = await collect(second.recorder.readEntries(next.id));
    expect(genesis?.body).toMatchObject({ ordinal: 3 });
  });
});

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Archive } from '../../src/store/archive.ts';
import {
  collect,
  query,
  sessionFacts,
  startTestRecorder,
  statementsIn,
  type TestRecorder,
} from '../support/recorder.ts';

let test: TestRecorder;
beforeEach(async () => {
  test = await startTestRecorder();
});
afterEach(() => test.remove());

async function record(text: string): Promise<string> {
  const session = test.recorder.openSession(sessionFacts());
  session.stream(1).append(query(text));
  await session.seal('client_closed');
  return session.id;
}

const all = () => collect(new Archive(test.dataDir).list());

describe('the archive', () => {
  it('keeps a recording as two files, named by ordinal and session, that only their owner can read', async () => {
    const id = await record('select 1');
    const [recording] = await all();
    expect(recording).toMatchObject({ id, ordinal: 1 });
    expect(recording!.path).toMatch(new RegExp(`/recordings/\\d{4}/\\d{2}/0000000001-${id}$`));
    expect(readdirSync(join(recording!.path, '..')).toSorted()).toEqual([
      `0000000001-${id}.chain`,
      `0000000001-${id}.payload`,
    ]);
    expect(readFileSync(`${recording!.path}.chain`).includes('alice')).toBe(false);
  });

  it('names an altered, a cut and a missing file, and gives nothing for what was asked', async () => {
    const id = await record('select 1');
    const [recording] = await all();
    const read = () => collect(test.recorder.readEntries(id));
    for (const kind of ['chain', 'payload']) {
      const path = `${recording!.path}.${kind}`;
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.subarray(0, -20));
      await expect(read()).rejects.toMatchObject({ code: 'HOOP_RECORD_DAMAGED', message: expect.stringContaining(id) });
      const altered = Buffer.from(bytes);
      altered[60]! ^= 1;
      writeFileSync(path, altered);
      await expect(read()).rejects.toMatchObject({ code: 'HOOP_RECORD_DAMAGED' });
      writeFileSync(path, bytes);
    }
    renameSync(`${recording!.path}.payload`, `${recording!.path}.away`);
    await expect(read()).rejects.toMatchObject({ code: 'HOOP_RECORD_DAMAGED' });
  });

  it('shows a recording that was put in the place of another', async () => {
    const one = await record('select 1');
    const two = await record('select 2');
    const [first, second] = await all();
    for (const kind of ['chain', 'payload'])
      writeFileSync(`${first!.path}.${kind}`, readFileSync(`${second!.path}.${kind}`));
    await expect(collect(test.recorder.readEntries(one))).rejects.toMatchObject({ code: 'HOOP_RECORD_DAMAGED' });
    expect(await collect(test.recorder.readEntries(two))).not.toHaveLength(0);
  });

  it('does not lose a session that it cannot take: the journal has it, and hands it over when it can', async () => {
    const recordings = join(test.dataDir, 'recordings');
    writeFileSync(recordings, 'in the way');
    const session = test.recorder.openSession(sessionFacts());
    session.stream(1).append(query('select 1'));
    await expect(session.seal('client_closed')).rejects.toThrow(/EEXIST|ENOTDIR/);
    expect(await statementsIn(test.recorder.readEntries(session.id))).toMatchObject([{ text: 'select 1' }]);
    expect(test.catalog.find(session.id)).toMatchObject({ state: 'sealed' });
    test = await reopenedWith(() => rmSync(recordings));
    expect(test.recorder.interrupted).toBe(0);
    expect(await all()).toMatchObject([{ id: session.id }]);
    expect(await statementsIn(test.recorder.readEntries(session.id))).toMatchObject([{ text: 'select 1' }]);
  });

  it('hands over a session that it could not take when the next one is sealed', async () => {
    const recordings = join(test.dataDir, 'recordings');
    writeFileSync(recordings, 'in the way');
    const refused = test.recorder.openSession(sessionFacts());
    await expect(refused.seal('client_closed')).rejects.toThrow(/EEXIST|ENOTDIR/);
    rmSync(recordings);
    const next = await record('select 2');
    expect((await all()).map(({ id }) => id)).toEqual([refused.id, next]);
  });

  it('takes up again what a crash left half written', async () => {
    const recordings = join(test.dataDir, 'recordings');
    writeFileSync(recordings, 'in the way');
    const session = test.recorder.openSession(sessionFacts());
    session.stream(1).append(query('select 1'));
    await expect(session.seal('client_closed')).rejects.toThrow(/EEXIST|ENOTDIR/);
    const [year, month] = new Date().toISOString().split('-');
    const path = join(recordings, year!, month!, `0000000001-${session.id}`);
    test = await reopenedWith(() => {
      rmSync(recordings);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(`${path}.payload`, 'half of it');
      writeFileSync(join(path, '..', `.0000000001-${session.id}.chain.tmp`), 'half of it');
    });
    expect(await statementsIn(test.recorder.readEntries(session.id))).toMatchObject([{ text: 'select 1' }]);
    expect(readdirSync(join(path, '..'))).toHaveLength(2);
  });
});

async function reopenedWith(act: () => void): Promise<TestRecorder> {
  await test.close();
  act();
  return test.reopen();
}

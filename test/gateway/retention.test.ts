import { existsSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { Recordings, type RecordingsParts } from '../../src/gateway/recordings.ts';
import { parseSessionId } from '../../src/recording/session-id.ts';
import { Archive } from '../../src/store/archive.ts';
import { openRegistry, type Registry } from '../../src/store/registry.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { TestClock } from '../support/identity-gateway.ts';
import { startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { collect, query, sessionFacts } from '../support/recorder.ts';

const day = 24 * 3600;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Kept {
  logged: LoggedRecorder;
  registry: Registry;
  clock: TestClock;
  parts: RecordingsParts;
  recordings: Recordings;
}

/** Recorder, log and registry on disk, and a clock that a test moves. `over`: on what another run left. */
async function start(periods: RecordingsParts['periods'], over?: Kept): Promise<Kept> {
  const clock = over?.clock ?? new TestClock();
  const logged = over ? await over.logged.restart() : await startLoggedRecorder();
  const { dataDir, log, recorder } = logged;
  const registry = over?.registry ?? openRegistry(dataDir, clock);
  if (!over) closing.push(() => registry.close());
  closing.push(() => logged.remove());
  const operatorLog = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const kept = registry.recordings;
  const { catalog } = recorder;
  const recordAct = () => Promise.resolve();
  const stores = { ...recorder.recorder.stores, dataDir, catalog, log, registry: kept };
  const parts = { ...stores, clock, periods, operatorLog, recordAct };
  return { logged, registry, clock, parts, recordings: new Recordings(parts) };
}

async function recorded({ logged }: Kept, resource: string, text: string): Promise<string> {
  const { name: _, ...rest } = sessionFacts().resource;
  const session = logged.recorder.recorder.openSession(sessionFacts({ resource: { name: resource, ...rest } }));
  const stream = session.stream(1);
  stream.append(query(text));
  stream.close('client_closed');
  await session.seal('client_closed');
  await logged.log.checkpoint();
  return session.id;
}

const inArchive = async ({ logged }: Kept): Promise<string[]> =>
  (await collect(new Archive(logged.dataDir).list())).map(({ id }) => id);
const verdictOf = async ({ logged }: Kept, session: string) =>
  (await verifyDataDir(logged.dataDir, { keys: [], witnesses: [] }, { session })).sessions[0]!.verdict;

test('recordings are removed after the time of their resource, and the log says so', async () => {
  const kept = await start({ resources: { orders: 90 * day * 1000 }, default: 10 * day * 1000 });
  const orders = await recorded(kept, 'orders', 'select 1');
  const other = await recorded(kept, 'other', 'select 2');
  kept.clock.aheadSeconds = 9 * day;
  await kept.recordings.removeExpired();
  expect(await inArchive(kept)).toEqual([orders, other]);
  kept.clock.aheadSeconds = 11 * day;
  await kept.recordings.removeExpired();
  expect(await inArchive(kept)).toEqual([orders]);
  expect(await verdictOf(kept, other)).toBe('REMOVED');
  expect(await verdictOf(kept, orders)).toBe('VALID');
  kept.clock.aheadSeconds = 91 * day;
  await kept.recordings.removeExpired();
  expect(await inArchive(kept)).toEqual([]);
  expect((await kept.logged.leaves()).filter(({ kind }) => kind === 'removed')).toHaveLength(2);
  const again = await start(undefined, kept);
  expect(await inArchive(again)).toEqual([]);
  expect(again.parts.catalog.list({ limit: 10 })).toEqual([]);
  expect(again.registry.recordings.removedOrdinals()).toEqual(new Map([['db-agent', 2]]));
});

test('without a period recordings are kept for ever; a hold stops removal until it is released', async () => {
  const kept = await start(undefined);
  const session = await recorded(kept, 'orders', 'select 1');
  kept.clock.aheadSeconds = 10_000 * day;
  await kept.recordings.removeExpired();
  expect(await inArchive(kept)).toEqual([session]);
  const short = new Recordings({ ...kept.parts, periods: { resources: { orders: 3_600_000 } } });
  kept.registry.recordings.hold(session, 'root', null);
  await short.removeExpired();
  expect(await inArchive(kept)).toEqual([session]);
  kept.registry.recordings.release(session);
  await short.removeExpired();
  expect(await inArchive(kept)).toEqual([]);
});

test('what is erased before the log had heard of its session stands behind its OPEN, and verifies', async () => {
  const kept = await start(undefined);
  const session = kept.logged.recorder.recorder.openSession(sessionFacts());
  session.stream(1).append(query('select sesame'));
  await session.seal('client_closed');
  const by = { user: 'root', via: 'sign-in' } as never;
  await kept.recordings.erase({ session: session.id, seq: 2, only: false, reason: undefined }, by);
  const kinds = (await kept.logged.leaves()).map(({ kind }) => kind);
  expect(kinds.indexOf('open')).toBeLessThan(kinds.indexOf('erased'));
  expect(await verdictOf(kept, session.id)).toBe('VALID_ERASED');
});

test('an erasure and a removal that a crash cut off behind their leaves are finished at the next start', async () => {
  const kept = await start(undefined);
  const erased = await recorded(kept, 'orders', 'select sesame');
  const removed = await recorded(kept, 'orders', 'select sesame');
  const { log } = kept.logged;
  const subject = (id: string) => Buffer.from(parseSessionId(id)!);
  const archive = new Archive(kept.logged.dataDir);
  const { last } = await archive.ends((await archive.find(removed))!);
  const at2 = (await collect(archive.read((await archive.find(erased))!)))[2]!;
  await log.announce('erased', [{ subject: subject(erased), number: 2, digest: at2.subarray(28, 60) }]);
  await log.announce('removed', [{ subject: subject(removed), number: 4, digest: last.subarray(0, 32) }]);
  const path = (await archive.find(removed))!.path;

  const again = await start(undefined, kept);
  await again.recordings.complete();
  expect(await inArchive(again)).toEqual([erased]);
  expect(existsSync(`${path}.payload`)).toBe(false);
  const entries = Buffer.concat(await collect(archive.read((await archive.find(erased))!)));
  expect(entries.includes('sesame')).toBe(false);
  expect(await verdictOf(again, erased)).toBe('VALID_ERASED');
  expect(await verdictOf(again, removed)).toBe('REMOVED');
});

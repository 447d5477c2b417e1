import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Sealer } from '../../src/gateway/sealer.ts';
import { SessionRecorder } from '../../src/gateway/session-recorder.ts';
import { createGenesis } from '../../src/recording/genesis.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { pause } from '../../src/shared/pause.ts';
import { Archive } from '../../src/store/archive.ts';
import { openCatalog, type Catalog } from '../../src/store/catalog.ts';
import type { Disk, OpenFile } from '../../src/store/disk.ts';
import { systemDisk } from '../../src/store/durable.ts';
import { Journal } from '../../src/store/journal.ts';
import { sessionFacts } from '../support/recorder.ts';

let dataDir: string;
let catalog: Catalog;
let journal: Journal;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'hoop-sealer-'));
  catalog = openCatalog(dataDir);
  journal = await Journal.open({ dataDir, clock: systemClock, onFailure: () => undefined });
});
afterEach(async () => {
  await journal.close();
  catalog.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A disk that takes its time to sync, and notes what gets its name before it is durable. */
function slowDisk(): { disk: Disk; unsynced: string[]; named: string[] } {
  const files = new Map<string, { isSynced: boolean }>();
  const unsynced: string[] = [];
  const named: string[] = [];
  const open = async (path: string, flags: 'r' | 'wx'): Promise<OpenFile> => {
    const file = await systemDisk.open(path, flags);
    if (flags !== 'wx') return file;
    const state = { isSynced: false };
    files.set(path, state);
    const sync = async () => {
      await pause(100, new AbortController().signal);
      await file.sync();
      state.isSynced = true;
    };
    return { ...file, sync };
  };
  const rename = async (from: string, to: string): Promise<void> => {
    if (!files.get(from)!.isSynced) unsynced.push(basename(to));
    named.push(basename(to).replace(/.*\./, ''));
    await systemDisk.rename(from, to);
  };
  return { disk: { ...systemDisk, open, rename } as Disk, unsynced, named };
}

function sealedSession(sealer: Sealer): SessionRecorder {
  const facts = createGenesis(sessionFacts(), {
    sessionId: randomBytes(16),
    gatewayVersion: '0.0.0',
    ordinal: 1,
    agentOrdinal: 1,
    logSize: 0,
    gatewayKeyId: 'key',
    principalSalt: randomBytes(16),
  });
  const recorder = new SessionRecorder(facts.sessionId, {
    journal,
    sealer,
    clock: systemClock,
    salts: () => randomBytes(16),
  });
  recorder.begin(facts);
  return recorder;
}

// Two that wrote the same file gave it its name before the second had synced it; found by the simulation (seed 431176971).
it('a session that is archived while it is being archived is written once, and is durable before it has its name', async () => {
  const { disk, unsynced, named } = slowDisk();
  const sealer = new Sealer(journal, new Archive(dataDir, { disk }), catalog);
  const session = sealedSession(sealer);
  const inJournal = journal.session(session.id)!;
  await Promise.all([session.seal('client_closed'), session.durable().then(() => sealer.archive(inJournal))]);
  expect({ unsynced, named }).toEqual({ unsynced: [], named: ['payload', 'chain'] });
  expect(journal.session(session.id)).toBeUndefined();
});

it('where the first try fails, the one that waited for it does it', async () => {
  const { disk, named } = slowDisk();
  let failures = 0;
  const failing: Disk = {
    ...disk,
    rename: (from, to) => (failures++ === 0 ? Promise.reject(new Error('no room')) : disk.rename(from, to)),
  };
  const sealer = new Sealer(journal, new Archive(dataDir, { disk: failing }), catalog);
  const session = sealedSession(sealer);
  const inJournal = journal.session(session.id)!;
  const [first, second] = await Promise.allSettled([
    session.seal('client_closed'),
    session.durable().then(() => sealer.archive(inJournal)),
  ]);
  expect([first.status, second.status].toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(named).toEqual(['payload', 'chain']);
  expect(journal.session(session.id)).toBeUndefined();
});

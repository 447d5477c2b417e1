import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { commitAct, leafKinds } from '../../src/recording/leaf.ts';
import { inclusionHolds, inclusionProof, leafHash, treeRoot } from '../../src/recording/merkle.ts';
import { noteHolds } from '../../src/recording/note.ts';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { newLogKey, startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { sessionFacts } from '../support/recorder.ts';

const opened: LoggedRecorder[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.remove();
});

async function start(...options: Parameters<typeof startLoggedRecorder>): Promise<LoggedRecorder> {
  const started = await startLoggedRecorder(...options);
  opened.push(started);
  return started;
}

async function restart(logged: LoggedRecorder, crash = false): Promise<LoggedRecorder> {
  opened.splice(opened.indexOf(logged), 1);
  const again = await logged.restart({ crash });
  opened.push(again);
  return again;
}

const kinds = async (logged: LoggedRecorder): Promise<string[]> => (await logged.leaves()).map(({ kind }) => kind);

it('begins with its key and a boot, under a checkpoint that the key has signed', async () => {
  const logged = await start();
  expect(await kinds(logged)).toEqual(['key', 'boot']);
  expect((await logged.leaves())[0]!.digest.equals(logged.log.key.publicKey)).toBe(true);
  const { note, checkpoint } = parseCheckpoint(readFileSync(join(logged.dataDir, 'log/checkpoint'), 'utf8'));
  expect(checkpoint).toMatchObject({ origin: logged.log.key.name, size: 2 });
  expect(noteHolds(note, logged.log.key)).toBe(true);
});

it('logs a session from its genesis to its seal, and names its size in the genesis entry', async () => {
  const logged = await start();
  const session = logged.recorder.recorder.openSession(sessionFacts());
  await logged.log.checkpoint();
  session.stream(1);
  await logged.log.checkpoint();
  await logged.log.checkpoint(); // no news, no leaf
  await session.seal('client_closed');
  await logged.log.checkpoint();
  const leaves = (await logged.leaves()).slice(2);
  expect(leaves.map(({ kind, number }) => [kind, number])).toEqual([
    ['open', 1],
    ['head', 1],
    ['close', 3],
  ]);
  const entries = [];
  for await (const entry of logged.recorder.recorder.readEntries(session.id)) entries.push(entry);
  expect(entries[0]!.body).toMatchObject({ logSize: 2 });
  expect(leaves[2]!.digest.equals(Buffer.from(session.head.hash))).toBe(true);
  expect(Buffer.from(entries[1]!.header.previous).equals(leaves[0]!.digest)).toBe(true);
});

it('logs what a crash left: sessions it had not logged, and ends that it did not see', async () => {
  const logged = await start();
  const known = logged.recorder.recorder.openSession(sessionFacts());
  await logged.log.checkpoint();
  const unknown = logged.recorder.recorder.openSession(sessionFacts());
  const sealed = logged.recorder.recorder.openSession(sessionFacts());
  await sealed.seal('client_closed');
  await known.durable();
  await unknown.durable();
  const again = await restart(logged, true);
  const leaves = (await again.leaves()).slice(2);
  expect(leaves.map(({ kind, number }) => `${kind} ${number}`)).toEqual([
    'open 1',
    'boot 3',
    'interrupted 2',
    'open 2',
    'interrupted 2',
    'open 3',
    'close 1',
  ]);
  const once = await restart(again);
  expect((await kinds(once)).slice(-2)).toEqual(['close', 'boot']);
});

it('keeps the words of an administrative act beside the log, and its commitment in it, also over a crash', async () => {
  const logged = await start();
  const words = Buffer.from('{"act":"grant-added"}');
  await logged.log.act(words);
  const again = await restart(logged, true); // before the next checkpoint
  const admin = (await again.leaves()).filter(({ kind }) => kind === 'admin');
  expect(admin).toHaveLength(1);
  expect(admin[0]!.digest.equals(commitAct(admin[0]!.subject, words))).toBe(true);
  const kept = readFileSync(join(again.dataDir, 'acts', `${admin[0]!.subject.toString('hex')}.json`));
  expect(kept.equals(words)).toBe(true);
});

it('grows over full tiles; every leaf is proven from the files, and no partial tile is left behind a full one', async () => {
  const logged = await start();
  for (let act = 0; act < 600; act++) logged.log.agentKey(Buffer.from(`key ${act}`));
  await logged.log.checkpoint();
  logged.log.agentKey(Buffer.from('one more'));
  await logged.log.checkpoint();
  const again = await restart(logged);
  const { size, root } = await again.signed();
  expect(size).toBe(604);
  const { store } = again.log;
  expect(Buffer.compare(await treeRoot(size, store.readHash), root)).toBe(0);
  for (const index of [0, 255, 256, 300, 603]) {
    const proof = await inclusionProof(index, size, store.readHash);
    expect(inclusionHolds({ leaf: leafHash(await store.leaf(index)), index, size, root, proof })).toBe(true);
  }
  expect(readdirSync(join(again.dataDir, 'log/tile/entries')).toSorted()).toEqual(['000', '001', '002.p']);
  expect(readdirSync(join(again.dataDir, 'log/tile/entries/002.p'))).toEqual(['92']);
  expect(readdirSync(join(again.dataDir, 'log/tile/0')).toSorted()).toEqual(['000', '001', '002.p']);
  expect((await store.tile({ level: 0, index: 2, width: 50 }))!.length).toBe(50 * 32);
  expect(await store.tile({ level: 0, index: 2, width: 93 })).toBeUndefined();
});

it('makes derived tiles anew at a start, and leaves that were durable before a checkpoint stay', async () => {
  const logged = await start();
  for (let act = 0; act < 300; act++) logged.log.agentKey(Buffer.from(`key ${act}`));
  await logged.log.checkpoint();
  rmSync(join(logged.dataDir, 'log/tile/0'), { recursive: true });
  const again = await restart(logged);
  expect(existsSync(join(again.dataDir, 'log/tile/0/000'))).toBe(true);
  expect((await again.signed()).size).toBe(303);
});

it.each([
  [
    'a leaf was changed',
    (folder: string) => {
      const path = join(folder, 'tile/entries/000.p', readdirSync(join(folder, 'tile/entries/000.p'))[0]!);
      const bytes = readFileSync(path);
      bytes[40]! ^= 1;
      writeFileSync(path, bytes);
    },
  ],
  [
    'its end is gone',
    (folder: string) => {
      const name = readdirSync(join(folder, 'tile/entries/000.p'))[0]!;
      const bytes = readFileSync(join(folder, 'tile/entries/000.p', name));
      rmSync(join(folder, 'tile/entries/000.p', name));
      writeFileSync(join(folder, 'tile/entries/000.p/1'), bytes.subarray(0, 74));
    },
  ],
  [
    'another key has signed it',
    (folder: string) => {
      const text = readFileSync(join(folder, 'checkpoint'), 'utf8');
      writeFileSync(
        join(folder, 'checkpoint'),
        text.replace(/\n— (\S+) .*\n$/, `\n— $1 ${Buffer.alloc(68, 1).toString('base64')}\n`),
      );
    },
  ],
])('does not go on, and so never signs a fork, where %s', async (_what, change) => {
  const logged = await start();
  change(join(logged.dataDir, 'log'));
  opened.splice(0);
  await expect(logged.restart({ crash: true })).rejects.toMatchObject({ code: 'HOOP_RECORD_DAMAGED' });
  await logged.recorder.close().catch(() => undefined);
  rmSync(logged.dataDir, { recursive: true, force: true });
});

it('does not go on with an older log than its recordings know, or with none', async () => {
  const logged = await start();
  await logged.recorder.recorder.openSession(sessionFacts()).seal('client_closed');
  await logged.log.checkpoint();
  opened.splice(0);
  await logged.log.close();
  await logged.recorder.close();
  rmSync(join(logged.dataDir, 'log'), { recursive: true });
  await expect(startLoggedRecorder({ dataDir: logged.dataDir, key: newLogKey() })).rejects.toMatchObject({
    code: 'HOOP_RECORD_DAMAGED',
  });
  rmSync(logged.dataDir, { recursive: true, force: true });
});

it('logs nothing that did not become durable', async () => {
  const logged = await start();
  const before = await kinds(logged);
  logged.log.follow({
    idBytes: Buffer.alloc(16, 7),
    ordinal: 1,
    genesisHash: Buffer.alloc(32, 7),
    head: () => ({ seq: 3, hash: Buffer.alloc(32, 8), isSeal: true }),
    durable: () => Promise.reject(new Error('the disk is gone')),
  });
  await logged.log.checkpoint();
  await logged.log.checkpoint();
  expect(await kinds(logged)).toEqual(before);
});

it('does not go on with a key that has not signed the log', async () => {
  const logged = await start();
  await logged.log.close();
  await logged.recorder.close();
  await expect(startLoggedRecorder({ dataDir: logged.dataDir, key: newLogKey() })).rejects.toMatchObject({
    code: 'HOOP_RECORD_DAMAGED',
  });
});

it('ends sessions and opens none while it cannot be written, and goes on with all its leaves when it can', async () => {
  const logged = await start({ failingMillisMax: 0 });
  const folder = join(logged.dataDir, 'log/tile/entries/000.p');
  const kept = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))] as const);
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'no directory'); // as root, nothing less stops a write
  logged.log.agentKey(Buffer.from('key'));
  await expect(logged.log.checkpoint()).rejects.toMatchObject({ code: 'HOOP_RECORDER' });
  expect(logged.failures).toHaveLength(1);
  expect(() => logged.recorder.recorder.openSession(sessionFacts())).toThrow('the log cannot be written');
  rmSync(folder);
  mkdirSync(folder);
  for (const [name, bytes] of kept) writeFileSync(join(folder, name), bytes);
  await logged.log.checkpoint();
  expect(await kinds(logged)).toEqual(['key', 'boot', 'agent']);
  logged.recorder.recorder.openSession(sessionFacts());
});

it('has a number for every kind of leaf', () => expect(new Set(leafKinds).size).toBe(10));

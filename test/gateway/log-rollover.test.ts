import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { checkpointText, parseCheckpoint } from '../../src/recording/checkpoint.ts';
import {
  formatNote,
  formatVerifierKey,
  keyTypes,
  noteHolds,
  publicKeyOf,
  signNote,
  verifierKey,
  type VerifierKey,
} from '../../src/recording/note.ts';
import { followRollovers } from '../../src/recording/rollover.ts';
import { formatTlogProof, parseTlogProof } from '../../src/recording/tlog-proof.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { memoryKeys, newLogKey, startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { sessionFacts } from '../support/recorder.ts';
import { python, secondVerdict } from '../support/second-verifier.ts';

const folder = mkdtempSync(join(tmpdir(), 'hoop-rollover-'));
let opened: LoggedRecorder | undefined;
afterEach(async () => {
  await opened?.remove().catch(() => undefined);
  opened = undefined;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});

const started = async (...options: Parameters<typeof startLoggedRecorder>): Promise<LoggedRecorder> =>
  (opened = await startLoggedRecorder(...options));

async function record(logged: LoggedRecorder): Promise<void> {
  const session = logged.recorder.recorder.openSession(sessionFacts());
  await session.durable();
  await session.seal('client_closed');
  await logged.log.checkpoint();
}

/** Both verifiers say the same of the data directory, as it is on disk. */
async function verdictOf(dataDir: string, key: VerifierKey, given: Partial<Trust> = {}): Promise<string> {
  const trust: Trust = { keys: [key], witnesses: [], ...given };
  const { verdict } = await verifyDataDir(dataDir, trust);
  if (python) expect(await secondVerdict(dataDir, trust)).toBe(verdict);
  return verdict;
}

const published = (logged: LoggedRecorder) =>
  parseCheckpoint(readFileSync(join(logged.dataDir, 'log/checkpoint'), 'utf8'));
const proofPath = (logged: LoggedRecorder, number = 1) => join(logged.dataDir, `log/keys/${number}.tlog-proof`);
const keyLeaves = async (logged: LoggedRecorder) => (await logged.leaves()).filter(({ kind }) => kind === 'key');

it('goes on with a new key that the old one has signed: what was recorded stays valid for whoever trusts either', async () => {
  const logged = await started();
  const old = logged.log.key;
  await record(logged);
  const early = parseCheckpoint((await logged.signed()).text);
  const next = logged.log.prepareKey();
  await logged.log.rollOver(next);
  expect(logged.log.key).toEqual(next);
  expect(next.name).toBe(old.name);
  expect((await keyLeaves(logged)).map(({ number, digest }) => [number, digest.equals(next.publicKey)])).toEqual([
    [0, false],
    [1, true],
  ]);
  const { note } = published(logged);
  expect([noteHolds(note, old), noteHolds(note, next)]).toEqual([false, true]);
  expect(followRollovers(old, [readFileSync(proofPath(logged), 'utf8')]).keys.at(-1)!.key).toEqual(next);
  await record(logged);
  await logged.log.rollOver(logged.log.prepareKey());
  await record(logged);
  for (const key of [old, next, logged.log.key]) expect(await verdictOf(logged.dataDir, key)).toBe('VALID');
  expect(await verdictOf(logged.dataDir, old, { held: early })).toBe('VALID');
  const again = (opened = await logged.restart());
  expect(await verdictOf(again.dataDir, old)).toBe('VALID');
});

it('is not believed without the old key’s word', async () => {
  const logged = await started();
  const old = logged.log.key;
  await record(logged);
  await logged.log.rollOver(logged.log.prepareKey());
  await record(logged);
  await logged.log.close();
  const proof = readFileSync(proofPath(logged), 'utf8');
  const say = async (text: string | undefined): Promise<string> => {
    if (text === undefined) rmSync(proofPath(logged));
    else writeFileSync(proofPath(logged), text);
    return verdictOf(logged.dataDir, old);
  };
  expect(await say(undefined)).toBe('UNPINNED');
  const parsed = parseTlogProof(proof);
  const { text } = parseCheckpoint(parsed.checkpoint).note;
  const thief = newLogKey();
  // The new key vouches for itself: by its own name, and by a signature that is not the old key's.
  const own = signNote(text, old.name, thief);
  expect(await say(formatTlogProof({ ...parsed, checkpoint: formatNote({ text, signatures: [own] }) }))).toBe(
    'UNPINNED',
  );
  const stolen = { ...own, keyId: old.id };
  expect(await say(formatTlogProof({ ...parsed, checkpoint: formatNote({ text, signatures: [stolen] }) }))).toBe(
    'UNPINNED',
  );
  // Another key in the leaf; another leaf of the log.
  const forged = Buffer.from(parsed.extra);
  forged.set(publicKeyOf(thief), 40);
  expect(await say(formatTlogProof({ ...parsed, extra: forged }))).toBe('UNPINNED');
  expect(await say(formatTlogProof({ ...parsed, index: 0 }))).toBe('UNPINNED');
  expect(await say(proof.replace('@v1', '@v2'))).toBe('UNPINNED');
  expect(await say(proof)).toBe('VALID');
});

it('the old key signs nothing any more: what it signs behind its successor is not believed, another history is found', async () => {
  const keys = memoryKeys();
  const stolen = { ...keys.gateway };
  const logged = await started({ keys });
  const old = logged.log.key;
  await logged.log.rollOver(logged.log.prepareKey());
  await record(logged);
  await logged.log.close();
  const { checkpoint } = published(logged);
  const resign = (text: string) => formatNote({ text, signatures: [signNote(text, old.name, stolen)] });
  writeFileSync(join(logged.dataDir, 'log/checkpoint'), resign(checkpointText(checkpoint)));
  expect(await verdictOf(logged.dataDir, old)).toBe('UNPINNED');
  // A history without the roll-over, signed by whoever has stolen the old key, beside the proof that somebody has.
  const proof = readFileSync(proofPath(logged), 'utf8');
  const other = await startLoggedRecorder({ dataDir: join(folder, 'forged'), keys: memoryKeys(stolen) });
  for (let session = 0; session < 3; session++) await record(other);
  await other.log.close();
  expect((await verifyDataDir(other.dataDir, { keys: [old], witnesses: [], rollovers: [proof] })).verdict).toBe('FORK');
  await other.recorder.close();
});

it('makes two roll-overs at once one after the other, and says nothing twice', async () => {
  const logged = await started();
  const next = logged.log.prepareKey();
  expect(logged.log.prepareKey()).toEqual(next);
  await Promise.all([logged.log.rollOver(next), logged.log.rollOver(next)]);
  expect(await keyLeaves(logged)).toHaveLength(2);
  expect(logged.log.key).toEqual(next);
});

/** The steps of a roll-over (log-signer.ts), and what a process that dies between them leaves. */
const crashes: [
  string,
  { stop: (logged: LoggedRecorder, keys: ReturnType<typeof memoryKeys>) => void; follows: boolean },
][] = [
  [
    'the next key is kept, its leaf is not on disk',
    {
      follows: false,
      stop({ dataDir }) {
        rmSync(join(dataDir, 'log/tile/entries'), { recursive: true });
        writeFileSync(join(dataDir, 'log/tile/entries'), 'no directory');
      },
    },
  ],
  [
    'the leaf is on disk, no checkpoint covers it',
    {
      follows: true,
      stop({ dataDir }) {
        mkdirSync(join(dataDir, 'log/.checkpoint.tmp'), { recursive: true }); // nothing can be published
      },
    },
  ],
  [
    'the old key has signed, the registry has not changed',
    {
      follows: true,
      stop(_logged, keys) {
        keys.adoptNextGateway = () => {
          throw new Error('the power is gone');
        };
      },
    },
  ],
  [
    'the registry has changed, and is all that has',
    {
      follows: true,
      stop(_logged, keys) {
        const adopt = keys.adoptNextGateway.bind(keys);
        keys.adoptNextGateway = () => {
          adopt();
          throw new Error('the power is gone');
        };
      },
    },
  ],
  [
    'the registry has changed, the proof is not on disk',
    {
      follows: true,
      stop({ dataDir }) {
        writeFileSync(join(dataDir, 'log/keys'), 'no directory');
      },
    },
  ],
  [
    'the proof is on disk, the new key has signed nothing',
    {
      follows: true,
      stop({ dataDir }, keys) {
        const adopt = keys.adoptNextGateway.bind(keys);
        keys.adoptNextGateway = () => {
          adopt();
          mkdirSync(join(dataDir, 'log/.checkpoint.tmp'), { recursive: true });
        };
      },
    },
  ],
];

it.each(crashes)('survives a crash when %s', async (_what, { stop, follows }) => {
  const keys = memoryKeys();
  const healthy = { ...keys };
  const logged = await started({ keys });
  const old = logged.log.key;
  await record(logged);
  const before = join(folder, 'entries');
  cpSync(join(logged.dataDir, 'log/tile/entries'), before, { recursive: true });
  const next = logged.log.prepareKey();
  stop(logged, keys);
  await expect(logged.log.rollOver(next)).rejects.toMatchObject({ code: 'HOOP_RECORDER' });

  // The machine comes back; what stood in the way does not.
  Object.assign(keys, { adoptNextGateway: healthy.adoptNextGateway });
  const log = join(logged.dataDir, 'log');
  rmSync(join(log, '.checkpoint.tmp'), { recursive: true, force: true });
  if (existsSync(join(log, 'keys')) && readFileOrNothing(join(log, 'keys')) !== undefined) rmSync(join(log, 'keys'));
  if (readFileOrNothing(join(log, 'tile/entries')) !== undefined) {
    rmSync(join(log, 'tile/entries'));
    renameSync(before, join(log, 'tile/entries'));
  }
  const again = (opened = await logged.restart({ crash: true }));
  expect(formatVerifierKey(again.log.key)).toBe(formatVerifierKey(follows ? next : old));
  expect(await keyLeaves(again)).toHaveLength(follows ? 2 : 1);
  expect(keys.nextGateway).toBeUndefined();
  await record(again);
  const trust = { keys: [again.log.key], witnesses: [] };
  expect(await verifyDataDir(again.dataDir, trust)).toMatchObject({ verdict: 'VALID' });
  // And another one goes through.
  await again.log.rollOver(again.log.prepareKey());
  expect(await verdictOf(again.dataDir, old)).toBe('VALID');
});

function readFileOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

it('goes on by itself where a disk failed for a while between the steps', async () => {
  const logged = await started();
  const old = logged.log.key;
  const next = logged.log.prepareKey();
  writeFileSync(join(logged.dataDir, 'log/keys'), 'no directory');
  await expect(logged.log.rollOver(next)).rejects.toMatchObject({ code: 'HOOP_RECORDER' });
  await expect(logged.log.checkpoint()).rejects.toMatchObject({ code: 'HOOP_RECORDER' });
  expect(noteHolds(published(logged).note, old)).toBe(true);
  rmSync(join(logged.dataDir, 'log/keys'));
  await logged.log.checkpoint();
  expect(noteHolds(published(logged).note, next)).toBe(true);
  expect(await verdictOf(logged.dataDir, old)).toBe('VALID');
});

it('a verifier key with another name or type is no successor’s', () => {
  const jwk = newLogKey();
  const key = verifierKey('hoop-gateway/1', keyTypes.ed25519, publicKeyOf(jwk));
  expect(followRollovers(key, ['', 'c2sp.org/tlog-proof@v1\nindex 0\n\n']).keys).toEqual([
    { key, retiredAt: undefined },
  ]);
});

import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkpointText, parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { decodeBundle, TileTree } from '../../src/recording/merkle-tiles.ts';
import { cosign, formatNote, keyTypes, publicKeyOf, signNote, verifierKey } from '../../src/recording/note.ts';
import { verdicts } from '../../src/recording/verdicts.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import type { VerifyReport } from '../../src/recording/verify-report.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { newLogKey, startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { sessionFacts } from '../support/recorder.ts';
import { python, secondVerdict } from '../support/second-verifier.ts';

/** One data directory of a gateway that has stopped, with three sessions; each test changes a copy of it. */
const folder = mkdtempSync(join(tmpdir(), 'hoop-verify-'));
const key = newLogKey();
let trust: Trust;
let early: Trust['held'];
let original: string;

beforeAll(async () => {
  const logged = await startLoggedRecorder({ dataDir: join(folder, 'original'), key });
  trust = { keys: [logged.log.key], witnesses: [] };
  original = logged.dataDir;
  await recordSession(logged);
  early = parseCheckpoint((await logged.signed()).text);
  await recordSession(logged);
  await recordSession(logged);
  await logged.log.close();
  await logged.recorder.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function recordSession(logged: LoggedRecorder): Promise<void> {
  const session = logged.recorder.recorder.openSession(sessionFacts());
  const stream = session.stream(1);
  await session.durable();
  await logged.log.checkpoint();
  stream.append({ kind: 'state', name: 'search_path', value: 'public' });
  await session.seal('client_closed');
  await logged.log.checkpoint();
}

let copies = 0;
function copy(): string {
  const path = join(folder, String(copies++));
  cpSync(original, path, { recursive: true });
  return path;
}

function recordingsOf(dataDir: string): string[] {
  const names = readdirSync(join(dataDir, 'recordings'), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.chain'))
    .toSorted()
    .map((name) => join(dataDir, 'recordings', name));
}

/** Both verifiers say the same. */
async function verdictOf(dataDir: string, given: Partial<Trust> = {}): Promise<string> {
  const trusted = { ...trust, ...given };
  const { verdict } = await verifyDataDir(dataDir, trusted);
  expect(await secondVerdict(dataDir, trusted)).toBe(python ? verdict : undefined);
  return verdict;
}

it('finds a data directory valid that nobody touched, with and without an older checkpoint', async () => {
  const report: VerifyReport = await verifyDataDir(copy(), trust);
  expect(report).toMatchObject({ verdict: 'VALID', acts: { logged: 0, kept: 0 } });
  expect(report.sessions.map(({ verdict, entries }) => [verdict, entries])).toEqual([
    ['VALID', 5],
    ['VALID', 5],
    ['VALID', 5],
  ]);
  expect(await verdictOf(original, early && { held: early })).toBe('VALID');
});

it('needs a key that somebody trusts', async () => {
  expect(await verdictOf(original, { keys: [] })).toBe('UNPINNED');
  const other = newLogKey();
  expect(
    await verdictOf(original, { keys: [verifierKey(trust.keys[0]!.name, keyTypes.ed25519, publicKeyOf(other))] }),
  ).toBe('UNPINNED');
});

it('finds a recording altered whose payload was written anew', async () => {
  const dataDir = copy();
  const [first, second] = recordingsOf(dataDir);
  cpSync(second!.replace('.chain', '.payload'), first!.replace('.chain', '.payload'));
  expect(await verdictOf(dataDir)).toBe('ALTERED');
});

it('finds a session that was dropped, whole or by half', async () => {
  const dataDir = copy();
  const [first] = recordingsOf(dataDir);
  rmSync(first!.replace('.chain', '.payload'));
  expect(await verdictOf(dataDir)).toBe('TRUNCATED');
  rmSync(first!);
  const report = await verifyDataDir(dataDir, trust);
  expect(report.verdict).toBe('MISSING_SESSION');
  expect(report.sessions.filter(({ verdict }) => verdict === 'VALID')).toHaveLength(2);
});

it('finds a recording that the log does not know', async () => {
  const dataDir = copy();
  const other = await startLoggedRecorder();
  await recordSession(other);
  await other.log.close();
  await other.recorder.close();
  const [forged] = recordingsOf(other.dataDir);
  const bytes = { chain: readFileSync(forged!), payload: readFileSync(forged!.replace('.chain', '.payload')) };
  for (const kind of ['chain', 'payload'] as const) {
    const at = recordingsOf(dataDir)[0]!.replace(/[^/]*$/, '');
    writeFileSync(
      join(at, forged!.split('/').at(-1)!.replace('0000000001', '0000000004').replace('.chain', `.${kind}`)),
      bytes[kind],
    );
  }
  rmSync(other.dataDir, { recursive: true });
  const report = await verifyDataDir(dataDir, trust);
  const found = report.sessions.map(({ verdict }) => verdict).filter((verdict) => verdict !== 'VALID');
  // Begun a moment ago, it could be one that the log is about to get; the same thing with an old date cannot.
  expect(found).toEqual(['VALID_OPEN']);
});

it('finds a log that was rolled back, with its own checkpoint or with an older one in its place', async () => {
  const dataDir = copy();
  const at = join(dataDir, 'log/tile/entries/000.p');
  const [name] = readdirSync(at);
  const bytes = readFileSync(join(at, name!));
  writeFileSync(join(at, '4'), bytes.subarray(0, 4 * 74));
  rmSync(join(at, name!));
  expect(await verdictOf(dataDir)).toBe('LOG_ROLLBACK');
  const held = parseCheckpoint(readFileSync(join(original, 'log/checkpoint'), 'utf8'));
  writeFileSync(join(dataDir, 'log/checkpoint'), formatNote(early!.note));
  expect(await verdictOf(dataDir, { held })).toBe('LOG_ROLLBACK');
});

it('finds a log that was written anew and signed with the stolen key: whoever holds a checkpoint sees it', async () => {
  const dataDir = copy();
  const at = join(dataDir, 'log/tile/entries/000.p');
  const [name] = readdirSync(at);
  const bytes = readFileSync(join(at, name!));
  bytes[2 * 74 + 17]! ^= 1; // the time of the first OPEN
  writeFileSync(join(at, name!), bytes);
  expect(await verdictOf(dataDir)).toBe('FORK');
  const tree = new TileTree();
  for (const leaf of decodeBundle(bytes)) tree.add(leaf);
  const text = checkpointText({ origin: trust.keys[0]!.name, size: tree.size, root: tree.root() });
  const resigned = formatNote({ text, signatures: [signNote(text, trust.keys[0]!.name, key)] });
  writeFileSync(join(dataDir, 'log/checkpoint'), resigned);
  expect(await verdictOf(dataDir)).toBe('VALID'); // alone, nothing shows it
  expect(await verdictOf(dataDir, { held: early! })).toBe('FORK');
});

it('wants the cosignatures of the witnesses that were named', async () => {
  const dataDir = copy();
  const witnessKey = newLogKey();
  const witness = verifierKey('witness.example/w1', keyTypes.cosignature, publicKeyOf(witnessKey));
  expect(await verdictOf(dataDir, { witnesses: [witness] })).toBe('UNWITNESSED');
  const { note } = parseCheckpoint(readFileSync(join(dataDir, 'log/checkpoint'), 'utf8'));
  note.signatures.push(cosign(note.text, 1_790_000_000, witness.name, witnessKey));
  writeFileSync(join(dataDir, 'log/checkpoint'), formatNote(note));
  expect(await verdictOf(dataDir, { witnesses: [witness] })).toBe('VALID');
});

it('finds nothing to say against a live session, and says how far it is anchored', async () => {
  const logged = await startLoggedRecorder();
  const session = logged.recorder.recorder.openSession(sessionFacts());
  session.stream(1);
  await session.durable();
  await logged.log.checkpoint();
  session.note('later', {});
  await session.durable();
  const young = logged.recorder.recorder.openSession(sessionFacts());
  await young.durable();
  const report = await verifyDataDir(logged.dataDir, { keys: [logged.log.key], witnesses: [] });
  expect(report.verdict).toBe('VALID_OPEN');
  expect(report.sessions).toMatchObject([{ entries: 3, anchored: 1 }, { entries: 1 }]);
  await logged.remove();
});

it('finds two recordings under each other’s names', async () => {
  const dataDir = copy();
  const [first, second] = recordingsOf(dataDir);
  renameSync(first!, `${first}.kept`);
  renameSync(second!, first!);
  renameSync(`${first}.kept`, second!);
  expect(await verdictOf(dataDir)).toBe('ALTERED');
});

it('has the verdicts and exit codes that docs/verify.md says', () => {
  const docs = readFileSync(new URL('../../docs/verify.md', import.meta.url), 'utf8');
  const rows = [...docs.matchAll(/^\| ([A-Z_]+) \| (\d+) \| (.*) \|$/gm)];
  const listed = rows.map(([, name, exit, means]) => [name, { exit: Number(exit), means }]);
  expect(listed).toEqual(Object.entries(verdicts));
  const codes = Object.values(verdicts)
    .map(({ exit }) => exit)
    .filter((exit) => exit > 0);
  expect(new Set(codes).size).toBe(codes.length);
});

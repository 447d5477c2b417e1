import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportSession } from '../../src/gateway/log-export.ts';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { entryHash } from '../../src/recording/entry-codec.ts';
import { cosign, formatNote, publicKeyOf, type VerifierKey } from '../../src/recording/note.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import { agentAt } from '../../src/recording/verify-witness.ts';
import { agentWitnessKey } from '../../src/recording/witness-key.ts';
import { parseWitnessList, type SeenHead, type WitnessList } from '../../src/recording/witness-list.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { Archive } from '../../src/store/archive.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { verifyExport } from '../../src/store/verify-export.ts';
import { newLogKey, startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { sessionFacts } from '../support/recorder.ts';
import { python, secondVerdict } from '../support/second-verifier.ts';

/** A gateway's data directory of an hour ago, two sessions in it, and an agent that cosigned after each; each test changes a copy. */
const folder = mkdtempSync(join(tmpdir(), 'hoop-witnessed-'));
const hourAgo = { ...systemClock, nowMicros: () => systemClock.nowMicros() - 3_600_000_000 };
const agentKey = newLogKey();
const witness: VerifierKey = agentWitnessKey(publicKeyOf(agentKey));
const original = join(folder, 'original');
let trust: Trust;
/** Checkpoints with the agent's cosignature, after the first session and after the second. */
let [first, last]: string[] = [];
let ids: string[] = [];
let heads: Map<string, SeenHead[]>;

beforeAll(async () => {
  const logged = await startLoggedRecorder({ dataDir: original, clock: hourAgo });
  trust = { keys: [logged.log.key], witnesses: [witness] };
  ids = [await record(logged)];
  first = await cosigned(logged);
  ids.push(await record(logged));
  last = await cosigned(logged);
  heads = new Map(await Promise.all(ids.map(async (id) => [id, await headsOf(id)] as const)));
  for (const [place, id] of ids.entries()) await exported(logged, id, place === 0 ? first : last);
  await logged.log.close();
  await logged.recorder.close();
  keep(original, last);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function record(logged: LoggedRecorder, changes = {}): Promise<string> {
  const session = logged.recorder.recorder.openSession(sessionFacts(changes));
  const stream = session.stream(1);
  await session.durable();
  await logged.log.checkpoint();
  stream.append({ kind: 'state', name: 'search_path', value: 'public' });
  await session.seal('client_closed');
  await logged.log.checkpoint();
  return session.id;
}

async function cosigned(logged: LoggedRecorder): Promise<string> {
  const { note } = parseCheckpoint((await logged.signed()).text);
  note.signatures.push(cosign(note.text, 1_790_000_000, witness.name, agentKey));
  return formatNote(note);
}

/** As the gateway keeps it. */
function keep(dataDir: string, text: string): void {
  mkdirSync(join(dataDir, 'log/cosigned'), { recursive: true });
  writeFileSync(join(dataDir, 'log/cosigned', witness.name.split('/')[1]!), text);
}

async function headsOf(id: string): Promise<SeenHead[]> {
  const archive = new Archive(original);
  const seen: SeenHead[] = [];
  for await (const entry of archive.read((await archive.find(id))!))
    seen.push({ seq: seen.length, hash: entryHash(entry), sealed: false });
  return seen.map((head, at) => ({ ...head, sealed: at === seen.length - 1 })).filter(({ seq }) => seq !== 1);
}

const exportOf = (id: string): string => join(folder, `${id}.tar`);
async function exported({ dataDir, log, read }: LoggedRecorder, id: string, checkpoint: string): Promise<void> {
  const pieces: Uint8Array[] = [];
  const checkpointOver = async () => checkpoint;
  for await (const piece of await exportSession({ dataDir, id, log, heldSize: undefined, read, checkpointOver }))
    pieces.push(piece);
  writeFileSync(exportOf(id), Buffer.concat(pieces));
}

let copies = 0;
function copy(): string {
  const path = join(folder, String(copies++));
  cpSync(original, path, { recursive: true });
  return path;
}

/** Both verifiers say the same, of a data directory and of an export. */
async function verdictOf(target: string, given: Partial<Trust> = {}): Promise<string> {
  const trusted = { ...trust, ...given };
  const report = await (target.endsWith('.tar') ? verifyExport(target, trusted) : verifyDataDir(target, trusted));
  if (!trusted.agents) expect(await secondVerdict(target, trusted)).toBe(python ? report.verdict : undefined);
  return report.verdict;
}

const listed = (changes: Partial<WitnessList> = {}): { seen: WitnessList } => ({
  seen: { keys: [witness], checkpoint: parseCheckpoint(last!), heads, ...changes },
});

it('is valid where the agent has cosigned up to the end, and says who witnessed each session', async () => {
  expect(await verdictOf(original)).toBe('VALID');
  expect(await verdictOf(original, listed())).toBe('VALID');
  const { sessions } = await verifyDataDir(original, trust);
  const seen = { agent: 'db-agent', standing: 'independent', cosignedBy: [witness.name] };
  expect(sessions.map((session) => session.witness)).toEqual([seen, seen]);
  for (const id of ids) expect(await verdictOf(exportOf(id))).toBe('VALID');
});

it('is unwitnessed without the cosignature, only for those who want one', async () => {
  const dataDir = copy();
  rmSync(join(dataDir, 'log/cosigned'), { recursive: true });
  expect(await verdictOf(dataDir)).toBe('UNWITNESSED');
  expect(await verdictOf(dataDir, { witnesses: [] })).toBe('VALID');
  const other = agentWitnessKey(publicKeyOf(newLogKey()));
  expect(await verdictOf(original, { witnesses: [other] })).toBe('UNWITNESSED');
  expect(await verdictOf(exportOf(ids[0]!), { witnesses: [other] })).toBe('UNWITNESSED');
});

it('wants the cosignature over the end of each session, not just any', async () => {
  const dataDir = copy();
  keep(dataDir, first!);
  expect(await verdictOf(dataDir)).toBe('UNWITNESSED');
  const { sessions } = await verifyDataDir(dataDir, trust);
  expect(sessions.map(({ verdict }) => verdict)).toEqual(['VALID', 'UNWITNESSED']);
});

it('wants the cosignature of the agent that is pinned by its name, from the sessions that it was beside', async () => {
  const pinned = (name: string, key: VerifierKey) => ({
    witnesses: [],
    agents: new Map([[agentAt(trust.keys[0]!.name, name), key]]),
  });
  const other = agentWitnessKey(publicKeyOf(newLogKey()));
  expect(await verdictOf(original, pinned('db-agent', witness))).toBe('VALID');
  expect(await verdictOf(original, pinned('db-agent', other))).toBe('UNWITNESSED');
  expect(await verdictOf(original, pinned('cache-agent', other))).toBe('VALID');
  expect(await verdictOf(exportOf(ids[1]!), pinned('db-agent', other))).toBe('UNWITNESSED');
});

it('says when the agent was in the gateway’s process, or too old to see anything', async () => {
  const logged = await startLoggedRecorder({ clock: hourAgo });
  await record(logged, { colocated: true });
  const session = logged.recorder.recorder.openSession(sessionFacts());
  session.note('unwitnessed', { agentVersion: '0.0.1' });
  await session.seal('client_closed');
  await logged.log.checkpoint();
  const { sessions } = await verifyDataDir(logged.dataDir, { keys: [logged.log.key], witnesses: [] });
  expect(sessions.map((one) => one.witness?.standing)).toEqual(['colocated', 'unseen']);
  await logged.remove();
});

it('finds a record that ends before what the agent has seen', async () => {
  const [id] = ids;
  const more = [...heads.get(id!)!, { seq: 9, hash: Buffer.alloc(32, 1), sealed: false }];
  const given = listed({ heads: new Map([[id!, more]]) });
  expect(await verdictOf(original, given)).toBe('TRUNCATED');
  expect(await verdictOf(exportOf(id!), given)).toBe('TRUNCATED');
});

it('finds a record that is not what the agent has seen, or goes on behind the seal that it saw', async () => {
  const [id] = ids;
  const [genesis, second] = heads.get(id!)!;
  for (const wrong of [
    { ...second!, hash: genesis!.hash },
    { ...second!, sealed: true },
  ]) {
    const given = listed({ heads: new Map([[id!, [genesis!, wrong]]]) });
    expect(await verdictOf(original, given)).toBe('ALTERED');
    expect(await verdictOf(exportOf(id!), given)).toBe('ALTERED');
  }
});

it('finds a session that the agent has seen and nobody else knows', async () => {
  const given = listed({ heads: new Map([['0'.repeat(26), heads.get(ids[0]!)!]]) });
  expect(await verdictOf(original, given)).toBe('MISSING_SESSION');
});

it('finds a log that is shorter than what the agent has cosigned, or another one', async () => {
  const dataDir = copy();
  const at = join(dataDir, 'log/tile/entries/000.p');
  const [name] = readdirSync(at);
  const tiles = join(dataDir, 'log/tile/entries/000.p', name!);
  rmSync(tiles);
  expect(await verdictOf(dataDir, listed())).toBe('LOG_ROLLBACK');
  const other = await startLoggedRecorder({ clock: hourAgo });
  for (let count = 0; count < 3; count++) await record(other);
  await other.log.close();
  await other.recorder.close();
  expect(await verdictOf(other.dataDir, { keys: [other.log.key], ...listed({ heads: new Map() }) })).toBe('FORK');
  rmSync(other.dataDir, { recursive: true });
});

it('takes nothing for a cosignature that the witness has not made', async () => {
  const dataDir = copy();
  const { note } = parseCheckpoint(last!);
  const [own, theirs] = note.signatures;
  const forged = cosign(note.text, 1_790_000_000, witness.name, newLogKey());
  for (const signature of [
    { ...theirs!, bytes: theirs!.bytes.map((byte, at) => (at === 7 ? byte ^ 1 : byte)) as Buffer },
    { ...forged, keyId: witness.id },
  ]) {
    keep(
      dataDir,
      formatNote({ text: note.text, signatures: [own!, { ...signature, bytes: Buffer.from(signature.bytes) }] }),
    );
    expect(await verdictOf(dataDir)).toBe('UNWITNESSED');
  }
  keep(dataDir, 'no checkpoint');
  expect(await verdictOf(dataDir)).toBe('UNWITNESSED');
});

it('reads the list whose last line is being written, and refuses what is none', () => {
  const line = (bytes: number) => JSON.stringify({ session: ids[0], seq: 0, hash: '00'.repeat(bytes), sealed: false });
  const head = line(32);
  expect(parseWitnessList(`${head}\n${head.slice(0, 20)}`).heads.get(ids[0]!)).toHaveLength(1);
  for (const wrong of ['{"session":"a"}\n', '{"key":"b"}\n', '{"checkpoint":"c"}\n', '{\n', `${line(31)}\n`])
    expect(() => parseWitnessList(head + '\n' + wrong)).toThrow(/^line 2: /);
});

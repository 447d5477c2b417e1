import { access, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../recording/checkpoint.ts';
import { commitAct, decodeLeaf, type Leaf } from '../recording/leaf.ts';
import { TileTree } from '../recording/merkle-tiles.ts';
import type { VerifierKey } from '../recording/note.ts';
import { addReceipts, type Receipt } from '../recording/receipts.ts';
import { formatSessionId, parseSessionId } from '../recording/session-id.ts';
import type { Verdict } from '../recording/verdicts.ts';
import { judgeCheckpoint, type Trust } from '../recording/verify-checkpoint.ts';
import { reportOf, type SessionReport, type VerifyReport } from '../recording/verify-report.ts';
import { strictEntries } from '../recording/verify-sealed.ts';
import { verifySession, type SessionToVerify, type VerifiedSession } from '../recording/verify-session.ts';
import {
  cosignedSizes,
  standingOf,
  withoutCosignature,
  withWitness,
  type Cosigned,
  type PlacedLeaf,
} from '../recording/verify-witness.ts';
import type { SeenHead } from '../recording/witness-list.ts';
import { UserError } from '../shared/errors.ts';
import { readActs } from './act-store.ts';
import { Archive, type ArchivedRecording } from './archive.ts';
import { readCosigned } from './cosignature-store.ts';
import { readJournal, type JournalSnapshot } from './journal-reader.ts';
import { readLeaves, readRollovers } from './log-store.ts';
import { openReader } from './positional-file.ts';

export interface DataDirOptions {
  /** Only this one, by its id. */
  session?: string | undefined;
  onProgress?: (done: number, total: number) => void;
}

/** The log as its files have it, cut to what is signed. */
interface SignedLog {
  found: Verdict[];
  checkpoint: Checkpoint | undefined;
  leaves: Leaf[];
  /** How many of them each trusted witness has cosigned. */
  sizes: ReadonlyMap<VerifierKey, number>;
  /** By session. */
  receipts: ReadonlyMap<string, Receipt[]>;
}

/** Verifies all that a gateway's data directory has: the log against its checkpoint, and each recording against the log. Writes nothing. */
export async function verifyDataDir(
  dataDir: string,
  trust: Trust,
  options: DataDirOptions = {},
): Promise<VerifyReport> {
  // The checkpoint first, what it speaks of after it: a gateway that runs meanwhile only adds.
  const log = await readSignedLog(dataDir, trust);
  const journal = await readJournal(dataDir);
  const archive = new Archive(dataDir);
  const recordings = new Map<string, ArchivedRecording>();
  for await (const recording of archive.list()) recordings.set(recording.id, recording);
  const about = new Map<string, PlacedLeaf[]>();
  for (const [index, leaf] of log.leaves.entries()) {
    const id = formatSessionId(leaf.subject);
    if (leaf.kind === 'open') about.set(id, []);
    about.get(id)?.push({ index, leaf });
  }
  const seen = trust.seen?.heads;
  const known = [...about.keys(), ...recordings.keys(), ...journal.sessions.map(({ id }) => id)];
  const ids = new Set([...known, ...(seen?.keys() ?? []), ...log.receipts.keys()]);
  const wanted = [...ids].filter((id) => options.session === undefined || id === options.session);
  const sessions: SessionReport[] = [];
  for (const id of wanted) {
    const placed = about.get(id) ?? [];
    const place = {
      id,
      recording: recordings.get(id),
      journal,
      archive,
      leaves: addReceipts(
        placed.map(({ leaf }) => leaf),
        log.receipts.get(id) ?? [],
        parseSessionId(id)!,
      ),
      isLogged: placed.length > 0,
      seen: seen?.get(id),
      log,
      nowMicros: Date.now() * 1000,
    };
    const youngerMicros = place.nowMicros - uncosignedMicros;
    const origin = log.checkpoint?.origin;
    const facts = { leaves: placed, sizes: log.sizes, trust, origin, youngerMicros };
    sessions.push({ session: id, ...withWitness(await verifyOne(place), facts) });
    options.onProgress?.(sessions.length, wanted.length);
  }
  if (options.session !== undefined && sessions.length === 0) throw unknownSession(dataDir, options.session);
  const { checkpoint } = log;
  return reportOf(log.found, sessions, {
    ...(checkpoint && { log: { origin: checkpoint.origin, size: checkpoint.size } }),
    acts: await actsOf(dataDir, log.leaves),
    ...(log.sizes.size > 0 && { witnesses: standingOf(log.sizes, log.leaves) }),
  });
}

async function readSignedLog(dataDir: string, trust: Trust): Promise<SignedLog> {
  const directory = join(dataDir, 'log');
  const text = await readFile(join(directory, 'checkpoint'), 'utf8').catch(() => '');
  const judged = judgeCheckpoint(text, trust, await readRollovers(directory));
  if (!judged)
    return { found: [noCheckpoint], checkpoint: undefined, leaves: [], sizes: new Map(), receipts: new Map() };
  const { checkpoint, note, found, rollovers, receipts } = judged;
  const cosigned = await cosignedHere(dataDir, { checkpoint, note }, trust);
  const tree = new TileTree();
  const leaves: Leaf[] = [];
  const held = [trust.held, trust.seen?.checkpoint].filter((each) => each !== undefined);
  const shown = receipts.map(({ signed }) => signed);
  const expected = [{ checkpoint }, ...held, ...cosigned, ...rollovers, ...shown].map((each) => each.checkpoint);
  const bySize = grouped(expected, ({ size }) => size);
  expectRoot(bySize, tree, found);
  try {
    for await (const bytes of readLeaves(directory)) {
      if (tree.size < checkpoint.size) leaves.push(decodeLeaf(bytes)); // what is not signed yet is not proof
      tree.add(bytes);
      expectRoot(bySize, tree, found);
    }
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof UserError)) throw error;
    found.push({ verdict: 'FORK', at: tree.size, why: error.message });
  }
  const short = expected.find(({ size }) => size > tree.size);
  if (short)
    found.push({
      verdict: 'LOG_ROLLBACK',
      at: tree.size,
      why: `${short.size} leaves were signed, ${tree.size} are there`,
    });
  const own = trust.seen?.checkpoint ? [{ ...trust.seen.checkpoint, by: trust.seen.keys }] : [];
  const sizes = cosignedSizes([...cosigned, ...own], trust);
  found.push(...withoutCosignature(sizes, trust));
  return { found, checkpoint, leaves, sizes, receipts: grouped(receipts, ({ leaf }) => formatSessionId(leaf.subject)) };
}

/** As Map.groupBy, which Node 20 has not. */
function grouped<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

const noCheckpoint: Verdict = { verdict: 'UNPINNED', why: 'there is no checkpoint' };

/** Checkpoints with the cosignature of a witness that is trusted: the published one, the one that is held, and those that the gateway keeps. */
async function cosignedHere(dataDir: string, published: Cosigned, trust: Trust): Promise<Cosigned[]> {
  const kept = [...(await readCosigned(dataDir)).values()];
  const notes = [published, ...(trust.held ? [trust.held] : []), ...kept];
  return notes.filter((note) => cosignedSizes([note], trust).size > 0);
}

function expectRoot(bySize: ReadonlyMap<number, Checkpoint[]>, tree: TileTree, found: Verdict[]): void {
  for (const { size, root } of bySize.get(tree.size) ?? []) {
    if (!tree.root().equals(root))
      found.push({ verdict: 'FORK', at: size, why: 'the leaves are not those that were signed' });
  }
}

interface PlaceOfSession {
  id: string;
  isLogged: boolean;
  seen: readonly SeenHead[] | undefined;
  recording: ArchivedRecording | undefined;
  journal: JournalSnapshot;
  archive: Archive;
  leaves: Leaf[];
  log: SignedLog;
  nowMicros: number;
}

async function verifyOne(place: PlaceOfSession): Promise<VerifiedSession> {
  const { id, recording, journal, leaves, isLogged, log, seen } = place;
  const idBytes = Buffer.from(parseSessionId(id)!);
  const live = journal.sessions.find((session) => session.id === id);
  const about = { idBytes, leaves, seen };
  if (recording) return unlessYounger(await verifyFiles(recording, about), place.nowMicros);
  if (!live) {
    const isRemoved = leaves.some(({ kind }) => kind === 'removed');
    const verdict = isRemoved ? 'REMOVED' : 'MISSING_SESSION';
    const who = isLogged ? 'the log has it' : seen ? 'the agent has seen it' : 'a receipt shows it';
    const why = isRemoved ? 'the log says that it was removed' : `${who}, and there is no recording`;
    return { verdict, why, entries: 0, erased: [] };
  }
  const lastMicros = log.leaves.at(-1)?.timeMicros ?? 0;
  try {
    const entries = damageAsRange(journal.read(live));
    return unlessYounger(await verifySession({ ...about, entries }), lastMicros);
  } catch (error) {
    const moved = isMissing(error) ? await place.archive.find(id) : undefined; // sealed while we read
    if (!moved) throw error;
    return unlessYounger(await verifyFiles(moved, about), place.nowMicros);
  }
}

async function verifyFiles(
  recording: ArchivedRecording,
  about: Omit<SessionToVerify, 'entries'>,
): Promise<VerifiedSession> {
  const opened: FileHandle[] = [];
  try {
    const chain = await openReader(`${recording.path}.chain`, opened);
    const payload = await openReader(`${recording.path}.payload`, opened);
    return await verifySession({ ...about, entries: strictEntries({ chain, payload }) });
  } catch (error) {
    if (!isMissing(error)) throw error;
    return {
      verdict: 'TRUNCATED',
      at: 0,
      why: 'one of its two files is missing',
      entries: 0,
      erased: [],
    };
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** The journal's reader speaks to people; here a verdict is wanted. */
async function* damageAsRange(entries: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* entries;
  } catch (error) {
    throw error instanceof UserError ? new RangeError(error.message) : error;
  }
}

/**
 * A session that runs, begun since the last checkpoint, and one that ended while we looked: the log cannot have them yet. Whatever the
 * archive has had for longer must be logged.
 */
function unlessYounger(found: VerifiedSession, thanMicros: number): VerifiedSession {
  const isYounger = found.startedMicros !== undefined && found.startedMicros > thanMicros - youngMicros;
  if (found.verdict !== 'UNLOGGED' || !isYounger) return found;
  return { ...found, verdict: 'VALID_OPEN', why: 'begun since the last checkpoint: nothing of it is anchored yet' };
}

/** Checkpoints come every second; a loaded machine may be late. */
const youngMicros = 5_000_000;
/** An agent cosigns at once; the log of a gateway that runs always has a last second that nobody has cosigned. */
const uncosignedMicros = 10_000_000;

async function actsOf(dataDir: string, leaves: Leaf[]): Promise<NonNullable<VerifyReport['acts']>> {
  const committed = new Set(
    (await readActs(join(dataDir, 'acts'))).map(({ salt, text }) => commitAct(salt, text).toString('hex')),
  );
  const logged = leaves.filter(({ kind }) => kind === 'admin');
  return { logged: logged.length, kept: logged.filter(({ digest }) => committed.has(digest.toString('hex'))).length };
}

const unknownSession = (dataDir: string, id: string): UserError =>
  new UserError('HOOP_NOT_FOUND', `there is no session ${id} in ${dataDir}`, { next: 'give its whole id' });

export const isDataDir = (path: string): Promise<boolean> =>
  access(join(path, 'log')).then(
    () => true,
    () => false,
  );

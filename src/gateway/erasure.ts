import { checkedEntries } from '../recording/chain.ts';
import { decodeHeader, headerBytes } from '../recording/entry-codec.ts';
import { entriesOfStatement, type Saying } from '../recording/statement-entries.ts';
import { parseSessionId } from '../recording/session-id.ts';
import { UserError } from '../shared/errors.ts';
import type { Archive, ArchivedRecording } from '../store/archive.ts';
import { catalogRecording } from '../store/catalog-recording.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Journal } from '../store/journal.ts';
import type { KeptRecordings } from '../store/registry/kept-recordings.ts';
import type { TransparencyLog } from './log.ts';

export interface ErasureParts {
  journal: Journal;
  archive: Archive;
  catalog: Catalog;
  log: TransparencyLog;
  registry: KeptRecordings;
}

export interface ErasureOrder {
  session: string;
  seq: number;
  /** This number's entry and no other, in the place of the whole statement. */
  only: boolean;
  by: string;
}

/** Erases what a statement said, after the log has it that it will be erased; the numbers of all that is gone. */
export async function eraseStatement(parts: ErasureParts, order: ErasureOrder): Promise<number[]> {
  const recording = await recordingToErase(parts, order.session);
  const idBytes = Buffer.from(parseSessionId(order.session)!);
  const { entries, events } = await wantedEntries(parts.archive, recording, order);
  const commitments = await commitmentsOf(parts.archive, recording, entries);
  const logged = parts.log.sessions.get(idBytes)?.erasedEntries;
  parts.registry.erasing(order.session, events, order.by);
  await parts.log.announce(
    'erased',
    commitments.filter(({ number }) => !logged?.has(number)).map((leaf) => ({ subject: idBytes, ...leaf })),
  );
  await clearEntries(parts, recording, entries);
  return events;
}

/**
 * What the log says was erased, in a recording that still has it: a crash came between, or somebody put an older copy back. The payload
 * file goes last, so that nothing is left anywhere once it has been made anew.
 */
export async function completeErasure(
  parts: ErasureParts,
  recording: ArchivedRecording,
  logged: Iterable<number>,
): Promise<void> {
  const left = await parts.archive.notErased(recording, logged);
  if (left.length > 0) await clearEntries(parts, recording, left);
}

async function clearEntries(
  { journal, catalog, archive }: ErasureParts,
  recording: ArchivedRecording,
  entries: readonly number[],
): Promise<void> {
  const { id } = recording;
  const idBytes = parseSessionId(id)!;
  const erased = new Set(entries);
  await journal.clear([idBytes]);
  await catalogRecording(catalog, id, checkedEntries({ id, idBytes }, without(archive.read(recording), erased)));
  catalog.settle();
  await archive.erase(recording, erased);
}

async function* without(entries: AsyncIterable<Buffer>, erased: ReadonlySet<number>): AsyncGenerator<Buffer> {
  for await (const entry of entries) yield erased.has(decodeHeader(entry).seq) ? entry.subarray(0, headerBytes) : entry;
}

async function recordingToErase({ archive, registry }: ErasureParts, session: string): Promise<ArchivedRecording> {
  if (registry.heldBy(session)) throw held(session);
  const recording = await archive.find(session);
  if (recording) return recording;
  throw new UserError('HOOP_USAGE', `session ${session} is not sealed yet, and only what is sealed can be erased`, {
    next: 'end it first; one that has ended is sealed within moments',
  });
}

export const held = (session: string): UserError =>
  new UserError('HOOP_DENIED', `session ${session} is held: nothing of it is erased or removed`, {
    next: `release it first: hoop recordings release ${session}`,
  });

async function wantedEntries(
  archive: Archive,
  recording: ArchivedRecording,
  { seq, only }: ErasureOrder,
): Promise<Saying> {
  const found = await entriesOfStatement(archive.read(recording), seq, only);
  if (found === undefined)
    throw new UserError('HOOP_NOT_FOUND', `session ${recording.id} has no entry ${seq}`, {
      next: `\`hoop replay ${recording.id}\` shows the numbers`,
    });
  const { kind } = found;
  if (kind === 'genesis' || kind === 'interrupted' || kind === 'seal')
    throw new UserError('HOOP_USAGE', `entry ${seq} says what the recording is (${kind}) and cannot be erased`, {
      next: 'name an entry that somebody caused: a statement, its data, its outcome',
    });
  return found;
}

async function commitmentsOf(
  archive: Archive,
  recording: ArchivedRecording,
  entries: readonly number[],
): Promise<{ number: number; digest: Buffer }[]> {
  const wanted = new Set(entries);
  const commitments: { number: number; digest: Buffer }[] = [];
  for await (const entry of archive.read(recording, entries[0])) {
    const { seq, commitment } = decodeHeader(entry);
    if (wanted.delete(seq)) commitments.push({ number: seq, digest: Buffer.from(commitment) });
    if (wanted.size === 0) break;
  }
  return commitments;
}

import { checkedEntries, ChainFault } from '../recording/chain.ts';
import { decodeEvents } from '../recording/entry-codec.ts';
import type { Entry } from '../recording/entry.ts';
import { parseSessionId } from '../recording/session-id.ts';
import type { Clock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import type { Archive, ArchivedRecording } from '../store/archive.ts';
import { catalogRecording } from '../store/catalog-recording.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Journal, JournalSession } from '../store/journal.ts';
import type { Sealer } from './sealer.ts';
import { SessionRecorder } from './session-recorder.ts';

export interface RecoveryParts {
  journal: Journal;
  archive: Archive;
  sealer: Sealer;
  catalog: Catalog;
  clock: Clock;
  salts: () => Uint8Array;
}

export interface Recovered {
  /** The highest ordinal that was ever given. */
  ordinal: number;
  interrupted: number;
  damaged: string[];
}

/**
 * What a start does with what the last run left: sessions without a seal are marked interrupted after their last durable entry,
 * statements without an outcome become unknown, all are sealed and archived, and the catalog learns what it does not know.
 */
export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const recovered: Recovered = { ordinal: 0, interrupted: 0, damaged: [] };
  parts.catalog.dropLive();
  const archived = new Map<string, ArchivedRecording>();
  for await (const recording of parts.archive.list()) archived.set(recording.id, recording);
  for (const session of parts.journal.sessions()) {
    const recording = archived.get(session.id);
    if (recording) {
      // The crash came before the journal had let go of all of it.
      await parts.archive.confirm(recording);
      await parts.journal.forget(session);
    } else await recoverSession(session, parts, recovered);
  }
  await completeCatalog(parts, recovered);
  return recovered;
}

async function recoverSession(session: JournalSession, parts: RecoveryParts, recovered: Recovered): Promise<void> {
  const recorder = new SessionRecorder(session.idBytes, parts);
  try {
    for await (const encoded of parts.journal.read(session)) {
      const events = decodeEvents(encoded);
      recorder.follow(encoded, events);
      const [{ body }] = events as [Entry];
      if (body.kind === 'genesis') recovered.ordinal = Math.max(recovered.ordinal, body.ordinal);
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    recovered.damaged.push(session.id);
    await parts.sealer.catalog(session).catch(ignoreDamage); // as far as it can be read; it stays in the journal
    return;
  }
  if (recorder.isSealed) return parts.sealer.archive(session);
  recovered.interrupted++;
  await recorder.sealInterrupted();
}

const isDamage = (error: unknown): boolean =>
  error instanceof ChainFault ||
  error instanceof RangeError ||
  (error instanceof UserError && error.code === 'HOOP_RECORD_DAMAGED');

function ignoreDamage(error: unknown): void {
  if (!isDamage(error)) throw error;
}

/** Indexes recordings of the archive that the catalog has not (it was thrown away, or lost its last commits). */
async function completeCatalog({ archive, catalog }: RecoveryParts, recovered: Recovered): Promise<void> {
  const known = catalog.ended();
  for await (const recording of archive.list()) {
    recovered.ordinal = Math.max(recovered.ordinal, recording.ordinal);
    const idBytes = parseSessionId(recording.id);
    if (known.has(recording.id) || !idBytes) continue;
    const entries = checkedEntries({ id: recording.id, idBytes }, archive.read(recording));
    await catalogRecording(catalog, recording.id, entries).catch((error: unknown) => {
      ignoreDamage(error);
      recovered.damaged.push(recording.id);
    });
  }
}

import { decodeEntry, decodeHeader, entryHash } from '../recording/entry-codec.ts';
import { parseSessionId } from '../recording/session-id.ts';
import { UserError } from '../shared/errors.ts';
import type { Archive, ArchivedRecording } from '../store/archive.ts';
import type { EndedSession, TransparencyLog } from './log.ts';
import { recover, type Recovered, type RecoveryParts } from './recovery.ts';

/** Recovers, and tells the log. Ordinals that the log has seen are never given again, whatever the journal has lost. */
export async function recoverLogged(parts: RecoveryParts, log: TransparencyLog | undefined): Promise<Recovered> {
  const recovered = await recover(parts);
  if (!log) return recovered;
  await logArchived(log, parts.archive);
  return { ...recovered, ordinal: Math.max(recovered.ordinal, log.sessions.ordinalMax) };
}

/** What the archive has and the log does not know to its end, because a crash came before the next checkpoint. */
async function logArchived(log: TransparencyLog, archive: Archive): Promise<void> {
  const found: ArchivedRecording[] = [];
  for await (const recording of archive.list()) {
    const idBytes = parseSessionId(recording.id);
    if (idBytes && !log.sessions.get(Buffer.from(idBytes))?.ended) found.push(recording);
  }
  for (const recording of found.toSorted((a, b) => a.ordinal - b.ordinal)) {
    const ended = await endOf(archive, recording);
    if (ended) log.addEnded(ended);
  }
}

/** Undefined for a recording that cannot be read: recovery has named it. */
async function endOf(archive: Archive, recording: ArchivedRecording): Promise<EndedSession | undefined> {
  const idBytes = parseSessionId(recording.id)!;
  let [genesisHash, hash]: (Buffer | undefined)[] = [];
  let [seq, logSize, interrupted] = [0, 0, false];
  try {
    for await (const entry of archive.read(recording)) {
      const header = decodeHeader(entry);
      hash = entryHash(entry);
      if (!genesisHash) {
        const { body } = decodeEntry(entry);
        if (body.kind === 'genesis') logSize = body.logSize;
        genesisHash = hash;
      }
      seq = header.seq;
      interrupted ||= header.kind === 'interrupted';
    }
  } catch (error) {
    if (error instanceof RangeError || (error instanceof UserError && error.code === 'HOOP_RECORD_DAMAGED'))
      return undefined;
    throw error;
  }
  return genesisHash && hash && { idBytes, ordinal: recording.ordinal, genesisHash, seq, hash, interrupted, logSize };
}

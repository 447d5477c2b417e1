import { decodeEntry, decodeHeader, entryHash, headerBytes } from '../recording/entry-codec.ts';
import { parseSessionId } from '../recording/session-id.ts';
import type { Clock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import type { ArchivedRecording } from '../store/archive.ts';
import type { RetentionPeriods } from './config.ts';
import type { ErasureParts } from './erasure.ts';

export interface RetentionParts extends ErasureParts {
  clock: Clock;
  periods: RetentionPeriods | undefined;
}

/** What a removal says of a recording: from the recording itself, the catalog is not believed. */
interface Ended {
  recording: ArchivedRecording;
  resource: string;
  agent: string;
  agentOrdinal: number;
  endedMicros: number;
  leaf: { subject: Buffer; number: number; digest: Buffer };
}

/** Removes the recordings whose time is over, after the log has it that they will be removed; their sessions' ids. */
export async function removeExpired(parts: RetentionParts): Promise<string[]> {
  const expired = await expiredRecordings(parts);
  // Orders follow one another (recordings.ts): whoever holds one later is told that it is gone.
  const free = expired.filter(({ recording }) => !parts.registry.heldBy(recording.id));
  if (free.length === 0) return [];
  for (const { recording, agent, agentOrdinal } of free) parts.registry.removing(recording.id, agent, agentOrdinal);
  await parts.log.announce(
    'removed',
    free.map(({ leaf }) => leaf),
  );
  const recordings = free.map(({ recording }) => recording);
  await removeRecordings(parts, recordings);
  return recordings.map(({ id }) => id);
}

/** Also what a crash left. The chain file goes last: as long as it is there, this is done again. */
export async function removeRecordings(
  { journal, catalog, archive }: RetentionParts,
  recordings: readonly ArchivedRecording[],
): Promise<void> {
  await journal.clear(recordings.map(({ id }) => parseSessionId(id)!)); // or the next start would seal it again
  for (const { id } of recordings) catalog.forget(id);
  catalog.settle();
  for (const recording of recordings) await archive.remove(recording);
}

async function expiredRecordings(parts: RetentionParts): Promise<Ended[]> {
  const { periods, catalog, archive, clock } = parts;
  if (!periods) return [];
  const shortest = Math.min(
    ...[periods.default, ...Object.values(periods.resources)].filter((one) => one !== undefined),
  );
  if (!Number.isFinite(shortest)) return [];
  const nowMillis = clock.nowMicros() / 1000;
  const expired: Ended[] = [];
  for (const { id, resource } of catalog.endedBefore(new Date(nowMillis - shortest).toISOString())) {
    if (periodOf(periods, resource) === undefined) continue;
    const place = catalog.place(id);
    const recording = place && (await archive.at(place));
    const ended = recording && (await endOf(parts, recording));
    if (!ended) continue;
    const period = periodOf(periods, ended.resource);
    if (period !== undefined && ended.endedMicros / 1000 < nowMillis - period) expired.push(ended);
  }
  return expired;
}

function periodOf({ default: all, resources }: RetentionPeriods, resource: string): number | undefined {
  return Object.hasOwn(resources, resource) ? resources[resource] : all;
}

/** Undefined for a recording that cannot be read to its end, or that was never logged: it stays, as evidence. */
async function endOf({ archive, log }: RetentionParts, recording: ArchivedRecording): Promise<Ended | undefined> {
  const subject = Buffer.from(parseSessionId(recording.id)!);
  try {
    const { first, last } = await archive.ends(recording);
    const header = decodeHeader(last);
    const genesis = first.length > headerBytes ? decodeEntry(first).body : undefined;
    if (genesis?.kind !== 'genesis' || header.kind !== 'seal') return undefined;
    const logged = log.sessions.get(subject);
    if (!logged?.ended || logged.removed !== undefined) return undefined;
    const { resource, agent, agentOrdinal } = genesis;
    const leaf = { subject, number: header.seq, digest: entryHash(last) };
    return { recording, resource, agent, agentOrdinal, endedMicros: header.timeMicros, leaf };
  } catch (error) {
    if (error instanceof RangeError || (error instanceof UserError && error.code === 'HOOP_RECORD_DAMAGED'))
      return undefined;
    throw error;
  }
}

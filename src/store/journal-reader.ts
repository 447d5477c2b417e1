import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatSessionId } from '../recording/session-id.ts';
import { systemDisk } from './durable.ts';
import { readExtents } from './journal-extents.ts';
import { segmentName } from './journal-format.ts';
import { durableEnds, scanSegment } from './journal-scan.ts';
import type { JournalSession } from './journal.ts';

/** A journal as it stands, for somebody who only looks: nothing is written, removed or begun. The gateway may be running. */
export interface JournalSnapshot {
  sessions: JournalSession[];
  read(session: JournalSession): AsyncGenerator<Buffer>;
}

export async function readJournal(dataDir: string): Promise<JournalSnapshot> {
  const directory = join(dataDir, 'journal');
  const names = (await readdir(directory).catch(() => [])).filter((name) => /^\d{10}\.journal$/.test(name)).toSorted();
  const sessions = new Map<string, JournalSession>();
  const ends = await durableEnds(names.map((name) => join(directory, name)));
  for (const name of names) {
    const segment = Number(name.slice(0, 10));
    const durableEnd = ends.get(segment);
    const bytes = await readFile(join(directory, name)).catch(ignoreMissing);
    if (!bytes) continue; // the archive has all of it by now
    scanSegment(bytes, { segment, durableEnd }, ({ sessionHex, offset, bytes }) => {
      const known = sessions.get(sessionHex) ?? newSession(Buffer.from(sessionHex, 'hex'));
      sessions.set(sessionHex, known);
      const last = known.extents.at(-1);
      if (last?.segment === segment && last.end === offset) last.end = offset + bytes;
      else known.extents.push({ segment, start: offset, end: offset + bytes });
    });
  }
  const open = (segment: number) => systemDisk.open(join(directory, segmentName(segment)), 'r');
  return { sessions: [...sessions.values()], read: (session) => readExtents(session.extents, session, open) };
}

/** A gateway that runs removes segments that it does not need any more. */
function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

const newSession = (idBytes: Buffer): JournalSession => ({ id: formatSessionId(idBytes), idBytes, extents: [] });

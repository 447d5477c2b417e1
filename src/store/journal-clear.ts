import { join } from 'node:path';
import type { Disk } from './disk.ts';
import { removeFile, writeFileAtomically } from './durable.ts';
import { encodeCleared } from './journal-format.ts';
import { scanSegment } from './journal-scan.ts';

/** Does the segment say anything of one of these sessions? */
export async function speaksOf(disk: Disk, path: string, sessions: readonly Uint8Array[]): Promise<boolean> {
  const bytes = await disk.readFile(path);
  return sessions.some((id) => bytes.includes(Buffer.from(id)));
}

/**
 * Makes a segment anew, with cleared records in the place of those of these sessions: every other record stays at its offset. The old
 * segment is there, or the new one is, whatever happens; nobody may be writing to it.
 */
export async function clearSegment(
  disk: Disk,
  { path, segment }: { path: string; segment: number },
  sessions: readonly Uint8Array[],
): Promise<void> {
  const bytes = await disk.readFile(path);
  const wanted = new Set(sessions.map((id) => Buffer.from(id).toString('hex')));
  const found: { offset: number; bytes: number }[] = [];
  scanSegment(bytes, { segment, durableEnd: undefined }, ({ sessionHex, offset, bytes: length }) => {
    if (wanted.has(sessionHex)) found.push({ offset, bytes: length });
  });
  if (found.length === 0) return;
  for (const { offset, bytes: length } of found) bytes.set(encodeCleared(length), offset);
  await writeFileAtomically(path, bytes, disk);
}

/** Makes a segment anew, of what is durable of it and nothing else; pages that only memory had are on disk then. Nobody may be writing to it. */
export async function cutSegment(disk: Disk, path: string, end: number): Promise<void> {
  const bytes = await disk.readFile(path);
  await writeFileAtomically(path, bytes.subarray(0, end), disk);
}

/** What a crash left of a segment that was being made anew. */
export async function removeUnfinished(disk: Disk, directory: string): Promise<void> {
  const names = (await disk.list(directory)).filter((name) => /^\.\d{10}\.journal\.tmp$/.test(name));
  for (const name of names) await removeFile(join(directory, name), disk);
}

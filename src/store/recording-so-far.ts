import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SessionChain } from '../recording/chain.ts';
import { writeSealed } from '../recording/sealed-writer.ts';
import type { SealedKind } from '../recording/sealed-format.ts';

/** Where the files of exports lie while they are sent: as secret as the recordings, and worth nothing after a crash. */
const folderOf = (dataDir: string): string => join(dataDir, 'exporting');

/** What exports of the last run have left. */
export const clearExports = (dataDir: string): Promise<void> => rm(folderOf(dataDir), { recursive: true, force: true });

export interface RecordingSoFar {
  path: string;
  remove(): Promise<void>;
}

/** A session that runs, up to an entry, in the two files of a sealed recording: the same format, without a seal. Throws on a broken chain. */
export async function writeSoFar(
  dataDir: string,
  session: { idBytes: Uint8Array; entries: AsyncIterable<Uint8Array>; through: number },
): Promise<RecordingSoFar> {
  await mkdir(folderOf(dataDir), { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(folderOf(dataDir), 'session-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'recording');
  const opened = {
    chain: await open(`${path}.chain`, 'wx', 0o600),
    payload: await open(`${path}.payload`, 'wx', 0o600),
  };
  const to = (kind: SealedKind) => (bytes: Uint8Array) => opened[kind].writeFile(bytes);
  try {
    const chain = new SessionChain(session.idBytes);
    const entries = upTo(chain, session.entries, session.through);
    await writeSealed(session.idBytes, entries, { chain: to('chain'), payload: to('payload') }, () => chain.head);
  } catch (error) {
    await remove();
    throw error;
  } finally {
    await Promise.all([opened.chain.close(), opened.payload.close()]);
  }
  return { path, remove };
}

async function* upTo(chain: SessionChain, entries: AsyncIterable<Uint8Array>, through: number) {
  for await (const entry of entries) {
    chain.follow(entry);
    yield entry;
    if (chain.lastSeq >= through) return;
  }
}

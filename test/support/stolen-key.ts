import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SessionChain } from '../../src/recording/chain.ts';
import { decodeEvents, headerBytes } from '../../src/recording/entry-codec.ts';
import type { EntryBody } from '../../src/recording/entry.ts';
import { parseSessionId } from '../../src/recording/session-id.ts';
import { Archive } from '../../src/store/archive.ts';
import { LogStore, readLeaves } from '../../src/store/log-store.ts';

/**
 * What somebody does who has the gateway's machine, and with it the log's key: another history, which the gateway itself signs at its
 * next start. Between a stop and a start.
 */
export async function readRecording(dataDir: string, id: string): Promise<Buffer[]> {
  const archive = new Archive(dataDir);
  const entries: Buffer[] = [];
  for await (const entry of archive.read((await archive.find(id))!)) entries.push(Buffer.from(entry));
  return entries;
}

/** The recording as if that had happened: sealed, numbered and chained as the gateway does it. */
export async function rewriteRecording(
  dataDir: string,
  id: string,
  change: (bodies: { stream: number; body: EntryBody; timeMicros: number; salt: Buffer }[]) => void,
): Promise<void> {
  const idBytes = Buffer.from(parseSessionId(id)!);
  const archive = new Archive(dataDir);
  const { ordinal } = (await archive.find(id))!;
  // Each event an entry of its own.
  const entries = (await readRecording(dataDir, id)).flatMap((entry) => {
    const salt = entry.subarray(headerBytes, headerBytes + 16);
    return decodeEvents(entry).map(({ header: { stream, timeMicros }, body }) => ({ stream, body, timeMicros, salt }));
  });
  const startedMicros = entries[0]!.timeMicros;
  change(entries);
  const chain = new SessionChain(idBytes);
  const forged = entries.map(({ stream, body, timeMicros, salt }) => {
    const entry = Buffer.from(chain.next(stream, body, timeMicros, salt));
    chain.accept(entry);
    return entry;
  });
  removeRecording(dataDir, id);
  const given = async function* () {
    yield* forged;
  };
  await archive.write({ id, idBytes, ordinal, startedMicros, entries: given() });
}

function removeRecording(dataDir: string, id: string): void {
  const folder = join(dataDir, 'recordings');
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (name.includes(id)) rmSync(join(folder, name));
}

/** The log as it was when it had that checkpoint. */
export async function cutLog(dataDir: string, checkpoint: string, size: number): Promise<void> {
  const leaves: Buffer[] = [];
  for await (const leaf of readLeaves(join(dataDir, 'log'))) if (leaves.length < size) leaves.push(Buffer.from(leaf));
  rmSync(join(dataDir, 'log'), { recursive: true });
  const store = await LogStore.open(dataDir, () => undefined);
  for (const leaf of leaves) store.append(leaf);
  await store.flush();
  await store.publish(checkpoint);
}

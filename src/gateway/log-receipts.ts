import { parseCheckpoint } from '../recording/checkpoint.ts';
import { inclusionProof } from '../recording/merkle.ts';
import { parseSessionId } from '../recording/session-id.ts';
import { formatTlogProof } from '../recording/tlog-proof.ts';
import type { Receipts } from '../shared/api.ts';
import type { TransparencyLog } from './log.ts';

/**
 * What the one who had a session keeps of it: that its beginning, and its end once it has one, stand in the log. An end that has only just
 * come gets its checkpoint now; nobody polls a session that runs for more checkpoints than there are.
 */
export async function receiptsOf(log: TransparencyLog, id: string, isLive: boolean): Promise<Receipts> {
  const idBytes = Buffer.from(parseSessionId(id)!);
  const known = log.sessions.get(idBytes);
  if (!known || (!known.ended && !isLive)) await log.checkpoint();
  const places = log.sessions.get(idBytes);
  const checkpoint = await log.checkpointNow;
  const prove = async (index: number | undefined): Promise<string | null> => {
    if (index === undefined || checkpoint === undefined) return null;
    const { size } = parseCheckpoint(checkpoint).checkpoint;
    if (index >= size) return null;
    const hashes = (await inclusionProof(index, size, log.store.readHash)).map((hash) => Buffer.from(hash));
    return formatTlogProof({ extra: await log.store.leaf(index), index, hashes, checkpoint });
  };
  return { session: id, open: await prove(places?.open), end: await prove(places?.end) };
}

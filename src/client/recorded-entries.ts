import { ByteQueue } from '../protocol/byte-queue.ts';
import { checkedEntries } from '../recording/chain.ts';
import { asBuffer } from '../recording/entry-codec.ts';
import type { Entry } from '../recording/entry.ts';
import { parseSessionId } from '../recording/session-id.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';

const lengthBytes = 4;
/** A message and the names and numbers beside it. */
const entryBytesMax = 2 * limits.messageBytesMax;

/**
 * All entries of a session, of one that runs those that are durable by now, from what the gateway answered (`entriesOf`) or what was kept of
 * it. The chain is followed here too: what was left out or changed on the way shows. Throws HOOP_RECORD_DAMAGED,
 * HOOP_GATEWAY_UNREACHABLE where the answer is cut off.
 */
export async function* recordedEntries(id: string, framed: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const idBytes = parseSessionId(id);
  if (!idBytes) throw new UserError('HOOP_VERSION_SKEW', `the gateway calls a session ${id}, which is no session's id`);
  yield* checkedEntries({ id, idBytes }, unframed(framed));
}

async function* unframed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const held = new ByteQueue();
  let wanted = lengthBytes;
  for await (const chunk of chunks) {
    held.push(chunk);
    if (held.length < wanted) continue;
    const bytes = asBuffer(held.take());
    let at = 0;
    for (wanted = lengthBytes; at + lengthBytes <= bytes.length; wanted = lengthBytes) {
      wanted = lengthBytes + lengthAt(bytes, at);
      if (at + wanted > bytes.length) break;
      yield bytes.subarray(at + lengthBytes, at + wanted);
      at += wanted;
    }
    held.push(bytes.subarray(at));
  }
  if (held.length > 0) throw cutOff('in the middle of an entry');
}

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at);
  if (length > entryBytesMax) throw cutOff(`by something that is no entry (${length} bytes)`);
  return length;
}

const cutOff = (where: string): UserError =>
  new UserError('HOOP_GATEWAY_UNREACHABLE', `the answer was cut off ${where}`, { next: 'try again' });

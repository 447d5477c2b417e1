import type { SessionStream } from '../shared/api.ts';
import type { Entry } from './entry.ts';

/** The client connections of a session, in the order in which they came. */
export async function streamsOf(entries: AsyncIterable<Entry>): Promise<SessionStream[]> {
  const streams = new Map<number, SessionStream>();
  for await (const { header, body } of entries) {
    const at = new Date(header.timeMicros / 1000).toISOString();
    if (body.kind === 'stream-open') {
      const { facts } = body;
      streams.set(header.stream, { stream: header.stream, openedAt: at, closedAt: null, reason: null, facts });
    }
    const known = streams.get(header.stream);
    if (body.kind === 'stream-close' && known) Object.assign(known, { closedAt: at, reason: body.reason });
  }
  return [...streams.values()];
}

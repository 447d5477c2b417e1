import { protocolNamed } from '../protocol/registry.ts';
import type { Entry } from '../recording/entry.ts';
import { streamsOf } from '../recording/streams.ts';
import { statementsOf } from '../recording/timeline.ts';
import type { Session, SessionsQuery, Statement } from '../shared/api.ts';
import type { Catalog } from '../store/catalog.ts';
import { checkedEntries } from '../recording/chain.ts';
import { parseSessionId } from '../recording/session-id.ts';
import type { SessionsIndex } from './api/ports.ts';
import { followedEntries } from './followed-entries.ts';
import type { LiveSessions } from './live-sessions.ts';
import type { Recorder } from './recorder.ts';

/** What the API says of sessions: the catalog, with the counters of those that still run. */
export function sessionsIndex(
  catalog: Catalog,
  recorder: Recorder,
  live: LiveSessions,
  exporting: SessionsIndex['export'],
  erasure: (id: string, seq: number) => { at: number; by: string } | undefined,
): SessionsIndex {
  const withLiveCounters = (row: Session): Session => {
    const counters = live.get(row.id)?.parts.recorder.counters;
    return counters ? { ...row, ...counters } : row;
  };
  /** As they become durable, where the session runs. */
  const entriesOf = (id: string, following: AbortSignal | undefined): AsyncIterable<Entry> => {
    const session = following && live.get(id);
    if (!session) return recorder.readEntries(id);
    const read = async function* () {
      yield* (await recorder.readRaw(id)).entries;
    };
    const followed = { session: session.parts.recorder, ended: session.ended, read };
    return checkedEntries({ id, idBytes: parseSessionId(id)! }, followedEntries(followed, following));
  };
  return {
    export: exporting,
    entries: async (id) => (await recorder.readRaw(id)).entries,
    streams: (id) => streamsOf(recorder.readEntries(id)),
    kill: (id, by, reason) => live.kill(id, by, reason),
    list: (query: SessionsQuery, restrictToUser?: string) => {
      const { sessions, next } = catalog.page(query, restrictToUser);
      return { sessions: sessions.map(withLiveCounters), next };
    },
    find: (idPrefix: string, restrictToUser?: string) => withLiveCounters(catalog.find(idPrefix, restrictToUser)),
    statements: (id: string, following?: AbortSignal): AsyncIterable<Statement> => {
      const protocol = protocolNamed(catalog.find(id).protocol);
      return statementsOf(entriesOf(id, following), {
        session: id,
        asAnswered: following !== undefined,
        erasedBy: (seq) => {
          const known = erasure(id, seq);
          return known && { at: new Date(known.at).toISOString(), by: known.by };
        },
        renderParameter: protocol?.renderParameter ?? hex,
        renderCommand: protocol?.renderCommand,
        renderResult: protocol?.renderResult,
      });
    },
  };
}

const hex = (_type: number, _format: number, value: Uint8Array) => `\\x${Buffer.from(value).toString('hex')}`;

import type {
  Session,
  SessionsPage,
  SessionsQuery,
  SessionStream,
  Statement,
  Erased,
  Hold,
  Receipts,
  RecordingStats,
  RolledOver,
} from '../../shared/api.ts';
import type { Principal } from '../identity/principal.ts';

type MaybePromise<T> = T | Promise<T>;

/** Which agents are linked now. */
interface LiveAgents {
  online(agent: string): { version: string } | undefined;
  /** The verifier key of one that is linked and cosigns the log. */
  witnessKey?(agent: string): string | undefined;
  /** Ends the link of an agent that was removed, or whose key is to be replaced. */
  disconnect(agent: string, reason: string): void;
}

/** What the catalog knows. `restrictToUser`: only this user's sessions exist. */
export interface SessionsIndex {
  /** Newest first. */
  list(query: SessionsQuery, restrictToUser?: string): MaybePromise<SessionsPage>;
  /** By id, unique prefix or `last`. Throws HOOP_NOT_FOUND, also for a session of somebody else. */
  find(idPrefix: string, restrictToUser?: string): MaybePromise<Session>;
  /** Ends a live session; what stands in the record says by whom and why. Resolves when it has ended; throws HOOP_USAGE for one that has. */
  kill(id: string, by: string, reason: string | undefined): Promise<void>;
  /** Of a live session those that are durable by now. */
  streams(id: string): Promise<SessionStream[]>;
  /** `following`: also those to come, each when it is answered, until the session ends or the signal aborts. */
  statements(id: string, following?: AbortSignal): AsyncIterable<Statement>;
  /** As they are on disk. */
  entries(id: string): Promise<AsyncIterable<Uint8Array>>;
  /** The file of `hoop sessions export`. `heldSize`: with a proof from that size of the log on. Of a session that runs, what is anchored by now. */
  export(id: string, heldSize: number | undefined): Promise<AsyncIterable<Uint8Array>>;
}

/** An act that belongs in the record of administration: changes, and reads of other people's recordings. */
interface AdministrativeAct {
  act: string;
  by: Principal;
  subject: Record<string, string | number | null>;
}

/** What is done to recordings as a whole; the caller has seen to who may. Each is recorded as an act of `by` before it is done. */
export interface RecordingActs {
  /** Throws HOOP_DENIED for one that is held, HOOP_USAGE for one that is not sealed, HOOP_NOT_FOUND without such an entry. */
  erase(
    order: { session: string; seq: number; only: boolean; reason: string | undefined },
    by: Principal,
  ): Promise<Erased>;
  hold(session: string, reason: string | undefined, by: Principal): Promise<Hold>;
  /** Throws HOOP_NOT_FOUND for one that is not held. */
  release(session: string, by: Principal): Promise<void>;
  stats(): Promise<RecordingStats>;
}

/** A new key for the transparency log: it signs when it resolves, and the old one is gone. Recorded as an act of `by`. */
export interface LogKeyActs {
  rollOver(by: Principal): Promise<RolledOver>;
}

export interface ApiPorts {
  agents: LiveAgents;
  sessions: SessionsIndex;
  recordings?: RecordingActs;
  logKey?: LogKeyActs;
  /** That the log has the session (log-receipts.ts). */
  receipts?(session: Session): Promise<Receipts>;
  /** Called after the act (before it, for a read); what it throws, the caller gets. */
  recordAct?(act: AdministrativeAct): MaybePromise<void>;
}

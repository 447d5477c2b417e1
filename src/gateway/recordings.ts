import type { Erased, Hold, RecordingStats } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { formatSessionId } from '../recording/session-id.ts';
import type { StoredHold } from '../store/registry/kept-recordings.ts';
import type { RecordingActs } from './api/ports.ts';
import { completeErasure, eraseStatement, held } from './erasure.ts';
import type { Principal } from './identity/principal.ts';
import { recordingStats } from './recording-stats.ts';
import { removeExpired, removeRecordings, type RetentionParts } from './retention.ts';

export type RecordAct = (act: {
  act: string;
  by: string;
  via: string;
  subject: Record<string, string | number | null>;
}) => Promise<void>;

export interface RecordingsParts extends RetentionParts {
  dataDir: string;
  operatorLog: Log;
  recordAct: RecordAct;
}

/** What is done to recordings by order: one after the other, so that nothing is made anew while it is removed. */
export class Recordings implements RecordingActs {
  readonly #parts: RecordingsParts;
  #last: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: RecordingsParts) {
    this.#parts = parts;
  }

  /** Finishes what the log says and a crash came before, then removes what is over; now and once an hour. */
  start(): void {
    const run = () =>
      void this.removeExpired().catch((error: unknown) => {
        this.#parts.operatorLog.error(
          { error: (error as Error).message },
          'recordings were not removed; tried again in an hour',
        );
      });
    this.#timer = setInterval(run, limits.retentionMillis);
    run();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#last.catch(() => undefined);
  }

  /** Recordings of which the log says more than was done to them: nothing that is held is touched. */
  complete(): Promise<void> {
    return this.#next(async () => {
      const { log, archive, registry } = this.#parts;
      const changed = new Map([...log.sessions.changed()].map(([id, places]) => [formatSessionId(id), places]));
      if (changed.size === 0) return;
      for await (const recording of archive.list()) {
        const places = registry.heldBy(recording.id) ? undefined : changed.get(recording.id);
        if (!places || places.ordinal !== recording.ordinal) continue;
        if (places.removed !== undefined) await removeRecordings(this.#parts, [recording]);
        else await completeErasure(this.#parts, recording, places.erasedEntries).catch(this.#ignoreDamage);
      }
    });
  }

  async removeExpired(): Promise<void> {
    await this.complete();
    await this.#next(async () => {
      const sessions = await removeExpired(this.#parts);
      if (sessions.length > 0)
        this.#parts.operatorLog.info({ sessions: sessions.length }, 'recordings removed: their time is over');
    });
  }

  erase: RecordingActs['erase'] = ({ session, seq, only, reason }, by): Promise<Erased> =>
    this.#next(async () => {
      if (this.#parts.registry.heldBy(session)) throw held(session);
      await this.#recordAct('recording-erased', by, { session, seq, only: String(only), reason: reason ?? null });
      return { session, entries: await eraseStatement(this.#parts, { session, seq, only, by: by.user }) };
    });

  hold: RecordingActs['hold'] = (session, reason, by): Promise<Hold> =>
    this.#next(async () => {
      await this.#recordAct('recording-held', by, { session, reason: reason ?? null });
      return shownHold(this.#parts.registry.hold(session, by.user, reason ?? null));
    });

  release: RecordingActs['release'] = (session, by): Promise<void> =>
    this.#next(async () => {
      const { registry } = this.#parts;
      if (!registry.heldBy(session))
        throw new UserError('HOOP_NOT_FOUND', `session ${session} is not held`, {
          next: '`hoop recordings stats` lists those that are',
        });
      await this.#recordAct('recording-released', by, { session });
      registry.release(session);
    });

  stats = async (): Promise<RecordingStats> => {
    const { registry, archive, catalog, dataDir } = this.#parts;
    return {
      ...(await recordingStats({ archive, catalog, dataDir })),
      removed: registry.removals(),
      holds: registry.holds().map(shownHold),
    };
  };

  #recordAct(act: string, by: Principal, subject: Record<string, string | number | null>): Promise<void> {
    return this.#parts.recordAct({ act, by: by.user, via: by.via, subject });
  }

  #ignoreDamage = (error: unknown): void => {
    if (!(error instanceof UserError) || error.code !== 'HOOP_RECORD_DAMAGED') throw error;
    this.#parts.operatorLog.error({ error: error.message }, 'an erasure that was logged is not complete');
  };

  #next<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#last.catch(() => undefined).then(act);
    this.#last = done;
    return done;
  }
}

/** What a crash left is finished when it resolves; retention goes on by itself. */
export async function startRecordings(parts: RecordingsParts): Promise<Recordings> {
  const recordings = new Recordings(parts);
  await recordings.complete();
  recordings.start();
  return recordings;
}

const shownHold = ({ session, reason, heldAt, heldBy }: StoredHold): Hold => ({
  session,
  reason,
  heldAt: new Date(heldAt).toISOString(),
  heldBy,
});

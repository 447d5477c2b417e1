import type { Sql } from './sql.ts';

export interface StoredHold {
  session: string;
  reason: string | null;
  heldAt: number;
  heldBy: string;
}

/** What administrators decided about recordings, and what became of those that are gone. Times are milliseconds. */
export interface KeptRecordings {
  /** A hold that is there already stays as it is. */
  hold(session: string, by: string, reason: string | null): StoredHold;
  /** Was there one? */
  release(session: string): boolean;
  heldBy(session: string): StoredHold | undefined;
  holds(): StoredHold[];
  erasing(session: string, entries: readonly number[], by: string): void;
  erasure(session: string, seq: number): { at: number; by: string } | undefined;
  removing(session: string, agent: string, agentOrdinal: number): void;
  removals(): number;
  /** The highest number of a session of each agent whose recording was removed. */
  removedOrdinals(): Map<string, number>;
}

interface HoldRow {
  session: string;
  reason: string | null;
  held_at: number;
  held_by: string;
}

export function openKeptRecordings(sql: Sql, now: () => number): KeptRecordings {
  const heldBy = (session: string): StoredHold | undefined => {
    const row = sql.get<HoldRow>('select * from holds where session = ?', session);
    return row && storedHold(row);
  };
  return {
    heldBy,
    hold(session, by, reason) {
      const text = 'insert into holds (session, reason, held_at, held_by) values (?, ?, ?, ?) on conflict do nothing';
      sql.run(text, session, reason, now(), by);
      return heldBy(session)!;
    },
    release: (session) => sql.run('delete from holds where session = ?', session) > 0,
    holds: () => sql.all<HoldRow>('select * from holds order by held_at').map(storedHold),
    erasing(session, entries, by) {
      const text = 'insert or replace into erasures (session, seq, erased_at, erased_by) values (?, ?, ?, ?)';
      sql.transaction(() => {
        for (const seq of entries) sql.run(text, session, seq, now(), by);
      });
    },
    erasure(session, seq) {
      const text = 'select erased_at, erased_by from erasures where session = ? and seq = ?';
      const row = sql.get<{ erased_at: number; erased_by: string }>(text, session, seq);
      return row && { at: row.erased_at, by: row.erased_by };
    },
    removing(session, agent, agentOrdinal) {
      const text = 'insert or replace into removals (session, agent, agent_ordinal, removed_at) values (?, ?, ?, ?)';
      sql.run(text, session, agent, agentOrdinal, now());
    },
    removals: () => sql.get<{ count: number }>('select count(*) as count from removals')?.count ?? 0,
    removedOrdinals() {
      const text = 'select agent, max(agent_ordinal) as ordinal from removals group by agent';
      return new Map(sql.all<{ agent: string; ordinal: number }>(text).map(({ agent, ordinal }) => [agent, ordinal]));
    },
  };
}

const storedHold = ({ session, reason, held_at, held_by }: HoldRow): StoredHold => ({
  session,
  reason,
  heldAt: held_at,
  heldBy: held_by,
});
